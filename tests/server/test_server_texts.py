"""What only the text or only the log says: what was done to pictures, what was simulated, what failed inside."""

import base64
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from PIL import Image

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.folders import default_folders
from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings
from kolors_mcp.try_ons.try_ons import TryOns
from tests.support.wishing import PERSON, Assistant, World

SIMULATED = (
    "Simulated: the sandbox answered; no account was used, nothing was billed, no real picture was made. "
    "Its links end with this server's process."
)


def png_with_alpha() -> str:
    out = io.BytesIO()
    Image.new("RGBA", (320, 400), (200, 30, 30, 100)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.anyio
async def test_the_text_alone_says_what_was_done_to_the_pictures(world: World) -> None:
    async with world.server() as assistant:
        said = await assistant.call("create_try_on", human_image=PERSON, cloth_image=png_with_alpha())
    assert said.try_on.notes
    assert [line for line in said.text.splitlines() if line.startswith("Note: ")] == [
        f"Note: {note}" for note in said.try_on.notes
    ]
    assert "Simulated" not in said.text


@pytest.mark.anyio
async def test_the_text_of_a_try_on_and_of_a_list_says_that_it_is_simulated(world: World) -> None:
    async with world.server(sandbox=True) as assistant:
        created = await assistant.create()
        listed = await assistant.list()
    assert SIMULATED in created.text.splitlines()
    assert SIMULATED in listed.text.splitlines()
    async with world.server() as assistant:
        assert "imulated" not in (await assistant.list()).text


@pytest.mark.anyio
async def test_what_breaks_inside_is_in_the_log_with_its_place_and_the_answer_says_its_kind(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("of this test")

    monkeypatch.setattr(TryOns, "list", broken)
    async with world.server() as assistant:
        said = await assistant.list()
    assert said.text == (
        "Error: list_try_ons failed inside this server (ZeroDivisionError); its log has the details. "
        "This call has created no task."
    )
    [record] = [record for record in caplog.records if record.name == "kolors_mcp.server.tool"]
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "list_try_ons failed unexpectedly"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


@pytest.mark.anyio
async def test_an_error_of_the_protocol_stays_one(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused(*_: Any) -> None:
        raise MCPError(-32042, "ask the user first", {"why": "test"})

    monkeypatch.setattr(TryOns, "list", refused)
    async with world.server() as assistant:
        with pytest.raises(MCPError, match="ask the user first") as caught:
            await assistant.list()
    assert caught.value.error.code == -32042
    assert not [record for record in caplog.records if record.name == "kolors_mcp.server.tool"]


@pytest.mark.anyio
async def test_at_most_five_wrong_arguments_are_named() -> None:
    server = build_server(Settings(ledger="sqlite://"), lambda: None)
    async with Client(server) as client:
        said = await Assistant(client).call("list_try_ons", **{f"argument_{number}": 1 for number in range(9)})
    assert said.text.count("has no argument") == 5
    assert said.text.endswith("Nothing was sent.")


def test_a_server_that_is_started_at_the_root_does_not_allow_the_whole_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tmp_path in default_folders({}), "the control: any other folder is allowed"
    monkeypatch.chdir(tmp_path.anchor)
    found = default_folders({})
    assert Path(tmp_path.anchor) not in found
    assert Settings.from_env({}).image_dirs == found


@pytest.mark.parametrize("limit", ["1", "007", "999999999", "0000000001"])
def test_a_daily_limit_of_up_to_nine_digits_is_taken(limit: str) -> None:
    assert Settings.from_env({"KOLORS_DAILY_LIMIT": limit}).daily_limit == int(limit)


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "000",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "1_000",
        "1 0",
        "1\n2",
        "\u0661",
        "1\u0661",
        "\u00b2",
        "1000000000",
        "9" * 5000,
    ],
)
def test_any_other_daily_limit_is_refused(limit: str) -> None:
    with pytest.raises(NotConfiguredError, match=r"KOLORS_DAILY_LIMIT is .*; it takes a whole number above 0"):
        Settings.from_env({"KOLORS_DAILY_LIMIT": limit})


@pytest.mark.parametrize("user", ["user", "user:s3cret", ":s3cret", ""])
def test_an_address_with_a_user_name_is_refused_without_showing_it(user: str) -> None:
    with pytest.raises(NotConfiguredError, match="KLING_API_BASE is not an origin") as caught:
        Settings.from_env({"KLING_API_BASE": f"https://{user}@kling.example"})
    assert "s3cret" not in str(caught.value)
    assert "kling.example" not in str(caught.value)
