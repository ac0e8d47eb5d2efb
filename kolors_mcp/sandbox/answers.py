"""What goes back over the wire: an answer, whole or spoiled on purpose, or no answer at all."""

import json
import socket
import struct
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, cast

from starlette.types import Receive, Scope, Send

from kolors_mcp.sandbox.clock import SandboxClock

TRANSPORT = "kolors_mcp.sandbox.transport"
"""The key under which a connection's transport stands in the ASGI scope."""
_WITHOUT_BODY = (204, 304)  # By HTTP's rules.


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        cut_after: Send this many bytes of the body although the headers promise all, then close.
        drip: Bytes and seconds: send the body in pieces of this size, with this pause by the sandbox's clock between.
    """

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    cut_after: int | None = None
    drip: tuple[int, float] | None = None

    @classmethod
    def of_json(cls, status: int, content: Any, headers: tuple[tuple[str, str], ...] = ()) -> "Answer":
        """Make an answer of JSON."""
        try:
            body = json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # Half a character, echoed as it came.
            body = json.dumps(content).encode()
        return cls(status, body, headers=headers)

    def envelope(self) -> dict[str, Any]:
        """Return the body as the JSON object that it is."""
        return cast("dict[str, Any]", json.loads(self.body))


@dataclass(frozen=True)
class Vanish:
    """No answer: the connection is reset, or closed in good order (`fin`)."""

    fin: bool = False


Outcome = Answer | Vanish


@dataclass(frozen=True)
class Delivery:
    """Sends an outcome; an ASGI application, so that it can stand where a response stands."""

    outcome: Outcome
    clock: SandboxClock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it over the request's own connection."""
        if isinstance(self.outcome, Vanish):
            await vanish(scope, receive, fin=self.outcome.fin)
            return
        answer = self.outcome
        if answer.status in _WITHOUT_BODY:
            answer = replace(answer, body=b"", cut_after=None, drip=None)
        headers = {
            "date": formatdate(self.clock.now(), usegmt=True),
            "content-type": answer.media_type,
            "content-length": str(len(answer.body)),
            **dict(answer.headers),
        }
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if answer.drip is not None:
            await self._drip(answer, answer.drip, scope, send)
        elif answer.cut_after is None:
            await send({"type": "http.response.body", "body": answer.body})
        else:
            await send({"type": "http.response.body", "body": answer.body[: answer.cut_after], "more_body": True})
            await vanish(scope, receive, fin=True)

    async def _drip(self, answer: Answer, pace: tuple[int, float], scope: Scope, send: Send) -> None:
        size, pause = pace
        for start in range(0, len(answer.body), size):
            if start:
                await self.clock.reach(self.clock.now() + pause)
            if TRANSPORT in scope and scope[TRANSPORT].is_closing():
                return
            await send({"type": "http.response.body", "body": answer.body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def vanish(scope: Scope, receive: Receive, *, fin: bool) -> None:
    """End the connection of a request without (more of) an answer.

    Raises:
        ConnectionResetError: There is no connection: the application is called in process.
    """
    transport = scope.get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("the sandbox drops this request")
    if fin:
        # Half-close first and take in what still comes: closing over unread bytes would send a reset.
        transport.write_eof()
        while (await receive()).get("more_body"):
            pass
        transport.close()
    else:
        if transport.is_closing():
            return  # the sandbox is stopping
        # A linger time of zero turns the close into a reset.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
