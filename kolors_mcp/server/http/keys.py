"""The issuer's public keys: fetched once for all who need them, looked at again after a while or where one is missing.

The library's own client is synchronous, bounds neither the body nor the time of an answer, and asks again at every
token while the issuer does not answer. So only its reading of keys is used.
"""

import logging
import math
from collections.abc import Sequence
from typing import Any, cast

import anyio
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from kolors_mcp.clock import Clock
from kolors_mcp.errors import KolorsError
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.server.http.issuer import Fetch, IssuerAwayError, fetch_object, find_keys_address
from kolors_mcp.wording import plain

logger = logging.getLogger(__name__)

FRESH_SECONDS = 30.0
"""Age of the keys from which on they are fetched again, while they are used: so long lives a key that is withdrawn."""
REFETCH_SECONDS = 10.0
"""Between two fetches at least, whatever tokens come: one with an unknown key costs the issuer no more than that."""
TRUSTED_SECONDS = 3600.0
"""For which keys are believed while the issuer does not answer."""
MAX_FETCH_SECONDS, MAX_WAIT_SECONDS = 10.0, 5.0
"""For a fetch of metadata and keys together; and for how long one who calls waits for it."""
MAX_KEYS = 100
"""Of a set; issuers have two or three."""
KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that are taken, each with the kind and curve of its keys. None is made with a shared secret: whoever
knows a public key could write tokens with it otherwise."""

_NEVER = -math.inf


class IssuerKeys:
    """The keys of one issuer."""

    def __init__(self, issuer: str, clock: Clock, fetch: Fetch = fetch_object) -> None:
        """Fetch nothing yet."""
        self._issuer = issuer
        self._clock = clock
        self._fetch = fetch
        self._address: str | None = None
        self._keys: Sequence[dict[str, Any]] = ()
        self._made: dict[tuple[int, str], PyJWK | None] = {}
        self._fetched_at = self._asked_at = _NEVER
        self._fetches: InFlight[None] = InFlight()

    async def matching(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        """Return the keys that a token may be signed with.

        Args:
            key_id: As the token names it; None: it does not, so any key of the kind may be meant.
            algorithm: One of `KINDS`.

        Raises:
            IssuerAwayError: There are no keys that can be believed, and the issuer does not answer.
        """
        # Keys that were fetched a moment ago are good enough until newer ones are there.
        waited = self._age() > FRESH_SECONDS + REFETCH_SECONDS and not self._has_just_failed()
        if self._age() > FRESH_SECONDS:
            await self._renew(waiting=waited)
        found = self._found(key_id, algorithm)
        if not found and not waited and await self.renew():
            found = self._found(key_id, algorithm)
        if not found and self._age() > TRUSTED_SECONDS:
            raise IssuerAwayError("its keys are not known")
        return found

    async def renew(self) -> bool:
        """Fetch the keys again, unless that was done a moment ago; return whether there are newer ones now."""
        before = self._fetched_at
        await self._renew(waiting=True)
        return self._fetched_at > before

    async def aclose(self) -> None:
        """Fetch no more."""
        await self._fetches.aclose()

    def _age(self) -> float:
        return self._clock.monotonic() - self._fetched_at

    def _has_just_failed(self) -> bool:
        return self._asked_at > self._fetched_at and self._clock.monotonic() - self._asked_at < REFETCH_SECONDS

    async def _renew(self, *, waiting: bool) -> None:
        now = self._clock.monotonic()
        if self._fetches.get("keys") is None:
            if now - self._asked_at < REFETCH_SECONDS:
                return
            self._asked_at = now
        fetch = self._fetches.join("keys", self._fetch_keys)
        if waiting:
            await ends(fetch, self._clock.deadline(MAX_WAIT_SECONDS))

    async def _fetch_keys(self) -> None:
        why = "it did not answer in time"
        with anyio.move_on_after(MAX_FETCH_SECONDS):
            try:
                self._address = self._address or await find_keys_address(self._issuer, self._fetch)
                keys = _keys_in(await self._fetch(self._address))
            except KolorsError as error:
                why = str(error)
            else:
                self._keys, self._made, self._fetched_at = keys, {}, self._clock.monotonic()
                return
        # It may have moved its keys, and say so.
        self._address = None
        logger.warning("the keys of the issuer cannot be had: %s", plain(why, 300))

    def _found(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        if self._age() > TRUSTED_SECONDS:
            return []
        kind, curve = KINDS[algorithm]
        found: list[PyJWK] = []
        for number, key in enumerate(self._keys):
            fits = key.get("kty") == kind and curve in (None, key.get("crv")) and key.get("alg") in (None, algorithm)
            if not fits or key.get("use") not in (None, "sig") or (key_id is not None and key.get("kid") != key_id):
                continue
            if (number, algorithm) not in self._made:
                self._made[number, algorithm] = _made_of(key, algorithm)
            made = self._made[number, algorithm]
            if made is not None:
                found.append(made)
        return found


def _keys_in(answer: dict[str, Any]) -> Sequence[dict[str, Any]]:
    keys: object = answer.get("keys")
    if not isinstance(keys, list) or not keys:
        raise IssuerAwayError("its set of keys is empty")
    some = cast("list[object]", keys)[:MAX_KEYS]
    return [cast("dict[str, Any]", key) for key in some if isinstance(key, dict)]


def _made_of(key: dict[str, Any], algorithm: str) -> PyJWK | None:
    try:
        return PyJWK(key, algorithm)
    except (PyJWTError, ValueError, TypeError) as error:
        logger.warning("a key of the issuer cannot be read (%s)", type(error).__name__)
        return None
