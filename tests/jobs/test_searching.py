"""A create in doubt is looked for in the list back to when it was sent, however many tasks are newer, within bounds."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kolors_mcp import errors
from kolors_mcp.jobs.background import Background
from kolors_mcp.jobs.search import PAGE_ROWS, Search
from kolors_mcp.kling.task import Task
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.requests import CreateRequest
from tests.support.making import TurnedClock
from tests.support.wishing import MINUTE, Assistant, World

pytestmark = pytest.mark.anyio

HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
SOMEBODYS = CreateRequest("kolors-virtual-try-on-v1", b"", b"", None, None)


@pytest.fixture(autouse=True)
def nobody_else_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def asleep(_background: Background) -> None:
        pass

    monkeypatch.setattr(Background, "wake", asleep)


async def buried(world: World, assistant: Assistant, newer: int) -> str:
    """Lose the answer of a create, and bury its task below others; return its reference.

    Kling shows references in its list only.
    """
    make(world, 1)
    world.time.now += DAY
    world.kling.rules = replace(world.kling.rules, not_found_reads=10**9, list_lag_seconds=30.0)
    world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
    said = await assistant.create()
    assert said.in_doubt
    for _ in range(4):
        world.time.now += MINUTE
        make(world, newer // 4)
    world.time.now += MINUTE
    return said.reference


def make(world: World, number: int) -> None:
    """Let others on the account make tasks."""
    kling = world.kling
    for _ in range(number):
        kling.tasks.make(kling.accounts[0], SOMEBODYS, kling.rules, kling.clock.now(), None)


def pages(world: World) -> list[tuple[int, int]]:
    """The pages of the list that were asked for, and their sizes."""
    queries = [seen.query for seen in world.kling.requests if seen.path.endswith("/kolors-virtual-try-on")]
    return [(int(query["pageNum"]), int(query["pageSize"])) for query in queries if "pageNum" in query]


@pytest.mark.parametrize("newer", [100, 1200])
async def test_a_task_that_is_buried_below_newer_ones_is_found_by_its_reference_and_by_the_same_request(
    world: World, newer: int
) -> None:
    async with world.server() as assistant:
        reference = await buried(world, assistant, newer)
        task = next(task for task in world.kling.tasks.all if task.request.external_task_id == reference)
        found = (await assistant.get(reference)).try_on
        assert found.task_id == task.id
        again = (await assistant.create()).try_on
        assert (again.task_id, again.reused) == (task.id, True)
    assert world.posts == 1


async def test_the_list_is_read_no_further_than_to_an_hour_before_the_sending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.jobs.search.NEWEST_ROWS", 4)
    monkeypatch.setattr("kolors_mcp.jobs.search.PAGE_ROWS", 8)
    async with world.server() as assistant:
        make(world, 100)
        reference = await buried(world, assistant, 20)
        world.kling.rules.list_shows_external_ids = False
        before = len(pages(world))
        said = await assistant.get(reference)
        assert said.in_doubt
        assert "of 24 tasks none says which create it is from, back to 2027-01-16 07:00 UTC" in said.text
        assert pages(world)[before:] == [(1, 4), (1, 8), (2, 8), (3, 8)]


async def test_a_look_reads_a_bounded_number_of_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kolors_mcp.jobs.search.PAGE_ROWS", 8)
    monkeypatch.setattr("kolors_mcp.jobs.search.MAX_PAGES", 3)
    monkeypatch.setattr("kolors_mcp.jobs.search.NEWEST_ROWS", 4)
    async with world.server() as assistant:
        reference = await buried(world, assistant, 40)
        before = len(pages(world))
        said = await assistant.get(reference)
        assert said.in_doubt
        assert "of 24 tasks none says which create it is from)" in said.text
        assert len(pages(world)) - before == 4


@pytest.mark.parametrize("ahead", [-2 * DAY, 2 * DAY])
async def test_how_far_back_is_counted_by_klings_clock_whatever_ours_shows(world: World, ahead: float) -> None:
    world.kling.clock.advance(ahead)
    async with world.server() as assistant:
        reference = await buried(world, assistant, 200)
        assert not (await assistant.get(reference)).is_error


class OddKling:
    """Answers each page of its list with what a test says."""

    def __init__(self, *answers: Sequence[Task]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def time(self) -> float | None:
        return None

    async def page(self, *_: Any) -> Sequence[Task]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def tasks(*references: str | None) -> list[Task]:
    return [Task(f"8{number}", reference, "submitted", None) for number, reference in enumerate(references)]


async def searched(kling: object) -> tuple[dict[str, str], str]:
    clock = TurnedClock().clock()
    search = Search(kling, clock)  # pyright: ignore[reportArgumentType]  (all that is asked of a client)
    answer = await search.in_list({"k-1", "k-2"}, 0.0, clock.deadline(None))
    return {reference: task.id for reference, task in answer.tasks.items()}, answer.words


async def test_an_id_that_is_no_reference_of_ours_is_looked_for_in_no_list(world: World) -> None:
    async with world.server() as assistant:
        said = await assistant.get("812345678901234567")
    assert said.is_error
    assert [seen.path.rpartition("/")[2] for seen in world.kling.requests] == ["812345678901234567"]


async def test_a_kling_that_always_answers_with_the_same_page_is_not_asked_for_all_of_them() -> None:
    kling = OddKling(tasks("k-1", None, "k-3"))
    assert await searched(kling) == ({"k-1": "80"}, "not among all 3 tasks")
    assert kling.asked == 2


class ShortPages:
    """Gives fewer rows at a time than it is asked for, and counts pages by its own size."""

    def __init__(self, rows: Sequence[Task], most: int) -> None:
        self.rows, self.most = rows, most

    def time(self) -> float | None:
        return None

    async def page(self, number: int, size: int, _deadline: Any) -> Sequence[Task]:
        size = min(size, self.most)
        return self.rows[(number - 1) * size : number * size]


@pytest.mark.parametrize("most", [20, 50, 100, 200])
async def test_a_kling_that_gives_few_rows_at_a_time_is_read_to_its_end(most: int) -> None:
    others = [f"k-{number}" for number in range(3, 122)]
    assert (await searched(ShortPages(tasks(*others, "k-1"), most)))[0] == {"k-1": "8119"}
    assert await searched(ShortPages(tasks(*others), most)) == ({}, "not among all 119 tasks")


async def test_rows_that_cannot_be_read_do_not_end_the_list() -> None:
    # Fewer rows than were asked for, of which those without an id were dropped.
    kling = OddKling(tasks("k-3"), tasks("k-3", "k-2"), tasks("k-3", "k-2", "k-1"))
    assert await searched(kling) == ({"k-1": "82", "k-2": "81"}, "not among the newest 3 tasks")
    assert kling.asked == 3
    assert PAGE_ROWS <= 500, "the vendor's limit"


class OneList:
    """Knows no reference, and counts how often its list is read."""

    def __init__(self, *references: str) -> None:
        self.rows = [Task(f"8{number}", reference, "submitted", None) for number, reference in enumerate(references)]
        self.lists = 0

    async def read(self, name: str, _deadline: Any) -> Task:
        raise errors.TaskNotFoundError(name, "No.")

    async def page(self, *_: Any) -> list[Task]:
        self.lists += 1
        await asyncio.sleep(0)
        return self.rows


async def test_those_that_are_looked_for_together_share_one_reading_of_the_list() -> None:
    kling = OneList("k-1", "k-3")
    search = Search(kling, TurnedClock().clock())  # pyright: ignore[reportArgumentType]  (all that is asked of a client)
    answers = await asyncio.gather(*(search.of_late(f"k-{number}") for number in range(1, 9)))
    assert [list(answer.tasks) for answer in answers] == [["k-1"], [], ["k-3"], *[[]] * 5]
    assert all(answer.is_whole for answer in answers)
    assert kling.lists == 1
