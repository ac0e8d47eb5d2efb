"""What a caller asks for."""

from typing import NamedTuple

from kolors_mcp.models import Model
from kolors_mcp.pictures import Given


class TryOnRequest(NamedTuple):
    """A person to be dressed in a garment, or in an upper and a lower one."""

    human_image: Given
    cloth_image: Given
    lower_cloth_image: Given | None = None
    model_name: Model | None = None
    callback_url: str | None = None
    new_render: bool = False
    """Pay again although the same was asked for a moment ago."""
    label: str | None = None
    """What people call it."""
