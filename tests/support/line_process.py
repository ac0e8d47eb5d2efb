"""Replicas of a service, as far as they can tell: processes whose creates wait in the account's line."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kolors_mcp.jobs.call import Call, ignore
from kolors_mcp.jobs.copies import ShelfCopies
from kolors_mcp.jobs.jobs import Jobs
from kolors_mcp.jobs.line import Line
from kolors_mcp.jobs.line_parts import LineSettings
from kolors_mcp.jobs.memory import Inputs
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.wakes import Wakes
from kolors_mcp.observer import UNOBSERVED, Observer
from kolors_mcp.shelf.shelf import Shelf
from tests.support.creates_kling import Task
from tests.support.creates_process import Machine, NoPictures, Process
from tests.support.making import BytesPicture
from tests.support.still_time import until

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.jobs.sighting import Sighting

LOOPS = 4
"""What goes on in the background of each: the line, the looks at what runs and at what was not copied, and the clearing
of the shelf."""


class Replica(Process):
    """One process of a service."""

    def __init__(self, service: "Service") -> None:
        self.service = service
        super().__init__(service.machine, "the key")

    def new_jobs(self) -> Jobs:
        line = LineSettings(self.service.terms, self.service.shelf, Wakes(self.machine.url, self.clock))
        pictures, observer = cast("Pictures", self.service.pictures), self.service.observer
        copies = ShelfCopies(self.service.shelf) if self.service.keeps_results else None
        return Jobs(self.client, pictures, self.opened, clock=self.clock, line=line, observer=observer, copies=copies)

    @property
    def line(self) -> Line:
        assert self.jobs.line is not None
        return self.jobs.line

    @property
    def is_resting(self) -> bool:
        """Whether nothing goes on in it."""
        return not self.runs or (len(self.ticking) >= LOOPS and not self.line.is_busy and not self.in_ledger)


@dataclass(eq=False)
class RestingMachine(Machine):
    """A machine on which time can pass while nothing goes on in any replica."""

    async def rest(self) -> None:
        """Wait until that is so."""
        await until(lambda: all(one.is_resting for one in self.processes if isinstance(one, Replica)))

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and whatever a round begins come to its end before the next one."""
        until = self.now + seconds
        await self.rest()
        while due := [(at, task, one) for one in self.processes for task, at in one.rounds(until)]:
            at, task, process = min(due, key=lambda round_: round_[0])
            self.now = max(self.now, at)
            await process.go_round(task)
            await self.rest()
        self.now = max(self.now, until)


@dataclass(eq=False)
class Service:
    """Replicas on one ledger and one shelf, for users of one account."""

    machine: RestingMachine
    folder: Path
    terms: Terms = field(default_factory=lambda: Terms(2, 100, 600.0))
    observer: Observer = UNOBSERVED
    pictures: object = field(default_factory=NoPictures)
    keeps_results: bool = False
    shelf: Shelf = field(init=False)
    _number: int = 0

    def __post_init__(self) -> None:
        self.shelf = Shelf.at(str(self.folder))

    def replica(self) -> Replica:
        """Start one more."""
        replica = Replica(self)
        replica.line.start()
        return replica

    def ask(
        self,
        replica: Replica,
        user: str,
        wish: str,
        wait: float = 0.0,
        told: "list[str] | None" = None,
        callback_url: str | None = None,
        daily_limit: int | None = None,
    ) -> "asyncio.Task[Sighting]":
        """Ask for a try-on."""
        self._number += 1
        reference = f"k-{self._number:024x}"
        new = NewJob(reference, user, wish, None, ("a.jpg", "b.jpg"))
        request = CreateRequest(BytesPicture(b"person"), BytesPicture(wish.encode()), None, callback_url, reference)
        report = ignore if told is None else told.append
        call = Call(user, replica.clock.deadline(300.0), wait, report)
        return asyncio.create_task(replica.jobs.submit(new, request, Inputs("", ""), call, daily_limit=daily_limit))

    def standing(self, wish: str) -> list[Task]:
        """Return the tasks that were made of a wish."""
        return [task for task in self.machine.kling.tasks if task.wish == wish]
