"""Links by which a user hands over one photo from their own browser: signed, for a while, for one use.

Whoever has the link can add one photo to those of the user for whom it was made, and see or do nothing else. It says
what it is for itself, so that every replica knows it; only that it was used is written down, on the shelf.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from kolors_mcp.clock import Clock
from kolors_mcp.settings import Credentials
from kolors_mcp.shelf.owners import owner_mark

UPLOADS_PATH = "/uploads"
LINK_SECONDS = 15 * 60.0
"""For which a link can be used."""
PHOTO_NAME = "my-photo"
"""Under which a photo is kept, unless the user names it; with a number if there is another one."""
MAX_TOKEN_CHARACTERS = 1_000
_ALGORITHM = "HS256"
_PURPOSE = "upload"
_KEY_OF_LINKS = b"kolors-mcp: links for uploads"


class NoLinkError(Exception):
    """A token that was not made here, or for something else."""


@dataclass(frozen=True)
class UploadLink:
    """What a link allows."""

    mark: str
    """Stands for the user."""
    name: str
    """Of the photo, unless the user names it."""
    id: str
    """Of this link alone."""
    is_late: bool
    """Whether its time is over."""


class UploadLinks:
    """Makes and reads them; all replicas of an account make and know the same ones.

    Args:
        origin: Under which the world reaches the service.
        credentials: The account's; with other keys than those with which it was made, a link is not known any more.
            While there are none, links are known by this process alone.
        clock: By which they end.
    """

    def __init__(self, origin: str, credentials: Callable[[], Credentials | None], clock: Clock) -> None:
        self._origin = origin
        self._credentials = credentials
        self._clock = clock
        self._own_secret = secrets.token_bytes(32)

    def made_for(self, user: str) -> str:
        """Return a new link for a user."""
        claims = {
            "aud": _PURPOSE,
            "sub": owner_mark(user),
            "name": PHOTO_NAME,
            "exp": int(self._clock.wall() + LINK_SECONDS),
            "jti": secrets.token_hex(8),
        }
        return f"{self._origin}{UPLOADS_PATH}/{jwt.encode(claims, self._key(), _ALGORITHM)}"

    def read(self, token: str) -> UploadLink:
        """Return what the last part of a link allows.

        Raises:
            NoLinkError: It is none that was made here.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise NoLinkError
        try:
            claims = jwt.decode(
                token,
                self._key(),
                [_ALGORITHM],
                audience=_PURPOSE,
                # By this program's own clock, and told from a link that nobody has made.
                options={"require": ["aud", "sub", "exp", "jti"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as error:
            raise NoLinkError from error
        return UploadLink(claims["sub"], claims["name"], claims["jti"], claims["exp"] <= self._clock.wall())

    def _key(self) -> bytes:
        credentials = self._credentials()
        secret = None if credentials is None else credentials.api_key or credentials.secret_key
        known = self._own_secret if secret is None else secret.get_secret_value().encode()
        return hmac.digest(known, _KEY_OF_LINKS, hashlib.sha256)
