"""One connection: what it may keep waiting, and how many there may be.

A client that opens many, and says little over each, would otherwise keep them for ever.
"""

import asyncio
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from kolors_mcp.server.http.draining import RETRY_SECONDS

if TYPE_CHECKING:
    from kolors_mcp.server.http.bounds import Bounds

_SLOW = "The request did not arrive in time."
_FULL = "This service has too many connections. Connect again in a few seconds."
_NOT_HTTP = "This is no request of HTTP/1.1 that can be read, or its head is too long."


class Idle:
    """The connections of a process that do nothing just now, the one that has done so for longest first."""

    def __init__(self) -> None:
        """Know of none."""
        self._connections: dict[Connection, None] = {}

    def add(self, connection: "Connection") -> None:
        """Take one that does nothing from now on."""
        self.remove(connection)
        self._connections[connection] = None

    def remove(self, connection: "Connection") -> None:
        """Take out one that does something, or has ended."""
        self._connections.pop(connection, None)

    def make_room(self) -> bool:
        """End the one that has done nothing for longest; False if there is none."""
        for connection in self._connections:
            self.remove(connection)
            connection.transport.abort()
            return True
        return False


class Connection(H11Protocol):
    """A connection that is ended when it keeps us waiting."""

    def __init__(self, *arguments: Any, bounds: "Bounds", idle: Idle, **options: Any) -> None:
        """Take what uvicorn gives, and what all connections share."""
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._idle = idle
        self._timer: asyncio.TimerHandle | None = None
        """Ends it unless what it has begun to say is said."""
        self._stalled: asyncio.TimerHandle | None = None
        """Ends it unless it takes what it is answered."""
        self._has_spoken = False
        self._dropped = 0
        """Bytes of a body that came after its request was answered."""

    @property
    def _is_served(self) -> bool:
        # uvicorn declares the first as if it were always there.
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """Begin, if there is room."""
        super().connection_made(transport)
        # asyncio sets it only on sockets made with an explicit protocol; without it each answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self._bounds.connections and not self._idle.make_room():
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, _FULL)
            return
        self._idle.add(self)
        self._wait(self._bounds.idle_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._idle.remove(self)
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest for a while."""
        is_new = self._timer is None or not self._has_spoken
        self._has_spoken = True
        if not self._is_served and self.conn.their_state is h11.SEND_BODY:
            self._dropped += len(data)
            if self._dropped > 2 * self._bounds.body_bytes:
                self.transport.abort()
                return
        super().data_received(data)
        if self._is_served:
            self._dropped = 0
            self._stop_waiting()
            self._idle.remove(self)
        elif is_new and not self.transport.is_closing():
            self._wait(self._bounds.head_seconds)

    def on_response_complete(self) -> None:
        """Wait for the next request; the rest of one that was answered before its end has a while to come."""
        super().on_response_complete()
        if self._is_served or self.transport.is_closing():
            return
        self._idle.add(self)
        if self.conn.their_state is h11.SEND_BODY:
            self._wait(self._bounds.head_seconds)

    def pause_writing(self) -> None:
        """Wait for the client to take something."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._bounds.stalled_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (the base's words)
        """Answer to what is no HTTP, and hang up."""
        if self._is_served and self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._is_served or self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE and self._has_spoken:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, _SLOW)
        else:
            self.transport.close()

    def _refuse(self, status: int, words: str) -> None:
        # Also where the web server has come too far, or not far enough, to write an answer itself.
        body = f"{words}\n".encode()
        head = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(body)}",
            "cache-control: no-store",
            "connection: close",
        ]
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            head.append(f"retry-after: {RETRY_SECONDS:.0f}")
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()
