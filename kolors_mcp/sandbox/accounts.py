"""Who is calling: accounts, their API keys and key pairs, and the strict check of an Authorization header."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from kolors_mcp.sandbox.codes import Refusal

TOKEN_SECONDS = 1800
"""Longest life of a token, counted from now (vendor)."""
_TOLERANCE_SECONDS = 10  # A token made by a clock that is a little fast is not refused for its length.


@dataclass(eq=False)
class Account:
    """One customer. Keys may be added and removed while the sandbox runs, as a rotation does.

    Attributes:
        api_keys: Keys that are sent verbatim.
        key_pairs: Access key to secret key, which signs tokens.
    """

    api_keys: set[str] = field(default_factory=set[str], repr=False)
    key_pairs: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    costs_asked_at: float | None = None
    """When `/account/costs` was last answered (once a second is allowed)."""

    @classmethod
    def with_fresh_keys(cls) -> "Account":
        """Make an account with one random API key and one random pair."""
        return cls(api_keys={secrets.token_hex(24)}, key_pairs={secrets.token_hex(16): secrets.token_hex(16)})


def authenticate(accounts: list[Account], headers: Mapping[str, str], now: float) -> Account:
    """Return the account that the `Authorization` header proves.

    Raises:
        Refusal: 1000 to 1004, as the table has them.
    """
    header = headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if not header.strip() or not token.strip():
        raise Refusal(1001)
    if scheme != "Bearer":
        raise Refusal(1000, "Authorization must be: Bearer, one blank, and a key or token")
    for account in accounts:
        if any(hmac.compare_digest(token.encode(), key.encode()) for key in account.api_keys):
            return account
    return _by_token(accounts, token, now)


def _by_token(accounts: list[Account], token: str, now: float) -> Account:
    try:
        header = jwt.get_unverified_header(token)
        unverified = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise Refusal(1002) from error
    if header != {"alg": "HS256", "typ": "JWT"}:
        raise Refusal(1002, "Authorization is invalid: the token's header must be alg HS256 and typ JWT, nothing else")
    issuer = unverified.get("iss")
    owner = next((account for account in accounts if issuer in account.key_pairs), None)
    if owner is None or not isinstance(issuer, str):
        raise Refusal(1002)
    try:
        claims = jwt.decode(
            token,
            owner.key_pairs[issuer],
            algorithms=["HS256"],
            # The sandbox has its own clock.
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError as error:
        raise Refusal(1002) from error
    _check_claims(claims, now)
    return owner


def _check_claims(claims: dict[str, Any], now: float) -> None:
    if set(claims) != {"iss", "exp", "nbf"}:
        raise Refusal(1002, "Authorization is invalid: the claims must be exactly iss, exp and nbf")
    expires, not_before = claims["exp"], claims["nbf"]
    if type(expires) is not int or type(not_before) is not int:
        raise Refusal(1002, "Authorization is invalid: exp and nbf must be whole seconds")
    if not_before > now:
        raise Refusal(1003)
    if expires <= now:
        raise Refusal(1004)
    if expires > now + TOKEN_SECONDS + _TOLERANCE_SECONDS:
        raise Refusal(1002, f"Authorization is invalid: exp is more than {TOKEN_SECONDS} seconds ahead")
