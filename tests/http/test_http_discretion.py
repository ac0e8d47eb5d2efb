"""Whatever goes wrong over HTTP, no answer names a path, a variable or another setting of the server."""

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from pydantic import SecretStr

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server.http.discretion import WORDS, discreet
from kolors_mcp.settings import Credentials
from tests.support.in_memory import PICTURES
from tests.support.making import api_key, jpeg
from tests.support.package import MODULES
from tests.support.shared_service import OWNER, Shared, shared, text_of_any

pytestmark = pytest.mark.anyio

OPERATORS = re.compile(
    r"\b(?:KOLORS|KLING|SSL|HTTPS?|NO|ALL)_[A-Z]{2}|kolors-mcp |\b[Ff]older|\bthis machine|\bpath of|\bthe file\b|"
    r"save_try_on|/canary|/home|/tmp|/root"
)
GIVEN = {
    "/etc/passwd": "data: URI",
    "file:///etc/passwd": "data: URI",
    "file://other/etc/passwd": "data: URI",
    "~/me.jpg": "data: URI",
    "me.jpg": "data: URI",
    "../../canary.jpg": "data: URI",
    "C:\\Users\\me\\me.jpg": "data: URI",
    "photo:me": "photo:me",
    "[Image #1]": "open_fitting_room",
    "attachment:abc": "open_fitting_room",
    "ftp://shop.example/a.jpg": "data: URI",
    "a\nb": "base64",
    "http://10.0.0.1/a.jpg": "does not lead to the public internet",
    "https://shop.example:8443/a.jpg": "only 80 and 443 are fetched from",
    "http://127.0.0.1/a.jpg": "does not lead to the public internet",
    "/9j/4AAQSkZJRgABAQAAAQABAAD" + "A" * 80: "human_image",
}
"""What is given as a person's photo, and what the refusal says at least."""


@pytest.fixture
async def service(kling: SandboxKling) -> AsyncIterator[Shared]:
    async with shared(kling) as made:
        yield made


async def said_of(service: Shared, tool: str, **arguments: Any) -> str:
    try:
        return text_of_any(await service.client.call_tool(tool, arguments))
    except MCPError as error:
        return str(error)


async def test_what_is_no_picture_here_is_refused_without_a_word_about_files(service: Shared) -> None:
    for given, words in GIVEN.items():
        said = await said_of(service, "create_try_on", **{**PICTURES, "human_image": given})
        assert words in said, given
        assert OPERATORS.findall(said.replace(given, "")) == [], given
    assert len(service.kling.requests) == 0


async def test_tools_for_files_are_not_there(service: Shared) -> None:
    said = await said_of(service, "save_try_on")
    assert "there is no tool" in said
    assert OPERATORS.findall(said.replace("save_try_on", "")) == []


async def test_a_ledger_that_cannot_be_used_is_told_without_its_place(kling: SandboxKling, tmp_path: Path) -> None:
    (tmp_path / "canary").write_bytes(b"")
    async with shared(kling, ledger=f"sqlite:///{tmp_path}/canary/ledger.db") as service:
        for tool, arguments in (("create_try_on", PICTURES), ("list_try_ons", {}), ("get_try_on", {"task_id": "a b"})):
            said = await said_of(service, tool, **arguments)
            assert "ledger of paid try-ons" in said
            assert str(tmp_path) not in said
            assert OPERATORS.findall(said) == []


async def test_a_limit_and_what_kling_refuses_are_told_without_variables(kling: SandboxKling) -> None:
    async with shared(kling, daily_limit=1) as service:
        await said_of(service, "start_try_on", **PICTURES)
        limited = await said_of(
            service, "start_try_on", **PICTURES | {"cloth_image": base64.b64encode(jpeg(colour="olive")).decode()}
        )
    assert "Today's limit of 1 paid try-ons is reached. No task was created." in limited
    assert OPERATORS.findall(limited) == []


@pytest.mark.parametrize("credentials", [None, Credentials(api_key=SecretStr("wrong"))])
async def test_keys_that_are_missing_or_wrong_are_told_without_variables(
    credentials: Credentials | None, kling: SandboxKling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.shared_service.api_key", lambda _kling: credentials)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    async with shared(kling) as service:
        service.caller = OWNER
        for tool, arguments in (("create_try_on", PICTURES), ("get_account", {})):
            said = await said_of(service, tool, **arguments)
            assert "Error" in said
            assert OPERATORS.findall(said) == []


async def test_an_unexpected_kling_is_told_without_variables(kling: SandboxKling) -> None:
    assert api_key(kling)
    async with shared(kling, api_base="http://127.0.0.1:1") as service:
        said = await said_of(service, "create_try_on", **PICTURES)
    assert "No task was created" in said
    assert OPERATORS.findall(said) == []


def test_what_only_the_operator_can_do_is_left_out_and_handed_over_for_the_log() -> None:
    held_back: list[str] = []
    text = 'Error: The ledger "/var/canary.db" cannot grow: the disk is full (SQLITE_FULL). Make room, then try again.'
    assert discreet(text, held_back) == (
        "Error: The ledger of paid try-ons cannot grow: the disk is full. Make room, then try again."
    )
    assert held_back == [text]
    alone = "Set KLING_API_KEY and restart."
    assert OPERATORS.search(discreet(alone)) is None
    assert discreet(alone)
    assert discreet("Nothing of the kind.") == "Nothing of the kind."


def test_each_phrase_that_is_said_otherwise_over_http_is_still_said_here() -> None:
    """A phrase that was reworded would go out over HTTP as it is."""
    sources = re.sub(
        r'"\s*\n\s*f?"', "", "".join(text for name, (text, _) in MODULES.items() if "discretion" not in name)
    )
    assert [here for here, _ in WORDS if here not in sources] == []


def test_of_a_key_that_is_no_key_no_half_a_sentence_is_left_that_only_its_operator_understands() -> None:
    with pytest.raises(NotConfiguredError) as refused:
        Credentials.from_env({"KLING_API_KEY": "Bearer abc"})
    assert discreet(f"Error: {refused.value}") == (
        "This cannot be done here just now; the operator of this service can see why."
    )
