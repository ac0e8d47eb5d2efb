"""The authorization server whose tokens are taken: where its keys are, by its own metadata (RFC 8414, then OpenID)."""

import json
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import httpx
from anyio import to_thread

from kolors_mcp.egress.certificates import trusted_certificates
from kolors_mcp.egress.proxies import proxy_for
from kolors_mcp.errors import KolorsError
from kolors_mcp.kling.connection import ProxiedTransport
from kolors_mcp.service_settings import is_loopback

MAX_ANSWER_BYTES = 256 * 1024
"""Of metadata, or of a set of keys; the largest known ones have some 30 KB."""
_STEP_SECONDS = 5.0
"""For connecting, and for each piece of an answer."""
_OK = 200
_PORTS = {"http": 80, "https": 443}
_LIMITS = httpx.Limits(max_connections=4)

Fetch = Callable[[str], Awaitable[dict[str, Any]]]
"""From an address to the object that is there; raises `IssuerAwayError`."""


class IssuerAwayError(KolorsError):
    """The authorization server, or what it says of itself, cannot be had now; that says nothing about a token."""

    retryable = True


async def find_keys_address(issuer: str, fetch: Fetch) -> str:
    """Return where the issuer's keys are.

    Raises:
        IssuerAwayError: None of its metadata can be had, or none is the issuer's own.
    """
    said = "it has no metadata"
    for address in metadata_addresses(issuer):
        try:
            metadata = await fetch(address)
        except IssuerAwayError as error:
            said = str(error)
            continue
        keys = metadata.get("jwks_uri")
        if metadata.get("issuer") != issuer:
            said = "its metadata names another issuer"
        elif not isinstance(keys, str) or not may_be_asked(keys):
            said = "its metadata has no usable jwks_uri"
        else:
            return keys
    raise IssuerAwayError(said)


def metadata_addresses(issuer: str) -> tuple[str, ...]:
    """Return where an issuer's metadata may be: RFC 8414's place, OpenID's, and OpenID's as RFC 8414 has it."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")

    def at(path: str) -> str:
        return SplitResult(parts.scheme, parts.netloc, path, "", "").geturl()

    return (
        at(f"/.well-known/oauth-authorization-server{path}"),
        at(f"{path}/.well-known/openid-configuration"),
        *([at(f"/.well-known/openid-configuration{path}")] if path else []),
    )


def may_be_asked(address: str) -> bool:
    """Whether an address is one that what it says can be believed from: by https, or on this machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or not address.isascii() or not address.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


async def fetch_object(address: str) -> dict[str, Any]:
    """Return the JSON object at an address; no redirect is followed, no cookie kept, and nothing of a caller is sent.

    Raises:
        IssuerAwayError: There is none, it is too large, or it does not come.
        NotConfiguredError: A proxy or certificates of this process cannot be used.
    """
    url = httpx.URL(address)
    request = httpx.Request("GET", url, headers={"accept": "application/json", "accept-encoding": "identity"})
    request.extensions["timeout"] = httpx.Timeout(_STEP_SECONDS).as_dict()
    transport = await to_thread.run_sync(partial(_way_to, url))
    try:
        async with transport:
            response = await transport.handle_async_request(request)
            try:
                content = await _content_of(response)
            finally:
                await response.aclose()
    except (httpx.TransportError, ssl.SSLError, OSError) as error:
        raise IssuerAwayError(f"it cannot be reached ({type(error).__name__})") from error
    try:
        read: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IssuerAwayError("its answer is not JSON") from error
    if not isinstance(read, dict):
        raise IssuerAwayError("its answer is no object")
    return cast("dict[str, Any]", read)


async def _content_of(response: httpx.Response) -> bytes:
    if response.status_code != _OK:
        raise IssuerAwayError(f"it answers with HTTP {response.status_code}")
    content = bytearray()
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for piece in response.stream:
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise IssuerAwayError(f"its answer has more than {MAX_ANSWER_BYTES // 1024} KB")
    return bytes(content)


def _way_to(url: httpx.URL) -> httpx.AsyncHTTPTransport:
    verify, proxy = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None
    # A proxy of the environment may stand before the issuer, never before a server on this machine.
    if url.scheme == "https":
        verify = trusted_certificates()
        proxy = proxy_for("https", url.host, url.port or _PORTS["https"])
    if proxy is not None:
        return ProxiedTransport(proxy, verify, _LIMITS)
    return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=_LIMITS)
