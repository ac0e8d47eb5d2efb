"""The end of the service: it is said at once, nothing new begins, callers that wait are answered, and it comes."""

import base64
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import account_of, environment
from tests.support.making import Era, jpeg
from tests.support.over_http import Serving, asked, posted, serving

PICTURES = {
    name: base64.b64encode(jpeg(320, 400, colour)).decode()
    for name, colour in (("human_image", "teal"), ("cloth_image", "navy"))
}
pytestmark = [pytest.mark.anyio, pytest.mark.process]


@asynccontextmanager
async def waiting(
    service: Serving, era: Era, tool: str, arguments: dict[str, Any]
) -> AsyncGenerator[list[CallToolResult]]:
    """A call that waits for Kling while the body runs, and has been answered when the block ends."""
    answers: list[CallToolResult] = []
    waits = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001  (the client's)
        if (message or "").startswith("Kling says"):
            waits.set()

    async def call() -> None:
        async with Client(service.url, mode=era) as client:
            answers.append(await client.call_tool(tool, arguments, progress_callback=hear))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await waits.wait()
        yield answers


async def test_calls_that_wait_are_answered_with_their_id_and_no_error(
    era: Era, kling: SandboxKling, tmp_path: Path
) -> None:
    with serving(environment(tmp_path, **account_of(kling)), tmp_path) as service:
        async with waiting(service, era, "create_try_on", {**PICTURES, "wait_seconds": 300}) as created:
            task = kling.tasks.all[0].id
            async with waiting(service, era, "get_try_on", {"task_id": task, "wait_seconds": 300}) as got:
                # An interrupt goes the same way, without the seconds in which a balancer may notice.
                service.send(signal.SIGTERM if era == "auto" else signal.SIGINT)
        for answers in (created, got):
            [answer] = answers
            assert not answer.is_error, answer.content
            assert answer.structured_content is not None
            assert answer.structured_content["task_id"] == task
            assert answer.structured_content["status"] == "submitted"
            assert "get_try_on" in answer.structured_content["next_step"]
        assert await anyio.to_thread.run_sync(service.process.wait) == 0


async def test_from_the_first_signal_on_it_is_not_ready_and_takes_no_call(kling: SandboxKling, tmp_path: Path) -> None:
    with serving(environment(tmp_path, **account_of(kling)), tmp_path) as service:
        assert posted(service, "tools/list", {}).status == 200
        service.send(signal.SIGTERM)
        while asked(service, "GET", "/readyz").status == 200:  # the signal may be on its way
            pass
        refused = posted(service, "tools/call", {"name": "get_account", "arguments": {}})
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert refused.words == (
            "This service is ending, and nothing was done. Send the same request again in a few seconds."
        )
        assert asked(service, "GET", "/healthz").status == 200
        assert await anyio.to_thread.run_sync(service.process.wait) == 0


async def test_those_who_listen_are_told_that_their_stream_ends(kling: SandboxKling, tmp_path: Path) -> None:
    with serving(environment(tmp_path, **account_of(kling)), tmp_path) as service:
        async with Client(service.url) as client, client.listen(resources_list_changed=True) as heard:
            service.send(signal.SIGINT)
            assert [event async for event in heard] == []
        assert await anyio.to_thread.run_sync(service.process.wait) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(number: signal.Signals, kling: SandboxKling, tmp_path: Path) -> None:
    with serving(environment(tmp_path, **account_of(kling)), tmp_path) as service:
        service.send(signal.SIGTERM)
        while asked(service, "GET", "/readyz").body != "not ready\n":
            pass
        service.send(number)
        assert await anyio.to_thread.run_sync(service.process.wait) == 128 + number
