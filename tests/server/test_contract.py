"""The surface is what was decided, and over HTTP it says nothing of the machine that serves it."""

import json
import re

import pytest

from tests.support.contract import CONTRACT, CONTRACT_HTTP, surface, written

OF_THE_MACHINE = re.compile(
    r"\b(?:KOLORS|KLING)_[A-Z]|\bpaths?\b|file:|\b[Ff]olders?\b|\bfiles?\b|\bthis machine\b|\bsave_try_on\b"
    r"|\bsaved? (?:it|copy|on)\b"
)
MAX_LISTED_BYTES = 26_000


@pytest.mark.anyio
@pytest.mark.parametrize("over_http", [False, True])
async def test_the_surface_is_the_committed_contract(over_http: bool) -> None:
    committed = CONTRACT_HTTP.read_text("utf-8") if over_http else CONTRACT.read_text("utf-8")
    assert written(await surface(over_http=over_http)) == committed, "a decision? then run `make contract`"


def test_over_http_nothing_is_said_of_the_machine() -> None:
    # The name of a field in which photo:NAME stands.
    text = CONTRACT_HTTP.read_text(encoding="utf-8").replace('"path"', '""')
    assert [found[0] for found in OF_THE_MACHINE.finditer(text)] == []
    assert len({found[0] for found in OF_THE_MACHINE.finditer(CONTRACT.read_text(encoding="utf-8"))}) > 5
    assert len(json.dumps(json.loads(text)["tools"])) < MAX_LISTED_BYTES


def test_over_http_there_are_the_tools_that_need_no_files() -> None:
    here, there = (
        {tool["name"]: tool for tool in json.loads(path.read_text(encoding="utf-8"))["tools"]}
        for path in (CONTRACT, CONTRACT_HTTP)
    )
    assert here.keys() - there.keys() == {"save_try_on"}
    assert there.keys() <= here.keys()
    for name, tool in there.items():
        assert tool["inputSchema"].keys() == here[name]["inputSchema"].keys()
        assert tool["inputSchema"]["properties"].keys() == here[name]["inputSchema"]["properties"].keys()
        assert tool["outputSchema"] == here[name]["outputSchema"] if "outputSchema" in tool else True
