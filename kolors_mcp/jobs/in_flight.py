"""Work that is done once for all who ask for it: shared by key, it goes on when those who wait for it leave."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from kolors_mcp.clock import Deadline

T = TypeVar("T")


class InFlight(Generic[T]):
    """The work of one kind that is under way."""

    def __init__(self) -> None:
        """Start with none."""
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def join(self, key: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Return the work under this key, which begins now unless it is under way."""
        task = self.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(begin())
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def get(self, key: str) -> asyncio.Task[T] | None:
        """Return the work under this key, if it is under way."""
        task = self._tasks.get(key)
        return None if task is None or task.done() else task

    def __len__(self) -> int:
        """Return how much is under way."""
        return len(self._tasks)

    def cancel(self, key: str) -> None:
        """End the work under this key, if it is under way."""
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()

    async def aclose(self, seconds: float = 0.0) -> None:
        """Give what is under way so many seconds to end, then end it."""
        if tasks := list(self._tasks.values()):
            _done, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, key: str, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        # All who waited may have left by the time it fails; then the error would be asked for by nothing else.
        if not task.cancelled():
            task.exception()


async def ends(task: asyncio.Task[Any], deadline: Deadline) -> bool:
    """Wait for shared work, and return whether it has ended before the deadline; it goes on in any case."""
    with deadline.scope():
        await asyncio.wait((task,))
    return task.done()
