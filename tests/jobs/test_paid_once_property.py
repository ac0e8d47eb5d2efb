"""In whatever order things happen: a wish is paid at most once, and what was paid is found."""

import asyncio
import io
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from PIL import Image

from kolors_mcp import errors
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.jobs import Jobs
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.task import Task as TaskAtKling
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.rules import ExternalIds
from kolors_mcp.sandbox.running import running
from kolors_mcp.sandbox.tasks import Task
from kolors_mcp.try_ons.request import TryOnRequest
from kolors_mcp.try_ons.try_ons import TryOns
from tests.support.making import api_key
from tests.support.postgres import Postgres
from tests.support.wishing import MINUTE, PERSON, World, garment

T = TypeVar("T")
COLOURS = {"crimson": (220, 20, 60), "navy": (0, 0, 128), "gold": (255, 215, 0)}
WINDOW = 10 * MINUTE
FAULTS: dict[str, faults.Fault] = {
    "reset, not done": faults.Disconnect(),
    "reset, done": faults.Disconnect("after_acceptance"),
    "html, not done": faults.Raw(502),
    "html, done": faults.Raw(504, accepted=True),
    "5000, done": faults.Refuse(5000, accepted=True),
    "5002, not done": faults.Refuse(5002),
    "cut": faults.Cut(short_length=True),
    "no data": faults.NoData(),
    "no units": faults.Refuse(1102),
    "busy": faults.Refuse(1303),
    "too fast": faults.Refuse(1302),
    "fails later": faults.FailLate(),
}


def colour_of(task: Task) -> str:
    """The wish that a task at Kling was made for, told by the garment in it."""
    with Image.open(io.BytesIO(task.request.cloth)) as image:
        seen = image.convert("RGB").getpixel((9, 9))
    assert isinstance(seen, tuple)
    return min(COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(COLOURS[name], seen, strict=True)))


class Wishing(RuleBasedStateMachine):
    """An assistant, its servers and a Kling; the ledger is all that servers have in common."""

    behaviours: ClassVar[tuple[ExternalIds, ...]] = ("refuse", "return_first", "make_second")
    """What a Kling may do with a reference that it has already."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.world = World(Path(self.folder.name))
        self.serving = running(self.world.kling)
        self.serving.__enter__()
        self.runner = asyncio.Runner()
        self.url = self.new_ledger()
        self.references: dict[str, None] = {}
        self.pictures = Pictures(folders=())
        self.jobs = self.started()

    def new_ledger(self) -> str:
        return self.world.ledger

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def started(self) -> Jobs:
        clock = self.world.time.clock()
        key = api_key(self.world.kling)

        async def open_ledger() -> Ledger:
            return await Ledger.open(
                self.url, clock=clock, account=client.account, kling_time=client.time, server_time=clock.wall
            )

        client = KlingClient(self.world.kling.origin, lambda: key, clock=clock)
        return Jobs(client, self.pictures, open_ledger, clock=clock)

    def try_ons(self, wait: float = 0.0) -> TryOns:
        call = Call("local", self.world.time.clock().deadline(None), wait)
        return TryOns(self.jobs, self.pictures, self.world.settings(), call)

    @initialize(
        behaviour=st.integers(0, 5),
        lag=st.sampled_from([0.0, 30.0, 300.0]),
        list_shows=st.booleans(),
        denied=st.sampled_from([0, 2, 20]),
    )
    def a_kling(self, behaviour: int, lag: float, list_shows: bool, denied: int) -> None:
        self.world.kling.rules = replace(
            self.world.kling.rules,
            external_ids=self.behaviours[behaviour % len(self.behaviours)],
            list_lag_seconds=lag,
            list_shows_external_ids=list_shows,
            not_found_reads=denied,
        )

    @rule(
        colour=st.sampled_from(list(COLOURS)),
        fault=st.none() | st.sampled_from(list(FAULTS)),
        fresh=st.booleans() | st.just(value=False),
        wait=st.sampled_from([0.0, 20.0]),
        times=st.integers(1, 3),
    )
    def wish(self, colour: str, fault: str | None, fresh: bool, wait: float, times: int) -> None:
        """Submit a wish, and repeat it when the answer is odd."""
        if fault is not None:
            self.world.kling.faults.next_create(FAULTS[fault])
        for number in range(times):
            before = self.tasks_for(colour)
            began = self.world.time.now
            self.create(colour, wait, fresh=fresh and number == 0)
            made = self.tasks_for(colour)[len(before) :]
            assert len(made) <= 1, "one call, one payment at most"
            if made and before and not (fresh and number == 0):
                last = before[-1]
                # What came to nothing may be tried again, and what was made ten minutes ago is another wish.
                assert last.failure is not None or began - last.created_at >= WINDOW - MINUTE, "paid twice"
        self.world.kling.faults.clear()

    @rule()
    def restart(self) -> None:
        self.do(self.jobs.aclose())
        self.pictures = Pictures(folders=())
        self.jobs = self.started()

    @rule(seconds=st.sampled_from([1.0, 5.0, 60.0, 400.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.time.now += seconds

    @rule()
    def reconcile(self) -> None:
        self.do(self.try_ons().list(1, 30))

    @rule(number=st.integers(0, 30))
    def poll(self, number: int) -> None:
        if not self.references:
            return
        reference = list(self.references)[number % len(self.references)]
        shown = {task.request.external_task_id for task in self.world.kling.tasks.all if not task.denied_reads}
        try:
            try_on = self.do(self.try_ons(wait=5).get(reference))
        except errors.KolorsError:
            assert reference not in shown, "what Kling shows by its reference is found"
            return
        [task] = [task for task in self.world.kling.tasks.all if task.id == try_on.task_id]
        assert task.request.external_task_id == reference
        assert try_on.status != "failed" or task.failure is not None, "a paid one is never called failed"

    @invariant()
    def no_reference_is_paid_twice(self) -> None:
        made = [task.request.external_task_id for task in self.world.kling.tasks.all]
        assert len(made) == len(set(made))

    def teardown(self) -> None:
        try:
            self.everything_paid_is_found()
        finally:
            self.do(self.jobs.aclose())
            self.runner.close()
            self.serving.__exit__(None, None, None)
            self.folder.cleanup()

    def everything_paid_is_found(self) -> None:
        """After a restart, and once Kling shows what it has: whatever it made is found by its reference."""
        self.restart()
        for task in self.world.kling.tasks.all:
            task.denied_reads = 0
        for task in self.world.kling.tasks.all:
            found = self.do(self.try_ons().get(task.request.external_task_id or ""))
            assert found.task_id == task.id

    def create(self, colour: str, wait: float, *, fresh: bool) -> None:
        wish = TryOnRequest(PERSON, garment(colour), new_render=fresh)
        try:
            try_on = self.do(self.try_ons(wait).create(wish))
        except errors.UnconfirmedCreateError as error:
            self.references[error.reference] = None
        except errors.KolorsError as error:
            if "No task was created." not in str(error):
                raise
        else:
            assert try_on.reference is not None
            self.references[try_on.reference] = None
            assert try_on.task_id in {task.id for task in self.tasks_for(colour)}
            assert try_on.status != "failed" or wait

    def tasks_for(self, colour: str) -> list[Task]:
        return [task for task in self.world.kling.tasks.all if colour_of(task) == colour]


def bounded(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        database=None,
        derandomize="KOLORS_TESTS_RANDOM" not in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        **more,
    )


def test_in_any_order_of_events_a_wish_is_paid_at_most_once_and_found_on_sqlite() -> None:
    run_state_machine_as_test(Wishing, settings=bounded(8))  # pyright: ignore[reportUnknownMemberType]


def test_in_any_order_of_events_a_wish_is_paid_at_most_once_and_found_on_postgresql(postgres_server: Postgres) -> None:
    class OnPostgresql(Wishing):
        def new_ledger(self) -> str:
            return postgres_server.empty()

    run_state_machine_as_test(OnPostgresql, settings=bounded(3))  # pyright: ignore[reportUnknownMemberType]


@pytest.fixture
def plainly_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of looking for a create in doubt: send it again, as many a client does."""
    once = KlingClient.create

    async def create(self: KlingClient, request: CreateRequest, **more: Any) -> TaskAtKling:
        try:
            return await once(self, request, **more)
        except errors.UnconfirmedCreateError:
            return await once(self, request, **more)

    monkeypatch.setattr(KlingClient, "create", create)


@pytest.mark.usefixtures("plainly_retried")
def test_a_plain_retry_in_place_of_reconciliation_is_caught_paying_twice() -> None:
    class AtAKlingThatMakesASecond(Wishing):
        behaviours = ("make_second",)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            AtAKlingThatMakesASecond, settings=bounded(20, phases=(Phase.generate,), report_multiple_bugs=False)
        )  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.anyio
@pytest.mark.parametrize("retried", [False, True])
async def test_one_lost_answer_is_enough_to_tell_the_two_apart(
    tmp_path: Path, retried: bool, request: pytest.FixtureRequest
) -> None:
    if retried:
        request.getfixturevalue("plainly_retried")
    world = World(tmp_path)
    world.kling.rules.external_ids = "make_second"
    with running(world.kling):
        world.kling.faults.next_create(faults.Raw(504, accepted=True))
        async with world.server() as assistant:
            assert (await assistant.create()).try_on
    assert world.kling.tasks_created == (2 if retried else 1)
