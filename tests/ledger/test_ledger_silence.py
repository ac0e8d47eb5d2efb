"""A database host that vanishes without a word: how long each connection to it, of the ledger and of wakes, is kept."""

import asyncio
import os
import socket
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from kolors_mcp.ledger.opening import SILENCE
from kolors_mcp.ledger.wakes import Wakes
from tests.support.ledger_places import CLOCK, opened, wish
from tests.support.postgres import PASSWORD, Postgres

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT and /proc are Linux's"),
]
SECONDS = 20
"""As docs/service.md says."""


@asynccontextmanager
async def by_tcp(server: Postgres) -> AsyncGenerator[int]:
    """A port of loopback that leads to the server's socket."""
    speaking: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(server.folder / ".s.PGSQL.5432")
        writers.extend((writer, inner_writer))
        speaking.update(asyncio.create_task(passed(*pair)) for pair in ((reader, inner_writer), (inner_reader, writer)))

    listener = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*speaking, *(writer.wait_closed() for writer in writers), return_exceptions=True)


def connections_to(port: int) -> list[dict[str, int]]:
    """How each connection of this process to a port is watched, by libpq's names; times in its units."""
    found: list[dict[str, int]] = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            # Of what is no socket no copy is made: it would stay open, and keep a pipe from ending.
            if not stat.S_ISSOCK(entry.stat().st_mode):
                continue
            with socket.socket(fileno=os.dup(int(entry.name))) as each:
                if each.family != socket.AF_INET or each.getpeername()[1] != port:
                    continue
                options = {
                    "keepalives_idle": socket.TCP_KEEPIDLE,
                    "keepalives_interval": socket.TCP_KEEPINTVL,
                    "keepalives_count": socket.TCP_KEEPCNT,
                    "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
                }
                watched = {name: each.getsockopt(socket.IPPROTO_TCP, option) for name, option in options.items()}
                assert each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                found.append(watched)
        except OSError:
            continue  # gone meanwhile
    return found


async def test_every_connection_is_given_up_when_the_host_is_silent_for_twenty_seconds(
    postgres_server: Postgres,
) -> None:
    async with by_tcp(postgres_server) as port:
        url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/{postgres_server.database}"
        wakes = Wakes(url, CLOCK)
        wakes.listen()
        try:
            await wakes.is_listening.wait()
            async with opened(url) as ledger:
                await wish(ledger)
                expected = {name: value for name, value in SILENCE.items() if name != "connect_timeout"}
                assert expected["tcp_user_timeout"] == SECONDS * 1000
                watched = connections_to(port)
        finally:
            await wakes.aclose()
    assert len(watched) >= 2, "one of the ledger, and one that listens"
    assert [each for each in watched if each != expected] == []


async def test_what_the_url_says_of_it_counts(postgres_server: Postgres) -> None:
    async with by_tcp(postgres_server) as port:
        place = f"127.0.0.1:{port}/{postgres_server.database}"
        url = f"postgresql://postgres:{PASSWORD}@{place}?tcp_user_timeout=7000&keepalives_count=9"
        async with opened(url) as ledger:
            await wish(ledger)
            watched = connections_to(port)
    assert {(each["tcp_user_timeout"], each["keepalives_count"]) for each in watched} == {(7000, 9)}
