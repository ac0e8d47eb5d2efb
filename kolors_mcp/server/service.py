"""Opens what a call needs at the first call, and closes it with the server: listing tools needs none of it."""

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from kolors_mcp.clock import Clock, Deadline, Ending
from kolors_mcp.errors import NotReadyError
from kolors_mcp.jobs.call import MIN_STEP_SECONDS, Call, Report, ignore
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.observer import UNOBSERVED, Observer
from kolors_mcp.server.caller import LOCAL, Caller
from kolors_mcp.server.hurry import of_this_request
from kolors_mcp.settings import Credentials, Settings

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.jobs.jobs import Jobs
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.ledger.ledger import Ledger
    from kolors_mcp.server.loopback.room import LoopbackRoom
    from kolors_mcp.server.sharing import Sharing
    from kolors_mcp.try_ons.try_ons import TryOns


class Upstream(NamedTuple):
    """A Kling to talk to."""

    api_base: str
    credentials: Callable[[], Credentials | None]
    allowed_hosts: frozenset[str] = frozenset()
    """Hosts of its result links that are neither public nor in the settings: a Kling on this machine."""


class LocalRoom(NamedTuple):
    """That the fitting room may be shown in the user's own browser, which is on this machine."""

    open_browser: Callable[[str], bool] | None = None
    """Opens a link there and returns whether that was possible; None: no browser can be opened."""


LENT: "contextvars.ContextVar[Service]" = contextvars.ContextVar("LENT")
"""The service of the process, where a second way to the same server begins: it is used there, and not closed."""
IN_MEMORY_LEDGER = "sqlite://"

OpenUpstream = Callable[[], AbstractAsyncContextManager[Upstream]]


class _Account(NamedTuple):
    """What all calls share."""

    jobs: "Jobs"
    pictures: "Pictures"
    view: "type[TryOns]"


class Service:
    """One account and its jobs, opened on first use; each call gets a view of its user's try-ons."""

    def __init__(
        self,
        settings: Settings,
        open_upstream: OpenUpstream,
        clock: Clock,
        local_room: LocalRoom | None = None,
        caller: Callable[[], Caller] = lambda: LOCAL,
        observer: Observer = UNOBSERVED,
        sharing: "Sharing | None" = None,
    ) -> None:
        """Remember how to open; open nothing. `caller` says whose a call is; without `sharing` there is one user."""
        self.sharing = sharing
        self._observer = observer
        self.local_room = local_room
        self.caller = caller
        self.ending = Ending()
        """With it calls wait for no result any more."""
        self._room: LoopbackRoom | None = None
        self._settings = settings
        self._clock = clock
        self._open_upstream = open_upstream
        self._resources = AsyncExitStack()
        self._opening: InFlight[_Account] = InFlight()
        self._account: _Account | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything has needed the account yet."""
        return self._account is not None

    async def try_ons(
        self,
        seconds: float | None = None,
        *,
        wait: float = 0.0,
        report: Report = ignore,
        caller: Caller | None = None,
    ) -> "TryOns":
        """Return a user's try-ons for a call that begins now, opening what it needs.

        Args:
            seconds: Until when the call has to be answered, opening included; None if nothing cuts it.
            wait: For how many seconds it waits for a result.
            report: Hears what is going on.
            caller: Whose they are; left out, the one who calls now.

        Raises:
            NotConfiguredError: What it needs cannot be opened as things are set.
            NotReadyError: It was not opened in time.
        """
        deadline = self._clock.deadline(seconds, min_step=MIN_STEP_SECONDS)
        account = self._account or await self._opened(deadline)
        caller = caller or self.caller()
        call = Call(caller.user, deadline, wait, report, of_this_request(self.ending))
        pictures = account.pictures
        return account.view(
            account.jobs,
            pictures if self.sharing is None else pictures.with_photos(self.sharing.photos_of(caller.user)),
            self._settings,
            call,
            owns_account=caller.owns_account,
            may_create=caller.may_create,
            is_local=caller.is_local,
        )

    async def pictures(self, seconds: float) -> "Pictures":
        """Return what reads and draws pictures, for one who has no try-ons here.

        Raises:
            NotReadyError: It was not opened in time.
        """
        return (self._account or await self._opened(self._clock.deadline(seconds))).pictures

    async def _opened(self, deadline: Deadline) -> "_Account":
        # A caller that leaves does not end it for the others, and what takes long serves the next call.
        opening = self._opening.join("account", self._open_account)
        if not await ends(opening, deadline):
            raise NotReadyError("This server is still starting. Nothing was sent. Try again in a minute.")
        return opening.result()

    async def is_ready(self) -> bool:
        """Return whether creates can be made, as far as that is known without asking Kling.

        Raises:
            KolorsError: Why they cannot.
        """
        account = self._account
        if account is None:
            account = await asyncio.shield(self._opening.join("account", self._open_account))
        account.jobs.require_credentials()
        if account.jobs.line is None:
            await account.jobs.ledger_time()
        else:
            await account.jobs.line.ready()
        return True

    async def look_soon(self, reference: str) -> None:
        """Look at a create before its time, on every replica: it is said to have moved on."""
        if self._account is not None and self._account.jobs.line is not None:
            await self._account.jobs.line.wake(reference)

    async def open_room(self, server: "MCPServer[Service]") -> str:
        """Open the fitting room in this process, if it is not open, and return the link to it.

        Raises:
            OSError: No port is free.
        """
        if self._room is None:
            make_room = await asyncio.to_thread(_load_room)
            context = contextvars.Context()
            context.run(LENT.set, self)
            self._room = self._room or make_room(server, context, self._clock)
        return await self._room.open()

    async def _open_account(self) -> "_Account":
        """Open the client and, where one is embedded, the simulated Kling."""
        # Off the event loop: the HTTP client takes longer to load than the tools take to be listed.
        make_client, make_pictures, make_jobs, view = await asyncio.to_thread(_load_types)
        upstream = await self._resources.enter_async_context(self._open_upstream())
        kling = make_client(upstream.api_base, upstream.credentials, clock=self._clock, observer=self._observer)
        pictures = make_pictures(
            folders=self._settings.image_dirs,
            allowed_hosts=self._settings.allowed_hosts | upstream.allowed_hosts,
            fetch_proxy=self._settings.fetch_proxy,
            clock=self._clock,
            sent_side=self._settings.sent_side,
            photos_dir=self._settings.photos_dir,
        )
        sharing = self.sharing
        jobs = make_jobs(
            kling,
            pictures,
            lambda: self._open_ledger(kling),
            save_dir=self._settings.save_dir,
            clock=self._clock,
            observer=self._observer,
            line=None
            if sharing is None or sharing.line is None
            else await asyncio.to_thread(sharing.line, self._ledger_url),
            callback_address=None if sharing is None else sharing.callback_address,
            copies=None if sharing is None else sharing.copies(),
        )
        self._resources.push_async_callback(jobs.aclose)
        if jobs.line is not None:
            # What other processes have left is done without a call.
            jobs.line.start()
        # Here, and not by the callers that wait for it: a call that comes between would open a second one.
        self._account = _Account(jobs, pictures, view)
        return self._account

    async def _open_ledger(self, kling: "KlingClient") -> "Ledger":
        from kolors_mcp.ledger.ledger import Ledger  # noqa: PLC0415  (the database is loaded with the first create)

        return await Ledger.open(self._ledger_url, clock=self._clock, account=kling.account, kling_time=kling.time)

    @property
    def _ledger_url(self) -> str:
        # The embedded Kling forgets everything when the process ends; what is written about it must too.
        return IN_MEMORY_LEDGER if self._settings.sandbox else self._settings.ledger or IN_MEMORY_LEDGER

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._room is not None:
            await self._room.aclose()
        await self._opening.aclose()
        await self._resources.aclose()


def _load_types() -> "tuple[type[KlingClient], type[Pictures], type[Jobs], type[TryOns]]":
    """Import what a call needs and the start does not."""
    from kolors_mcp.images.pictures import Pictures  # noqa: PLC0415  (see `_open_account`)
    from kolors_mcp.jobs.jobs import Jobs  # noqa: PLC0415
    from kolors_mcp.kling.client import KlingClient  # noqa: PLC0415
    from kolors_mcp.try_ons.try_ons import TryOns  # noqa: PLC0415

    return KlingClient, Pictures, Jobs, TryOns


def _load_room() -> "type[LoopbackRoom]":
    """Import the web server, which only this needs."""
    from kolors_mcp.server.loopback.room import LoopbackRoom  # noqa: PLC0415  (see above)

    return LoopbackRoom
