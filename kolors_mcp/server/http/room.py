"""Room for large bodies: so many bytes of them at once in this process, in the order in which they came.

A call keeps its room until its pictures have been sent, or until it is answered where they could not be told apart, and
may wait for its result for minutes. So while another body waits for room, those that have kept it for longest are to
wait no more: they are answered with how things stand.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kolors_mcp.clock import Deadline, Ending


class NoRoomError(Exception):
    """There was none in time."""


@dataclass(frozen=True)
class Kept:
    """Room that one body keeps."""

    hurry: Ending
    """Comes when others wait for it."""
    give_back: Callable[[], None]
    """Lets others have it. May be called again."""


class Room:
    """What large bodies may take together."""

    def __init__(self, size: int) -> None:
        """Be empty.

        Args:
            size: In bytes.
        """
        self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._kept: dict[Ending, int] = {}
        """What each body keeps, those that have kept it for longest first."""

    @asynccontextmanager
    async def taken(self, size: int, deadline: Deadline) -> AsyncGenerator[Kept]:
        """Keep so many bytes while the body of the block runs; they must be no more than there are in all.

        Raises:
            NoRoomError: Others kept them until the deadline.
        """
        await self._take(size, deadline)
        hurry = Ending()
        self._kept[hurry] = size
        self._hurry()

        def give_back() -> None:
            if self._kept.pop(hurry, None) is not None:
                self._left += size
                self._let_in()

        try:
            yield Kept(hurry, give_back)
        finally:
            give_back()

    async def _take(self, size: int, deadline: Deadline) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (size, turn)
        self._waiting.append(place)
        self._let_in()
        try:
            with deadline.scope():
                await asyncio.wait((turn,))
        except BaseException:
            # The turn may come together with the caller's own end.
            self._leave(place)
            raise
        if not turn.done():
            self._leave(place)
            raise NoRoomError

    def _leave(self, place: tuple[int, asyncio.Future[None]]) -> None:
        size, turn = place
        if turn.done():
            self._left += size
        else:
            self._waiting.remove(place)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            size, turn = self._waiting.popleft()
            self._left -= size
            turn.set_result(None)
        self._hurry()

    def _hurry(self) -> None:
        """Hurry as many as take what those who wait need."""
        missing = sum(size for size, _ in self._waiting) - self._left if self._waiting else 0
        for hurry, size in self._kept.items():
            if missing <= 0:
                return
            if not hurry.has_begun:
                hurry.begin()
            missing -= size
