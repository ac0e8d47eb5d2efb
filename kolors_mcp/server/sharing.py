"""What an account needs whose creates many users share, in one process or in many."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kolors_mcp.images.sources.photos import PhotoStore
    from kolors_mcp.jobs.copies import ShelfCopies
    from kolors_mcp.jobs.line_parts import LineSettings


@dataclass(frozen=True)
class Sharing:
    """How such an account is opened."""

    photos_of: "Callable[[str], PhotoStore]"
    """Says where a user's kept photos lie."""
    upload_link: Callable[[str], str] | None = None
    """From a user to a new link, with which whoever has it hands over one photo for that user; None: there are none."""
    copies: "Callable[[], ShelfCopies | None]" = lambda: None
    """Makes what keeps copies of finished pictures; None: they are not kept."""
    line: "Callable[[str], LineSettings | None]" = lambda _ledger_url: None
    """From the ledger's URL to what turns the account's line on; None: there is no line. It may wait for the disk."""
    callback_address: Callable[[str], str | None] = lambda _reference: None
    """Where Kling is to call about the create with this reference, unless its caller says."""
