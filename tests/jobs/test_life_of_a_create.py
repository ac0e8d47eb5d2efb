"""In whatever order creates, deaths, pauses and lies come: a wish is paid once, and what is said of it is true."""

import asyncio
import tempfile
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.creates_kling import Fate, Repeated
from tests.support.creates_process import Machine, Process
from tests.support.creates_world import Creates, awake
from tests.support.postgres import Postgres
from tests.support.still_time import StillLoop

DAY = 86400.0
ORDINARY = 100
"""Examples of Hypothesis' ordinary profile."""
LOST = Fate(lost=True)
BEFORE_THE_MARK = Fate(stop="before the mark")
FATES = {
    "answered": Fate(),
    "fails in the end": Fate(fails=True),
    "lost, made": LOST,
    "lost, not made": Fate(made=False, lost=True),
    "html, made not": Fate(made=False),
    "success in the words of a failure": Fate((504, 0)),
    "5000, made": Fate((500, 5000)),
    "5002, not made": Fate((504, 5002), made=False),
    "500 and a code of refusal, made": Fate((500, 1303)),
    "no units": Fate((429, 1102), made=False),
    "against the policy": Fate((400, 1301), made=False),
    "busy": Fate((429, 1303), made=False),
    "too fast": Fate((429, 1302), made=False),
    "busy, made all the same": Fate((429, 1303)),
    "busy, stopped while it is looked for": Fate((429, 1303), made=False, stop="at the next read"),
    "lost, stopped while it is looked for": Fate(lost=True, stop="at the next read"),
    "stopped before the mark": BEFORE_THE_MARK,
    "stopped under way": Fate(stop="under way"),
    "stopped under way, arrives late": Fate(stop="under way", arrives_late=True),
    "stopped when it is made": Fate(stop="made"),
    "killed before the mark": Fate(stop="before the mark", for_good=True),
    "killed under way": Fate(stop="under way", for_good=True),
    "killed under way, arrives late": Fate(stop="under way", for_good=True, arrives_late=True),
    "killed when it is made": Fate(stop="made", for_good=True),
}


class Lives(RuleBasedStateMachine):
    """Processes on one ledger, at a Kling of some kind."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.runner = asyncio.Runner(loop_factory=StillLoop)
        self.runner.get_loop()
        self.creates = Creates(Machine(self.new_ledger()))
        self.do(self.creates.start())

    def new_ledger(self) -> str:
        return f"sqlite:///{self.folder.name}/ledger.sqlite3"

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def one(self, number: int) -> Process | None:
        able = awake(self.creates.processes)
        return able[number % len(able)] if able else None

    @initialize(
        repeated=st.sampled_from(Repeated.__args__), shown=st.integers(0, 3), lag=st.sampled_from([0.0, 3.0, 5.0, 60.0])
    )
    def a_kling(self, repeated: Repeated, shown: int, lag: float) -> None:
        kling = self.creates.machine.kling
        kling.repeated, kling.lag = repeated, lag
        kling.by_reference, kling.in_list = shown != 1, shown != 2

    @rule(
        number=st.integers(0, 1),
        wish=st.sampled_from(["red", "blue"]),
        fates=st.lists(st.sampled_from(list(FATES)), max_size=2),
        fresh=st.sampled_from([False, False, True]),
        wait=st.sampled_from([0.0, 20.0]),
        together=st.sampled_from([False, False, True]),
    )
    def create(self, number: int, wish: str, fates: list[str], fresh: bool, wait: float, together: bool) -> None:
        process, another = self.one(number), self.one(number + 1)
        if process is None:
            return
        befall = [FATES[name] for name in fates]
        with_ = another if together and another is not process and another and another.key == process.key else None
        self.do(self.creates.create(process, wish, *befall, fresh=fresh, wait=wait, with_=with_))

    @rule(number=st.integers(0, 3))
    def wake(self, number: int) -> None:
        if stopped := list(self.creates.pending):
            self.do(self.creates.wake(stopped[number % len(stopped)]))

    @rule(number=st.integers(0, 1))
    def kill(self, number: int) -> None:
        self.do(self.creates.kill(self.creates.processes[number % 2]))

    @rule(number=st.integers(0, 30))
    def look(self, number: int) -> None:
        names = [*self.creates.asked, *(task.id for task in self.creates.machine.kling.tasks)]
        if names and (process := self.one(number)) is not None:
            self.do(self.creates.look(process, names[number % len(names)]))

    @rule(number=st.integers(0, 1))
    def read_the_list(self, number: int) -> None:
        async def page(process: Process) -> None:
            for seen in await process.jobs.page("local", 1, 30):
                self.creates.task_of(seen)

        if (process := self.one(number)) is not None:
            self.do(page(process))

    @rule(number=st.integers(0, 1))
    def change_key(self, number: int) -> None:
        process, keys = self.creates.processes[number], self.creates.keys
        process.key = keys[1 - keys.index(process.key)]

    @rule(seconds=st.sampled_from([1.0, 5.0, 16.0, 61.0, 400.0, 700.0, DAY]))
    def time_passes(self, seconds: float) -> None:
        self.do(self.creates.machine.sleep(seconds))

    @rule(ahead=st.sampled_from([40 * DAY, -3600.0, 0.0]))
    def clock_jumps(self, ahead: float) -> None:
        self.creates.machine.ahead = ahead

    @rule(seconds=st.sampled_from([2.0, 30.0, 3600.0]))
    def kling_hides_everything(self, seconds: float) -> None:
        kling = self.creates.machine.kling
        kling.hidden_until = kling.now() + seconds

    @rule()
    def what_was_under_way_arrives(self) -> None:
        self.creates.machine.arrive()

    @invariant()
    def what_was_said_is_true(self) -> None:
        self.creates.check()

    def teardown(self) -> None:
        try:
            self.do(self.creates.settle())
        finally:
            self.do(self.creates.aclose())
            self.runner.close()
            self.folder.cleanup()


def run(machine: type[Lives], examples: int) -> None:
    """Play so many games; a hundred times as many, and each time others, with the profile `long`."""
    assert settings.default is not None
    is_long = settings.default.max_examples > ORDINARY
    bounds = settings(
        max_examples=examples * (100 if is_long else 1),
        stateful_step_count=40 if is_long else 20,
        deadline=None,
        database=None,
        derandomize=not is_long,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(machine, settings=bounds)  # pyright: ignore[reportUnknownMemberType]


def test_in_any_order_of_events_a_wish_is_paid_once_and_told_truly_on_sqlite() -> None:
    run(Lives, 8)


def test_in_any_order_of_events_a_wish_is_paid_once_and_told_truly_on_postgresql(postgres_server: Postgres) -> None:
    class OnAServer(Lives):
        def new_ledger(self) -> str:
            return postgres_server.empty()

    run(OnAServer, 4)
