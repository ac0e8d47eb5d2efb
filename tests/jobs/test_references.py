"""What Kling may say about the reference that comes with a create: nothing that it says is paid for twice."""

from dataclasses import replace
from typing import Any

import pytest

from kolors_mcp.kling.references import may_be_about
from kolors_mcp.kling.refusals import Verdict
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.accounts import Account
from tests.support.wishing import Said, World

pytestmark = pytest.mark.anyio

ODD_WORDS = {
    "named, with no word for taken": "invalid external_task_id",
    "named in another spelling": "ExternalTaskId: illegal value",
    "named with blanks": "The external task id is not valid.",
    "named, with a word of absence": "external_task_id does not exist or cannot be used",
    "in Chinese": "参数错误\uff1aexternal_task_id 无效",
    "in Chinese, unnamed": "任务已存在",
    "in Chinese, of no known word": "请求参数有误",
    "in French": "paramètre déjà utilisé",
    "unnamed": "task already exists",
    "unnamed and vague": "Invalid parameters, such as incorrect key or illegal value",
    "empty": "",
}
OF_EACH_KIND = ("named, with no word for taken", "in Chinese, of no known word", "unnamed")
"""One that is told by the field's name, one by its script, and one by a word for taken."""
VAGUE = ("unnamed and vague", "empty")
"""What is told by the code alone: of 1202 and 1203, which may be of the method, it cannot be."""
PLAIN = tuple(name for name in ODD_WORDS if name not in VAGUE)


def creates(world: World) -> int:
    """How often pictures were sent."""
    return sum("human_image" in seen.json for seen in world.kling.requests if seen.method == "POST")


def play(world: World, *one_by_one: faults.Fault) -> None:
    for fault in one_by_one:
        world.kling.faults.next_create(fault)


async def naively(world: World, *, wait_seconds: float = 0, times: int = 3) -> list[Said]:
    """Create, create again because the answer was odd, restart, and create once more."""
    async with world.server() as assistant:
        said = [await assistant.create(wait_seconds=wait_seconds) for _ in range(times)]
    async with world.server() as assistant:
        return [*said, await assistant.create()]


# What Kling does with a reference that it has shows only if one is sent again, and none is: each way once is enough.
# All words are tried with 1201, and with 1202, where only they tell that it has to be looked for.
@pytest.mark.parametrize(
    ("code", "external_ids", "words"),
    [
        pytest.param(1201, "refuse", tuple(ODD_WORDS), id="1201-refuse"),
        pytest.param(1201, "return_first", OF_EACH_KIND, id="1201-return_first"),
        pytest.param(1200, "make_second", OF_EACH_KIND + VAGUE, id="1200-make_second"),
        pytest.param(1202, "make_second", PLAIN, id="1202-make_second"),
        pytest.param(1203, "make_second", OF_EACH_KIND, id="1203-make_second"),
    ],
)
async def test_a_paid_create_that_is_refused_in_any_words_is_found_and_never_sent_again(
    world: World, code: int, external_ids: Any, words: tuple[str, ...]
) -> None:
    world.kling.rules.external_ids = external_ids
    async with world.server() as assistant:
        for number, name in enumerate(words):
            world.kling.faults.next_create(faults.Refuse(code, ODD_WORDS[name], accepted=True))
            first, second = [await assistant.create(f"#{number * 20:02x}2244") for _ in range(2)]
            assert first.try_on.task_id == second.try_on.task_id == world.kling.tasks.all[-1].id, (name, first)
            assert second.try_on.reused, name
    assert creates(world) == world.kling.tasks_created
    assert all(task.request.external_task_id for task in world.kling.tasks.all), "no answer of this kind blinds us"


async def test_while_kling_hides_it_such_a_create_is_in_doubt_and_found_later(world: World) -> None:
    world.kling.rules = replace(
        world.kling.rules, external_ids="make_second", not_found_reads=1000, list_lag_seconds=30
    )
    world.kling.faults.next_create(faults.Refuse(1201, "invalid external_task_id", accepted=True))
    said = await naively(world)
    assert all(one.in_doubt for one in said), said
    assert len({one.reference for one in said}) == 1
    assert creates(world) == world.kling.tasks_created == 1
    [task] = world.kling.tasks.all
    task.denied_reads = 0
    async with world.server() as assistant:
        assert (await assistant.get(said[0].reference)).try_on.task_id == task.id


# Each code once, and of what Kling may do with a reference that is sent again what costs most and what hides it best.
@pytest.mark.parametrize(("code", "external_ids"), [(1302, "return_first"), (1303, "make_second")])
async def test_a_busy_account_that_accepted_after_all_is_looked_at_before_anything_is_sent_again(
    world: World, code: int, external_ids: Any
) -> None:
    world.kling.rules.external_ids = external_ids
    world.kling.faults.next_create(faults.Refuse(code, accepted=True))
    said = await naively(world, wait_seconds=30)
    assert {one.try_on.task_id for one in said} == {task.id for task in world.kling.tasks.all}
    assert creates(world) == world.kling.tasks_created == 1


@pytest.mark.parametrize("message", ["", "Invalid parameters", "No.", "the request was repeated"])
async def test_what_is_refused_when_it_is_sent_again_to_a_busy_account_is_in_doubt(world: World, message: str) -> None:
    world.kling.rules = replace(world.kling.rules, not_found_reads=1000, list_shows_external_ids=False)
    play(world, faults.Refuse(1303, accepted=True), faults.Refuse(1201, message))
    said = await naively(world, wait_seconds=30, times=1)
    assert all(one.in_doubt for one in said), said
    assert (creates(world), world.kling.tasks_created) == (2, 1)


@pytest.mark.parametrize("message", ["human_image can't be empty", "Image pixel is invalid", "File is not in base64"])
async def test_what_is_refused_for_another_field_has_created_nothing(world: World, message: str) -> None:
    world.kling.faults.next_create(faults.Refuse(1201, message))
    first, second, third, _ = await naively(world)
    assert first.nothing_created
    assert [second.try_on.reused, third.try_on.reused] == [False, True]
    assert (creates(world), world.kling.tasks_created) == (2, 1)


# --- a Kling that follows the page to the letter


async def test_a_kling_that_knows_no_references_is_asked_once_for_nothing_and_then_sent_none(world: World) -> None:
    world.kling.rules.external_ids = "unknown"
    first, second, third, last = await naively(world)
    assert first.nothing_created
    assert 'Kling says "Unknown field' in first.text
    assert "The same call can be repeated now" in first.text
    assert [one.try_on.reused for one in (second, third, last)] == [False, True, True]
    bodies = [seen.json for seen in world.kling.requests if seen.method == "POST"]
    assert [sorted(body) for body in bodies] == [
        ["cloth_image", "external_task_id", "human_image"],
        ["external_task_id"],
        ["cloth_image", "human_image"],
    ]
    assert bodies[1]["external_task_id"] != bodies[0]["external_task_id"], "a new one, that Kling cannot have"
    assert world.kling.tasks_created == 1


async def test_that_is_remembered_for_an_hour_and_then_asked_again_for_nothing(world: World) -> None:
    world.kling.rules.external_ids = "unknown"
    async with world.server() as assistant:
        assert (await assistant.create("navy")).nothing_created
        assert not (await assistant.create("navy")).is_error
        world.time.now += 3599
        assert not (await assistant.create("olive")).is_error
        asked = world.posts
        world.time.now += 10
        assert not (await assistant.create("gold")).is_error
        assert world.posts == asked + 2, "a question without pictures, and the create"
        world.kling.rules.external_ids = "refuse"
        world.time.now += 3601
        assert not (await assistant.create("plum")).is_error
    assert [task.request.external_task_id is None for task in world.kling.tasks.all] == [True, True, True, False]


async def test_what_one_account_is_told_is_not_held_against_another(world: World, monkeypatch: Any) -> None:
    other = Account.with_fresh_keys()
    world.kling.accounts.append(other)
    used = [world.kling.api_key]
    monkeypatch.setattr(type(world.kling), "api_key", property(lambda _: used[0]))
    world.kling.rules.external_ids = "unknown"
    async with world.server() as assistant:
        assert (await assistant.create("navy")).nothing_created
        used[0] = next(iter(other.api_keys))
        world.kling.rules.external_ids = "refuse"
        assert not (await assistant.create("navy")).is_error
    assert [task.request.external_task_id is None for task in world.kling.tasks.all] == [False]


@pytest.mark.parametrize(
    "second",
    [
        faults.Disconnect(),
        faults.Raw(502),
        faults.Refuse(1201, "human_image can't be empty"),
        faults.Refuse(1201, "takes model_name, human_image, cloth_image, callback_url, external_task_id"),
        faults.Refuse(1102),
        faults.Refuse(1201, "Unknown parameter: external_task_id", status=500),
    ],
)
async def test_without_a_clear_answer_to_the_question_the_create_stays_in_doubt(
    world: World, second: faults.Fault
) -> None:
    play(world, faults.Refuse(1201, "invalid external_task_id"), second)
    said = await naively(world)
    assert all(one.in_doubt for one in said), said
    assert (creates(world), world.kling.tasks_created) == (1, 0)


async def test_a_kling_that_lists_all_that_is_wrong_is_understood(world: World) -> None:
    words = "unknown field external_task_id"
    all_of_it = f"human_image is required; {words}; cloth_image is required"
    play(world, faults.Refuse(1201, words), faults.Refuse(1201, all_of_it))
    assert (await naively(world))[0].nothing_created


@pytest.mark.parametrize(
    ("code", "message", "again", "expected"),
    [
        (1201, "odd", True, True),
        (1201, "odd", False, False),
        (1201, "model_name is odd", True, False),
        (1200, "external_task_id", False, True),
        (1299, "external_task_id", False, True),
        (1300, "external_task_id", False, False),
        (1199, "external_task_id", False, False),
        (1201, "k-77 is bad", False, True),
        (1203, "The requested resource does not exist", False, False),
        (1201, None, False, False),
        (1201, None, True, True),
    ],
)
def test_a_refusal_is_about_the_reference_where_it_may_be(
    code: int, message: str | None, *, again: bool, expected: bool
) -> None:
    assert may_be_about(Verdict(code, message, None), "k-77", again=again) is expected
