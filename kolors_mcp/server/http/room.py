"""Room for large bodies: so many bytes of them at once in this process, in the order in which they came.

Who has half of it already lets others go first, so that one user's many requests do not keep everybody else out.

A call keeps its room until its pictures have been sent, or until it is answered where they could not be told apart, and
may wait for its result for minutes. So while another body waits for room, those that have kept it for longest are to
wait no more: they are answered with how things stand.
"""

import asyncio
from collections import Counter
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


@dataclass(eq=False)
class _Place:
    """A body that waits for room."""

    size: int
    user: str
    turn: asyncio.Future[None]


class Room:
    """What large bodies may take together."""

    def __init__(self, size: int) -> None:
        """Be empty.

        Args:
            size: In bytes.
        """
        self._left = size
        self._share = size // 2
        """Of one user, while others wait."""
        self._waiting: list[_Place] = []
        """In the order of arrival."""
        self._kept: dict[Ending, int] = {}
        """What each body keeps, those that have kept it for longest first."""
        self._of_user: Counter[str] = Counter()
        """Bytes that each user's bodies keep."""

    @asynccontextmanager
    async def taken(self, size: int, deadline: Deadline, user: str = "") -> AsyncGenerator[Kept]:
        """Keep so many bytes while the body of the block runs; they must be no more than there are in all.

        Raises:
            NoRoomError: Others kept them until the deadline.
        """
        await self._take(size, deadline, user)
        hurry = Ending()
        self._kept[hurry] = size
        self._hurry()

        def give_back() -> None:
            if self._kept.pop(hurry, None) is not None:
                self._free(size, user)

        try:
            yield Kept(hurry, give_back)
        finally:
            give_back()

    async def _take(self, size: int, deadline: Deadline, user: str) -> None:
        place = _Place(size, user, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._let_in()
        try:
            with deadline.scope():
                await asyncio.wait((place.turn,))
        except BaseException:
            # The turn may come together with the caller's own end.
            self._leave(place)
            raise
        if not place.turn.done():
            self._leave(place)
            raise NoRoomError

    def _leave(self, place: _Place) -> None:
        if place.turn.done():
            self._free(place.size, place.user)
        else:
            self._waiting.remove(place)
            self._let_in()

    def _free(self, size: int, user: str) -> None:
        self._left += size
        self._of_user[user] -= size
        if not self._of_user[user]:
            del self._of_user[user]
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and (place := self._next()).size <= self._left:
            self._waiting.remove(place)
            self._left -= place.size
            self._of_user[place.user] += place.size
            place.turn.set_result(None)
        self._hurry()

    def _next(self) -> _Place:
        """Return whose turn it is: the first whose user keeps no more than their share with it, else the first."""
        within = (place for place in self._waiting if self._of_user[place.user] + place.size <= self._share)
        return next(within, self._waiting[0])

    def _hurry(self) -> None:
        """Hurry as many as take what those who wait need."""
        missing = sum(place.size for place in self._waiting) - self._left if self._waiting else 0
        for hurry, size in self._kept.items():
            if missing <= 0:
                return
            if not hurry.has_begun:
                hurry.begin()
            missing -= size
