"""`/healthz` says that the process turns, `/readyz` that it can serve; neither waits, and neither says more."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.server.http.draining import Draining
from kolors_mcp.server.http.health import PROBE_SECONDS, Health, Probe
from kolors_mcp.server.service import Service, Upstream
from kolors_mcp.settings import Credentials, Settings
from tests.support.commands import environment
from tests.support.over_http import Answer, asked, serving
from tests.support.postgres import Postgres
from tests.support.postgres_relay import relay
from tests.support.still_time import idle, turn

BARE = Request({"type": "http", "headers": []})


@asynccontextmanager
async def watched(*probes: Probe, draining: Draining | None = None) -> AsyncGenerator[Health]:
    """What is known of a process that looks at these."""
    health = Health(probes, draining or Draining(), Clock())
    watching = asyncio.create_task(health.watch())
    await idle()
    try:
        yield health
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


async def is_ready(health: Health) -> bool:
    answer = await health.ready(BARE)
    assert (answer.status_code, bytes(answer.body)) in [(200, b"ready\n"), (503, b"not ready\n")]
    return answer.status_code == 200


async def rounds(number: int) -> None:
    for _ in range(number):
        turn(PROBE_SECONDS)
        await idle()


@pytest.mark.anyio
async def test_it_is_ready_once_all_that_is_needed_is_there_and_not_before() -> None:
    there = {"ledger": True, "shelf": False}

    async def ledger() -> bool:
        return there["ledger"]

    async def shelf() -> bool:
        return there["shelf"]

    health = Health([ledger, shelf], Draining(), Clock())
    assert not await is_ready(health)
    async with watched(ledger, shelf) as health:
        assert not await is_ready(health)
        there["shelf"] = True
        await rounds(1)
        assert await is_ready(health)
        there["ledger"] = False
        await rounds(1)
        assert not await is_ready(health)


@pytest.mark.anyio
async def test_what_fails_or_hangs_is_not_there_and_it_is_known_within_20_seconds_and_again_within_40() -> None:
    state, asked_for = "fails", 0

    async def ledger() -> bool:
        nonlocal asked_for
        asked_for += 1
        if state == "fails":
            raise OSError("postgresql://ann:secret@db")
        if state == "hangs":
            await asyncio.Event().wait()
        return True

    async with watched(ledger) as health:
        assert not await is_ready(health)
        state = "there"
        await rounds(1)
        assert await is_ready(health)
        state = "hangs"
        await rounds(4)
        assert not await is_ready(health)
        hung = asked_for
        await rounds(2)
        assert asked_for <= hung + 1  # one that hangs is not asked again at each round
        state = "there"
        await rounds(8)
        assert await is_ready(health)


@pytest.mark.anyio
async def test_with_the_end_of_the_service_it_is_not_ready_at_once() -> None:
    draining = Draining()
    async with watched(draining=draining) as health:
        assert await is_ready(health)
        draining.begin()
        assert not await is_ready(health)
        assert (await health.live(BARE)).status_code == 200


@pytest.mark.anyio
async def test_a_database_that_is_lost_is_noticed_and_so_is_its_return(postgres_server: Postgres) -> None:
    @asynccontextmanager
    async def upstream() -> AsyncGenerator[Upstream]:
        yield Upstream("https://kling.invalid", lambda: Credentials(api_key=SecretStr("k")))

    with relay(postgres_server) as between:
        service = Service(Settings(ledger=between.url), upstream, Clock())
        try:
            assert await service.is_ready()
            between.is_away = True
            between.cut("before")
            with pytest.raises(LedgerError):
                await service.is_ready()
            between.is_away = False
            assert await service.is_ready()
        finally:
            await service.aclose()


def readiness(env: dict[str, str], folder: Path, status: int) -> Answer:
    """What a service says once it has found out."""
    with serving(env, folder) as service:
        assert asked(service, "GET", "/healthz").body == "ok\n"
        while (answer := asked(service, "GET", "/readyz")).status != status:
            pass
        return answer


def test_with_a_ledger_and_keys_it_is_ready(tmp_path: Path) -> None:
    env = environment(tmp_path, KLING_API_KEY="k")
    assert readiness(env, tmp_path, 200).body == "ready\n"


@pytest.mark.parametrize("missing", ["keys", "ledger"])
def test_without_keys_or_a_ledger_it_serves_and_is_not_ready(missing: str, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'tokens' / 'ledger.sqlite3'}"
    (tmp_path / "tokens").write_text("a file, where the ledger wants a folder")
    given = {"KLING_API_KEY": "k", "KOLORS_LEDGER": place} if missing == "ledger" else {}
    env = environment(tmp_path, KOLORS_SHELF=str(tmp_path / "shelf"), **given)
    assert readiness(env, tmp_path, 503).body == "not ready\n"
