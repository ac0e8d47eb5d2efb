"""What a caller asks for, and how long they wait."""

from collections.abc import Callable
from dataclasses import dataclass

from kolors_mcp.models import Model

Say = Callable[[str], None]
"""Takes one short line about what is going on, for whoever is waiting."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants: a person dressed in a garment, or in an upper and a lower one."""

    human_image: str
    cloth_image: str
    lower_cloth_image: str | None = None
    model_name: Model | None = None
    callback_url: str | None = None
    new_render: bool = False
    """Pay again although the same was asked for a moment ago."""


@dataclass(frozen=True)
class Patience:
    """How long a caller waits: for the result, and for an answer of any kind."""

    wait_seconds: float = 0.0
    answer_within: float | None = None
    """Seconds after which the host cuts the call; None if progress keeps it alive."""


def unheard(_line: str) -> None:
    """Take a line about what is going on where nobody listens."""
