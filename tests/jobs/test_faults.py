"""The fault table: however a create goes wrong, a wish is paid at most once, and what was paid is found again."""

import asyncio
import socket
from typing import Any

import pytest
import trustme

from kolors_mcp.kling.refusals import MEANINGS
from kolors_mcp.sandbox import faults
from tests.support.making import jpeg
from tests.support.wishing import MINUTE, World, found_by, naively, naively_each

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


async def test_a_paid_task_is_found_at_once_however_its_answer_was_lost(world: World) -> None:
    # The upstream at which a second create would cost the most. What another one does with a reference that it has
    # shows only if that is sent again, and none is.
    world.kling.rules.external_ids = "make_second"
    each = await naively_each(world, DONE, lambda name: world.kling.faults.next_create(DONE[name]))
    for (name, said), task in zip(each.items(), world.kling.tasks.all, strict=True):
        assert {one.try_on.task_id for one in said} == {task.id}, name
        assert [one.try_on.reused for one in said] == [False, True, True], name
        assert said[0].try_on.reference == task.request.external_task_id, name
    assert world.posts == len(DONE)
    last = world.kling.tasks.all[-1]
    assert (await found_by(world, last.request.external_task_id or "")).try_on.task_id == last.id


# --- a reference that Kling has already


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


def test_the_table_has_every_code_of_the_vendors() -> None:
    played = {fault.code for fault in (*NOT_DONE.values(), *DONE.values()) if isinstance(fault, faults.Refuse)}
    assert MEANINGS.keys() <= {*REFUSALS, *played}
    assert jpeg(), "pictures that a test makes are real"
