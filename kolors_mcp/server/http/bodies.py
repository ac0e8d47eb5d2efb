"""Reads a request's body whole before anything is done with it, bounded in size, in time, and in what all take.

A body that says that it is too large is refused before it is read. While there is no room for a large one it is not
read either: it stays with its sender, and costs nothing here.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from kolors_mcp.clock import Clock, Deadline, Ending
from kolors_mcp.server.http.bounds import Bounds
from kolors_mcp.server.http.draining import ENDS, RETRY_SECONDS
from kolors_mcp.server.http.memory import Collector
from kolors_mcp.server.http.refusals import refusal
from kolors_mcp.server.http.room import NoRoomError, Room
from kolors_mcp.server.hurry import HURRY
from kolors_mcp.server.lifting import LIFTED, lift
from kolors_mcp.server.messages import complaint_about
from kolors_mcp.server.small_first import LARGE

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUSY_SECONDS = 5.0
"""After which there may be room again."""


@dataclass(frozen=True)
class Words:
    """What is said of a body that is not taken."""

    too_large: str
    crowded: str
    """There is no room for it."""
    late: str
    """It did not come in time."""


def words_for(bounds: Bounds) -> Words:
    """Return what is said of requests of the protocol."""
    return Words(
        f"The request is larger than {bounds.body_bytes // 1024 // 1024} MB, and nothing was done. Give pictures as "
        "links, or smaller ones: two of 10 MB go into one request.",
        "Too many large requests are under way here, and nothing was done. Send the same request again in a few "
        "seconds, or give pictures as links.",
        "The request did not arrive in time, and nothing was done. Send it again, or give pictures as links.",
    )


class _RefusedError(Exception):
    """A body that is not taken, and what is answered."""

    def __init__(self, answer: "Response") -> None:
        super().__init__()
        self.answer = answer


class _LeftError(Exception):
    """The sender has gone."""


@dataclass
class _Coming:
    """What has come of a body so far. Its end may come with any piece, also with the one that makes it a large one."""

    pieces: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    is_whole: bool = False


@dataclass
class _Body:
    """A body that has come whole."""

    data: bytes
    give_back: Callable[[], None] | None = None
    """Lets others have the room that a large one keeps."""


class Bodies:
    """An ASGI application before another one, which gets each body in one piece, and without its pictures."""

    def __init__(
        self,
        application: "ASGIApp",
        bounds: Bounds,
        ending: Ending,
        clock: Clock,
        *,
        words: Words | None = None,
        complaint: Callable[[bytes], str | None] = complaint_about,
        whose: Callable[[], str] = str,
        has_loaded: Callable[[], bool] = lambda: True,
    ) -> None:
        """Stand before `application`.

        Args:
            application: What reads the bodies.
            bounds: How much is taken.
            ending: With it nothing more is waited for.
            clock: Bounds the reading.
            words: What is said of those that are not taken; left out, they are the protocol's.
            complaint: Says why one is not handed on although it is whole, if it is not.
            whose: Says whose the request is that is being answered.
            has_loaded: Says whether all is in memory that an answer needs.
        """
        self._words = words or words_for(bounds)
        self._complaint = complaint
        self._application = application
        self._bounds = bounds
        self._ending = ending
        self._clock = clock
        self._room = Room(bounds.bodies_bytes)
        self._whose = whose
        self._collector = Collector(has_loaded)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Read a body and hand it on, or refuse it."""
        # One that was sent right behind another is answered in what that one has left set.
        HURRY.set(None)
        LIFTED.set(None)
        LARGE.set(False)
        try:
            async with self._read(scope, receive) as body:
                if body.give_back is not None:
                    _lift(body, body.give_back)
                if (complaint := self._complaint(body.data)) is not None:
                    raise self._refused(413, f"The request {complaint}. Nothing was done.")
                await self._application(scope, _given(body, receive), send)
        except _RefusedError as refused:
            await refused.answer(scope, receive, send)
        except _LeftError:
            return

    @asynccontextmanager
    async def _read(self, scope: "Scope", receive: "Receive") -> AsyncGenerator[_Body]:
        """Give a body, and keep the room that it takes until it is answered.

        Raises:
            _RefusedError: It is too large, too slow or too much.
            _LeftError: Its sender has gone.
        """
        bounds = self._bounds
        announced = Headers(scope=scope).get("content-length")
        size = None if announced is None else int(announced)  # the web server lets nothing but a number through
        if size is not None and size > bounds.body_bytes:
            raise self._too_large()
        coming = _Coming()
        if size is None or size <= bounds.small_body_bytes:
            if await self._take(receive, coming, bounds.small_body_bytes):
                yield _Body(_joined(coming.pieces))
                return
            # One that does not say how large it is may become as large as any.
            size = bounds.body_bytes
        LARGE.set(True)
        try:
            async with self._room.taken(size, self._within(bounds.turn_seconds), self._whose()) as kept:
                HURRY.set(kept.hurry)
                self._collector.settle()
                if not await self._take(receive, coming, bounds.body_bytes):
                    raise self._too_large()
                try:
                    yield _Body(_joined(coming.pieces), kept.give_back)
                finally:
                    self._collector.answered(size)
        except NoRoomError:
            raise self._refused(503, self._words.crowded, BUSY_SECONDS) from None

    async def _take(self, receive: "Receive", coming: _Coming, most: int) -> bool:
        """Read on until the body is whole, and return whether it is; False once it is larger than `most`.

        Raises:
            _RefusedError: It takes too long.
            _LeftError: Its sender has gone.
        """
        with self._within(self._bounds.body_seconds).scope():
            while coming.size <= most and not coming.is_whole:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _LeftError
                piece: bytes = message.get("body", b"")
                coming.pieces.append(piece)
                coming.size += len(piece)
                coming.is_whole = not message.get("more_body", False)
            return coming.size <= most
        raise self._refused(408, self._words.late)

    def _within(self, seconds: float) -> Deadline:
        return self._clock.deadline(seconds).ended_by(self._ending)

    def _refused(self, status: int, words: str, retry_seconds: float | None = None) -> _RefusedError:
        if self._ending.has_begun:
            status, words, retry_seconds = 503, ENDS, RETRY_SECONDS
        return _RefusedError(refusal(status, words, retry_seconds=retry_seconds))

    def _too_large(self) -> _RefusedError:
        return _RefusedError(refusal(413, self._words.too_large))


def _joined(pieces: list[bytes]) -> bytes:
    """Return a whole body, of which nothing is held twice from then on."""
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    pieces.clear()
    return body


def _lift(body: _Body, give_back: Callable[[], None]) -> None:
    """Take the pictures out of a body, and give its room back as soon as nobody needs any of them."""
    lifted = lift(body.data)
    if lifted is None:
        return
    body.data = lifted.rest
    LIFTED.set(lifted)
    needed = set(lifted.pictures)

    def gone(word: str) -> None:
        needed.discard(word)
        if not needed:
            give_back()

    for word, picture in lifted.pictures.items():
        picture.gone = partial(gone, word)


def _given(body: _Body, receive: "Receive") -> "Receive":
    """Return what hands a body on, once, and after it what comes from the sender: that they have gone."""
    left = [body.data]
    body.data = b""

    async def give() -> "Message":
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return give
