"""What an account needs whose creates many users share, in one process or in many."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kolors_mcp.jobs.line_parts import LineSettings


@dataclass(frozen=True)
class Sharing:
    """How such an account is opened."""

    line: "Callable[[str], LineSettings]"
    """From the ledger's URL to what turns the account's line on. It may wait for the disk."""
    callback_address: Callable[[str], str | None] = lambda _reference: None
    """Where Kling is to call about the create with this reference, unless its caller says."""
