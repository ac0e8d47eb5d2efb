"""The Authorization header: an API key as it is, or a JWT signed with the pair of keys."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from kolors_mcp.bounds import linear
from kolors_mcp.clock import Clock
from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.settings import Credentials

LIFETIME_SECONDS = 1800
"""How long a token lives (vendor: `exp` is now + 1800)."""
BACKDATED_SECONDS = 5
"""How far `nbf` lies in the past (vendor)."""
RENEWED_BEFORE_SECONDS = 180
"""How long before its end a token is used no more."""
NEWLY_SIGNED_SECONDS = 30
"""How long a token counts as new. To sign another one in that time would change nothing."""
MAX_DATE_CHARACTERS = 64
"""Of a `Date` header; what follows is not read."""
ACCOUNT_DIGITS = 32
"""Hexadecimal digits of the hash that stands for an account."""
NOT_VALID_YET, EXPIRED = 1003, 1004

MISSING = (
    "No Kling credentials are set. Set KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY, in this server's "
    "environment and restart it; or set KOLORS_SANDBOX=1 to try it without an account. Nothing was sent."
)


@dataclass(frozen=True)
class _Token:
    credentials: Credentials
    text: str
    not_before: float
    renew_at: float


def skew_of(date: str | None, clock: Clock) -> float | None:
    """Return the seconds by which an answer's `Date` header is ahead of our clock; None if it cannot be read."""
    moment = _moment_of(date or "")
    return None if moment is None else moment - clock.wall()


@linear(b"Thu, 01 Jan 1970 ", b"(", b",", b"0 ", b"+")
def _moment_of(date: str) -> float | None:
    """Return the seconds since 1970; None if it cannot be read."""
    try:
        return parsedate_to_datetime(date[:MAX_DATE_CHARACTERS]).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=4)  # each use of the ledger asks for the same one
def _digits_of(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:ACCOUNT_DIGITS]


class Authorization:
    """Hands out the header's value; signs, reuses and renews tokens.

    Credentials are asked for each time, so that keys rotated in the running process are used from the next request on.
    """

    def __init__(self, credentials: Callable[[], Credentials | None], clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._token: _Token | None = None
        self._skew = 0.0

    @property
    def skew(self) -> float:
        """Seconds by which Kling's clock was found to be ahead of ours; 0 until a token was refused for it."""
        return self._skew

    def account(self, origin: str) -> str | None:
        """Return what tells the account in use, at this origin, from others, and shows nothing of its keys.

        A new secret key of the same access key is the same account. Kling does not say to which account an API key
        belongs, so a new API key is another account. None if there are no keys that could be used.
        """
        try:
            credentials = self._credentials()
        except NotConfiguredError:
            return None
        if credentials is None:
            return None
        if credentials.api_key is not None:
            kind, known_by = "api_key", credentials.api_key
        else:
            assert credentials.access_key is not None
            kind, known_by = "access_key", credentials.access_key
        told = f"{origin}\n{kind}\n{known_by.get_secret_value()}"
        return _digits_of(told)

    def header(self) -> str:
        """Return `Bearer ...`.

        Raises:
            NotConfiguredError: There are no credentials.
        """
        credentials = self._credentials()
        if credentials is None:
            raise NotConfiguredError(MISSING)
        if credentials.api_key is not None:
            return f"Bearer {credentials.api_key.get_secret_value()}"
        now = self._clock.wall() + self._skew
        token = self._token
        # A token from the future means that the local clock was set back: it must not be trusted to be fresh.
        if token is None or token.credentials != credentials or not token.not_before <= now < token.renew_at:
            token = self._token = self._sign(credentials, now)
        return f"Bearer {token.text}"

    def renew_after(self, code: int, date: str | None) -> bool:
        """Forget the token that was refused with `code`; correct the clock by the answer's `Date` header.

        Returns whether a newly signed token can fare better: for a clock code, or if the token was an old one;
        never for an API key.
        """
        token, self._token = self._token, None
        if token is None:
            return False
        if code in (NOT_VALID_YET, EXPIRED):
            measured = skew_of(date, self._clock)
            # Without a readable Date: half a token's life is right for any clock up to a quarter of an hour fast,
            # a whole one for a clock half an hour slow, which is the least that makes a new token look expired.
            guessed = -LIFETIME_SECONDS / 2 if code == NOT_VALID_YET else LIFETIME_SECONDS
            self._skew = self._skew + guessed if measured is None else measured
            return True
        # A token that was accepted before may have been revoked with the others of its time; a new one was not.
        return self._clock.wall() + self._skew - token.not_before > NEWLY_SIGNED_SECONDS

    def _sign(self, credentials: Credentials, now: float) -> _Token:
        assert credentials.access_key is not None
        assert credentials.secret_key is not None
        issued = int(now)
        claims = {
            "iss": credentials.access_key.get_secret_value(),
            "exp": issued + LIFETIME_SECONDS,
            "nbf": issued - BACKDATED_SECONDS,
        }
        with warnings.catch_warnings():
            # The vendor chooses the key's length, not we.
            warnings.simplefilter("ignore", InsecureKeyLengthWarning)
            text = jwt.encode(claims, credentials.secret_key.get_secret_value(), algorithm="HS256")
        return _Token(credentials, text, issued - BACKDATED_SECONDS, issued + LIFETIME_SECONDS - RENEWED_BEFORE_SECONDS)
