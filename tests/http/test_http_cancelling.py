"""A caller over HTTP who takes a call back while its wish is in line, in either way that the protocol has for it."""

import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.calling import PERSON, called, created, garment
from tests.support.commands import HANG_SECONDS, account_of, environment
from tests.support.making import Era
from tests.support.over_http import TAKES, Answer, Serving, asked, head_of, serving, spoken

pytestmark = [pytest.mark.process, pytest.mark.anyio]

LATEST_WITH_A_HANDSHAKE = "2025-11-25"
CALL = 7
"""The id of the calls that are taken back."""


def message(era: Era, method: str, params: dict[str, Any], **own: Any) -> tuple[list[tuple[str, str]], bytes]:
    """A message as a client of this era sends it: its headers, and its body."""
    headers, body = spoken(method, params)
    said = json.loads(body)
    del said["id"]
    said |= own
    if era == "legacy":
        headers = [
            ("Content-Type", "application/json"),
            ("Accept", TAKES),
            ("MCP-Protocol-Version", LATEST_WITH_A_HANDSHAKE),
        ]
        said["params"] = params
    if "id" in said:
        said["params"]["_meta"] = {**said["params"].get("_meta", {}), "progressToken": CALL}
    return headers, json.dumps(said).encode()


def begun(service: Serving, era: Era, colour: str) -> socket.socket:
    """Call for a try-on, and come back when it is known to wait; its connection stays open."""
    arguments = {"human_image": PERSON, "cloth_image": garment(colour), "wait_seconds": 300}
    headers, body = message(era, "tools/call", {"name": "create_try_on", "arguments": arguments}, id=CALL)
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=HANG_SECONDS)
    head = head_of("POST", "/mcp", [("Host", service.host), ("Content-Length", str(len(body))), *headers])
    connection.sendall(head + body)
    heard = b""
    while b"in line" not in heard:
        piece = connection.recv(65536)
        assert piece, heard
        heard += piece
    return connection


def taken_back(service: Serving, era: Era) -> Answer:
    headers, body = message(era, "notifications/cancelled", {"requestId": CALL, "reason": "the shopper left"})
    return asked(service, "POST", "/mcp", *headers, body=body)


async def test_who_takes_a_call_back_in_line_finds_the_wish_where_it_was_and_pays_it_once(
    era: Era, kling: SandboxKling, tmp_path: Path
) -> None:
    env = environment(tmp_path, KOLORS_SLOTS="1", **account_of(kling))
    with serving(env, tmp_path) as service:
        async with Client(service.url) as client:
            await created(client, "navy")
            with closing(begun(service, era, "red")) as told, closing(begun(service, era, "olive")) as gone:
                assert taken_back(service, era).status == 202
                for connection in (told, gone):
                    connection.shutdown(socket.SHUT_RDWR)
            left = [await created(client, colour) for colour in ("red", "olive")]
            assert [one["reused"] for one in left] == [True, True]
            assert left[0]["status_message"] == "in line, next"
            assert left[1]["status_message"].startswith("in line, 1 before you")
            turned_for = 0
            for got in left:
                while got["status"] != "succeed":
                    if turned_for < kling.tasks_created:  # once for each task, so that no clock seems to have jumped
                        turned_for = kling.tasks_created
                        kling.clock.advance(120)
                    got = await called(client, "get_try_on", task_id=got["reference"], wait_seconds=1)  # noqa: PLW2901
    assert kling.tasks_created == 3
