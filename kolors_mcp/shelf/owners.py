"""Whose something on the shelf is, without naming them: the store's own operators learn no user names."""

import hashlib

_MARK_CHARACTERS = 32


def owner_mark(user: str) -> str:
    """Return what stands for a user in names of objects; no two users have the same."""
    return hashlib.sha256(b"kolors-mcp shelf\0" + user.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_CHARACTERS]


def photos_folder(mark: str) -> str:
    """Return where the kept photos of a user lie."""
    return f"photos/{mark}"
