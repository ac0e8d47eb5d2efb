"""Wishes that processes grant on one ledger: who asked for what, what was said, and what is wrong with it."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.jobs import Sighting
from kolors_mcp.jobs.memory import Inputs
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.states import RULES, JobState
from kolors_mcp.models import REFERENCE_PREFIX
from tests.support.creates_kling import Fate, Task
from tests.support.creates_process import Machine, Process
from tests.support.making import BytesPicture

JOINED_SECONDS, FRESH_SECONDS = 600.0, 60.0
"""For which the same wish joins a finished one; for which the same new render joins its first."""
ANSWER_SECONDS = 45.0
USER = "local"
MOVES = "moves_of_tests"
"""The table in which the database itself writes down every change of a row."""
RECORD = {
    # The names in these texts are ours.
    "sqlite": f"""
        CREATE TABLE {MOVES} (reference, before, after, task_before, task_after);
        CREATE TRIGGER {MOVES}_written AFTER UPDATE ON kolors_try_ons
        WHEN OLD.state IS NOT NEW.state OR OLD.task_id IS NOT NEW.task_id BEGIN
            INSERT INTO {MOVES} VALUES (OLD.reference, OLD.state, NEW.state, OLD.task_id, NEW.task_id);
        END;
    """,  # noqa: S608
    "postgresql": f"""
        CREATE TABLE {MOVES} (reference text, before text, after text, task_before text, task_after text);
        CREATE FUNCTION {MOVES}_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO {MOVES} VALUES (OLD.reference, OLD.state, NEW.state, OLD.task_id, NEW.task_id);
            RETURN NULL;
        END $$;
        CREATE TRIGGER {MOVES}_written AFTER UPDATE ON kolors_try_ons FOR EACH ROW
        WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.task_id IS DISTINCT FROM NEW.task_id)
        EXECUTE FUNCTION {MOVES}_write();
    """,  # noqa: S608
}


@dataclass(frozen=True)
class Asked:
    """One call that asked for a try-on."""

    number: int
    reference: str
    account: str
    """The key whose account it was asked for at."""
    wish: str
    fresh: bool
    at: float


@dataclass(eq=False)
class Creates:
    """The processes, and what they were asked."""

    machine: Machine
    keys: tuple[str, str] = ("key of one account", "key of another")
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    came_to_nothing: set[str] = field(default_factory=set[str])
    """References of calls that were told so."""
    in_doubt: set[str] = field(default_factory=set[str])
    """References that doubts named."""
    pending: dict[Process, list[tuple[Asked, "asyncio.Task[Sighting]"]]] = field(
        default_factory=dict[Process, list[tuple[Asked, "asyncio.Task[Sighting]"]]]
    )
    """Calls of processes that are stopped."""
    _server: "psycopg.Connection[tuple[Any, ...]] | None" = None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def processes(self) -> list[Process]:
        return self.machine.processes

    async def start(self, processes: int = 2) -> None:
        """Open the ledger, and let the database write down each change from now on."""
        for _ in range(processes):
            Process(self.machine, self.keys[0])
        await self.processes[0].jobs.recent(USER, 1)
        self._sql(RECORD)

    async def aclose(self) -> None:
        """End everything, gracefully or not."""
        for process in list(self.processes):
            await self._end(process)
        for calls in self.pending.values():
            await asyncio.gather(*(call for _asked, call in calls), return_exceptions=True)
        if self._server is not None:
            self._server.close()

    async def create(
        self,
        process: Process,
        wish: str,
        *fates: Fate,
        fresh: bool = False,
        wait: float = 0.0,
        with_: Process | None = None,
    ) -> None:
        """Ask a process for a try-on, at once with another one for the same if that is given, and judge the answers."""
        process.fates = list(fates)
        callers = [process] if with_ is None else [process, with_]
        calls = [(one, *self._submit(one, wish, wait, fresh=fresh)) for one in callers]
        for one, asked, call in calls:
            await self._hear(one, asked, call)
        for one in callers:
            one.fates.clear()
            if one.is_dead:
                await self._replace(one)

    async def wake(self, process: Process) -> None:
        """Let a stopped process go on, and judge what it says."""
        process.wake()
        for asked, call in self.pending.pop(process, []):
            await self._hear(process, asked, call)
        if process.is_dead:
            await self._replace(process)

    async def kill(self, process: Process) -> None:
        """Let a process vanish, whatever it does, and another one start."""
        await process.kill()
        await self._replace(process)

    async def look(self, process: Process, name: str) -> Task | None:
        """Ask for a try-on by a name; return its task, or None where it is in doubt, came to nothing or is unknown."""
        deadline = process.clock.deadline(ANSWER_SECONDS)
        job = await process.jobs.find(USER, name)
        try:
            seen = await process.jobs.look(name, job, Call(USER, deadline), process.clock.deadline(0.0))
        except errors.UnconfirmedCreateError as error:
            self._named(error)
            return None
        except errors.KlingError as error:
            if job is not None and job.task_id is None:
                self._nothing(job.reference, error)
            return None
        task = self.task_of(seen)
        assert name in (task.id, task.reference), f"asked for {name}, told of {task}"
        return task

    def task_of(self, seen: Sighting) -> Task:
        """Return the task that an answer is about, which is the one it says."""
        [task] = [task for task in self.machine.kling.tasks if task.id == seen.task.id]
        assert seen.job is None or seen.job.reference == task.reference, f"{seen} is not {task}"
        return task

    def check(self) -> None:
        """Compare what was paid with what was said, and with what is written down.

        Raises:
            AssertionError: It is not as it has to be.
        """
        tasks = self.machine.kling.tasks
        for task in tasks:
            asked = self.asked[task.reference]
            assert (asked.account, asked.wish) == (task.account, task.wish), f"{task} was made for {asked}"
        for reference in {task.reference for task in tasks}:
            made = [task for task in tasks if task.reference == reference]
            assert len(made) == 1, f"one create was paid twice: {made}"
            assert reference not in self.came_to_nothing, f"said to have come to nothing: {made}"
        for later in tasks:
            for earlier in tasks:
                self._require_not_twice(earlier, later)
        rows = {row[0]: row[1:] for row in self._sql("SELECT reference, state, task_id FROM kolors_try_ons")}
        for task in tasks:
            state, task_id = rows.get(task.reference, (None, None))
            assert state != "refused", f"written down as come to nothing: {task}"
            assert state != "created" or task_id == task.id, f"written down as {task_id}: {task}"
        for reference, before, after, *ids in self._sql(f"SELECT * FROM {MOVES}"):  # noqa: S608  (a name of ours)
            allowed: tuple[JobState, ...] = RULES[before].may_become
            assert before == after or after in allowed, f"{reference} went from {before} to {after}"
            assert ids[0] is None, f"{reference} had the task {ids[0]}, and now has {ids[1]}"

    async def settle(self) -> None:
        """Let everything go on, Kling show what it has, and ask for every task and every doubt."""
        self.machine.arrive()
        for process in list(self.pending):
            await self.wake(process)
        kling = self.machine.kling
        kling.by_reference, kling.in_list, kling.lag, kling.hidden_until = True, True, 0.0, 0.0
        self.machine.ahead = 0.0
        self.machine.now += 60
        for key in self.keys:
            process = Process(self.machine, key)
            mine = [asked.reference for asked in self.asked.values() if asked.account == key]
            made = {task.reference: task for task in kling.tasks if task.account == key}
            for reference in mine:
                if reference in made or reference in self.in_doubt:
                    found = await self.look(process, reference)
                    assert found == made.get(reference), f"{reference} is {found}, and not {made.get(reference)}"
        self.check()

    def _submit(
        self, process: Process, wish: str, wait: float, *, fresh: bool
    ) -> tuple[Asked, "asyncio.Task[Sighting]"]:
        number = next(self._numbers)
        reference = f"{REFERENCE_PREFIX}{number:024x}"
        asked = self.asked[reference] = Asked(number, reference, process.key, wish, fresh, self.machine.now)
        new = NewJob(reference, USER, wish, None, ("a.jpg", "b.jpg"), fresh=fresh)
        request = CreateRequest(BytesPicture(b"person"), BytesPicture(wish.encode()), external_task_id=reference)
        call = Call(USER, process.clock.deadline(ANSWER_SECONDS), wait)
        made = process.jobs.submit(new, request, Inputs("", ""), call, daily_limit=None)
        return asked, asyncio.create_task(made)

    async def _hear(self, process: Process, asked: Asked, call: "asyncio.Task[Sighting]") -> None:
        """Wait for an answer and judge it; the call of a process that is stopped meanwhile is heard when it wakes."""
        stopped = asyncio.create_task(process.stopped.wait())
        await asyncio.wait((call, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not call.done():
            self.pending.setdefault(process, []).append((asked, call))
        elif process.is_dead:
            call.exception()  # nobody hears it
        else:
            self._judge(asked, call)

    def _judge(self, asked: Asked, call: "asyncio.Task[Sighting]") -> None:
        try:
            seen = call.result()
        except errors.UnconfirmedCreateError as error:
            doubted = self._named(error)
            assert (doubted.account, doubted.wish) == (asked.account, asked.wish), f"{asked} was told of {doubted}"
        except errors.KolorsError as error:
            self._nothing(asked.reference, error)
        else:
            task = self.task_of(seen)
            assert (task.account, task.wish) == (asked.account, asked.wish), f"{asked} was told of {task}"

    def _nothing(self, reference: str, error: errors.KolorsError) -> None:
        assert "No task was created." in str(error), error
        self.came_to_nothing.add(reference)

    def _named(self, error: errors.UnconfirmedCreateError) -> Asked:
        """Return the call that a doubt is about, which it names, and of which the ledger knows."""
        assert error.reference in str(error)
        known = self._sql("SELECT reference, state FROM kolors_try_ons")
        assert dict(known)[error.reference] != "refused", f"{error.reference} is no doubt"
        self.in_doubt.add(error.reference)
        return self.asked[error.reference]

    def _require_not_twice(self, earlier: Task, later: Task) -> None:
        before, after = self.asked[earlier.reference], self.asked[later.reference]
        if (before.account, before.wish) != (after.account, after.wish) or before.number >= after.number:
            return
        if after.fresh:
            # It has left no sooner than it was asked for.
            twice = before.fresh and after.at < max(before.at + FRESH_SECONDS, earlier.made_at)
        else:
            twice = after.at < earlier.ends_at + (0 if earlier.fails else JOINED_SECONDS)
        assert not twice, f"paid twice: {earlier} for {before}, {later} for {after}"

    async def _replace(self, dead: Process) -> None:
        # Who starts while the clock is slow cannot tell, so it is set right before.
        self.machine.ahead = max(0.0, self.machine.ahead)
        self.processes.remove(dead)
        Process(self.machine, dead.key)
        for _asked, call in self.pending.pop(dead, []):
            await asyncio.wait((call,))
            call.exception()
        await self._end(dead)

    async def _end(self, process: Process) -> None:
        process.wake()
        await process.jobs.aclose()

    def _sql(self, statement: str | dict[str, str]) -> list[tuple[Any, ...]]:
        """Ask the database itself, past the ledger."""
        kind, _colon, _rest = self.machine.url.partition(":")
        text = statement if isinstance(statement, str) else statement[kind]
        if kind == "sqlite":
            with closing(sqlite3.connect(self.machine.url.removeprefix("sqlite:///"))) as connection:
                if isinstance(statement, dict):
                    connection.executescript(text)
                    return []
                return connection.execute(text).fetchall()
        if self._server is None:
            self._server = psycopg.connect(self.machine.url, autocommit=True)
        done = self._server.execute(text.encode())
        return done.fetchall() if done.description else []


def awake(processes: Iterable[Process]) -> list[Process]:
    """Return those that are not stopped."""
    return [process for process in processes if process.goes_on.is_set()]
