"""The account's line over HTTP: who has no slot waits in it, on whichever replica, and Kling's calls are taken."""

import base64
import json
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from mcp import Client

from kolors_mcp.sandbox.kling import SandboxKling, SeenRequest
from kolors_mcp.server.http.bounds import FOR_SERVICE
from tests.support.calling import PERSON, called, created, garment
from tests.support.commands import HANG_SECONDS, account_of, environment
from tests.support.over_http import Serving, asked, free_port, serving, spoken
from tests.support.sandbox_door import NO_TLS

pytestmark = [pytest.mark.process, pytest.mark.anyio]

SECRET = "whsec_" + base64.b64encode(b"the secret of this shop's account").decode()


async def test_who_has_no_slot_is_in_line_and_another_process_goes_on_with_what_a_killed_one_left(
    kling: SandboxKling, tmp_path: Path
) -> None:
    env = environment(tmp_path, KOLORS_SLOTS="1", **account_of(kling))
    with serving(env, tmp_path) as first:
        async with Client(first.url) as client:
            running_one = await created(client, "navy")
            second, third = await created(client, "red"), await created(client, "olive")
            again = await created(client, "olive")
            listed = await called(client, "list_try_ons")
        first.send(signal.SIGKILL)
        first.process.wait(HANG_SECONDS)
    assert not running_one["task_id"].startswith("k-")
    assert (second["status"], second["status_message"]) == ("submitted", "in line, next")
    assert second["task_id"] == second["reference"]
    assert third["status_message"].startswith("in line, 1 before you, about ")
    assert (again["task_id"], again["reused"]) == (third["task_id"], True)
    told = {row["task_id"]: row.get("status_message", "") for row in listed["try_ons"]}
    assert told[second["task_id"]] == "in line, next"
    assert told[third["task_id"]].startswith("in line, 1 before you, about ")
    assert kling.tasks_created == 1
    with serving(env, tmp_path) as replica:
        async with Client(replica.url) as client:
            turned_for = 0
            for waiting in (second, third):
                got = waiting
                while got["status"] != "succeed":
                    if turned_for < kling.tasks_created:  # once for each task, so that no clock seems to have jumped
                        turned_for = kling.tasks_created
                        kling.clock.advance(120)
                    got = await called(client, "get_try_on", task_id=waiting["task_id"], wait_seconds=1)
                assert got["reference"] == waiting["reference"]
                assert not got["task_id"].startswith("k-")
    assert kling.tasks_created == 3


async def test_a_create_that_waits_for_its_result_is_answered_when_others_need_its_room(
    kling: SandboxKling, tmp_path: Path
) -> None:
    answers: list[dict[str, Any]] = []

    def once_all_are_made(request: SeenRequest) -> bool:
        return request.method == "GET" and kling.tasks_created == 3

    with serving(environment(tmp_path, **account_of(kling)), tmp_path) as service:

        async def without_length(text: str) -> AsyncGenerator[bytes]:
            """A body that is not small and may become as large as any: three of them take more room than there is."""
            yield text.encode()
            yield b" " * FOR_SERVICE.small_body_bytes
            assert 3 * FOR_SERVICE.body_bytes > FOR_SERVICE.bodies_bytes

        async def create(client: httpx.AsyncClient, colour: str) -> None:
            arguments = {"human_image": PERSON, "cloth_image": garment(colour), "wait_seconds": 300}
            headers, body = spoken("tools/call", {"name": "create_try_on", "arguments": arguments})
            # Who hears of progress may wait for as long as they say, which on a slow machine is needed.
            message = json.loads(body)
            message["params"]["_meta"] = {**message["params"]["_meta"], "progressToken": colour}
            answer = await client.post(service.url, headers=headers, content=without_length(json.dumps(message)))
            # Once it was told how things go, its answer is the last event of a stream.
            text = answer.text.strip().rpartition("\ndata: ")[2]
            answers.append(json.loads(text)["result"]["structuredContent"])
            # What is made after the clock was turned would never be finished.
            await anyio.to_thread.run_sync(kling.wait_for_request, once_all_are_made)
            kling.clock.advance(120)

        async with (
            httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=HANG_SECONDS) as client,
            anyio.create_task_group() as group,
        ):
            for colour in ("navy", "red", "olive"):
                group.start_soon(create, client, colour)
    assert [answer["status"] for answer in answers] == ["submitted", "succeed", "succeed"]
    assert "get_try_on" in answers[0]["next_step"]


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_kling_is_given_an_address_of_ours_at_which_only_it_is_heard(
    secret: str | None, kling_today: SandboxKling, tmp_path: Path
) -> None:
    kling_today.rules.callback_secret = secret
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    set_so = {"KOLORS_PUBLIC_URL": origin} | ({} if secret is None else {"KOLORS_CALLBACK_SECRET": secret})
    env = environment(tmp_path, **set_so, **account_of(kling_today))
    with serving(env, tmp_path, port=port) as service:
        async with Client(service.url) as client:
            made = await created(client, "navy")
            given = kling_today.tasks.all[0].request.callback_url
            assert given is not None
            assert given.startswith(f"{origin}/callbacks/{made['reference']}/")
            path = urlsplit(given).path
            assert {status_of(service, one) for one in forged(path)} == {404}
            assert asked(service, "GET", path).status == 405
            assert asked(service, "POST", path, ("Content-Length", "262145")).status == 413
            for _ in range(3):
                assert asked(service, "POST", path, body=b"{}").status == (204 if secret is None else 401)
            kling_today.clock.advance(120)
            got = await called(client, "get_try_on", task_id=made["task_id"], wait_seconds=40)
            assert got["status"] == "succeed"
            own = await called(
                client,
                "create_try_on",
                human_image=PERSON,
                cloth_image=garment("red"),
                callback_url="https://shop.example/mine",
            )
        service.send(signal.SIGINT)
        _, log = service.process.communicate()
    assert [line for line in log.splitlines() if json.loads(line)["level"] != "INFO"] == []
    assert own["notes"] == []
    assert kling_today.tasks.all[1].request.callback_url == "https://shop.example/mine"
    assert kling_today.callbacks.failed == 0


def status_of(service: Serving, path: str) -> int:
    return asked(service, "POST", path, body=b"{}").status


def forged(path: str) -> list[str]:
    """Addresses that are none of ours."""
    start, reference, mark = path.rsplit("/", 2)
    return [
        f"{start}/{reference}/{mark[:-1]}",
        f"{start}/{reference}/{mark}A",
        f"{start}/{reference}x/{mark}",
        f"{start}/k-{'0' * 24}/{mark}",
        f"{start}/{reference}",
        f"{start}/{reference}/",
        f"{start}/",
        f"{start}/{reference}/%00",
    ]
