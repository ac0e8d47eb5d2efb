"""Pictures on the user's own machine, as they are listed for an assistant: where, how large, and from when."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from kolors_mcp.models import Answer

PHOTO_SCHEME = "photo:"
"""Before the name under which the user keeps a photo."""


class LocalPicture(Answer):
    """A picture that may be used here, by its name alone."""

    path: Annotated[str, Field(description="What to give as a picture.")]
    size_bytes: int
    modified_at: Annotated[datetime, Field(description="UTC.")]


class LocalPictures(Answer):
    """What may be used here."""

    kept: Annotated[
        tuple[LocalPicture, ...], Field(description="Photos that the user keeps in the fitting room, as photo:NAME.")
    ] = ()
    pictures: Annotated[tuple[LocalPicture, ...], Field(description="Files, newest first.")] = ()
    more: Annotated[bool, Field(description="True: there are more; a query finds others.")] = False


class KeptPhotos(Answer):
    """What the fitting room is told after a photo was kept or removed."""

    path: str | None = None
    """`photo:NAME` of the one that was kept."""
    kept: tuple[LocalPicture, ...] = ()
