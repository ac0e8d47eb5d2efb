"""Looking up names: those of a silent name server hold up no others, also when nobody waits for them any more."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
import pytest

from kolors_mcp.images.sources import lookups
from kolors_mcp.images.sources.lookups import AT_ONCE, OF_THREE_LABELS, OF_TWO_LABELS, Lookups
from tests.support.still_time import idle, until

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.216.34"


class Names:
    """The system's look-up: silent about names with `silent` in them until it may speak, quick about others."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.speak = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, host: bytes, port: int, **_: Any) -> list[tuple[Any, ...]]:
        # A test that has heard of it may replace the event at once, before this thread goes on.
        speak = self.speak
        self._loop.call_soon_threadsafe(self.heard.append, host.decode())
        if b"silent" in host.lower():
            speak.wait()
            raise socket.gaierror
        if b"wrong" in host:
            raise UnicodeError
        return [(0, 0, 0, "", (address, port)) for address in (PUBLIC, PUBLIC, "2606:4700::1")]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Names]:
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.speak.set()
    for thread in threading.enumerate():
        if thread.name == "name look-up":
            await asyncio.to_thread(thread.join)


async def given_up(look_up: Lookups, names: Names, hosts: Sequence[str], most: int) -> None:
    """Ask for all of these at once, see that `most` of them reach the system, and stop waiting for them."""

    async def ask(host: str) -> None:
        await look_up.addresses(host, 443)

    before = len(names.heard)
    async with anyio.create_task_group() as tasks:
        for host in hosts:
            tasks.start_soon(ask, host)
        await until(lambda: len(names.heard) - before >= most)
        await idle()
        assert len(names.heard) - before == most
        tasks.cancel_scope.cancel()


async def test_each_address_of_a_name_is_returned_once(names: Names) -> None:
    assert list(await Lookups().addresses("Shop.Example.", 443)) == [PUBLIC, "2606:4700::1"]
    assert names.heard == ["Shop.Example."]


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("host", ["wrong.example", "\u4e2d.example"])
async def test_a_name_that_cannot_be_looked_up_is_told_so(host: str) -> None:
    with pytest.raises(UnicodeError):
        await Lookups().addresses(host, 443)


@pytest.mark.parametrize(
    ("hosts", "most"),
    [
        ([f"n{n}.silent.example" for n in range(50)], OF_TWO_LABELS),
        ([f"n{n}.a.SILENT.example." for n in range(50)], OF_THREE_LABELS),
        (["silent.co.uk"] * 50, OF_THREE_LABELS),
        ([f"silent{n}.example" for n in range(AT_ONCE + 50)], AT_ONCE),
    ],
    ids=["names of one owner", "names below one name", "one name", "names of many owners"],
)
async def test_silent_names_take_only_so_many_threads_also_when_nobody_waits_any_more(
    names: Names, hosts: list[str], most: int
) -> None:
    look_up = Lookups()
    await given_up(look_up, names, hosts, most)
    # Their threads are still silent, and so is every further one.
    await given_up(look_up, names, hosts, 0)
    names.speak.set()
    # Each place comes back with its thread.
    names.speak = threading.Event()
    await given_up(look_up, names, hosts, most)


@pytest.mark.usefixtures("names")
async def test_fifty_names_of_a_silent_server_do_not_keep_another_from_being_looked_up() -> None:
    look_up = Lookups()
    for owner in ("silent.example", "silent.test", "silent.co.uk", "a.silent.example"):
        hosts = [f"n{n}.{owner}" for n in range(50)]
        async with anyio.create_task_group() as tasks:
            for host in hosts:
                tasks.start_soon(look_up.addresses, host, 443)
            await idle()
            assert await look_up.addresses("shop.co.uk", 443)
            tasks.cancel_scope.cancel()
        assert await look_up.addresses("shop.example", 443)


async def test_a_dot_at_the_end_of_a_name_makes_no_second_owner_of_it(names: Names) -> None:
    hosts = [f"n{n}.silent.shop.example{dot}" for n in range(OF_THREE_LABELS) for dot in ("", ".")]
    await given_up(Lookups(), names, hosts, OF_THREE_LABELS)


async def test_without_the_owners_limit_it_would_wait(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "OF_TWO_LABELS", AT_ONCE)
    look_up = Lookups()
    await given_up(look_up, names, [f"n{n}.silent.example" for n in range(AT_ONCE)], AT_ONCE)
    await given_up(look_up, names, ["shop.example"], 0)
