"""Pictures of the user's own as text, for hosts that show their model only that."""

from collections.abc import Iterable

from kolors_mcp.local_pictures import KeptPhotos, LocalPicture, LocalPictures


def kept_text(photos: KeptPhotos) -> str:
    """Return what the fitting room is told in words."""
    lines = [f"Kept as {photos.path} ."] if photos.path else []
    return "\n".join((*lines, *_kept_lines(photos.kept)))


def pictures_text(found: LocalPictures) -> str:
    """Return what may be used here in words."""
    lines = _kept_lines(found.kept) if found.kept else []
    if found.pictures:
        lines += ["Pictures, newest first:", *map(_line, found.pictures)]
    if not lines:
        lines = ["No pictures."]
    if found.more and not found.pictures:
        lines.append("Not all folders were looked through: ask the user for the path.")
    elif found.more:
        lines.append("There are more; give a query to find others.")
    return "\n".join(lines)


def _kept_lines(kept: Iterable[LocalPicture]) -> list[str]:
    lines = [_line(picture) for picture in kept]
    return ["Kept photos:", *lines] if lines else ["No photo is kept."]


def _line(picture: LocalPicture) -> str:
    return f'- "{picture.path}" ({picture.size_bytes / 1000:.0f} kB, {picture.modified_at:%Y-%m-%dT%H:%M:%SZ})'
