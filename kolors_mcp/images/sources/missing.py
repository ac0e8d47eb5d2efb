"""What is said about a path that leads to no file: what is near, if that may be known, and nothing of what may not."""
# Names are looked at as plain strings, as in `allowed`.
# ruff: noqa: PTH112, PTH119, PTH120

import os
import re
from collections.abc import Sequence

from kolors_mcp.images.sources.allowed import Allowed
from kolors_mcp.images.sources.attachments import INSTEAD
from kolors_mcp.images.sources.names import Listing, in_icloud, mistyped
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.wording import quoted

_LIKE_A_LINK = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z]{2,24}(?::[0-9]{1,5})?/")


def missing_words(written: str, candidates: Sequence[str], allowed: Allowed, *, is_whole: bool) -> str:
    """Return what is said where none of `candidates` could be opened.

    Of a path outside the allowed folders it is the same whether or not something is there.

    Args:
        written: What was asked for.
        candidates: The absolute paths that it may mean.
        allowed: Where files may be read.
        is_whole: Whether it was written as an absolute path.
    """
    listable = [path for path in dict.fromkeys(candidates) if allowed.may_list(os.path.dirname(path))]
    if any(in_icloud(path) for path in listable):
        return (
            f"is not on this disk: {quoted(os.path.basename(written))} is only in iCloud. Open it once, or choose "
            '"Download Now" in its menu in the Finder, and try again.'
        )
    listing = Listing(allowed)
    nearest = next((near for path in listable if (near := mistyped(path, listing)) is not None), None)
    if nearest is not None:
        return f"names no file: {quoted(written)}. Did you mean {quoted(nearest)}?"
    # A link that leads out of the folder is there: of such a one no more is said than of a path outside.
    missing = [path for path in listable if allowed.root_of(path) is not None and not os.path.lexists(path)]
    hint = _hint(written)
    if missing and is_whole:
        folder = os.path.dirname(missing[0])
        where = "that folder has none of this name" if os.path.isdir(folder) else f"there is no folder {quoted(folder)}"
        return f"names no file: {quoted(written)}; {where}. Check the path, or give an https link."
    if missing and len(missing) == len(listable):
        return f"names no file: {quoted(written)}; there is none in {_folders(allowed)}. Give the whole path.{hint}"
    why = " Names that begin with a dot are not read." if any(map(allowed.has_hidden_part, candidates)) else ""
    return (
        f"names no file that may be read: {quoted(written)}. Pictures are read from {_folders(allowed)}.{why} "
        f"Move it there, or give an https link.{hint}"
    )


def _folders(allowed: Allowed) -> str:
    return ", ".join(map(quoted, allowed.shown()))


def _hint(written: str) -> str:
    """Return what may be meant by a name that is no path."""
    if written[: len(PHOTO_SCHEME)].lower() == PHOTO_SCHEME:
        return f" A kept photo is {PHOTO_SCHEME}NAME, with 1 to 60 of a-z, A-Z, 0-9, _ and -; list_pictures shows them."
    if _LIKE_A_LINK.match(written):
        return " If it is a link, write https:// before it."
    if not any(mark in written for mark in "/\\"):
        return f" A picture of the chat itself has no path here. {INSTEAD}"
    return ""
