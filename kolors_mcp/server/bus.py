"""Tells those who listen what has changed, each only of their own try-ons."""

from collections.abc import Callable

from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ServerEvent

from kolors_mcp.server.caller import Caller


class Bus:
    """A bus for each user. As the SDK's own, it is asked during a call, and then means the user who calls."""

    def __init__(self, caller: Callable[[], Caller]) -> None:
        """Take what says whose a call is, during the call."""
        self._caller = caller
        self._buses: dict[str, InMemorySubscriptionBus] = {}
        self._listening: dict[str, int] = {}

    async def publish(self, event: ServerEvent, user: str | None = None) -> None:
        """Tell a user's listeners; without a name, those of the user who calls."""
        bus = self._buses.get(self._whose(user))
        if bus is not None:
            await bus.publish(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Let the user who calls be told; return what ends it, however often that is called."""
        user = self._whose()
        bus = self._buses.setdefault(user, InMemorySubscriptionBus())
        self._listening[user] = self._listening.get(user, 0) + 1
        unsubscribe, listens = bus.subscribe(listener), [True]

        def leave() -> None:
            unsubscribe()
            if listens:
                listens.clear()
                self._listening[user] -= 1
                if not self._listening[user]:
                    del self._listening[user], self._buses[user]

        return leave

    def _whose(self, user: str | None = None) -> str:
        return self._caller().user if user is None else user
