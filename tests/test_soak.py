"""The soak itself: a short seeded run finds nothing, finds what a guard kept out, and its judge misses nothing."""

import json
from pathlib import Path

import anyio
import pytest

from tests.soak.callers import Said, Wish
from tests.soak.host import Server
from tests.soak.kling import Kling, Refused
from tests.soak.ledgers import ledgers
from tests.soak.pictures import Pictures
from tests.soak.plan import FAULTS, PROVIDERS, Provider, Stage, drawn
from tests.soak.report import Report
from tests.soak.verdicts import judged
from tests.soak.wire import BEGINNING_BYTES
from tests.soak.without import GUARDS
from tests.soak.world import World, run

SEED, WISHES = 7, 20
QUICK = {"none", "gzip", "drips", "closed after", "reset after", "failed after", "busy", "refused", "cut short"}
"""Faults after which a wish is granted without a long search."""


@pytest.mark.process
@pytest.mark.anyio
async def test_a_short_run_is_clean_and_finds_what_is_paid_twice_without_joining() -> None:
    but = [name for name in FAULTS if name not in QUICK]
    plans = drawn(
        SEED, WISHES, ["sqlite"], providers=[Provider("second", "both")], but=but, interrupted=False, servers=1
    )
    whole, crippled = Report(""), Report("")
    with ledgers(["sqlite"]) as empty:
        async with anyio.create_task_group() as group:
            group.start_soon(run, plans, SEED, WISHES, empty, whole.add)
            group.start_soon(run, plans, SEED, WISHES, empty, crippled.add, "join")
    assert list(whole.lines(told=True))[-1].lstrip().startswith("0 verdicts"), "\n".join(whole.lines(told=True))
    assert not whole.blind
    # What Kling refused for good is not always asked for again.
    assert whole.counts["tasks"] > WISHES / 2
    assert "paid twice" in {verdict.kind for verdict in crippled.verdicts}


def test_the_same_seed_draws_the_same_run_and_one_wish_of_it_alone() -> None:
    whole = drawn(SEED, 2000, ["sqlite", "postgresql"])
    assert whole == drawn(SEED, 2000, ["sqlite", "postgresql"])
    assert whole != drawn(SEED + 1, 2000, ["sqlite", "postgresql"])
    assert {plan.provider for plan in whole} == set(PROVIDERS)
    assert {name for plan in whole for wish in plan.wishes for name in wish.faults} == set(FAULTS)
    [alone] = drawn(SEED, 2000, ["sqlite", "postgresql"], only=[812])
    [same] = [plan for plan in whole if any(wish.number == 812 for wish in plan.wishes)]
    assert (alone.provider, alone.database, alone.interruptions) == (same.provider, same.database, same.interruptions)
    assert alone.wishes == tuple(wish for wish in same.wishes if wish.number == 812)


def test_in_each_world_a_server_falls_asleep_over_a_create_that_another_is_asked_for() -> None:
    for plan in drawn(SEED, 130, ["sqlite", "postgresql"]):
        assert plan.servers > 1
        assert any(wish.is_slept_through and wish.callers > 1 for wish in plan.wishes)


def test_a_create_that_is_to_be_held_up_is_known_by_its_beginning() -> None:
    pictures = Pictures(4, large=[2, 3])
    for wish in range(4):
        human, cloth = pictures.of(wish)
        assert pictures.wish_of(human, cloth) == wish
        assert pictures.begun(f'{{"human_image":"{human}'.encode()[:BEGINNING_BYTES]) == (wish if wish > 1 else None)
    assert pictures.wish_of(pictures.of(3)[0], pictures.of(2)[1]) is None


def unheard(_wish: int, _stage: Stage) -> None:
    return


def a_world(provider: Provider) -> World:
    """A world in which nothing has happened yet."""
    [plan] = drawn(SEED, 4, ["sqlite"], providers=[provider], but=list(FAULTS), interrupted=False)
    plans = {wish.number: wish for wish in plan.wishes}
    kling = Kling(provider, Pictures(4), plans, unheard)
    return World(plan, kling, {number: Wish(wish) for number, wish in plans.items()}, {})


def said(kind: str, began: float, ended: float, **more: object) -> Said:
    return Said("create_try_on", 0, kind, "its words", began, ended, **more)  # pyright: ignore[reportArgumentType]


def kinds(world: World) -> list[str]:
    return [one.kind for one in judged(world)]


def test_a_second_task_is_a_verdict_unless_it_was_asked_for_or_the_first_failed() -> None:
    world = a_world(Provider("second", "both"))
    first = world.kling.accept(0, "k-1")
    world.kling.accept(0, "k-2")
    assert kinds(world) == ["paid twice"]
    world.wishes[0].said.append(said("task", 0, first.accepted_at, task_id=first.id, renewed=True))
    assert kinds(world) == []
    world.kling.accept(0, "k-3")
    assert kinds(world) == ["renewed twice"]
    failed = world.kling.accept(1, "k-4")
    failed.fails, failed.ends_at = True, failed.accepted_at
    world.kling.accept(1, "k-5")
    assert kinds(world) == ["renewed twice"]


def test_of_a_renewed_wish_only_what_was_there_since_then_tells_whether_it_was_renewed_twice() -> None:
    world = a_world(Provider("second", "nowhere"))
    first = world.kling.accept(0, "k-1")
    world.wishes[0].said.append(said("task", first.accepted_at, first.accepted_at, task_id=first.id, renewed=True))
    denied = world.kling.accept(0, "k-2")
    denied.answered = "refusal"
    world.kling.accept(0, "k-3")
    assert kinds(world) == ["lie"]
    denied.answered = "task"
    assert kinds(world) == ["renewed twice"]


@pytest.mark.parametrize(
    ("provider", "answered", "kind"),
    [
        (Provider("second", "list"), "refusal", "wrong 'nothing was created'"),
        (Provider("second", "nowhere"), "other", "wrong 'nothing was created'"),
        (Provider("second", "nowhere"), "refusal", "lie"),
    ],
)
def test_nothing_was_created_is_wrong_if_there_is_a_task_and_no_lie_was_told(
    provider: Provider, answered: str, kind: str
) -> None:
    world = a_world(provider)
    task = world.kling.accept(2, "k-1")
    task.answered = answered  # pyright: ignore[reportAttributeAccessIssue]
    world.wishes[2].said.append(said("nothing", task.accepted_at - 1, task.accepted_at - 0.5))
    assert kinds(world) == []
    world.wishes[2].said.append(said("nothing", task.accepted_at - 1, task.accepted_at + 1))
    assert kinds(world) == []  # the other call may be the one that made it
    world.wishes[2].said.append(said("nothing", task.accepted_at + 2, task.accepted_at + 3))
    assert kinds(world) == [kind]


def test_a_call_that_could_not_ask_the_ledger_denies_only_what_it_has_created_itself() -> None:
    world = a_world(Provider("second", "both"))
    task = world.kling.accept(2, "k-1")
    world.wishes[2].said.append(said("unasked", task.accepted_at + 1, task.accepted_at + 2))
    assert kinds(world) == []
    world.wishes[2].said.append(said("unasked", task.accepted_at - 1, task.accepted_at + 0.5))
    assert kinds(world) == ["wrong 'nothing was created'"]


def test_a_task_that_nobody_can_find_is_a_verdict_where_it_is_shown_and_a_named_doubt_elsewhere() -> None:
    for provider, kind, expected in (
        (Provider("first", "id"), "doubt", "lost"),
        (Provider("first", "nowhere"), "doubt", "doubt"),
        (Provider("first", "nowhere"), "other", "unnamed doubt"),
    ):
        world = a_world(provider)
        task = world.kling.accept(3, "k-1")
        world.looked[task.id] = said(kind, 0, task.accepted_at)
        assert kinds(world) == [expected]
        world.looked[task.id] = said("task", 0, task.accepted_at, task_id=task.id)
        assert kinds(world) == []


def test_a_failed_task_that_was_told_of_may_be_followed_by_a_create_that_is_refused() -> None:
    world = a_world(Provider("refuses", "unknown"))
    task = world.kling.accept(3, None)
    world.looked[task.id] = said("nothing", task.accepted_at + 2, task.accepted_at + 3)
    assert kinds(world) == ["unnamed doubt"]
    world.wishes[3].said.append(said("task", task.accepted_at, task.accepted_at, task_id=task.id))
    assert kinds(world) == ["unnamed doubt"]
    task.fails, task.ends_at = True, task.accepted_at + 1
    assert kinds(world) == []


def test_an_answer_that_names_another_task_or_no_task_or_no_doubt_is_a_verdict() -> None:
    world = a_world(Provider("first", "both"))
    task = world.kling.accept(3, "k-1")
    world.wishes[2].said.append(said("task", 0, 1, task_id=task.id))
    world.wishes[2].said.append(said("task", 0, 1, task_id="8"))
    world.wishes[3].said.append(said("other", 0, task.accepted_at + 1))
    assert kinds(world) == ["another wish's task", "no such task", "unnamed doubt"]


def test_its_kling_takes_what_the_page_has_and_nothing_else() -> None:
    world = a_world(Provider("first", "both"))
    human, cloth = world.kling.pictures.of(3)
    create = {"human_image": human, "cloth_image": cloth}
    assert world.kling.wish_in(json.dumps({**create, "external_task_id": "k-1"}).encode()) == (3, "k-1")
    strict = a_world(Provider("refuses", "unknown"))
    for kling, body in (
        (world.kling, b"{"),
        (world.kling, b"[]"),
        (world.kling, json.dumps({"human_image": human}).encode()),
        (world.kling, json.dumps({**create, "n": "1"}).encode()),
        (world.kling, json.dumps({**create, "model_name": "v2"}).encode()),
        (world.kling, json.dumps({**create, "human_image": f"data:image/jpeg;base64,{human}"}).encode()),
        (strict.kling, json.dumps({**create, "external_task_id": "k-1"}).encode()),
    ):
        with pytest.raises(Refused):
            kling.wish_in(body)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_that_is_switched_off_is_one_of_the_product(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[object] = []

    def put(owner: object, name: str, value: object) -> None:
        replaced.append(getattr(owner, name))
        monkeypatch.setattr(owner, name, value)

    monkeypatch.setattr("tests.soak.without.PUT", put)
    GUARDS[guard]()
    assert len(replaced) == 1


@pytest.mark.process
@pytest.mark.anyio
async def test_a_server_that_does_not_start_ends_the_soak_with_its_words(tmp_path: Path) -> None:
    server = Server(0, {}, tmp_path / "log", "no such guard")
    with pytest.raises(RuntimeError, match="no such guard"):
        await server.start()
