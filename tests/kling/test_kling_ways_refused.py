"""A way to Kling that is refused for good is told at once; one that may open soon is tried again."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from kolors_mcp import errors
from kolors_mcp.jobs.search import Search
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.settings import Credentials
from tests.support.making import TurnedClock, create_request
from tests.support.proxies import http_proxy, socks_proxy
from tests.support.secure_kling import forget_ways, secure_kling

pytestmark = pytest.mark.anyio

KEY = Credentials(api_key=SecretStr("key"))


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_ways(monkeypatch)


@dataclass
class Way:
    """A client, and the clock by which it waits before it tries again."""

    client: KlingClient
    time: TurnedClock


@asynccontextmanager
async def way_to(origin: str = "https://kling.example") -> AsyncGenerator[Way]:
    time = TurnedClock()
    client = KlingClient(origin, lambda: KEY, clock=time.clock())
    try:
        yield Way(client, time)
    finally:
        await client.aclose()


READS: dict[str, Callable[[KlingClient], Awaitable[object]]] = {
    "get": lambda client: client.read("842", None),
    "list": lambda client: client.page(1, 30),
    "packs": lambda client: client.packs(),
}
LASTING = ("no authority", "HTTP 403", "HTTP 407", "SOCKS 2", "SOCKS 8", "SOCKS password")
PASSING = ("HTTP 502", "HTTP 429", "SOCKS 1", "SOCKS 4")


@asynccontextmanager
async def refused_way(monkeypatch: pytest.MonkeyPatch, why: str) -> AsyncGenerator[Way]:
    """A way that is refused: by a certificate of no known authority, or by a proxy with a status, a reply or a wish."""
    kind, _, what = why.partition(" ")
    if kind == "no":
        async with secure_kling("127.0.0.1") as kling, way_to(f"https://127.0.0.1:{kling.port}") as way:
            yield way
        return
    async with socks_proxy(9) if kind == "SOCKS" else http_proxy(9) as proxy:
        if kind == "HTTP":
            proxy.status = f"{what} Word".encode()
        elif what == "password":
            proxy.credentials = ("name", "password")
        else:
            proxy.reply = int(what)
        monkeypatch.setenv("ALL_PROXY", f"{'socks5' if kind == 'SOCKS' else 'http'}://127.0.0.1:{proxy.at}")
        async with way_to() as way:
            yield way


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("why", LASTING)
async def test_a_read_whose_way_is_refused_for_good_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, why: str, read: str
) -> None:
    async with refused_way(monkeypatch, why) as way:
        with pytest.raises(errors.WayRefusedError, match="Nothing was sent") as refused:
            await READS[read](way.client)
        assert way.time.slept == []
    assert not refused.value.retryable
    assert refused.value.created is False


@pytest.mark.parametrize("why", PASSING)
async def test_a_read_whose_way_may_open_soon_is_tried_again_until_its_deadline(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    async with refused_way(monkeypatch, why) as way:
        with pytest.raises(errors.UnreachableError) as unreached:
            await way.client.page(1, 30)
        assert len(way.time.slept) > 3
    assert unreached.value.retryable


async def test_a_create_whose_way_is_refused_for_good_has_created_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with refused_way(monkeypatch, "HTTP 403") as way:
        with pytest.raises(errors.WayRefusedError, match="No task was created"):
            await way.client.create(create_request())


@pytest.mark.parametrize("why", ["no authority", "HTTP 403", "HTTP 502"])
async def test_what_could_not_be_looked_for_was_not_looked_for(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Whoever takes it for an answer of Kling sends, and pays for, a create again that was made."""
    async with refused_way(monkeypatch, why) as way:
        seen = await Search(way.client, way.time.clock()).of_late("k-0123456789abcdef")
    assert not seen.is_whole
