"""What Kling may answer with: packed, in crumbs, endless or odd, it is read within bounds, or refused in words."""

import asyncio
import gzip
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from kolors_mcp import errors, packing
from kolors_mcp.clock import Clock
from kolors_mcp.kling import content, exchange
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.try_on_replies import MAX_IMAGES
from kolors_mcp.settings import Credentials
from tests.support.raw_kling import BOMB, ROW, SMALL, UNPACKED_BYTES, RawKling, in_crumbs, raw_answer, raw_kling, said

pytestmark = pytest.mark.anyio

UNTRIED_AGAIN = Clock(jitter=lambda: 1e6)
"""Every wait before another try is longer than anybody has, so that a read is sent once."""


@pytest.fixture
async def raw() -> AsyncIterator[RawKling]:
    async with raw_kling() as made:
        yield made


@pytest.fixture
async def client(raw: RawKling) -> AsyncIterator[KlingClient]:
    made = client_of(raw.origin)
    yield made
    await made.aclose()


def client_of(origin: str, transport: httpx.AsyncBaseTransport | None = None) -> KlingClient:
    key = Credentials(api_key=SecretStr("key"))
    return KlingClient(origin, lambda: key, clock=UNTRIED_AGAIN, transport=transport)


def bare_deflate(data: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(data) + packing.flush()


def in_members(data: bytes) -> bytes:
    size = len(data) // 7 + 1
    return b"".join(gzip.compress(data[at : at + size]) for at in range(0, len(data), size))


def in_members_with_padding(data: bytes) -> bytes:
    return in_members(data) + bytes(512)


def with_more_behind(data: bytes) -> bytes:
    return zlib.compress(data) + b"nobody's"


LARGE = said([{**ROW, "task_status_msg": "x" * 60_000}] * 30)
"""1.8 MB, and in order."""


@pytest.mark.parametrize(
    ("header", "pack"),
    [
        ("", bytes),
        ("identity", bytes),
        ("utf-8", bytes),
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("gzip", in_members),
        ("gzip", in_members_with_padding),
        ("deflate", with_more_behind),
        ("identity, gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
    ],
)
async def test_one_layer_that_nobody_asked_for_is_unpacked(
    raw: RawKling, client: KlingClient, header: str, pack: Any
) -> None:
    fields = {"Content-Encoding": header} if header else {}
    raw.answers = [raw_answer(pack(SMALL), **fields), raw_answer(pack(LARGE), **fields)]
    assert (await client.read("842")).id == "842"
    assert len(await client.page(1, 30)) == 30


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(SMALL)), "packed more than once"),
        ("deflate, gzip", gzip.compress(zlib.compress(SMALL)), "packed more than once"),
        ("br", b"\x0b\x02\x80{}\x03", "packed in a way that was not asked for"),
        ("zstd", b"\x28\xb5\x2f\xfd", "packed in a way that was not asked for"),
        ("gzip", SMALL, "packed and damaged"),
        ("deflate", SMALL, "packed and damaged"),
        ("gzip", zlib.compress(SMALL), "packed and damaged"),
        ("gzip", gzip.compress(SMALL)[:-12], "packed and cut off"),
        ("deflate", zlib.compress(SMALL)[:-6], "packed and cut off"),
        ("gzip", b"", "packed and cut off"),
        ("gzip", in_members(SMALL)[:-12], "packed and cut off"),
        ("gzip", gzip.compress(SMALL) + b"\x1f\x8b\x08" + b"\xff" * 50, "packed and damaged"),
        ("gzip", gzip.compress(b"") * packing.MAX_MEMBERS + gzip.compress(SMALL), "too many pieces"),
        ("gzip", gzip.compress(bytes(content.MAX_ANSWER_BYTES // 2 + 1)) * 2, "too large"),
        ("gzip", gzip.compress(gzip.compress(SMALL)), "not JSON"),
        ("", gzip.compress(SMALL), "not JSON"),
        ("", zlib.compress(SMALL), "not JSON"),
    ],
    # What is packed with gzip holds the time, and a name must be the same in each process that runs the tests.
    ids=lambda value: "packed" if isinstance(value, bytes) else None,
)
async def test_what_is_packed_otherwise_is_refused_in_words_and_the_next_answer_is_read(
    raw: RawKling, client: KlingClient, header: str, body: bytes, words: str
) -> None:
    raw.answers = [raw_answer(body, **({"Content-Encoding": header} if header else {})), raw_answer(SMALL)]
    with pytest.raises(errors.UnexpectedAnswerError, match=words):
        await client.read("842")
    assert (await client.read("842")).id == "842"


async def peak_of(client: KlingClient) -> tuple[str, int]:
    """What is said of an answer, and how much memory reading it took."""
    tracemalloc.start()
    try:
        with pytest.raises(errors.UnexpectedAnswerError) as caught:
            await client.read("842")
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_bomb_is_unpacked_no_further_than_an_answer_may_go(
    raw: RawKling, client: KlingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.answers = [raw_answer(BOMB, **{"Content-Encoding": "gzip"})] * 2
    text, peak = await peak_of(client)
    assert "too large" in text
    assert peak < UNPACKED_BYTES / 2
    # It is the bound that does it.
    monkeypatch.setattr(content, "MAX_ANSWER_BYTES", 10**9)
    text, peak = await peak_of(client)
    assert "not JSON" in text
    assert peak > UNPACKED_BYTES


async def test_an_endless_answer_is_left_at_two_megabytes(raw: RawKling, client: KlingClient) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b" " * 2_500_000
    raw.answers = [endless, raw_answer(LARGE)]
    with pytest.raises(errors.UnexpectedAnswerError, match="too large"):
        await client.read("842")
    assert len(await client.page(1, 30)) == 30


async def test_crumbs_of_a_small_answer_are_read_and_crumbs_of_a_large_one_are_left(
    raw: RawKling, client: KlingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = said({**ROW, "task_status_msg": "x" * 3_000})
    raw.answers = [in_crumbs(SMALL), in_crumbs(said("x" * 1_000_000)), in_crumbs(long), in_crumbs(long)]
    assert (await client.read("842")).id == "842"
    for _ in range(2):
        with pytest.raises(errors.UnexpectedAnswerError, match="in too many pieces"):
            await client.read("842")
    monkeypatch.setattr(content, "FREE_PIECES", 10**9)
    assert (await client.read("842")).id == "842", "it is the bound that refused it, and nothing else"


class _Crumbs(httpx.AsyncByteStream):
    """An answer whose pieces are all there already, so that reading them alone never waits."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.taken = 0
        self.turns = self.turns_meanwhile = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        turning = asyncio.create_task(self._turn())
        await asyncio.sleep(0)
        before = self.turns
        for _ in range(self.pieces):
            self.taken += 1
            yield b" "
            self.turns_meanwhile = self.turns - before
        turning.cancel()

    async def _turn(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def test_the_event_loop_has_its_turns_between_crumbs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crumbs(pieces: int) -> _Crumbs:
        stream = _Crumbs(pieces)
        transport = httpx.MockTransport(lambda _request: httpx.Response(200, stream=stream))
        client = client_of("http://kling.example", transport)
        with pytest.raises(errors.UnexpectedAnswerError):
            await client.read("842")
        await client.aclose()
        return stream

    few = await crumbs(1_600)
    assert few.turns_meanwhile == 1_600 // content.PIECES_A_TURN
    many = await crumbs(1_000_000)
    assert many.taken < 2_100
    monkeypatch.setattr(content, "PIECES_A_TURN", 10**9)
    assert (await crumbs(1_600)).turns_meanwhile == 0, "reading alone gives the loop none"


async def test_a_large_answer_is_read_off_the_event_loop_and_a_small_one_on_it(
    raw: RawKling, client: KlingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[bool] = []

    def noted(data: bytes) -> Any:
        readers.append(threading.current_thread() is threading.main_thread())
        return content.json_of(data)

    monkeypatch.setattr(exchange, "json_of", noted)
    raw.answers = [raw_answer(SMALL), raw_answer(LARGE)]
    await client.read("842")
    await client.page(1, 30)
    assert readers == [True, False]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"code":0,"data":[', b'{"code":0,"data":{"task_id":['])
async def test_deep_nesting_is_no_json(raw: RawKling, client: KlingClient, opening: bytes) -> None:
    deep = opening + b"[" * 40_000
    raw.answers = [raw_answer(deep), raw_answer(deep + b"]" * 40_000), raw_answer(SMALL)]
    for _ in range(2):
        with pytest.raises(errors.UnexpectedAnswerError, match="not JSON"):
            await client.read("842")
    assert (await client.read("842")).id == "842"


async def test_no_more_rows_are_read_than_were_asked_for_and_rows_without_an_id_hide_none(
    raw: RawKling, client: KlingClient
) -> None:
    rows: list[Any] = [{**ROW, "task_id": str(number)} for number in range(1, 501)]
    raw.answers = [raw_answer(said(rows)), raw_answer(said([{}, None, 5, [], "x", *rows[:3]]))]
    assert [row.id for row in await client.page(1, 30)] == [str(number) for number in range(1, 31)]
    assert [row.id for row in await client.page(1, 30)] == ["1", "2", "3"]


async def test_no_more_pictures_are_read_than_a_task_can_have(raw: RawKling, client: KlingClient) -> None:
    images = [{"index": number % 99, "url": f"https://a.example/{number}.png"} for number in range(1_000)]
    raw.answers = [raw_answer(said({**ROW, "task_status": "succeed", "task_result": {"images": images}}))]
    assert [image.url for image in (await client.read("842")).images] == [image["url"] for image in images[:MAX_IMAGES]]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"code":0,"code":0,"data":{"task_id":"842","task_id":"842"}}', "842"),
        ('{"code":0,"code":1201,"data":{"task_id":"842"}}', None),
        ('{"code":0,"data":{"task_id":"842"},"data":{"task_id":"842"}}', None),
        ('{"code":0,"data":{"task_id":"842","task_id":"843"}}', None),
        ('{"code":0,"code":false,"data":{"task_id":"842"}}', None),
        ('{"code":NaN,"data":{"task_id":"842"}}', None),
        ('{"code":Infinity,"data":{"task_id":"842"}}', None),
        ('{"code":1e999,"data":{"task_id":"842"}}', None),
        ('{"code":0,"data":{"task_id":NaN}}', None),
        ('{"code":0,"data":{"task_id":-842}}', None),
        ('{"code":0,"data":{"task_id":true}}', None),
        ('{"code":0,"data":{"task_id":842,"created_at":NaN,"updated_at":Infinity}}', "842"),
        ('{"code":0,"data":{"task_id":842,"created_at":1e30,"updated_at":-1e300}}', "842"),
        ('{"code":0,"data":{"task_id":842,"created_at":1e999,"updated_at":' + "9" * 400 + "}}", "842"),
        ('{"code":0,"data":{"task_id":' + "9" * 5_000 + "}}", None),
    ],
)
async def test_what_is_said_in_two_ways_or_is_no_number_is_not_said(
    raw: RawKling, client: KlingClient, answer: str, found: str | None
) -> None:
    raw.answers = [raw_answer(answer.encode())]
    if found is None:
        with pytest.raises(errors.UnexpectedAnswerError) as caught:
            await client.read("842")
        # What is read as an id is another one than was asked for.
        assert "another try-on" not in str(caught.value)
    else:
        task = await client.read("842")
        assert (task.id, task.created_at, task.updated_at) == (found, None, None)
