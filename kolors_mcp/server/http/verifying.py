"""From a bearer token to whose it is: a static token of the file, or one that the issuer has signed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jwt
from jwt.exceptions import InvalidSignatureError, PyJWTError
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthenticationError

from kolors_mcp.server.http.issuer import IssuerAwayError
from kolors_mcp.server.http.keys import KINDS, IssuerKeys
from kolors_mcp.server.http.scopes import scopes_in
from kolors_mcp.server.http.tokens import FileUnseenError, StaticToken, TokenFile

if TYPE_CHECKING:
    from jwt import PyJWK

LEEWAY_SECONDS = 30
"""By which the issuer's clock and this one may differ."""
MAX_TOKEN_CHARACTERS = 16_384
"""Of a signed token; those with many claims have some thousand."""
MAX_SUBJECT_CHARACTERS = 1_000
_MOST_KEYS_TRIED = 5
"""For a token that names no key."""
_JWT = jwt.PyJWT(options={"enforce_minimum_key_length": True})
_REQUIRED = ["exp", "aud", "iss", "sub"]


class NotNowError(AuthenticationError):
    """Whose a token is cannot be told at the moment."""


class Verifier:
    """Tells whose a token is, as the SDK asks for it."""

    def __init__(self, tokens: TokenFile | None, signed: "SignedTokens | None") -> None:
        """Take what is set up; either may be missing."""
        self._tokens = tokens
        self._signed = signed

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what a token allows to whom; None if it is not to be taken.

        Raises:
            NotNowError: Neither the file nor the issuer's keys know it, and one of them cannot be had.
        """
        static: StaticToken | None = None
        unseen: FileUnseenError | None = None
        try:
            static = None if self._tokens is None else await self._tokens.find(token)
        except FileUnseenError as error:
            unseen = error
        if static is not None:
            return _access(f"token {static.user}", list(static.scopes))
        signed = await self._signed_by_issuer(token)
        if signed is None and unseen is not None:
            # To refuse a token that is good would make its client give it up.
            raise NotNowError("The tokens of this service cannot be looked up.") from unseen
        return signed

    async def _signed_by_issuer(self, token: str) -> AccessToken | None:
        if self._signed is None or len(token) > MAX_TOKEN_CHARACTERS:
            return None
        try:
            return await self._signed.read(token)
        except IssuerAwayError as error:
            raise NotNowError("The authorization server cannot be asked for its keys.") from error


class SignedTokens:
    """The tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys) -> None:
        """Take whose tokens are read, what they must be made for, and the keys that they are signed with."""
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def read(self, token: str) -> AccessToken | None:
        """Return what a signed token allows to whom; None if it is not to be taken.

        Raises:
            IssuerAwayError: The issuer's keys cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
            # Nobody is asked for the key of a token that would not be taken anyway.
            claimed = _JWT.decode(token, options={"verify_signature": False})
        except (PyJWTError, ValueError, RecursionError):
            return None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in KINDS or claimed.get("iss") != self._issuer:
            return None
        if key_id is not None and not isinstance(key_id, str):
            return None
        claims = await self._verified(token, algorithm, key_id)
        return None if claims is None else self._access_of(claims)

    async def _verified(self, token: str, algorithm: str, key_id: str | None) -> dict[str, Any] | None:
        keys = await self._keys.matching(key_id, algorithm)
        claims = self._signed_by(keys, token, algorithm)
        if claims is not None or not await self._keys.renew():
            return claims
        # Another key may have come under the same name.
        return self._signed_by(await self._keys.matching(key_id, algorithm), token, algorithm)

    def _signed_by(self, keys: Sequence["PyJWK"], token: str, algorithm: str) -> dict[str, Any] | None:
        """Return the claims of a token that one of these keys has signed, and that is good here now."""
        for key in keys[:_MOST_KEYS_TRIED]:
            try:
                return _JWT.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=self._audience,
                    issuer=self._issuer,
                    leeway=LEEWAY_SECONDS,
                    options={"require": _REQUIRED},
                )
            except InvalidSignatureError:
                continue
            except (PyJWTError, ValueError, ArithmeticError):
                return None
        return None

    def _access_of(self, claims: dict[str, Any]) -> AccessToken | None:
        subject = claims["sub"]
        if not subject or len(subject) > MAX_SUBJECT_CHARACTERS:
            return None
        # An issuer's name has no blank in it, so no two of these are the same.
        return _access(f"issuer {self._issuer} {subject}", _scopes_of(claims), int(claims["exp"]) + LEEWAY_SECONDS)


def _scopes_of(claims: dict[str, Any]) -> list[str]:
    """Return our scopes in a token's claims, as RFC 9068 writes them, or as a list, or under the name `scp`."""
    found: list[str] = []
    for name in ("scope", "scp"):
        listed = claims.get(name)
        if isinstance(listed, str):
            found.append(listed)
        elif isinstance(listed, list):
            found += [str(scope) for scope in listed]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return scopes_in(" ".join(found))


def _access(user: str, scopes: list[str], expires_at: int | None = None) -> AccessToken:
    # The token itself goes no further than this.
    return AccessToken(token="", client_id=user, subject=user, scopes=scopes, expires_at=expires_at)
