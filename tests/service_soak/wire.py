"""How users speak with the service: a lean client of the soak's own in both protocol eras, and the official SDK's."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, Protocol, cast

import httpx
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client  # the SDK's own clients are made by it
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

Era = Literal["modern", "legacy"]
VERSIONS: Mapping[Era, str] = {"modern": "2026-07-28", "legacy": "2025-06-18"}
NAMED = {"tools/call": "name", "resources/read": "uri"}
"""The argument of a request that also stands in a header."""
BUSY, GATEWAY = (429, 503), (502, 504)
"""HTTP statuses that ask for patience, and those of a proxy whose replica is not there."""
CONNECT_SECONDS = 30.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each user the loading of certificates that nobody asks for."""
_INFO = {"name": "service-soak", "version": "1"}


class Gone(Exception):  # noqa: N818  (what is meant to happen)
    """No answer came: the connection ended, a proxy answered in the service's place, or patience did."""


class Busy(Exception):  # noqa: N818  (the service's answer, not a fault of this program)
    """Asked to come again later."""


@dataclass(frozen=True)
class Answer:
    """What a request was answered: a result, or the error of JSON-RPC or HTTP in its place."""

    result: dict[str, Any]
    is_error: bool

    @property
    def text(self) -> str:
        """All of it that a model would read."""
        return "\n".join(part["text"] for part in self._parts if "text" in part) or json.dumps(self.result)

    @property
    def structured(self) -> dict[str, Any]:
        """Its structured part."""
        return self.result.get("structuredContent") or {}

    @property
    def everything(self) -> str:
        """Text and structured part."""
        return f"{self.text}\n{json.dumps(self.structured)}"

    @property
    def picture(self) -> str | None:
        """The picture in it, in base64."""
        return next(
            (part.get("data") or part.get("blob") for part in self._parts if {"data", "blob"} & set(part)), None
        )

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return self.result.get("content") or self.result.get("contents") or []


class Speaker(Protocol):
    """One user's way to the service."""

    async def ask(self, method: str, params: dict[str, Any], patience: float) -> Answer:
        """Ask, and return the answer.

        Raises:
            Gone: None came in so many seconds.
            Busy: The service asks to come later.
        """
        ...


def pool() -> httpx.AsyncClient:
    """Return what one user's connections go through: a pool looks at all of its own at each request."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=2, keepalive_expiry=20)
    timeout = httpx.Timeout(CONNECT_SECONDS, read=None, write=None, pool=None)
    return httpx.AsyncClient(trust_env=False, limits=limits, timeout=timeout, verify=NO_TLS)


class Lean:
    """Speaks by hand: a POST for each request, an answer as JSON or as a stream of events."""

    def __init__(self, client: httpx.AsyncClient, url: str, token: str | None, era: Era, *, progress: bool) -> None:
        self._client = client
        self._url = url
        self._era: Era = era
        self._progress = progress
        self._numbers = count(1)
        self._headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": VERSIONS[era],
        }
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    async def ask(self, method: str, params: dict[str, Any], patience: float) -> Answer:
        """Ask, and return the answer."""
        number = next(self._numbers)
        body, headers = self._written(number, method, params)
        try:
            async with (
                asyncio.timeout(patience),
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                return await _answer(response, number)
        except (TimeoutError, httpx.TransportError) as error:
            raise Gone(f"{type(error).__name__}: {error}") from None

    def _written(self, number: int, method: str, params: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        headers = dict(self._headers)
        meta: dict[str, Any] = {"progressToken": number} if self._progress else {}
        if self._era == "modern":
            meta |= {
                PROTOCOL_VERSION_META_KEY: VERSIONS["modern"],
                CLIENT_CAPABILITIES_META_KEY: {},
                CLIENT_INFO_META_KEY: _INFO,
            }
            headers["mcp-method"] = method
            if method in NAMED:
                headers["mcp-name"] = params[NAMED[method]]
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": meta}}
        return json.dumps(message).encode(), headers


class Official:
    """The SDK's own client, made anew for each request, as by an agent that lives as long as one turn."""

    def __init__(self, url: str, token: str | None, era: Era) -> None:
        self._url = url
        self._mode = "auto" if era == "modern" else "legacy"
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}

    async def ask(self, method: str, params: dict[str, Any], patience: float) -> Answer:
        """Ask, and return the answer."""
        try:
            async with asyncio.timeout(patience), create_mcp_http_client(self._headers) as http:
                transport = streamable_http_client(self._url, http_client=http)
                async with Client(transport, mode=self._mode) as client:
                    if method == "tools/call":
                        result = await client.call_tool(params["name"], params["arguments"])
                    else:
                        assert method == "resources/read"
                        result = await client.read_resource(params["uri"])
        except MCPError as error:
            # Whether the service or the connection says so is in its words only.
            raise Gone(str(error)) from None
        except TimeoutError:
            raise Gone("no answer in time") from None
        except ExceptionGroup as group:
            raise Gone(f"{group.exceptions[0]!r}") from None
        written = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return Answer(written, bool(written.get("isError")))


async def _answer(response: httpx.Response, number: int) -> Answer:
    """Read an answer, past the progress before it.

    Raises:
        Gone: The stream ended without one, or a proxy answers.
        Busy: The service asks to come later.
    """
    kind = response.headers.get("content-type", "").partition(";")[0]
    if response.status_code in BUSY:
        raise Busy(response.headers.get("retry-after", ""))
    if kind == "text/event-stream":
        async for line in response.aiter_lines():
            if (
                line.startswith("data:")
                and (message := _object(line[5:])).get("id") == number
                and "method" not in message
            ):
                return _of_message(message)
        raise Gone("the stream ended without an answer")
    content = await response.aread()
    text = content.decode("utf-8", "replace")
    if "jsonrpc" in (message := _object(text)):
        return _of_message(message)
    if response.status_code in GATEWAY:
        raise Gone(f"HTTP {response.status_code}: {text[:200]}")
    return Answer({"http": response.status_code, "said": text[:1000]}, is_error=True)


def _of_message(message: dict[str, Any]) -> Answer:
    if "result" in message:
        return Answer(message["result"], bool(message["result"].get("isError")))
    return Answer({"error": message.get("error")}, is_error=True)


def _object(text: str) -> dict[str, Any]:
    try:
        found: object = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
