"""The fault table: however a create goes wrong, a wish is paid at most once, and what was paid is found again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from PIL import Image

from kolors_mcp.jobs.sending import Sending
from kolors_mcp.kling.refusals import MEANINGS
from kolors_mcp.kling.try_on import MAX_CREATE_SECONDS
from kolors_mcp.sandbox import faults
from kolors_mcp.server.request import ANSWER_WITHIN
from tests.support.gateways import (
    Breaks,
    Gateway,
    end_before_the_answer,
    end_within_the_body,
    gateway,
    no_http_for_an_answer,
    page_within_the_body,
    reset_after_the_body,
    reset_before_the_answer,
    reset_before_the_body,
    reset_within_the_answer,
    reset_within_the_body,
    sent_twice,
    stall_before_the_answer,
    stall_within_the_answer,
    stall_within_the_body,
)
from tests.support.making import jpeg
from tests.support.still_time import turn, until
from tests.support.wishing import MINUTE, Said, World, garment

pytestmark = pytest.mark.anyio

HTML = "<html><body>gateway</body></html>"
JSON = "application/json"
NOT_DONE = {
    "reset": faults.Disconnect(),
    "end": faults.Disconnect(fin=True),
    **{f"html {status}": faults.Raw(status) for status in (500, 502, 503, 504)},
    **{f"code {code}": faults.Refuse(code) for code in (5000, 5001, 5002)},
    "unknown code": faults.Refuse(7777, status=500),
    "redirect": faults.Redirect("https://elsewhere.example/", 307),
    "redirect to a page": faults.Redirect("/login", 302),
    "html with success": faults.Raw(200, HTML),
    "an array": faults.Raw(200, "[1, 2]", JSON),
    "deep nesting": faults.Raw(200, "[" * 100_000, JSON),
}
"""Nothing was created, and nobody on this side can know."""
DONE = {
    "reset": faults.Disconnect("after_acceptance"),
    "end": faults.Disconnect("after_acceptance", fin=True),
    **{f"html {status}": faults.Raw(status, accepted=True) for status in (200, 500, 502, 503, 504)},
    **{f"code {code}": faults.Refuse(code, accepted=True) for code in (5000, 5001, 5002)},
    "unknown code": faults.Refuse(7777, status=500, accepted=True),
    "unknown code with success": faults.Refuse(42, status=200, accepted=True),
    "redirect": faults.Redirect("https://elsewhere.example/", 303, accepted=True),
    "cut json": faults.Cut(short_length=True),
    "cut connection": faults.Cut(),
    "empty answer": faults.Cut(0.0, short_length=True),
    "no data": faults.NoData(),
}
"""The task exists and is billed, and the answer does not say so."""
REFUSALS = [code for code in MEANINGS if code < 2000]


@pytest.fixture
async def wall(world: World) -> AsyncIterator[Gateway]:
    async with gateway(world.kling.origin) as made:
        world.base = made.origin
        yield made


def unmoved(_text: str) -> None:
    """Hear of the progress: who hears of it can wait as long as it takes."""


async def naively(world: World, on_progress: Callable[[str], None] | None = None) -> list[Said]:
    """Create, create again three times because the answer was odd, restart, and create once more."""
    [said] = (await naively_each(world, ["the wish"], lambda _name: None, on_progress, times=4)).values()
    return said


async def naively_each(
    world: World,
    names: Iterable[str],
    arm: Callable[[str], None],
    on_progress: Callable[[str], None] | None = None,
    *,
    times: int = 2,
) -> dict[str, list[Said]]:
    """Do so with a wish of its own for each name; `arm` is called before each of them is made.

    Of many wishes each is made twice before the restart: what a third and a fourth time come to, one shows for all.
    """
    colours = {name: f"#{number * 9 % 256:02x}2244" if number else "crimson" for number, name in enumerate(names)}
    said: dict[str, list[Said]] = {}
    async with world.server(on_progress) as assistant:
        for name, colour in colours.items():
            arm(name)
            said[name] = [await assistant.create(colour) for _ in range(times)]
    async with world.server() as assistant:
        for name, colour in colours.items():
            said[name].append(await assistant.create(colour))
    return said


async def found_by(world: World, reference: str) -> Said:
    """What a later process finds by the reference alone."""
    async with world.server() as assistant:
        return await assistant.get(reference)


# --- nothing was created


async def test_a_doubt_about_nothing_is_a_doubt_however_old_and_only_a_new_render_pays_again(world: World) -> None:
    each = await naively_each(world, NOT_DONE, lambda name: world.kling.faults.next_create(NOT_DONE[name]))
    for name, said in each.items():
        assert all(one.in_doubt for one in said), (name, said)
        assert len({one.reference for one in said}) == 1, name
        assert all(f'get_try_on with task_id "{one.reference}"' in one.text for one in said), (name, said)
        assert not any("ry again" in one.text for one in said), "the cause's advice would be a second payment"
    assert (world.posts, world.kling.tasks_created) == (len(NOT_DONE), 0)
    assert (await found_by(world, each["reset"][0].reference)).in_doubt
    world.time.now += 11 * MINUTE
    async with world.server() as assistant:
        assert (await assistant.get(each["reset"][0].reference)).in_doubt
        assert not (await assistant.create(new_render=True)).try_on.reused
    assert world.kling.tasks_created == 1


async def test_a_refusal_says_that_nothing_was_created_and_is_forgotten_by_the_next_try(world: World) -> None:
    codes = {str(code): faults.Refuse(code) for code in REFUSALS}
    each = await naively_each(world, codes, lambda name: world.kling.faults.next_create(codes[name]))
    for name, (first, *others) in each.items():
        assert first.nothing_created, (name, first)
        assert f"code {name}" in first.text
        assert [one.try_on.reused for one in others] == [False, True]
    assert (world.posts, world.kling.tasks_created) == (2 * len(codes), len(codes))


async def test_what_cannot_be_reached_has_created_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    lookups: list[str] = []

    def unknown(host: Any, *_: Any, **__: Any) -> Any:
        lookups.append(host.decode() if isinstance(host, bytes) else host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    untrusted = await asyncio.start_server(
        lambda _reader, _writer: None, "127.0.0.1", 0, ssl=_tls(trustme.CA().issue_cert("127.0.0.1"))
    )
    silent_about_tls = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    bases = [
        f"http://127.0.0.1:{port}",
        "http://kling.invalid",
        f"http://{'a' * 64}.example",
        *(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in (untrusted, silent_about_tls)),
    ]
    for base in bases:
        with monkeypatch.context() as patch:
            if "invalid" in base:
                patch.setattr(socket, "getaddrinfo", unknown)
            async with world.server(api_base=base) as assistant:
                said = await assistant.create()
                assert said.nothing_created, (base, said)
                assert "cannot be reached" in said.text
    assert set(lookups) == {"kling.invalid"}
    async with world.server() as assistant:
        assert not (await assistant.create()).try_on.reused, "nothing is in the way of the next try"
    for server in (untrusted, silent_about_tls):
        server.close()


def _tls(certificate: trustme.LeafCert) -> Any:
    import ssl  # noqa: PLC0415  (one test needs it)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  (it takes PyOpenSSL's as well)
    return context


# --- the task exists


@pytest.mark.parametrize("external_ids", ["refuse", "return_first", "make_second"])
async def test_a_paid_task_is_found_at_once_however_its_answer_was_lost(world: World, external_ids: Any) -> None:
    world.kling.rules.external_ids = external_ids
    each = await naively_each(world, DONE, lambda name: world.kling.faults.next_create(DONE[name]))
    for (name, said), task in zip(each.items(), world.kling.tasks.all, strict=True):
        assert {one.try_on.task_id for one in said} == {task.id}, name
        assert [one.try_on.reused for one in said] == [False, True, True], name
        assert said[0].try_on.reference == task.request.external_task_id, name
    assert world.posts == len(DONE)
    last = world.kling.tasks.all[-1]
    assert (await found_by(world, last.request.external_task_id or "")).try_on.task_id == last.id


LATE = {
    "answers without task_info": {"shows_external_ids": False},
    "a list that lags": {"list_lag_seconds": 3600.0},
    "a list without references": {"list_shows_external_ids": False},
    "a list that lags, and a not-found that is not true": {"list_lag_seconds": 30.0, "not_found_reads": 30},
    "a not-found that is not true, as an odd task": {"not_found_reads": 30, "unknown_task_code": None},
    "a list without references, and a not-found": {"list_shows_external_ids": False, "not_found_reads": 30},
    "ids that are numbers": {"task_ids_as_numbers": True},
}


@pytest.mark.parametrize("rules", LATE.values(), ids=LATE)
async def test_a_paid_task_that_kling_hides_for_a_while_is_found_as_soon_as_it_shows(
    world: World, rules: dict[str, Any]
) -> None:
    # The upstream at which a second create would cost the most.
    world.kling.rules = replace(world.kling.rules, external_ids="make_second", **rules)
    world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
    said = await naively(world)
    [task] = world.kling.tasks.all
    for one in said:
        assert one.in_doubt or one.try_on.task_id == task.id
        assert one.is_error or one.try_on.status != "failed"
    task.denied_reads = 0
    world.time.now += MINUTE
    reference = task.request.external_task_id or ""
    async with world.server() as assistant:
        assert (await assistant.get(reference)).try_on.task_id == task.id
        repeated = (await assistant.create()).try_on
        assert (repeated.task_id, repeated.reused) == (task.id, True)


async def test_a_later_list_finds_what_was_in_doubt_and_says_its_reference(world: World) -> None:
    world.kling.rules.not_found_reads = 1000
    world.kling.rules.list_lag_seconds = 30
    world.kling.faults.next_create(faults.Raw(504, accepted=True))
    async with world.server() as assistant:
        doubt = await assistant.create()
        assert doubt.in_doubt
        world.time.now += MINUTE
        [row] = (await assistant.list()).page.try_ons
        assert row.reference == doubt.reference
        assert row.task_id == world.kling.tasks.all[0].id
        # Written down: reads by reference are denied still, and it is found all the same.
        world.kling.tasks.all[0].denied_reads = 0
        assert (await assistant.get(doubt.reference)).try_on.task_id == row.task_id


async def test_a_task_that_never_turns_up_again_is_not_asked_for_in_vain_on_every_call(world: World) -> None:
    world.kling.faults.next_create(faults.Disconnect())
    async with world.server() as assistant:
        assert (await assistant.create()).in_doubt
        asked = len(world.kling.requests)
        for _ in range(10):
            await assistant.list()
        assert len(world.kling.requests) - asked <= 12


# --- upstreams that know no external ids


@pytest.mark.parametrize("external_ids", ["unknown", "ignore"])
async def test_where_kling_knows_no_references_a_lost_answer_is_a_doubt_that_the_list_resolves(
    world: World, external_ids: Any
) -> None:
    world.kling.rules.external_ids = external_ids
    async with world.server() as assistant:
        if external_ids == "unknown":
            assert "can be repeated now" in (await assistant.create("navy")).text
        plain = (await assistant.create("navy")).try_on
        assert plain.reference is not None
        assert (await assistant.get(plain.reference)).try_on.task_id == plain.task_id, "the ledger knows it"
        world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
        said = [await assistant.create() for _ in range(4)]
    async with world.server() as assistant:
        said.append(await assistant.create())
        assert all(one.in_doubt and "list_try_ons" in one.text for one in said), said
        assert len({one.reference for one in said}) == 1
        if external_ids == "unknown":
            assert "only list_try_ons can show it" in said[0].text
        rows = (await assistant.list()).page.try_ons
        assert {row.task_id for row in rows} == {task.id for task in world.kling.tasks.all}
    assert world.kling.tasks_created == 2


async def test_a_reference_that_kling_has_already_is_looked_for_and_never_left_out(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303, accepted=True))
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
    [task] = world.kling.tasks.all
    assert made.task_id == task.id


@pytest.mark.parametrize(
    "message",
    [
        "external_task_id already exists, it must be unique within one account",
        "Duplicate external_task_id",
        "external_task_id has been used",
    ],
)
async def test_any_word_for_taken_is_a_doubt_and_no_reason_to_send_again(world: World, message: str) -> None:
    world.kling.faults.next_create(faults.Refuse(1201, message))
    said = await naively(world)
    assert all(one.in_doubt for one in said)
    assert world.posts == 1


# --- on raw sockets


BEFORE = (reset_before_the_body, reset_within_the_body, end_within_the_body, page_within_the_body)
AFTER = (
    reset_before_the_answer,
    end_before_the_answer,
    reset_within_the_answer,
    stall_before_the_answer,
    stall_within_the_answer,
    no_http_for_an_answer,
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that the buffers of the gateway's sockets do not hold, by a factor of five."""
    path = tmp_path_factory.mktemp("large") / "person.png"
    Image.effect_noise((1500, 1000), 120).save(path, compress_level=0)
    return path


@pytest.mark.parametrize("fault", [*BEFORE, stall_within_the_body], ids=lambda fault: fault.__name__)
async def test_a_create_that_breaks_before_its_last_byte_has_created_nothing(
    world: World, wall: Gateway, large: Path, fault: Breaks
) -> None:
    wall.faults.extend([fault] * 3)
    pictures = {"human_image": str(large), "cloth_image": garment("navy")}
    async with world.server(unmoved, image_dirs=(large.parent,)) as assistant:
        first = await assistant.call("create_try_on", **pictures)
        assert first.nothing_created, first
        # What cannot be there may be sent again; whether the page is read before the hang-up is a matter of luck.
        assert wall.creates == 3 or fault is page_within_the_body
        wall.faults.clear()
        assert not (await assistant.call("create_try_on", **pictures)).try_on.reused
    assert world.kling.tasks_created == 1


async def test_a_create_that_breaks_once_within_its_body_is_sent_again_and_paid_once(
    world: World, wall: Gateway, large: Path
) -> None:
    wall.faults.append(reset_within_the_body)
    async with world.server(image_dirs=(large.parent,)) as assistant:
        said = await assistant.call("create_try_on", human_image=str(large), cloth_image=garment("navy"))
    assert said.try_on.status == "submitted"
    assert (wall.creates, world.kling.tasks_created) == (2, 1)


@pytest.mark.parametrize("fault", AFTER, ids=lambda fault: fault.__name__)
async def test_a_create_that_breaks_after_its_last_byte_is_found(world: World, wall: Gateway, fault: Breaks) -> None:
    wall.faults.append(fault)
    said = await naively(world, unmoved)
    [task] = world.kling.tasks.all
    assert {one.try_on.task_id for one in said} == {task.id}
    assert wall.creates == 1


async def test_a_reset_right_after_the_last_byte_is_a_doubt(world: World, wall: Gateway) -> None:
    wall.faults.append(reset_after_the_body)
    said = await naively(world)
    assert all(one.in_doubt for one in said)
    assert wall.creates == 1


async def test_a_slow_first_byte_is_waited_for(world: World) -> None:
    world.kling.faults.next_create(faults.Slow(30, when="after_acceptance"))
    async with world.server() as assistant, AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        creating = group.create_task(assistant.create())
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers)
        world.kling.clock.advance(30)
    assert creating.result().try_on.task_id == world.kling.tasks.all[0].id
    assert world.posts == 1


@pytest.mark.parametrize("external_ids", ["refuse", "return_first"])
async def test_a_proxy_that_sends_the_create_twice_costs_nothing_where_references_are_unique(
    world: World, wall: Gateway, external_ids: Any
) -> None:
    world.kling.rules.external_ids = external_ids
    wall.faults.append(sent_twice)
    said = await naively(world)
    assert {one.try_on.task_id for one in said} == {task.id for task in world.kling.tasks.all}
    assert (wall.creates, world.kling.tasks_created) == (1, 1)


async def test_a_caller_who_has_no_more_time_is_told_the_reference_and_the_outcome_is_not_lost(
    world: World, wall: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.jobs.sending.LAST_SENDS_SECONDS", 0)
    waiting, outcome = 0, Sending.outcome

    async def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal waiting
        waiting += 1
        return await outcome(*arguments, **more)

    monkeypatch.setattr(Sending, "outcome", counted)
    wall.faults.append(stall_before_the_answer)
    wall.patience = ANSWER_WITHIN
    assert ANSWER_WITHIN < MAX_CREATE_SECONDS / 3
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.in_doubt
        assert "still being sent" in said.text
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(assistant.create()), group.create_task(assistant.get(said.reference))]
            await until(lambda: waiting == 3)
            world.time.now += ANSWER_WITHIN
            turn(ANSWER_WITHIN)
        assert asking[0].result().reference == said.reference
        assert asking[1].result().in_doubt
    # The server that sent it is gone, with its last seconds; the next one finds the task.
    found = await found_by(world, said.reference)
    assert found.try_on.task_id == world.kling.tasks.all[0].id
    assert wall.creates == 1


def test_the_table_has_every_code_of_the_vendors() -> None:
    played = {fault.code for fault in (*NOT_DONE.values(), *DONE.values()) if isinstance(fault, faults.Refuse)}
    assert MEANINGS.keys() <= {*REFUSALS, *played}
    assert jpeg(), "pictures that a test makes are real"
