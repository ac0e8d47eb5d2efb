"""What the client of Kling's API sends, and how long it goes on, against a simulated Kling on a real socket."""

import asyncio
import base64
import itertools
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from kolors_mcp import __version__, errors
from kolors_mcp.kling.account import units_left
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.try_on import MAX_CREATE_SECONDS
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.settings import Credentials
from tests.support.making import BytesPicture, TurnedClock, api_key, client_of, create_request
from tests.support.still_time import turn

pytestmark = pytest.mark.anyio

Call = Callable[[KlingClient], Awaitable[object]]


async def test_a_create_sends_exactly_the_pages_fields_with_bare_base64(
    kling: SandboxKling, client: KlingClient
) -> None:
    human, cloth = BytesPicture(), BytesPicture(block=101)
    task = await client.create(
        CreateRequest(human, cloth, "kolors-virtual-try-on-v1-5", "https://shop.example/done?a=1&b=é", "k-77")
    )
    seen = kling.requests[0]
    assert (seen.method, seen.path, seen.raw_query) == ("POST", "/v1/images/kolors-virtual-try-on", "")
    assert seen.json == {
        "model_name": "kolors-virtual-try-on-v1-5",
        "human_image": base64.b64encode(human.data).decode(),
        "cloth_image": base64.b64encode(cloth.data).decode(),
        "callback_url": "https://shop.example/done?a=1&b=é",
        "external_task_id": "k-77",
    }
    assert seen.headers["content-type"] == "application/json"
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert task.status == "submitted"
    assert (await client.read("k-77")).id == task.id


async def test_fields_that_are_not_set_are_not_sent(kling: SandboxKling, client: KlingClient) -> None:
    await client.create(create_request(None))
    assert set(kling.requests[0].json) == {"human_image", "cloth_image"}


@pytest.mark.parametrize("slice_bytes", [192, 196608])
async def test_base64_is_right_at_every_border_of_its_slices(slice_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if slice_bytes == 192:
        # The same borders, near enough that blocks of a single byte reach them soon.
        monkeypatch.setattr("kolors_mcp.kling.body._SLICE", slice_bytes)
    border = range(slice_bytes - 1, slice_bytes + 2)
    data = bytes(range(251)) * (3 * slice_bytes // 251)
    smallest = (1, 2, 5) if slice_bytes == 192 else (slice_bytes // 3 + 1,)
    for size, block in itertools.product((1, 2, 3, *border, 2 * slice_bytes + 100), (*smallest, *border)):
        body = CreateRequest(BytesPicture(data[:size], block), BytesPicture(b"x")).body()
        sent = b"".join(body)
        assert len(sent) == body.length
        assert json.loads(sent)["human_image"] == base64.b64encode(data[:size]).decode()


@pytest.mark.parametrize("size", [1, 100_000, 2_000_000])
async def test_the_end_of_a_body_comes_alone_and_the_rest_in_parts_of_a_moderate_size(size: int) -> None:
    parts = list(CreateRequest(BytesPicture(bytes(size)), BytesPicture(bytes(size))).body())
    assert parts[-1] == b'"}'
    assert all(parts)
    assert max(map(len, parts)) < 600_000
    assert len(parts) <= 3 or size == 2_000_000


async def test_a_request_says_what_it_takes_and_for_how_long_it_waits() -> None:
    seen: list[httpx.Request] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        seen.append(asked)
        return httpx.Response(200, json={"code": 0, "data": {"task_id": "1"}}, headers={"Set-Cookie": "a=b"})

    client = KlingClient(
        "https://kling.example/prefix",
        lambda: Credentials(api_key=SecretStr("key")),
        transport=httpx.MockTransport(answer),
    )
    await client.read("1")
    await client.create(create_request())
    await client.aclose()
    for asked in seen:
        assert asked.extensions["timeout"] == {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}
        assert {**asked.headers, "content-length": ""} == {
            "host": "kling.example",
            "accept": "application/json",
            "accept-encoding": "identity",
            "authorization": "Bearer key",
            "content-type": "application/json",
            "user-agent": f"kolors-mcp/{__version__}",
            "content-length": "",
        }
    assert [str(asked.url) for asked in seen] == [
        "https://kling.example/prefix/v1/images/kolors-virtual-try-on/1",
        "https://kling.example/prefix/v1/images/kolors-virtual-try-on",
    ]


async def test_reads_use_the_paths_that_the_page_means(kling: SandboxKling, client: KlingClient) -> None:
    task = await client.create(create_request())
    await client.read(task.id)
    rows = await client.page(1, 30)
    assert [row.id for row in rows] == [task.id]
    read, listed = list(kling.requests)[1:]
    assert (read.method, read.path) == ("GET", f"/v1/images/kolors-virtual-try-on/{task.id}")
    assert (listed.method, listed.path) == ("GET", "/v1/images/kolors-virtual-try-on")
    assert listed.raw_query == "pageNum=1&pageSize=30"


async def test_reads_back_off_within_their_deadline_and_heed_retry_after(kling: SandboxKling) -> None:
    turned = TurnedClock()
    client = client_of(kling, clock=turned.clock())
    kling.faults.next_list(faults.Refuse(1302), times=2)
    kling.faults.next_list(faults.Refuse(5000, retry_after="7"))
    await client.page(1, 1)
    assert turned.slept == [1.25, 1.5, 8.0]
    kling.faults.next_list(faults.Refuse(5001), times=None)
    began = turned.now
    with pytest.raises(errors.UnavailableError):
        await client.page(1, 1, turned.clock().deadline(10))
    assert turned.now - began <= 10
    kling.faults.clear()
    kling.faults.next_list(faults.Refuse(1302, retry_after="100000"))
    with pytest.raises(errors.TooFastError):
        await client.page(1, 1, turned.clock().deadline(20))
    await client.aclose()


async def test_nothing_was_created_when_nothing_left(kling: SandboxKling) -> None:
    # Bound and not listening: nobody else can have the port, and whoever connects is refused.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = KlingClient(f"http://127.0.0.1:{nobody.getsockname()[1]}", lambda: api_key(kling))
        with pytest.raises(errors.UnreachableError, match="No task was created"):
            await client.create(create_request())
    await client.aclose()


async def test_a_create_that_never_gets_an_answer_is_in_doubt(kling: SandboxKling) -> None:
    kling.faults.next_create(faults.Slow(600))
    client = client_of(kling)
    creating = asyncio.create_task(client.create(create_request()))
    await asyncio.to_thread(kling.clock.wait_for_sleepers)
    turn(MAX_CREATE_SECONDS)
    with pytest.raises(errors.UnconfirmedCreateError):
        await creating
    await client.aclose()


async def test_a_connection_that_breaks_only_after_the_headers_left_is_told_from_one_that_never_was(
    kling: SandboxKling,
) -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        # The same exception as after acceptance, but no trace event: nothing left.
        raise httpx.ReadError("broken")

    client = KlingClient(kling.origin, lambda: api_key(kling), transport=httpx.MockTransport(broken))
    with pytest.raises(errors.UnreachableError):
        await client.create(create_request())
    await client.aclose()


async def test_a_not_found_that_is_no_failure_is_not_taken_for_one(kling: SandboxKling, client: KlingClient) -> None:
    kling.rules.not_found_reads = 1
    task = await client.create(create_request())
    with pytest.raises(errors.TaskNotFoundError):
        await client.read(task.id)
    assert (await client.read(task.id)).status == "submitted"


@pytest.mark.parametrize("task_id", ["..", ".", "../../account/costs", "a/b", "a?b=c", "é", "x" * 200])
async def test_an_id_never_leaves_its_place_in_the_path(kling: SandboxKling, client: KlingClient, task_id: str) -> None:
    with pytest.raises((errors.TaskNotFoundError, errors.ArgumentError)):
        await client.read(task_id)
    for seen in kling.requests:
        assert seen.path.startswith("/v1/images/kolors-virtual-try-on/")
        assert "/" not in seen.path.removeprefix("/v1/images/kolors-virtual-try-on/")
        assert seen.raw_query == ""


async def test_packs_are_read_from_the_double_envelope(client: KlingClient) -> None:
    online, trial = await client.packs()
    assert (trial.status, trial.units_left) == ("expired", 37)
    assert (online.name, online.status, online.units_left, online.units_total) == (
        "Kolors Virtual Try-On", "online", 1000, 1000,
    )  # fmt: skip
    assert online.expires_at is not None
    assert units_left([online, trial]) == 1000
    # What is not told is not nothing.
    assert units_left([]) is None
    assert units_left([online, replace(online, units_left=None)]) is None
