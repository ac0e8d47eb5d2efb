"""One account's jobs and the users who share them: a view owns nothing, so nobody takes anything from another."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
import pytest

from kolors_mcp import errors
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.jobs import Jobs
from kolors_mcp.jobs.watching import Watching
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.job import Job, NewJob
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.models import new_reference
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SeenRequest
from kolors_mcp.try_ons.request import TryOnRequest
from kolors_mcp.try_ons.try_ons import TryOns
from tests.support.making import BytesPicture, api_key
from tests.support.wishing import PERSON, World, garment

pytestmark = pytest.mark.anyio


def request(colour: str = "crimson") -> TryOnRequest:
    return TryOnRequest(PERSON, garment(colour))


def is_post(seen: SeenRequest) -> bool:
    return seen.method == "POST"


@dataclass
class Account:
    """What a process has once, however many users there are."""

    world: World
    jobs: Jobs
    pictures: Pictures
    kling: KlingClient

    def view(self, user: str, wait: float = 0.0, *, owns_account: bool = False) -> TryOns:
        call = Call(user, self.world.time.clock().deadline(None), wait)
        return TryOns(self.jobs, self.pictures, self.world.settings(), call, owns_account=owns_account)


@pytest.fixture
async def account(world: World) -> AsyncIterator[Account]:
    async def sleep(seconds: float) -> None:
        # Asked for anew each time: a test may have put another way to sleep in its place.
        await world.time.sleep(seconds)

    clock = replace(world.time.clock(), sleep=sleep)
    key, pictures = api_key(world.kling), Pictures(folders=())

    async def open_ledger() -> Ledger:
        return await Ledger.open(world.ledger, clock=clock, account=kling.account, kling_time=kling.time)

    kling = KlingClient(world.kling.origin, lambda: key, clock=clock)
    jobs = Jobs(kling, pictures, open_ledger, clock=clock)
    yield Account(world, jobs, pictures, kling)
    await jobs.aclose()


async def test_a_view_that_is_dropped_takes_nothing_from_another_user(account: Account) -> None:
    alice = account.view("alice")
    hers = await alice.create(request())
    assert not hasattr(alice, "aclose"), "there is nothing in a view that could be closed"
    del alice
    bob = account.view("bob", wait=30)
    his = await bob.create(request("navy"))
    assert his.status == "succeed"
    assert (await bob.get(his.task_id)).images == his.images
    assert (await account.view("alice", wait=30).get(hers.reference or "")).status == "succeed"


async def test_a_user_who_leaves_while_a_create_is_sent_takes_nobody_elses_along(
    account: Account, world: World
) -> None:
    world.kling.faults.next_create(faults.Slow(60))
    async with anyio.create_task_group() as group:
        group.start_soon(account.view("alice").create, request())
        await anyio.to_thread.run_sync(world.kling.clock.wait_for_sleepers)
        group.cancel_scope.cancel()
    his = await account.view("bob").create(request("navy"))
    assert his.status == "submitted"
    world.kling.clock.advance(60)
    # What had left for Alice is finished, and is hers.
    again = await account.view("alice").create(request())
    assert again.reused
    assert world.kling.tasks_created == 2


async def test_equal_requests_of_two_users_are_two_jobs_and_each_finds_their_own(
    account: Account, world: World
) -> None:
    hers = await account.view("alice").create(request())
    his = await account.view("bob").create(request())
    assert not his.reused
    assert world.posts == 2
    assert (await account.view("bob").create(request())).task_id == his.task_id
    assert await account.jobs.find("bob", hers.reference or "") is None
    assert [try_on.task_id for try_on in await account.view("alice").recent(9)] == [hers.task_id]
    assert [try_on.task_id for try_on in await account.view("bob").recent(9)] == [his.task_id]


async def unreadable(_ledger: Ledger, _user: str, _name: str) -> None:
    raise errors.LedgerError("The ledger cannot be read.")


async def test_anothers_try_on_and_one_that_is_none_are_the_same_to_who_shares_the_account(
    account: Account, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers = await account.view("alice", wait=30).create(request())
    asked = len(world.kling.requests)

    async def answers(user: str, *names: str) -> set[str]:
        said: set[str] = set()
        for name in names:
            for look in (account.view(user).get, account.view(user).look):
                with pytest.raises(errors.TaskNotFoundError) as refused:
                    await look(name)
                said.add(str(refused.value).replace(name, "NAME"))
        return said

    names = (hers.task_id, hers.reference or "", f"tryon://{hers.task_id}")
    [said] = await answers("bob", *names[:2], "842", "k-0123456789abcdef01234567")
    assert "Kling knows no try-on" in said
    with pytest.raises(errors.TaskNotFoundError):
        await account.view("bob").get(names[2])
    assert len(world.kling.requests) == asked, "Kling, which would tell, is not asked"
    assert (await account.view("bob").list(1, 9)).try_ons == ()
    assert [one.task_id for one in (await account.view("alice").list(1, 9)).try_ons] == [hers.task_id]
    # A ledger that cannot be read tells nothing of anybody, and not that there is none.
    monkeypatch.setattr(Ledger, "find", unreadable)
    asked = len(world.kling.requests)
    for user, name in (("alice", hers.task_id), ("bob", hers.task_id), ("bob", "842")):
        with pytest.raises(errors.LedgerError) as hidden:
            await account.view(user).get(name)
        assert name not in str(hidden.value)
    assert len(world.kling.requests) == asked


async def test_a_task_that_was_made_elsewhere_is_looked_up_in_the_ledger_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    find, find_many = Ledger.find, Ledger.find_many

    async def noted(self: Ledger, user: str, name: str) -> Job | None:
        asked.append(name)
        return await find(self, user, name)

    async def noted_many(self: Ledger, user: str, task_ids: Sequence[str]) -> dict[str, Job]:
        asked.extend(task_ids)
        return await find_many(self, user, task_ids)

    monkeypatch.setattr(Ledger, "find", noted)
    monkeypatch.setattr(Ledger, "find_many", noted_many)
    made = await account.kling.create(CreateRequest(BytesPicture(), BytesPicture()))
    assert (await account.view("alice", owns_account=True).get(made.id)).reference is None
    assert asked == [made.id]


async def test_a_call_registers_once_with_those_who_watch_a_task(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[str] = []
    enter = Watching.enter

    def noted(self: Watching, task_id: str) -> None:
        entered.append(task_id)
        enter(self, task_id)

    monkeypatch.setattr(Watching, "enter", noted)
    made = await account.view("alice", wait=30).create(request())
    assert made.status == "succeed"
    again = await account.view("alice", wait=30).create(request("navy"))
    assert entered == [made.task_id, again.task_id]
    entered.clear()
    running = await account.view("alice").create(request("gold"))
    assert entered == [], "whoever does not wait watches nothing"
    assert (await account.view("alice", wait=30).get(running.task_id)).status == "succeed"
    assert (await account.view("alice", wait=30).create(request("gold"))).reused
    assert entered == [running.task_id] * 2


@pytest.mark.parametrize("outcome", ["created", "refused"])
async def test_what_another_process_finds_out_is_told_to_whoever_waits_here(
    account: Account, world: World, outcome: str
) -> None:
    made = await account.view("bob").create(request())
    reference, clock, usual = new_reference(), world.time.clock(), world.time.sleep
    ledger = await Ledger.open(world.ledger, clock=clock, account=account.kling.account)
    await ledger.reserve(NewJob(reference, "alice", "f-1", None, ("me.jpg", "shop.example")))

    async def write_meanwhile(seconds: float) -> None:
        await usual(seconds)
        if outcome == "created":
            await ledger.created(reference, made.task_id, "submitted")
        else:
            await ledger.refused(reference, 1301)

    world.time.sleep = write_meanwhile  # pyright: ignore[reportAttributeAccessIssue]  (it does the same, and more)
    alice = account.view("alice", wait=30)
    if outcome == "created":
        assert (await alice.get(reference)).task_id == made.task_id
    else:
        with pytest.raises(errors.RefusedError, match=f'"{reference}" came to nothing'):
            await alice.get(reference)
    await ledger.aclose()


# --- work that is shared


async def test_shared_work_is_done_once_and_goes_on_when_those_who_wait_leave() -> None:
    begun, go_on = 0, asyncio.Event()

    async def work() -> int:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return begun

    shared: InFlight[int] = InFlight()
    tasks = {shared.join("a", work) for _ in range(3)}
    [task] = tasks
    waiting = asyncio.create_task(asyncio.wait((task,)))
    await asyncio.sleep(0)
    waiting.cancel()
    go_on.set()
    assert await task == 1
    assert shared.get("a") is None
    assert await shared.join("a", work) == 2, "what has ended is begun anew"


async def test_shared_work_that_fails_or_is_ended_while_nobody_waits_is_no_lost_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        raise errors.LedgerError("It failed.")

    lost: list[object] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", lost.append)
    shared: InFlight[None] = InFlight()
    shared.join("fails", work)
    shared.join("is ended", anyio.sleep_forever)
    await asyncio.sleep(0)
    shared.cancel("is ended")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert lost == []


async def test_shared_work_is_ended_when_it_has_had_its_last_seconds() -> None:
    async def work() -> None:
        await anyio.sleep_forever()

    shared: InFlight[None] = InFlight()
    tasks = [shared.join(name, work) for name in "ab"]
    await shared.aclose(0)
    assert all(task.cancelled() for task in tasks)


async def test_whoever_waits_for_shared_work_beyond_their_deadline_leaves_it_running(world: World) -> None:
    go_on = asyncio.Event()

    async def work() -> bool:
        return await go_on.wait()

    shared: InFlight[bool] = InFlight()
    task = shared.join("a", work)
    assert not await ends(task, world.time.clock().deadline(0))
    go_on.set()
    assert await ends(task, world.time.clock().deadline(None))
    assert task.result()
