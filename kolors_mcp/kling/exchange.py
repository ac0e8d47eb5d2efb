"""One request to Kling and its envelope: what of it left this machine, and what an error on the way therefore means."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import httpx

from kolors_mcp import __version__, errors
from kolors_mcp.bounds import linear
from kolors_mcp.clock import Deadline
from kolors_mcp.kling.body import Body
from kolors_mcp.kling.connection import Connections
from kolors_mcp.kling.content import ContentError, aside, content_of, json_of
from kolors_mcp.kling.refusals import Verdict
from kolors_mcp.kling.unreached import Obstacle, obstacle_of
from kolors_mcp.kling.wire import Envelope

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"kolors-mcp/{__version__}",
}
MAX_URLS = 64
"""Addresses that are kept: taking one apart is a third of what a request costs before it is sent."""

Commit = Callable[[], Awaitable[None]]
"""Is waited for before the last piece of a create leaves; if it raises, that piece never leaves."""


@dataclass
class Reply:
    """An answer with a readable envelope."""

    envelope: Envelope
    verdict: Verdict | None
    date: str | None
    status: int = 200
    """Of HTTP."""


@dataclass
class _Sending:
    """How far a request has come; the exception's type cannot tell, since it is the same before and after."""

    creating: bool
    commit: Commit | None = None
    left: bool = False
    """Its first byte may have left."""
    whole: bool = True
    """Its last byte may have left. Until then Kling cannot have accepted it, for its JSON does not end."""

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of what the connection does. A proxy is first asked for a tunnel, which is not our request."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.left = True

    async def content(self, body: Body) -> AsyncIterator[bytes]:
        """Yield the body; before its last part goes out, ask whether it may, and take note that it does."""
        self.whole = False
        held: bytes | None = None
        for part in body:
            if held is not None:
                yield held
            held = part
        if self.commit is not None:
            await self.commit()
        self.whole = True
        if held is not None:
            yield held

    def broken(self, host: str, obstacle: Obstacle) -> errors.KlingError:
        """Make the error for a request that got no answer from Kling at `host`."""
        how = obstacle.reason
        if not self.left:
            kind = errors.WayRefusedError if obstacle.lasts else errors.UnreachableError
            return kind(f"Kling at {host} cannot be reached ({how})", obstacle.remedy, creating=self.creating)
        if self.creating and not self.whole:
            return errors.UnreachableError(
                f"The connection to Kling at {host} ended before the pictures were through ({how})",
                obstacle.remedy,
                creating=True,
            )
        return errors.ConnectionLostError(f"The connection to Kling ended without an answer ({how})", "Try again.")

    def unexpected(self, status: int, what: str) -> NoReturn:
        """Raise the error for an answer that is no envelope."""
        found = f"Kling answered HTTP {status} with {what}"
        if self.creating and not self.whole:
            raise errors.RefusedError(
                f"{found}, before it had the whole request", "Check KLING_API_BASE and any proxy.", creating=True
            )
        error = errors.UnexpectedAnswerError(found, "Try again in a minute; if it stays, check KLING_API_BASE.")
        error.status = status
        raise error


async def exchange(
    connections: Connections,
    method: str,
    path: str,
    authorization: str,
    deadline: Deadline,
    *,
    query: Mapping[str, int] | None = None,
    body: Body | None = None,
    commit: Commit | None = None,
) -> Reply:
    """Send one request and read its envelope. With a body it is a create.

    Args:
        connections: Carry the request.
        method: Of HTTP.
        path: Of the endpoint.
        authorization: The header's value.
        deadline: Until when the answer must be there.
        query: What follows the question mark.
        body: What is sent; without its last piece Kling cannot have accepted it.
        commit: Is waited for before that piece leaves. It is never cancelled by us, but may be left waiting; it raises
            what keeps the request from being sent, which comes out of here as it is, with the connection closed.

    Raises:
        UnreachableError: Nothing left, or of a create not all of it; nothing was created. A `WayRefusedError` where
            that would be so again.
        ConnectionLostError: The request left and no whole answer came (before the deadline).
        UnexpectedAnswerError: The answer is no envelope.
        RefusedError: Nor was it, and it came before the whole create had left; nothing was created.
        PictureRefusedError: A picture's file changed while it was sent; Kling never got a whole request.
    """
    sending = _Sending(creating=body is not None, commit=commit)
    headers = {**_HEADERS, "Authorization": authorization}
    if body is not None:
        headers["Content-Length"] = str(body.length)
    request = httpx.Request(
        method,
        _url(connections.origin, path),
        params=query or None,
        headers=headers,
        content=None if body is None else sending.content(body),
        extensions={"trace": sending.trace},
    )
    host = connections.origin.host
    given = deadline.left()
    with deadline.scope():
        try:
            response = await connections.send(request, creating=sending.creating)
            try:
                envelope = await _envelope_of(await content_of(response))
            except ContentError as error:
                sending.unexpected(response.status_code, str(error))
            finally:
                await response.aclose()
        # A host name that cannot be written as one is a UnicodeError, before anything is looked up.
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            raise sending.broken(host, obstacle_of(error)) from error
        return _reply(response, envelope, sending)
    raise sending.broken(host, Obstacle(f"it did not answer within {given:.0f} seconds"))


@lru_cache(maxsize=MAX_URLS)
def _url(origin: httpx.URL, path: str) -> httpx.URL:
    return httpx.URL(f"{str(origin).rstrip('/')}{path}")


async def _envelope_of(content: bytes) -> Envelope:
    answer = await aside(json_of, content)
    try:
        return Envelope.model_validate(answer)
    except ValueError:
        raise ContentError("something that is not its JSON envelope") from None


def _reply(response: httpx.Response, envelope: Envelope, sending: _Sending) -> Reply:
    verdict, status = None, response.status_code
    if envelope.code != 0:
        verdict = Verdict(envelope.code, envelope.message, envelope.request_id, _retry_after(response), status)
        if sending.creating and not sending.whole and not verdict.final:
            sending.unexpected(status, "a code that refuses nothing for certain")
    elif not response.is_success:
        sending.unexpected(response.status_code, "success in the body and an error in the status")
    return Reply(envelope, verdict, response.headers.get("date"), status)


def _retry_after(response: httpx.Response) -> float | None:
    return _seconds_of(response.headers.get("retry-after", ""))


@linear(b"9", b"0", b" ")
def _seconds_of(header: str) -> float | None:
    return float(header) if header.isascii() and header.isdigit() else None
