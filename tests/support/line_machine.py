"""A game of wishes in the line: replicas die and freeze, the account is busy, answers are lost, clocks jump."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kolors_mcp import errors
from kolors_mcp.jobs.clearing import CLEARED_EVERY_SECONDS, SWEPT_EVERY_SECONDS
from kolors_mcp.ledger.job import LineFullError
from kolors_mcp.ledger.slots import RUNNING_SECONDS, Terms
from kolors_mcp.ledger.states import HELD, RULES, JobState
from tests.support.creates_process import without_ledger
from tests.support.creates_world import MOVES, RECORD, awake
from tests.support.line_fates import FATES
from tests.support.line_process import Replica, RestingMachine, Service
from tests.support.still_time import StillLoop, idle, turn, until

if TYPE_CHECKING:
    from kolors_mcp.jobs.sighting import Sighting

SLOTS = 2
JUMP = 0.4 * RUNNING_SECONDS  # there and back it is less than that: a task that seems older holds no slot
LONGEST_PAUSE = 4000.0
ENDED: tuple[JobState, ...] = ("created", "refused", "unconfirmed")


class Wishes(RuleBasedStateMachine):
    """Two replicas at a Kling with slots."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.runner = asyncio.Runner(loop_factory=StillLoop)
        self.runner.get_loop()
        self.url = self.new_ledger()
        self.machine = RestingMachine(self.url)
        self.service = Service(self.machine, Path(self.folder.name, "shelf"), Terms(SLOTS, 100, 3600.0))
        self.asked: dict[asyncio.Task[Sighting], str] = {}
        self.refused: set[str] = set()
        """References of calls that were told that nothing was created."""
        self.clock = 0
        self.wishes = 0
        self.do(self.begin())

    def new_ledger(self) -> str:
        return f"sqlite:///{self.folder.name}/ledger.sqlite3"

    async def begin(self) -> None:
        for _ in range(2):
            replica = self.service.replica()
            await replica.jobs.recent("ann", 1)
        self.sql(RECORD["sqlite" if self.url.startswith("sqlite") else "postgresql"])

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @rule(
        number=st.integers(0, 1),
        user=st.sampled_from(["ann", "ann", "bob"]),
        times=st.integers(1, 3),
        fates=st.lists(st.sampled_from(list(FATES)), max_size=2),
    )
    def ask(self, number: int, user: str, times: int, fates: list[str]) -> None:
        self.wish(number, user, times, fates)

    def wish(self, number: int, user: str, times: int, fates: list[str]) -> None:
        able = [one for one in awake(self.machine.processes) if isinstance(one, Replica)]
        if not able:
            return
        replica = able[number % len(able)]
        replica.fates = [FATES[name] for name in fates]

        async def asking() -> None:
            for _ in range(times):
                if not replica.goes_on.is_set() or replica.is_dead:
                    return
                self.begin_call(replica, user)
                await self.rest()

        self.do(asking())

    def begin_call(self, replica: Any, user: str) -> "asyncio.Task[Sighting]":
        self.wishes += 1
        call = self.service.ask(replica, user, f"wish {self.wishes}")
        self.asked[call] = f"k-{self.wishes:024x}"
        return call

    async def rest(self) -> None:
        """Wait until all that can go on has gone on, and replace replicas that were killed."""
        await self.machine.rest()
        for one in list(self.machine.processes):
            if one.is_dead:
                await self.replace(one)

    async def replace(self, dead: Any) -> None:
        self.machine.ahead = max(0.0, self.machine.ahead)
        self.machine.processes.remove(dead)
        replica = self.service.replica()
        await replica.jobs.recent("ann", 1)
        dead.wake()
        await dead.jobs.aclose()

    @rule(seconds=st.sampled_from([1.0, 7.0, 16.0, 45.0]))
    def time_passes(self, seconds: float) -> None:
        async def passing() -> None:
            await self.machine.pass_by(seconds)
            turn(LONGEST_PAUSE)  # for who looks for doubts
            await idle()
            await self.rest()

        self.do(passing())

    @rule(number=st.integers(0, 1), fates=st.lists(st.sampled_from(list(FATES)), min_size=1, max_size=2))
    def what_is_sent_next_fares_so(self, number: int, fates: list[str]) -> None:
        self.machine.processes[number].fates = [FATES[name] for name in fates]

    @rule(number=st.integers(0, 1), user=st.sampled_from(["ann", "bob"]), times=st.integers(1, 3))
    def ask_undisturbed(self, number: int, user: str, times: int) -> None:
        self.wish(number, user, times, [])

    @rule(number=st.integers(0, 1))
    def kill(self, number: int) -> None:
        async def killing() -> None:
            one = self.machine.processes[number]
            await one.kill()
            await self.replace(one)

        self.do(killing())

    @rule(number=st.integers(0, 1), beside=st.lists(st.sampled_from(list(FATES)), max_size=1))
    def stop_gracefully(self, number: int, beside: list[str]) -> None:
        """Let one replica end as after SIGTERM, while something of it may be on its way, and start another."""

        async def stopping() -> None:
            one = self.machine.processes[number]
            one.wake()
            one.fates = [FATES[name] for name in beside if "kill" not in name]
            call = self.begin_call(one, "bob")
            self.machine.processes.remove(one)
            closing = asyncio.create_task(one.jobs.aclose())
            both = asyncio.ensure_future(asyncio.wait((closing, call)))
            while not both.done():
                await until(lambda: both.done() or not one.goes_on.is_set())
                one.wake()
            closing.result()
            await self.service.replica().jobs.recent("ann", 1)
            await self.rest()
            holder = "" if one.ledger is None else one.ledger.holder
            rows = self.sql("SELECT reference, state, holder FROM kolors_try_ons")
            left = [row for row in rows if row[1] in HELD and row[2] == holder]
            assert not left, f"a replica that was stopped has left these in its hand: {left}"

        self.do(stopping())

    @rule(seconds=st.sampled_from([2.0, 10.0, 20.0]), fates=st.lists(st.sampled_from(list(FATES)), max_size=1))
    def the_ledger_is_away(self, seconds: float, fates: list[str]) -> None:
        """Let nobody reach it for a while, in which somebody asks, and what is under way goes on."""

        async def passing() -> None:
            able = awake(self.machine.processes)
            if able:
                able[0].fates = [FATES[name] for name in fates]
                self.begin_call(able[0], "ann")
            with without_ledger(self.machine.processes):
                await self.machine.pass_by(seconds)
            await self.rest()

        self.do(passing())

    @rule(number=st.integers(0, 1), ahead=st.sampled_from([20.0, -20.0, 3.0, 0.0]))
    def clocks_differ(self, number: int, ahead: float) -> None:
        self.machine.processes[number].ahead = ahead

    @rule()
    def all_wake_up(self) -> None:
        async def waking() -> None:
            for one in self.machine.processes:
                one.wake()
            await self.rest()

        self.do(waking())

    @rule(slots=st.sampled_from([None, None, 1, 2]))
    def others_use_the_account(self, slots: int | None) -> None:
        self.machine.kling.slots = slots

    @rule(ahead=st.sampled_from([JUMP, -JUMP, 20.0, 0.0]))
    def clock_jumps(self, ahead: float) -> None:
        self.machine.ahead = ahead

    @rule()
    def the_shelf_comes_and_goes(self) -> None:
        folder, away = self.service.folder, self.service.folder.with_name("away")
        if away.exists():
            folder.unlink()
            away.rename(folder)
        else:
            folder.rename(away)
            folder.write_text("no folder")

    @invariant()
    def each_wish_is_paid_once_and_what_was_said_is_true(self) -> None:
        for call, reference in list(self.asked.items()):
            if call.done():
                del self.asked[call]
                self.judge(call, reference)
        kling = self.machine.kling
        made = [task.reference for task in kling.tasks]
        assert len(made) == len(set(made)), "one wish was paid twice"
        assert not self.refused & set(made), "said to have come to nothing"
        for reference, times in kling.whole.items():
            assert times <= kling.denied[reference] + 1, f"{reference} left {times} times"
        for before, after in self.sql(f"SELECT before, after FROM {MOVES}"):  # noqa: S608  (a name of ours)
            assert before == after or after in RULES[before].may_become, f"from {before} to {after}"

    @invariant()
    def no_more_is_in_flight_than_there_are_slots_and_the_line_never_goes_back(self) -> None:
        [[busy]] = self.sql(
            "SELECT count(*) FROM kolors_try_ons WHERE state IN ('sending', 'posting') "
            "OR (state = 'created' AND final_at IS NULL)"
        )
        assert busy <= SLOTS
        for (clock,) in self.sql("SELECT clock FROM kolors_lines"):
            assert clock >= self.clock
            self.clock = clock

    def judge(self, call: "asyncio.Task[Sighting]", reference: str) -> None:
        try:
            seen = call.result()
        except (errors.UnconfirmedCreateError, errors.LedgerError):
            return
        except LineFullError:
            self.refused.add(reference)
        except errors.KlingError as error:
            if error.created is False:
                self.refused.add(reference)
        else:
            assert seen.job is not None
            assert seen.job.reference == reference

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database itself, past the ledger."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                if "TRIGGER" in statement:
                    connection.executescript(statement)
                    return []
                return connection.execute(statement).fetchall()
        with psycopg.connect(self.url, autocommit=True) as server:
            done = server.execute(statement.encode())
            return done.fetchall() if done.description else []

    def teardown(self) -> None:
        try:
            self.do(self.settle())
        finally:
            self.do(self.end())
            self.runner.close()
            self.folder.cleanup()

    async def settle(self) -> None:
        """Let everything go on: each wish comes to an end, and nothing of it is left on the shelf."""
        if self.service.folder.is_file():
            self.the_shelf_comes_and_goes()
        self.machine.kling.slots, self.machine.ahead = None, max(0.0, self.machine.ahead)
        for one in self.machine.processes:
            one.fates.clear()
            one.ahead = 0.0
            one.wake()
        await self.rest()
        # In short steps: most have come to an end within seconds, and each second of the line costs some statements.
        for _ in range(180):
            states = {state for (state,) in self.sql("SELECT state FROM kolors_try_ons")}
            if states <= set(ENDED):
                break
            await self.machine.pass_by(5)
        else:
            raise AssertionError("a wish has come to no end")
        for _ in range(3):
            self.machine.now += SWEPT_EVERY_SECONDS
            await self.machine.pass_by(2 * CLEARED_EVERY_SECONDS)
        left = [path for path in self.service.folder.rglob("*") if path.is_file()]
        assert not left, f"on the shelf lies what waits for nothing: {left}"
        self.each_wish_is_paid_once_and_what_was_said_is_true()

    async def end(self) -> None:
        for one in list(self.machine.processes):
            one.wake()
            await one.jobs.aclose()
        for call in self.asked:
            call.cancel()
        await asyncio.gather(*self.asked, return_exceptions=True)
