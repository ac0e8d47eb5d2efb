"""The line in one process: wishes come in, wait on the shelf where there is no slot, are claimed, sent and looked at.

It runs from `start` to `aclose`, whether calls come or not: what other processes have left is claimed, looked at and
cleared as well. Nothing that matters is kept here but the pictures of what is not on the shelf yet.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.clearing import Clearing
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.line_parts import LineParts, LineSettings
from kolors_mcp.jobs.line_send import LineSend
from kolors_mcp.jobs.memory import Latest
from kolors_mcp.jobs.places import Places
from kolors_mcp.jobs.rounds import go_round
from kolors_mcp.jobs.running import Running
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.watching import Watching
from kolors_mcp.kling.task import Task
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.claims import Claimed
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.slots import Counts, Place
from kolors_mcp.observer import Observer
from kolors_mcp.shelf.shelf import ShelfError

logger = logging.getLogger(__name__)

POLL_SECONDS, IDLE_SECONDS = 1.0, 5.0
"""Between two looks into the line while wishes wait in it, and while none does; it is woken before that as well."""
MAX_SENT_AT_ONCE = 8
"""Creates that one process sends at the same time: each may have two large pictures in memory."""
MAX_ENDINGS = 1000
READY_SECONDS = 5.0
"""In which the ledger has to answer."""


class Line:
    """The account's line, as far as this process has a part in it."""

    def __init__(
        self,
        settings: LineSettings,
        sending: Sending,
        watching: Watching,
        clock: Clock,
        observer: Observer,
        copy: Callable[[Job, Task], None] | None,
    ) -> None:
        """Do nothing yet; `observer` hears of the line and of the waits in it, `copy` of looks, if copies are kept."""
        self._observer = observer
        self.settings = settings
        self.wakes = settings.wakes
        self._sending = sending
        self._clock = clock
        closing = asyncio.Event()
        self.parts = LineParts(sending.parts, settings.shelf, closing, Latest(MAX_ENDINGS))
        self._running = Running(self.parts, watching, clock, copy)
        self._clearing = Clearing(self.parts, clock)
        self._places = Places(self.parts.line, self.wakes, clock)
        self._held: dict[str, tuple[Job, CreateRequest]] = {}
        """By reference, what waits and is not on the shelf yet."""
        self._shelving: InFlight[None] = InFlight()
        self._beginnings: InFlight[None] = InFlight()
        self._loops: InFlight[None] = InFlight()
        self._looked = asyncio.Event()
        """Set when a running task is to be looked at soon."""
        self._sent: Latest[tuple[str, int], bool] = Latest(MAX_ENDINGS)
        """The turns that this process has begun."""

    def start(self) -> None:
        """Begin to claim, to send and to look. Once is enough; more than once does no harm."""
        if self.parts.closing.is_set():
            return
        self.wakes.listen()
        self._go_round("the line", self._round, self.wakes.line)
        self._go_round("the look at what runs", self._running.round, self._looked)
        self._go_round("the copying of results", self._running.round_of_uncopied, asyncio.Event())
        self._go_round("the clearing of the shelf", self._clearing.round, asyncio.Event())

    async def aclose(self) -> None:
        """Claim nothing more, and let what is being sent end: what is not whole in time goes back to its place.

        What runs at Kling, and what waits on the shelf, stays written down for the other processes and the next start.
        """
        self.parts.closing.set()
        await self._loops.aclose()
        await self._beginnings.aclose()
        await self._shelving.aclose(self.settings.close_seconds)
        stopped = errors.UnreachableError("This server is being stopped", "Create it again.", creating=True)
        for job, _request in list(self._held.values()):
            await self._end_unsent(job, stopped)

    async def aclose_wakes(self) -> None:
        """Hear nothing more from others."""
        await self.wakes.aclose()

    @property
    def is_busy(self) -> bool:
        """Whether anything is being sent or laid on the shelf."""
        return bool(self._sending.count or len(self._shelving) or len(self._beginnings))

    async def enter(self, job: Job, request: CreateRequest, deadline: Deadline) -> None:
        """Send a reserved create if it has its turn, else lay its pictures on the shelf; its caller may leave.

        Args:
            job: As it was reserved.
            request: What is sent; its pictures are closed in the end.
            deadline: Until when to wait for the shelf. It goes on after that.
        """
        self.start()
        if job.state != "waiting":
            self._begin(Claimed(job, None, request.callback_url), request)
            return
        self._held[job.reference] = job, request
        self._sending.leases.hold(job.reference)
        await ends(self._shelving.join(job.reference, lambda: self._shelve(job)), deadline)

    async def places(self, references: Sequence[str], *, again: bool = False) -> dict[str, Place]:
        """Return where wishes stand, as `Places.of` does, by one look for all; none of them if it is not known."""
        try:
            return await self._places.of(references, again=again) if references else {}
        except errors.LedgerError as error:
            logger.warning("%s", error)
            return {}

    async def counts(self) -> Counts:
        """Count who waits and what holds a slot; raise `LedgerError` if that is not known."""
        return await (await self.parts.line()).counts()

    async def wake(self, name: str) -> None:
        """Look at a task soon, by Kling's id or our reference, at most once in two seconds: it is said to have changed.

        Nothing that is said of it is believed.
        """
        try:
            if await (await self.parts.line()).hasten(name):
                self._looked.set()
        except errors.LedgerError as error:
            logger.warning("%s", error)

    async def ready(self) -> None:
        """Return if the ledger and the shelf answer.

        Raises:
            LedgerError, ShelfError: One does not.
        """
        with self._clock.deadline(READY_SECONDS).scope():
            await (await self.parts.parts.store.ledger()).now()
            await self.parts.shelf.ready()
            return
        raise errors.LedgerError("The ledger or the shelf did not answer in time.")

    def moves_of(self, name: str) -> AbstractContextManager[asyncio.Event]:
        """Give an event that is set when a create may have moved, by its reference."""
        return self.wakes.waiting(name)

    def ending_of(self, reference: str) -> errors.KlingError | None:
        """Return with what a create ended that came to no task, if it was sent by this process of late."""
        ending = self.parts.endings.get(reference)
        return None if ending is None else ending.anew()

    def _go_round(self, what: str, work: Callable[[], Awaitable[float]], woken: asyncio.Event) -> None:
        self._loops.join(what, lambda: go_round(what, work, woken, self._clock))

    async def _round(self) -> float:
        """Claim and send what may be; return in how many seconds to look again."""
        line = await self.parts.line()
        counts = await line.counts()
        self._observer.line_seen(counts.waiting, counts.busy)
        if not counts.waiting and not counts.lapsed:
            return IDLE_SECONDS
        room = MAX_SENT_AT_ONCE - self._sending.count
        for claimed in await line.claim(room) if room > 0 else ():
            held = self._held.pop(claimed.job.reference, None)
            self._begin(claimed, None if held is None else held[1])
        if counts.lapsed:
            # What may have left of those is in doubt by now.
            self.parts.parts.reconciler.background.wake()
        return POLL_SECONDS

    def _begin(self, claimed: Claimed, request: CreateRequest | None) -> None:
        """Send what was claimed, once in each turn."""
        job = claimed.job
        turn = (job.reference, job.turn or 1)
        if self._sent.get(turn) or (request is None and claimed.shelved is None):
            return
        self._sent.keep(turn, True)
        self._observer.waited_in_line(job.updated_at - job.created_at)
        send = LineSend(self.parts, claimed, request)
        if self._sending.is_sending(job.reference):
            self._beginnings.join(f"{turn}", lambda: self._begin_after(job.reference, send))
        else:
            self._sending.begin(job.reference, send.run, send.let_go, send.close)

    async def _begin_after(self, reference: str, send: LineSend) -> None:
        """Send it once its sending in an earlier turn has ended here."""
        await self._sending.ended(reference)
        self._sending.begin(reference, send.run, send.let_go, send.close)

    async def _shelve(self, job: Job) -> None:
        """Lay the pictures of a waiting one on the shelf; where that cannot be, it ends."""
        reference = job.reference
        held = self._held.get(reference)
        if held is None:
            return
        try:
            name = await self.parts.put_aside(held[1])
        except (ShelfError, errors.PictureRefusedError) as error:
            happened = f"There is no free slot, and the pictures cannot wait ({error})"
            if reference in self._held:
                await self._end_unsent(job, errors.UnreachableError(happened, "Create it again.", creating=True))
            return
        try:
            line = await self.parts.line()
            lies_there = await line.shelve(reference, job.turn or 1, name)
            # A round may have let it in before its pictures were in hand here, and where none waits, none comes again.
            let_in = () if lies_there or reference not in self._held else await line.claim(0)
        except errors.LedgerError as error:
            # It may be written down all the same; else this process sends it from memory when its turn comes.
            logger.warning("create %s may not be on the shelf: %s", reference, error)
            return
        for claimed in let_in:
            if claimed.job.reference == reference and (kept := self._held.pop(reference, None)) is not None:
                self._begin(claimed, kept[1])
        if reference in self._held:
            self._drop(reference)
        if not lies_there:
            # It was claimed, or ended, meanwhile.
            await self.parts.shelf.delete([name])

    async def _end_unsent(self, job: Job, refusal: errors.UnreachableError) -> None:
        """Write down that nothing came of one that is not on the shelf."""
        self.parts.endings.keep(job.reference, refusal)
        try:
            await (await self.parts.line()).end(job.reference, job.turn or 1, "refused")
        except errors.LedgerError as error:
            logger.warning("create %s ends when its lease has lapsed: %s", job.reference, error)
        self._drop(job.reference)

    def _drop(self, reference: str) -> None:
        """Let go of the pictures, and of the lease, of one that this process does not hold any more."""
        self._sending.leases.release(reference)
        if (held := self._held.pop(reference, None)) is not None:
            held[1].close()
