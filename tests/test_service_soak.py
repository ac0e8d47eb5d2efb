"""The judge of the service's soak: histories that are forged show that it misses nothing, and cries at nothing."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from kolors_mcp.sandbox.render import render
from tests.service_soak.figures import figures, jain, percentile
from tests.service_soak.history import History, Look, Probe, Said, Task, names_in
from tests.service_soak.pictures import Pictures
from tests.service_soak.plan import HEAVY, Plan, WishKey, happenings
from tests.service_soak.users import canary_of, understood
from tests.service_soak.verdicts import AHEAD, judged, most_at_once, named_doubts
from tests.service_soak.wire import Answer

PLAN = Plan(
    seed=7, users=3, wishes=2, heavy_wishes=8, slots=2, render_seconds=1.0, spread=0.0, replicas=1, happenings=()
)
BEGUN = 1_800_000_000.0


def reference_of(wish: WishKey) -> str:
    return f"k-{wish[0]:012x}{wish[1]:012x}"


def id_of(wish: WishKey) -> str:
    return f"{10**17 + 1000 * wish[0] + wish[1]}"


def task_of(wish: WishKey, accepted_at: float) -> Task:
    return Task(id_of(wish), reference_of(wish), wish, accepted_at, accepted_at + PLAN.render_seconds)


def said(wish: WishKey, tool: str = "get_try_on", kind: str = "task", **more: object) -> Said:
    told: dict[str, object] = {"task_id": id_of(wish), "reference": reference_of(wish), "status": "succeed"}
    fields = told if kind == "task" else {}
    times = {"began": BEGUN, "ended": BEGUN + 100}
    return Said(wish, tool, kind, "its words", **{**times, **fields, **more})  # pyright: ignore[reportArgumentType]


def a_clean_run() -> History:
    """All wishes are made in fair turns, two at a time, and everybody is told so."""
    history = History(PLAN.slots, tuple(PLAN.every_wish()))
    in_turn = sorted(history.wishes, key=lambda wish: (wish[1], wish[0]))
    for place, wish in enumerate(in_turn):
        history.tasks.append(task_of(wish, BEGUN + 1 + place // PLAN.slots))
        named = frozenset({id_of(wish), canary_of(PLAN.seed, wish[0])})
        history.said += [said(wish, "create_try_on", status="submitted"), said(wish, named=named)]
        history.ends[wish] = history.said[-1]
        history.noted[reference_of(wish)] = BEGUN
    history.owners = {canary_of(PLAN.seed, user): user for user in range(PLAN.users + 1)}
    history.probes.append(Probe(1, "get_try_on", "no try-on NAME", "no try-on NAME"))
    history.looks.append(Look((1, 0), "link", is_theirs=True))
    return history


def kinds(history: History) -> set[str]:
    return {verdict.kind for verdict in judged(history)}


def test_a_clean_run_has_no_verdict_and_figures_that_say_so() -> None:
    history = a_clean_run()
    assert list(judged(history)) == []
    lines = "\n".join(figures(PLAN, history))
    assert "14 wishes, 14 made, 0 in named doubt" in lines
    assert "at most 2 at once" in lines


def made_again(history: History) -> None:
    history.tasks.append(replace(task_of((1, 0), BEGUN + 50), id="187654321098765432", reference="k-" + 24 * "a"))


def made_again_by_reference(history: History) -> None:
    history.tasks[0] = replace(history.tasks[0], reference=reference_of((1, 0)))


def of_nobody(history: History) -> None:
    history.tasks.append(Task("187654321098765432", None, None, BEGUN + 50, BEGUN + 51))


def never_answered(history: History) -> None:
    del history.ends[1, 1]


def still_waiting(history: History) -> None:
    history.ends[1, 1] = said((1, 1), task_id=reference_of((1, 1)), status="submitted")


def cut_off(history: History) -> None:
    history.tasks = [task for task in history.tasks if task.wish != (1, 1)]
    history.ends[1, 1] = said((1, 1), kind="gone")


def made_and_cut_off(history: History) -> None:
    history.ends[1, 1] = said((1, 1), kind="other")


def doubt_without_a_name(history: History) -> None:
    history.tasks = [task for task in history.tasks if task.wish != (1, 1)]
    history.ends[1, 1] = said((1, 1), kind="doubt")


def doubt_that_could_be_found(history: History) -> None:
    history.ends[1, 1] = said((1, 1), kind="doubt", reference=reference_of((1, 1)))


def denied_in_the_end(history: History) -> None:
    history.ends[1, 1] = said((1, 1), kind="nothing")


def denied_on_the_way(history: History) -> None:
    history.said.append(said((1, 1), "create_try_on", kind="nothing", began=BEGUN + 60))


def a_task_of_no_kling(history: History) -> None:
    history.ends[1, 1] = said((1, 1), task_id="187654321098765432")


def a_task_of_another(history: History) -> None:
    history.ends[1, 1] = said((1, 1), task_id=id_of((2, 0)))


def an_id_of_another_in_words(history: History) -> None:
    history.said.append(said((1, -1), "list_try_ons", kind="other", named=frozenset({id_of((2, 0))})))


def a_label_of_another_in_words(history: History) -> None:
    history.said.append(said((1, -1), "list_try_ons", kind="other", named=frozenset({canary_of(PLAN.seed, 2)})))


def a_reference_of_another_that_was_never_made(history: History) -> None:
    reference = "k-" + 24 * "b"
    history.said.append(said((2, 0), "create_try_on", kind="doubt", reference=reference))
    history.said.append(said((1, 0), named=frozenset({reference})))


def anothers_id_told_apart(history: History) -> None:
    history.probes.append(Probe(1, "view_try_on", "not finished: NAME", "no try-on NAME"))


def anothers_picture(history: History) -> None:
    history.looks.append(Look((1, 1), "view_try_on", is_theirs=False))


def heavy_ahead(history: History) -> None:
    """The first of one user waits while the many of another are made."""
    history.tasks = [task for task in history.tasks if task.wish is None or task.wish[0] != 3]
    history.tasks += [task_of((3, number), BEGUN + 40) for number in range(2)]


def too_many_at_once(history: History) -> None:
    history.tasks[3] = replace(history.tasks[3], accepted_at=history.tasks[1].accepted_at + 0.5)


def a_replica_that_fell(history: History) -> None:
    history.died.append("replica 1 ended with -11")


def a_replica_that_stayed(history: History) -> None:
    history.late.append("replica 1")


def a_token_in_a_log(history: History) -> None:
    history.leaked.append("replica 1 told the token of user 3")


def no_end(history: History) -> None:
    history.hung = True


def hardly_anything(history: History) -> None:
    for wish in history.wishes[2:]:
        history.ends[wish] = said(wish, kind="nothing")
    history.tasks = [task for task in history.tasks if task.wish in history.wishes[:2]]


FORGED: dict[Callable[[History], None], str] = {
    made_again: "made twice",
    made_again_by_reference: "made twice",
    of_nobody: "out of nowhere",
    never_answered: "lost",
    still_waiting: "lost",
    cut_off: "lost",
    made_and_cut_off: "unnamed doubt",
    doubt_without_a_name: "unnamed doubt",
    doubt_that_could_be_found: "lost",
    denied_in_the_end: "wrong 'nothing was created'",
    denied_on_the_way: "wrong 'nothing was created'",
    a_task_of_no_kling: "no such task",
    a_task_of_another: "another user's",
    an_id_of_another_in_words: "another user's",
    a_label_of_another_in_words: "another user's",
    a_reference_of_another_that_was_never_made: "another user's",
    anothers_id_told_apart: "another's id answered",
    anothers_picture: "another user's picture",
    heavy_ahead: "heavy user ahead",
    too_many_at_once: "more than the slots",
    a_replica_that_fell: "replica died",
    a_replica_that_stayed: "late end",
    a_token_in_a_log: "told in a log",
    no_end: "hung",
    hardly_anything: "blind",
}


@pytest.mark.parametrize(("forge", "kind"), FORGED.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_each_fault_is_a_verdict_of_its_kind_and_no_other(forge: Callable[[History], None], kind: str) -> None:
    history = a_clean_run()
    forge(history)
    assert kinds(history) == {kind}


def test_a_named_doubt_a_certain_refusal_and_ones_own_names_are_no_verdicts() -> None:
    history = a_clean_run()
    history.tasks = [task for task in history.tasks if task.wish != (1, 1)]
    history.ends[1, 1] = said((1, 1), kind="doubt", reference=reference_of((1, 1)))
    assert (kinds(history), named_doubts(history)) == (set(), [(1, 1)])
    history.ends[1, 1] = said((1, 1), kind="nothing")
    foreign = id_of((2, 0))
    history.said.append(said((1, -1), kind="nothing", named=frozenset({foreign}), asked=frozenset({foreign})))
    assert (kinds(history), named_doubts(history)) == (set(), [])


def test_what_was_interrupted_may_go_out_again_in_its_old_turn() -> None:
    history = a_clean_run()
    heavy_ahead(history)
    ahead = [task for task in history.tasks if task.wish and task.wish[0] == HEAVY]
    history.interruptions = len(ahead) - AHEAD - PLAN.slots - 1
    assert kinds(history) == {"heavy user ahead"}
    history.interruptions += 1
    assert kinds(history) == set()


def test_a_task_that_ends_when_another_begins_takes_no_second_slot() -> None:
    assert most_at_once([task_of((1, 0), BEGUN), task_of((1, 1), BEGUN + PLAN.render_seconds)]) == 1
    assert most_at_once([task_of((1, 0), BEGUN), task_of((1, 1), BEGUN + 0.9 * PLAN.render_seconds)]) == 2


def test_what_belongs_to_somebody_is_seen_in_any_text() -> None:
    canary, name = canary_of(7, 1), reference_of((1, 1))
    assert names_in(f'"{id_of((1, 1))}" {canary} look 3, {name}.') == {id_of((1, 1)), canary, name}
    assert names_in(f"x{name} 1795769999123 a{'1' * 18}") == set()


def test_answers_are_read_as_a_model_reads_them() -> None:
    row = {"task_id": "1" * 18, "reference": reference_of((1, 1)), "status": "succeed", "label": canary_of(7, 2)}
    good = understood((1, 1), "get_try_on", Answer({"content": [], "structuredContent": row}, False), 0, frozenset())
    assert (good.kind, good.is_final, good.named) == ("task", True, names_in(str(row)))
    for text, kind in (("It may exist and be billed.", "doubt"), ("No task was created.", "nothing"), ("x", "other")):
        content = [{"type": "text", "text": f"{text} {reference_of((1, 1))}"}]
        read = understood((1, 1), "create_try_on", Answer({"content": content}, True), 0, frozenset())
        assert (read.kind, read.reference, read.is_final) == (kind, reference_of((1, 1)), False)


def test_an_error_of_the_protocol_and_one_of_http_are_words_too() -> None:
    for result in ({"error": {"code": -32602, "message": "no"}}, {"http": 413, "said": '{"error": "no"}'}):
        read = understood((1, 1), "get_try_on", Answer(result, True), 0, frozenset())
        assert (read.kind, "no" in read.text) == ("other", True)


def test_a_users_picture_is_known_again_by_its_bytes_and_by_its_looks() -> None:
    pictures = Pictures(PLAN)
    wish, other = (1, 0), (1, 1)
    assert pictures.is_result(render(*pictures.of(wish)), wish)
    assert not pictures.is_result(render(*pictures.of(other)), wish)
    for number, is_theirs in ((wish, True), (other, False)):
        with Image.open(io.BytesIO(render(*pictures.of(number)))) as full:
            small, out = full.convert("RGB").reduce(2), io.BytesIO()
        small.save(out, "JPEG", quality=70)
        assert pictures.is_result(out.getvalue(), wish) == is_theirs
    assert pictures.wish_of("0" * 64) is None


def test_the_same_seed_draws_the_same_run() -> None:
    some = {"kills": 3, "freezes": 1, "restarts": 1, "away": 1, "faults": 4}
    assert happenings(7, 60.0, 3, **some) == happenings(7, 60.0, 3, **some)
    assert happenings(7, 60.0, 3, **some) != happenings(8, 60.0, 3, **some)
    assert len(happenings(7, 60.0, 3, **some)) == sum(some.values())


def test_shares_are_as_equal_as_they_are() -> None:
    assert jain([2.0, 2.0, 2.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert [percentile(range(101), share) for share in (0.0, 0.5, 0.99, 1.0)] == [0, 50, 99, 100]
