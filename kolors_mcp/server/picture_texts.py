"""Pictures of the user's own as text, for hosts that show their model only that."""

from collections.abc import Iterable

from kolors_mcp.local_pictures import KeptPhotos, LocalPicture


def kept_text(photos: KeptPhotos) -> str:
    """Return what the fitting room is told in words."""
    lines = [f"Kept as {photos.path} ."] if photos.path else []
    return "\n".join((*lines, *_kept_lines(photos.kept)))


def _kept_lines(kept: Iterable[LocalPicture]) -> list[str]:
    lines = [_line(picture) for picture in kept]
    return ["Kept photos:", *lines] if lines else ["No photo is kept."]


def _line(picture: LocalPicture) -> str:
    return f"- {picture.path} ({picture.size_bytes / 1000:.0f} kB, {picture.modified_at:%Y-%m-%dT%H:%M:%SZ})"
