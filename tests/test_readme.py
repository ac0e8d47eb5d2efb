"""What the README and the pages beside it say is what the code does."""

import ast
import base64
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent

import kolors_mcp
import kolors_mcp.cli
from kolors_mcp import settings
from kolors_mcp.models import Account, Pack, ResultImage, SavedPicture, TryOn, TryOnPage
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.samples import sample
from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings
from tests.support.making import TurnedClock, api_key, jpeg

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def table(first: str, text: str = README) -> list[list[str]]:
    """The rows of the table whose first column is headed so; an empty first cell repeats the one above."""
    rows: list[list[str]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    return rows
                cells = [cell.strip() for cell in row.strip("|").split("|")]
                rows.append([cells[0] or rows[-1][0], *cells[1:]])
    raise AssertionError(f"The README has no table of {first}.")


def code(cell: str) -> list[str]:
    """The words in code type."""
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.anyio
async def test_the_table_of_tools_is_what_the_server_lists() -> None:
    async with Client(build_server(Settings())) as client:
        tools = (await client.list_tools()).tools
    expected = [
        [f"`{tool.name}`", f"`{name}`", default, takes]
        for tool in tools
        for name, default, takes in _arguments(tool.input_schema)
    ]
    rows = [row[:4] for row in table("tool")]
    assert [row for row in rows if row[1] != "none"] == expected
    without = [f"`{tool.name}`" for tool in tools if not tool.input_schema["properties"]]
    assert [row[0] for row in rows if row[1] == "none"] == without


def _arguments(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, described in schema["properties"].items():
        kind = next(kind for kind in described.get("anyOf", [described]) if kind["type"] != "null")
        default = {"None": "none", "False": "false"}.get(str(described.get("default")), str(described.get("default")))
        if "minItems" in kind:
            takes = f"{kind['minItems']} to {kind['maxItems']} of them"
        elif "enum" in kind:
            takes = ", ".join(f"`{word}`" for word in kind["enum"])
        elif "minimum" in kind:
            takes = f"{kind['minimum']} to {kind['maximum']}"
        elif "minLength" in kind:
            takes = f"{kind['minLength']} to {kind['maxLength']} characters"
        else:
            takes = {"string": "text", "boolean": "true, false"}[kind["type"]]
        yield name, "required" if name in schema.get("required", ()) else default, takes


def test_the_table_of_answers_has_every_field() -> None:
    rows = {row[0]: code(row[1]) for row in table("answer")}
    assert rows["`create_try_on`, `get_try_on`"] == list(TryOn.model_fields)
    assert rows["each of `images`"] == list(ResultImage.model_fields)
    assert rows["`list_try_ons`"] == list(TryOnPage.model_fields)
    assert rows["`get_account`"] == list(Account.model_fields)
    assert rows["each of `packs`"] == list(Pack.model_fields)
    assert rows["`save_try_on`"] == list(SavedPicture.model_fields)
    assert rows["`view_try_on`"] == rows["`compare_try_ons`"] == []


def test_the_table_of_variables_is_what_the_settings_read() -> None:
    source = ast.parse(inspect.getsource(settings))
    words = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    read = {word for word in words if re.fullmatch(r"(KLING|KOLORS)_[A-Z_]+", word)}
    rows = {code(row[0])[0]: row for row in table("variable")}
    assert set(rows) == read
    assert len(rows) == len(table("variable"))

    defaults = Settings.from_env({})
    for name, (_name, _meaning, default) in rows.items():
        field = name.removeprefix("KLING_" if name == "KLING_API_BASE" else "KOLORS_").lower()
        value = getattr(defaults, field, None)
        if isinstance(value, bool):
            value = "1" if value else "0"
        if isinstance(value, str):
            assert default == f"`{value}`"
        elif isinstance(value, int):
            assert default.startswith(f"`{value}`")
        elif not value:
            assert default.startswith("none") or name == "KOLORS_LEDGER"
    for folder in (path.name for path in defaults.image_dirs[:4]):
        assert folder in rows["KOLORS_IMAGE_DIRS"][2]


def test_the_table_of_commands_is_what_the_command_line_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        kolors_mcp.cli.main(["--help"])
    known = re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert [code(row[0])[0] for row in table("command")] == ["kolors-mcp", *(f"kolors-mcp {name}" for name in known)]


def test_every_command_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = {code(row[0])[0].removeprefix("kolors-mcp").strip() for row in table("command")}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        inside = "\n".join(
            [*re.findall(r"```sh\n(.*?)```", text, re.DOTALL), *code(re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
        )
        for words in re.findall(r"^make ([a-z -]+)", inside, re.MULTILINE):
            assert set(words.split()) <= targets, f"{page.name}: make {words}"
        for word in re.findall(r"^kolors-mcp ([a-z]+)", inside, re.MULTILINE):
            assert word in commands, f"{page.name}: kolors-mcp {word}"


def test_every_link_inside_the_project_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            path, _, heading = target.partition("#")
            # The tests may stand beside an installed package instead of its source.
            place = Path(kolors_mcp.__file__).parents[1] if path.startswith("kolors_mcp/") else page.parent
            file = place / path if path else page
            assert file.exists(), f"{page.name}: {target}"
            if heading:
                titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                assert heading in {title.lower().replace(" ", "-") for title in titles}, f"{page.name}: {target}"


def test_the_configurations_shown_are_those_that_are_tried() -> None:
    hosts = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
    for path in (ROOT / "examples" / "hosts").iterdir():
        assert f"\n{path.read_text(encoding='utf-8')}```" in hosts, path.name
        assert f"({path.relative_to(ROOT).as_posix()})" in README
    assert (ROOT / "examples" / "hosts" / "claude-desktop.json").read_text(encoding="utf-8") in README
    command = (ROOT / "examples" / "hosts" / "claude-code.sh").read_text(encoding="utf-8").splitlines()[-1]
    assert f"\n{command}\n" in README


@pytest.mark.anyio
async def test_the_table_of_failures_has_the_texts_that_are_really_read(kling: SandboxKling, tmp_path: Path) -> None:
    real = await _texts(kling, tmp_path)
    rows = {row[0]: row[1] for row in table("situation")}
    assert set(rows) == set(real)
    for situation, text in rows.items():
        pattern = ".+".join(re.escape(part) for part in text.split("…"))
        assert re.fullmatch(pattern, real[situation]), f"{situation}: {real[situation]}"


async def _texts(kling: SandboxKling, folder: Path) -> dict[str, str]:
    """Bring each situation about, and return what the assistant reads."""
    (folder / "upper.jpg").write_bytes(sample("upper").read_bytes())
    (folder / "letter.jpg").write_text("Dear all,")
    pictures = {"human_image": str(sample("person")), "cloth_image": str(folder / "upper.jpg")}
    small = base64.b64encode(jpeg(280, 410)).decode()
    ours = Settings(api_base=kling.origin, image_dirs=(sample("person").parent, folder), daily_limit=3)
    clock = TurnedClock().clock()

    async with Client(build_server(Settings())) as client:
        texts = {"no keys": await _refusal(client, "list_try_ons", {})}
    async with Client(build_server(ours, lambda: api_key(kling), clock=clock)) as client:
        for situation, arguments in {
            "picture too small": {"cloth_image": small},
            "mistyped name": {"cloth_image": str(folder / "uper.jpg")},
            "outside the folders": {"cloth_image": "/etc/hostname"},
            "not a picture": {"cloth_image": str(folder / "letter.jpg")},
            "private address": {"cloth_image": "https://10.0.0.1/shirt.jpg"},
            "wrong value": {"wait_seconds": 900},
            "two garments with v1": {"lower_cloth_image": small, "model_name": "kolors-virtual-try-on-v1"},
        }.items():
            texts[situation] = await _refusal(client, "create_try_on", pictures | arguments)
        for situation, number in (("wrong keys", 1002), ("no units left", 1102), ("account busy", 1303)):
            kling.faults.next_create(faults.Refuse(number))
            texts[situation] = await _refusal(client, "create_try_on", pictures)
        kling.faults.next_create(faults.Disconnect())
        texts["outcome unknown"] = await _refusal(client, "create_try_on", pictures)
        # A doubtful create counts; two more make three.
        for another in ({"new_render": True}, {"model_name": "kolors-virtual-try-on-v1"}):
            await client.call_tool("create_try_on", {**pictures, **another})
        last = {**pictures, "model_name": "kolors-virtual-try-on-v1-5"}
        texts["daily limit"] = await _refusal(client, "create_try_on", last)
    return texts


async def _refusal(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    (part,) = answer.content
    assert isinstance(part, TextContent)
    return part.text


def test_every_file_that_the_page_about_the_rooms_names_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawings = "".join(page.split("```")[1::2])
    named = {word for word in code("".join(page.split("```")[::2])) if "/" in word and " " not in word}
    modules = {f"{module}.py" for module in re.findall(r"\b(?:server|try_ons|jobs|kling|ledger)/\w+", drawings)}
    assert len(named) > 15
    assert len(modules) > 10

    def is_there(name: str) -> bool:
        return any(any(base.glob(name)) for base in (ROOT, Path(kolors_mcp.__file__).parent, ROOT / "tests"))

    assert [name for name in sorted(named | modules) if not is_there(name.rstrip("/"))] == []
