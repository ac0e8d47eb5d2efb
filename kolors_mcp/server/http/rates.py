"""How many calls a user may make in a minute: counted in this process, so that it protects the process."""

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock
from kolors_mcp.server.http.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from kolors_mcp.server.caller import Caller

WINDOW_SECONDS = 60.0


class Rates:
    """The calls of the last minute, by user: no minute, wherever it begins, has more than are allowed."""

    def __init__(self, calls_per_minute: int, clock: Clock) -> None:
        """Know of no calls."""
        self._most = calls_per_minute
        self._clock = clock
        # The user whose last call is the oldest stands first.
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many users are remembered."""
        return len(self._calls)

    def wait_seconds(self, user: str) -> float:
        """Count a call if the user may make one now, and return 0; else return in how many seconds they may."""
        now = self._clock.monotonic()
        self._forget(now - WINDOW_SECONDS)
        calls = self._calls.setdefault(user, deque(maxlen=self._most))
        if len(calls) == self._most and (wait := calls[0] + WINDOW_SECONDS - now) > 0:
            return wait
        calls.append(now)
        self._calls.move_to_end(user)
        return 0.0

    def _forget(self, before: float) -> None:
        while self._calls:
            user, calls = next(iter(self._calls.items()))
            if calls[-1] > before:
                return
            del self._calls[user]


def rated(application: "ASGIApp", rates: Rates, caller: "Callable[[], Caller]") -> "ASGIApp":
    """Return an ASGI application before another one, which refuses calls that come too fast.

    Args:
        application: Answers calls.
        rates: Counts them.
        caller: Says whose a call is, during the call.
    """

    async def rate(scope: "Scope", receive: "Receive", send: "Send") -> None:
        seconds = rates.wait_seconds(caller().user)
        if seconds > 0:
            words = "You make too many calls a minute, and nothing was done. Wait as long as Retry-After says."
            await refusal(429, words, retry_seconds=seconds)(scope, receive, send)
            return
        await application(scope, receive, send)

    return rate
