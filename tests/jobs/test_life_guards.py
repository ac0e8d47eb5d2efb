"""What each guard of a paid create is for: with it all is well, and without it the check of lives finds the fault."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kolors_mcp.errors import UnconfirmedCreateError
from kolors_mcp.jobs.reconcile import Reconciler
from kolors_mcp.jobs.search import Answer, Search
from kolors_mcp.jobs.send import Send
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.http import SignedHttp
from kolors_mcp.kling.task import Task
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger import leases, outcomes, reserving
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.states import STATES, JobState
from tests.support.creates_kling import Fate
from tests.support.creates_process import Machine, Process
from tests.support.creates_world import Creates

pytestmark = pytest.mark.anyio
BUSY = (429, 1303)


async def asked_twice(creates: Creates, one: Process, another: Process) -> None:
    await creates.create(one, "red")
    await creates.create(another, "red")


async def stopped_before_the_mark(creates: Creates, one: Process, another: Process) -> None:
    await creates.create(one, "red", Fate(stop="before the mark"))
    creates.machine.now += LEASE_SECONDS
    await creates.create(another, "red")
    await creates.wake(one)


async def stopped_under_way(creates: Creates, one: Process, another: Process) -> None:
    await creates.create(one, "red", Fate(stop="under way"))
    await creates.create(another, "red")
    await creates.wake(one)


async def killed_under_way_and_made_late(creates: Creates, one: Process, another: Process) -> None:
    await creates.create(one, "red", Fate(stop="under way", for_good=True, arrives_late=True))
    creates.machine.now += LEASE_SECONDS
    await creates.create(another, "red")
    creates.machine.arrive()


async def lost(creates: Creates, one: Process, _another: Process) -> None:
    creates.machine.kling.lag = 60
    await creates.create(one, "red", Fate(lost=True))
    await creates.create(one, "red")


async def lost_at_a_kling_that_makes_a_second(creates: Creates, one: Process, _another: Process) -> None:
    creates.machine.kling.repeated = "makes a second"
    await creates.create(one, "red", Fate(lost=True))


async def found_by_another_and_then_lost(creates: Creates, one: Process, another: Process) -> None:
    await creates.create(one, "red", Fate(lost=True, stop="made"))
    creates.machine.now += LEASE_SECONDS
    assert await creates.look(another, next(iter(creates.asked))) is not None
    await creates.wake(one)


async def busy_and_made(creates: Creates, one: Process, _another: Process) -> None:
    creates.machine.kling.repeated = "makes a second"
    creates.machine.kling.lag = 5
    await creates.create(one, "red", Fate(BUSY), wait=20)


async def keys_changed_while_it_was_looked_for(creates: Creates, one: Process, _another: Process) -> None:
    await creates.create(one, "red", Fate(BUSY, made=False, stop="at the next read"), wait=20)
    one.key = creates.keys[1]
    await creates.wake(one)


async def one_made_and_another_lost(creates: Creates, one: Process, _another: Process) -> None:
    await creates.create(one, "red")
    await creates.create(one, "blue", Fate(lost=True))


async def renewed_twice(creates: Creates, one: Process, another: Process) -> None:
    await creates.create(one, "red", fresh=True)
    await creates.create(another, "red", fresh=True)


def without_joining(patch: pytest.MonkeyPatch) -> None:
    def joinable(*_: Any) -> None:
        return None

    patch.setattr(reserving, "joinable", joinable)


def without_joining_what_is_sent(patch: pytest.MonkeyPatch) -> None:
    really = reserving.joinable

    def joinable(*arguments: Any) -> Any:
        found = really(*arguments)
        return None if found is not None and found.job.state in ("sending", "posting") else found

    patch.setattr(reserving, "joinable", joinable)


def without_the_mark(patch: pytest.MonkeyPatch) -> None:
    really = leases.mark_posting

    def mark_posting(*arguments: Any) -> bool:
        return really(*arguments) or True

    patch.setattr(leases, "mark_posting", mark_posting)


def with_every_lapse_a_refusal(patch: pytest.MonkeyPatch) -> None:
    def write_down(connection: Any, now: float, reference: str) -> None:
        outcomes.bring_into(connection, now, reference, "refused", {})

    patch.setattr(reserving, "write_down_lapsed", write_down)


def with_doubts_for_refusals(patch: pytest.MonkeyPatch) -> None:
    async def reconciled(self: Send, doubt: Any) -> Any:
        refused: Any = getattr(self, "_refused")  # noqa: B009  (private to its class)
        await refused(doubt)
        raise doubt

    patch.setattr(Send, "_reconciled", reconciled)


def with_plain_retries(patch: pytest.MonkeyPatch) -> None:
    """In place of looking for a create in doubt: send it again, as many a client does."""
    once = KlingClient.create

    async def create(self: KlingClient, request: CreateRequest, **more: Any) -> Task:
        try:
            return await once(self, request, **more)
        except UnconfirmedCreateError:
            return await once(self, request, **more)

    patch.setattr(KlingClient, "create", create)


def with_any_move(patch: pytest.MonkeyPatch) -> None:
    def states_before(_state: JobState) -> tuple[JobState, ...]:
        return STATES

    patch.setattr(outcomes, "states_before", states_before)


def with_every_no_believed(patch: pytest.MonkeyPatch) -> None:
    async def of_late(_self: Reconciler, _reference: str) -> Answer:
        return Answer({}, "not asked")

    patch.setattr(Reconciler, "of_late", of_late)


def with_one_account(patch: pytest.MonkeyPatch) -> None:
    really = SignedHttp.post

    async def post(self: SignedHttp, *arguments: Any, account: str | None = None) -> Any:
        assert account is not None
        return await really(self, *arguments)

    patch.setattr(SignedHttp, "post", post)


def with_the_oldest_for_an_answer(patch: pytest.MonkeyPatch) -> None:
    async def by_reference(self: Search, reference: str) -> Answer:
        rows: Any = await getattr(self, "_newest_rows")()  # noqa: B009  (private to its class)
        return Answer({reference: rows[-1]}, "found")

    patch.setattr(Search, "by_reference", by_reference)


class Guard(NamedTuple):
    play: Callable[[Creates, Process, Process], Awaitable[None]]
    switch_off: Callable[[pytest.MonkeyPatch], None]
    fault: str
    """What is found without it."""


GUARDS = {
    "the same request joins": Guard(asked_twice, without_joining, "paid twice"),
    "it joins what is being sent": Guard(stopped_under_way, without_joining_what_is_sent, "paid twice"),
    "the same new render joins": Guard(renewed_twice, without_joining, "paid twice"),
    "the mark": Guard(stopped_before_the_mark, without_the_mark, "paid twice"),
    "what left whole is a doubt": Guard(killed_under_way_and_made_late, with_every_lapse_a_refusal, "paid twice"),
    "what has no answer is a doubt": Guard(lost, with_doubts_for_refusals, "is no doubt"),
    "nothing is sent again blindly": Guard(
        lost_at_a_kling_that_makes_a_second, with_plain_retries, "one create was paid twice"
    ),
    "the table of states": Guard(found_by_another_and_then_lost, with_any_move, "went from created to unconfirmed"),
    "a busy account is checked": Guard(busy_and_made, with_every_no_believed, "one create was paid twice"),
    "keys are of one account": Guard(keys_changed_while_it_was_looked_for, with_one_account, "was told of"),
    "a task is told by its reference": Guard(one_made_and_another_lost, with_the_oldest_for_an_answer, "is not Task"),
}


@pytest.fixture
async def creates(tmp_path: Path) -> AsyncGenerator[Creates]:
    made = Creates(Machine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}"))
    await made.start()
    yield made
    await made.aclose()


async def play(creates: Creates, guard: Guard) -> None:
    await guard.play(creates, *creates.processes)
    creates.check()
    await creates.settle()


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
async def test_with_its_guards_a_create_is_paid_once_and_told_truly(creates: Creates, guard: Guard) -> None:
    await play(creates, guard)


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
async def test_without_one_of_them_the_fault_is_found(
    creates: Creates, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.switch_off(monkeypatch)
    with pytest.raises(AssertionError, match=guard.fault):
        await play(creates, guard)
