"""The client of Kling's API, against a simulated Kling on a real socket."""

import asyncio
import base64
import itertools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import jwt
import pytest
from pydantic import SecretStr

from kolors_mcp import __version__, errors
from kolors_mcp.kling.account import UnitsLeft
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.refusals import MEANINGS
from kolors_mcp.kling.try_on import MAX_CREATE_SECONDS
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.settings import Credentials
from tests.support.making import BytesPicture, TurnedClock, api_key, client_of, key_pair
from tests.support.still_time import turn

pytestmark = pytest.mark.anyio

VENDOR_CODES = {
    **dict.fromkeys((1000, 1001, 1002), errors.AuthenticationError),
    **dict.fromkeys((1003, 1004), errors.ClockSkewError),
    **dict.fromkeys((1100, 1101), errors.AccountBlockedError),
    1102: errors.OutOfUnitsError,
    1103: errors.NotPermittedError,
    **dict.fromkeys((1200, 1201), errors.RequestRefusedError),
    **dict.fromkeys((1202, 1203), errors.NoSuchResourceError),
    **dict.fromkeys((1300, 1301), errors.PolicyRefusedError),
    1302: errors.TooFastError,
    1303: errors.AllSlotsBusyError,
    1304: errors.AddressNotAllowedError,
    **dict.fromkeys((5000, 5001, 5002), errors.UnavailableError),
}
"""The vendor's table of codes, and what each has to become."""

Call = Callable[[KlingClient], Awaitable[object]]


@pytest.fixture
async def client(kling: SandboxKling) -> AsyncIterator[KlingClient]:
    made = client_of(kling, clock=TurnedClock().clock())
    yield made
    await made.aclose()


def request(reference: str | None = "k-1") -> CreateRequest:
    return CreateRequest(BytesPicture(), BytesPicture(block=7), external_task_id=reference)


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
    await client.create(request(None))
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
    await client.create(request())
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
    task = await client.create(request())
    await client.read(task.id)
    rows = await client.page(1, 30)
    assert [row.id for row in rows] == [task.id]
    read, listed = list(kling.requests)[1:]
    assert (read.method, read.path) == ("GET", f"/v1/images/kolors-virtual-try-on/{task.id}")
    assert (listed.method, listed.path) == ("GET", "/v1/images/kolors-virtual-try-on")
    assert listed.raw_query == "pageNum=1&pageSize=30"


def test_the_table_of_meanings_is_the_vendors_table() -> None:
    assert {code: meaning.error for code, meaning in MEANINGS.items()} == VENDOR_CODES


@pytest.mark.parametrize("code", VENDOR_CODES)
async def test_every_code_becomes_its_typed_error_when_creating(
    kling: SandboxKling, client: KlingClient, code: int
) -> None:
    kling.faults.next_create(faults.Refuse(code), times=None)
    with pytest.raises(errors.KlingError) as caught:
        await client.create(request())
    assert kling.tasks_created == 0
    if VENDOR_CODES[code] is errors.UnavailableError:
        assert isinstance(caught.value, errors.UnconfirmedCreateError)
        assert isinstance(caught.value.__cause__, errors.UnavailableError)
        assert 'get_try_on with task_id "k-1"' in str(caught.value)
    else:
        assert type(caught.value) is VENDOR_CODES[code]
        assert "No task was created." in str(caught.value)
    assert f"code {code}" in str(caught.value)
    assert len(kling.requests) == 1, "a create is sent once"


@pytest.mark.parametrize("code", VENDOR_CODES)
async def test_reads_ride_out_what_passes_and_report_what_does_not(
    kling: SandboxKling, client: KlingClient, code: int
) -> None:
    task = await client.create(request())
    kling.faults.next_read(faults.Refuse(code), times=2)
    if VENDOR_CODES[code].retryable:
        assert (await client.read(task.id)).id == task.id
        return
    expected = errors.TaskNotFoundError if code in (1202, 1203) else VENDOR_CODES[code]
    with pytest.raises(expected) as caught:
        await client.read(task.id)
    assert "No task was created" not in str(caught.value)


@pytest.mark.parametrize("code", [-1, 7, 42, 900, 999, 1005, 1099, 1299, 1305, 1999, 2000, 4242, 5003, 10**30])
async def test_a_code_of_no_table_leaves_a_create_in_doubt(kling: SandboxKling, client: KlingClient, code: int) -> None:
    kling.faults.next_create(faults.Refuse(code, "odd\u202e thing\nhere", status=400))
    with pytest.raises(errors.UnconfirmedCreateError, match="may exist and be billed") as caught:
        await client.create(request())
    assert f"(code {code}; Kling says " in str(caught.value)
    assert "odd thing here" in str(caught.value), "Kling's words are quoted on one line, without hidden characters"
    assert len(kling.requests) == 1


@pytest.mark.parametrize("code", [code for code in VENDOR_CODES if code < 5000])
@pytest.mark.parametrize("status", [500, 503, 599])
async def test_a_status_of_failure_leaves_a_create_in_doubt_whatever_its_code(
    kling: SandboxKling, client: KlingClient, code: int, status: int
) -> None:
    kling.faults.next_create(faults.Refuse(code, status=status, accepted=True))
    with pytest.raises(errors.UnconfirmedCreateError, match=f"HTTP {status}.*code {code}"):
        await client.create(request())
    assert [seen.method for seen in kling.requests] == ["POST"], "nor is it signed anew and sent again"


@pytest.mark.parametrize("code", [999, 1305, 2000])
async def test_a_code_of_no_table_is_shown_to_whoever_reads(
    kling: SandboxKling, client: KlingClient, code: int
) -> None:
    kling.faults.next_read(faults.Refuse(code, "odd", status=400), times=None)
    with pytest.raises(errors.UnexpectedAnswerError, match=f'code {code}; Kling says "odd"'):
        await client.read("842")


BROKEN = {
    "no data": faults.NoData(),
    "html": faults.Raw(502),
    "html with success": faults.Raw(200),
    "cut json": faults.Cut(short_length=True),
    "cut connection": faults.Cut(),
    "an array": faults.Raw(200, "[1, 2]", "application/json"),
    "no code": faults.Raw(200, '{"message": "hi"}', "application/json"),
    "code without a number": faults.Raw(200, '{"code": "ok"}', "application/json"),
    "deep nesting": faults.Raw(200, "[" * 100_000, "application/json"),
    "no id": faults.Raw(200, '{"code": 0, "data": {"task_status": "submitted"}}', "application/json"),
    "an error status around success": faults.Raw(500, '{"code": 0, "data": {"task_id": "1"}}', "application/json"),
    "a redirect": faults.Redirect("https://elsewhere.example/", 307),
    "a reset": faults.Disconnect(),
    "a reset after acceptance": faults.Disconnect("after_acceptance"),
    "an end without an answer": faults.Disconnect(fin=True),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
async def test_a_create_with_a_broken_answer_is_in_doubt_and_not_sent_again(
    kling: SandboxKling, client: KlingClient, fault: faults.Fault
) -> None:
    kling.faults.next_create(fault)
    with pytest.raises(errors.UnconfirmedCreateError) as caught:
        await client.create(request())
    assert "may exist and be billed" in str(caught.value)
    assert [seen.method for seen in kling.requests] == ["POST"]


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
async def test_a_read_with_a_broken_answer_is_tried_again(
    kling: SandboxKling, client: KlingClient, fault: faults.Fault
) -> None:
    task = await client.create(request())
    kling.faults.next_read(fault, times=2)
    assert (await client.read(task.id)).id == task.id


async def test_odd_but_readable_answers_lose_nothing(kling: SandboxKling, client: KlingClient) -> None:
    kling.rules.task_ids_as_numbers = True
    kling.faults.next_create(faults.CodeAsText())
    task = await client.create(request())
    assert task.id.isdigit()
    assert len(task.id) == 18
    odd = {
        "task_id": 876543210987654321,
        "task_status": 5,
        "created_at": "soon",
        "updated_at": 1722769557708,
        "task_info": "none",
        "task_result": {"images": [{"index": "first", "url": "https://a.example/1.png?s=1"}, {"url": 5}, "x"]},
    }
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": odd}), "application/json"))
    read = await client.read("876543210987654321")
    assert (read.id, read.status, read.created_at) == ("876543210987654321", "submitted", None)
    assert read.updated_at is not None
    assert read.updated_at.isoformat() == "2024-08-04T11:05:57.708000+00:00"
    assert [image.url for image in read.images] == ["https://a.example/1.png?s=1"]


@pytest.mark.parametrize(
    ("said", "units"), [("1", 1.0), (2.5, 2.5), ("0", 0.0), ("-1", None), ("NaN", None), ("1e400", None), ([], None)]
)
async def test_what_a_task_cost_is_read_where_it_is_a_number_of_units(
    kling: SandboxKling, client: KlingClient, said: object, units: float | None
) -> None:
    data = {"task_id": "1", "task_status": "succeed", "final_unit_deduction": said}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    assert (await client.read("1")).units == units


async def test_links_that_are_no_web_addresses_are_dropped(kling: SandboxKling, client: KlingClient) -> None:
    bad = ["javascript:alert(1)", "file:///etc/passwd", "https://a.example/\u202e", "https://a b/", "http://"]
    images = [{"index": number, "url": url} for number, url in enumerate(bad)]
    data = {"task_id": "1", "task_status": "succeed", "task_result": {"images": images}}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    assert (await client.read("1")).images == ()


async def test_an_endless_answer_is_cut_off(
    kling: SandboxKling, client: KlingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.kling.content.MAX_ANSWER_BYTES", 100_000)
    kling.faults.next_list(faults.Raw(200, "[" + " " * 110_000 + "]", "application/json"), times=None)
    with pytest.raises(errors.UnexpectedAnswerError, match="too large"):
        await client.page(1, 1)
    monkeypatch.setattr("kolors_mcp.kling.content.MAX_ANSWER_BYTES", 110_002)
    with pytest.raises(errors.UnexpectedAnswerError, match="not its JSON envelope"):
        await client.page(1, 1)


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
            await client.create(request())
    await client.aclose()


async def test_a_create_that_never_gets_an_answer_is_in_doubt(kling: SandboxKling) -> None:
    kling.faults.next_create(faults.Slow(600))
    client = client_of(kling)
    creating = asyncio.create_task(client.create(request()))
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
        await client.create(request())
    await client.aclose()


async def test_a_not_found_that_is_no_failure_is_not_taken_for_one(kling: SandboxKling, client: KlingClient) -> None:
    kling.rules.not_found_reads = 1
    task = await client.create(request())
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


async def test_units_are_read_from_the_double_envelope(client: KlingClient) -> None:
    assert await client.units() == [UnitsLeft("Kolors Virtual Try-On", 1000)]


# --- credentials


async def test_an_api_key_is_sent_as_it_is(kling: SandboxKling, client: KlingClient) -> None:
    await client.page(1, 1)
    assert kling.requests[0].headers["authorization"] == f"Bearer {kling.api_key}"


async def test_a_pair_signs_a_token_with_exactly_the_pages_claims(kling: SandboxKling) -> None:
    client = client_of(kling, key_pair(kling))
    await client.page(1, 1)
    access, secret = kling.key_pair
    token = kling.requests[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert set(claims) == {"iss", "exp", "nbf"}
    assert claims["iss"] == access
    assert claims["exp"] - claims["nbf"] == 1805
    await client.aclose()


async def test_a_server_that_runs_for_hours_renews_its_token_in_time(kling: SandboxKling) -> None:
    turned = TurnedClock(kling.clock.now())
    client = client_of(kling, key_pair(kling), turned.clock())
    for _ in range(80):
        await client.page(1, 1)
        turned.now += 70
        kling.clock.advance(70)
    tokens = [seen.headers["authorization"] for seen in kling.requests]
    assert len(tokens) == 80, "none was refused"
    assert 4 <= len(set(tokens)) <= 5, "a token is used for nearly its half hour"
    await client.aclose()


@pytest.mark.parametrize("ahead", [-7200, -2000, 600, 86400])
async def test_a_wrong_clock_is_corrected_once_by_the_answers_date(kling: SandboxKling, ahead: float) -> None:
    turned = TurnedClock(kling.clock.now() + ahead)
    client = client_of(kling, key_pair(kling), turned.clock())
    task = await client.create(request())
    await client.read(task.id)
    assert [seen.method for seen in kling.requests] == ["POST", "POST", "GET"]
    skew = client._http.authorization.skew  # pyright: ignore[reportPrivateUsage]
    assert skew == pytest.approx(-ahead, abs=2)
    assert client.observed_skew == pytest.approx(-ahead, abs=2)
    await client.aclose()


@pytest.mark.parametrize("ahead", [-2000, 600])
async def test_a_wrong_clock_is_guessed_where_the_answer_has_no_date(kling: SandboxKling, ahead: float) -> None:
    turned = TurnedClock(kling.clock.now() + ahead)
    used = key_pair(kling)

    async def without_date(answer: httpx.Response) -> None:
        del answer.headers["date"]

    client = KlingClient(kling.origin, lambda: used, clock=turned.clock())
    client._http.connections.kept.event_hooks = {"response": [without_date]}  # pyright: ignore[reportPrivateUsage]
    await client.page(1, 1)
    assert len(kling.requests) == 2
    await client.aclose()


async def test_a_token_that_is_refused_twice_is_reported_with_the_remedy(kling: SandboxKling) -> None:
    client = client_of(kling, key_pair(kling))
    kling.faults.next_list(faults.Refuse(1004), times=None)
    with pytest.raises(errors.ClockSkewError, match="Set this machine's clock"):
        await client.page(1, 1)
    assert len(kling.requests) == 2
    await client.aclose()


async def test_keys_rotated_in_the_running_process_are_used_at_once(kling: SandboxKling) -> None:
    held = key_pair(kling)
    client = KlingClient(kling.origin, lambda: held)
    await client.page(1, 1)
    kling.accounts[0].key_pairs = {"new-access": "new-secret-new-secret-new-secret"}
    kling.accounts[0].api_keys = {"new-key"}
    with pytest.raises(errors.AuthenticationError, match="doctor"):
        await client.page(1, 1)
    held = Credentials.from_env(
        {"KLING_ACCESS_KEY": " new-access\n", "KLING_SECRET_KEY": "new-secret-new-secret-new-secret"}
    )
    await client.page(1, 1)
    held = Credentials.from_env({"KLING_API_KEY": "new-key"})
    await client.page(1, 1)
    assert kling.requests[-1].headers["authorization"] == "Bearer new-key"
    await client.aclose()


async def test_a_token_revoked_with_the_old_ones_is_replaced_by_a_new_one(kling: SandboxKling) -> None:
    turned = TurnedClock(kling.clock.now())
    client = client_of(kling, key_pair(kling), turned.clock())
    await client.page(1, 1)
    turned.now += 300
    kling.clock.advance(300)
    kling.faults.next_list(faults.Refuse(1002))
    await client.page(1, 1)
    assert len({seen.headers["authorization"] for seen in kling.requests}) == 2
    await client.aclose()


async def test_without_credentials_nothing_is_sent(kling: SandboxKling) -> None:
    client = KlingClient(kling.origin, lambda: None)
    with pytest.raises(errors.NotConfiguredError, match="KLING_API_KEY"):
        await client.create(request())
    assert not kling.requests
    await client.aclose()
