"""What a caller asks for."""

from dataclasses import dataclass

from kolors_mcp.models import Model


@dataclass(frozen=True)
class TryOnRequest:
    """A person to be dressed in a garment, or in an upper and a lower one."""

    human_image: str
    cloth_image: str
    lower_cloth_image: str | None = None
    model_name: Model | None = None
    callback_url: str | None = None
    new_render: bool = False
    """Pay again although the same was asked for a moment ago."""
    label: str | None = None
    """What people call it."""
