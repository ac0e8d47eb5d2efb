"""A host that asks in the protocol of 2026, gives up, and greets in an older one is served all the same."""

from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.over_stdio import HELLO, by_hand, hear, say, server_environment

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "a test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


GREETING = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}


def asked(number: int, method: str, *, modern: bool = True) -> dict[str, Any]:
    params: dict[str, Any] = {"_meta": ENVELOPE} if modern else {}
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.mark.process
def test_a_greeting_after_nothing_but_the_question_what_this_is_begins_anew(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    with by_hand(server_environment(fast_kling, tmp_path)) as process:
        say(process.stdin, asked(100, "server/discover"))
        say(process.stdin, GREETING)
        assert "protocolVersion" in hear(process.stdout, 1)["result"]
        say(process.stdin, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        say(process.stdin, asked(102, "tools/list", modern=False))
        assert hear(process.stdout, 102)["result"]["tools"]


@pytest.mark.process
def test_a_greeting_in_the_middle_of_a_conversation_is_refused_and_ends_nothing(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    with by_hand(server_environment(fast_kling, tmp_path)) as process:
        say(process.stdin, asked(100, "server/discover"))
        assert "supportedVersions" in hear(process.stdout, 100)["result"]
        say(process.stdin, asked(101, "tools/list"))
        assert hear(process.stdout, 101)["result"]["tools"]
        say(process.stdin, GREETING)
        assert "error" in hear(process.stdout, 1)
        say(process.stdin, asked(102, "tools/list"))
        assert hear(process.stdout, 102)["result"]["tools"]
