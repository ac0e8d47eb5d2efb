"""What the page about the service says is what the code does: variables, tokens, hosts' configurations, figures."""

import ast
import hashlib
import inspect
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from kolors_mcp import service_settings
from kolors_mcp.observer import Outcome
from kolors_mcp.server.http.metrics import Metrics
from kolors_mcp.server.http.tokens import StaticToken, read_tokens
from kolors_mcp.service_settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
CONFIGURATIONS = ROOT / "examples" / "service"
URL, TOKEN = "https://try-on.shop.example/mcp", "s3cret"


def rows_under(heading: str) -> list[list[str]]:
    """The rows of the first table whose head begins so."""
    lines = iter(PAGE[PAGE.index(f"| {heading} |") :].splitlines()[2:])
    rows: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def code(cell: str) -> list[str]:
    """The words in code type."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_variables_is_what_the_service_reads() -> None:
    source = ast.parse(inspect.getsource(service_settings))
    words = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    # One of them is shared with the server on a desktop.
    read = {word for word in words if re.fullmatch(r"KOLORS_[A-Z_]+", word)} - {"KOLORS_DAILY_LIMIT"}
    rows = {code(row[0])[0]: row for row in rows_under("variable")}
    assert set(rows) == read
    defaults = ServiceSettings.from_env({})
    for name, (_name, _meaning, default) in rows.items():
        value = getattr(defaults, name.removeprefix("KOLORS_").lower())
        assert default == f"`{value}`" if value is not None else not default.startswith("`")
    assert f"`KOLORS_DAILY_LIMIT` is {service_settings.DAILY_LIMIT}" in PAGE


@pytest.mark.skipif(not shutil.which("openssl"), reason="the command makes the token with openssl")
def test_the_command_for_a_token_adds_a_line_that_lets_its_token_in(tmp_path: Path) -> None:
    [command] = [line for line in PAGE.splitlines() if line.startswith("token=$(")]
    run = partial(subprocess.run, ["/bin/sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, text=True)
    run()
    token = run().stdout.strip()
    text = (tmp_path / "tokens").read_text(encoding="utf-8")
    assert token not in text
    tokens, wrong = read_tokens(text)
    assert not wrong
    assert list(tokens.values()) == [StaticToken("shop-assistant", ("try_on:read", "try_on:create"))] * 2
    assert hashlib.sha256(token.encode()).hexdigest() in tokens


def expanded(pattern: str) -> Callable[[str], str]:
    """Puts the token where a host finds it."""
    return lambda text: re.sub(pattern, TOKEN, text)


def http_server(config: dict[str, Any], key: str) -> tuple[str, str]:
    server = config[key]["kolors"]
    return server.get("url") or server["httpUrl"], server["headers"]["Authorization"]


def of_codex(text: str) -> tuple[str, str]:
    server = tomllib.loads(text)["mcp_servers"]["kolors"]
    assert server["bearer_token_env_var"] == "KOLORS_TOKEN"
    return server["url"], f"Bearer {TOKEN}"


def of_the_command_line(text: str) -> tuple[str, str]:
    found = re.search(r'--transport http kolors (\S+) --header "Authorization: (.+)"$', text.strip())
    assert found
    return found[1], expanded(r"\$KOLORS_TOKEN")(found[2])


HOSTS: dict[str, Callable[[str], tuple[str, str]]] = {
    "claude-code.sh": of_the_command_line,
    "claude-code.mcp.json": lambda text: http_server(json.loads(expanded(r"\$\{KOLORS_TOKEN\}")(text)), "mcpServers"),
    "codex.toml": of_codex,
    "gemini-cli.json": lambda text: http_server(json.loads(expanded(r"\$KOLORS_TOKEN")(text)), "mcpServers"),
    "opencode.json": lambda text: http_server(json.loads(expanded(r"\{env:KOLORS_TOKEN\}")(text)), "mcp"),
    "cursor.json": lambda text: http_server(json.loads(expanded(r"\$\{env:KOLORS_TOKEN\}")(text)), "mcpServers"),
    "vscode.json": lambda text: http_server(json.loads(expanded(r"\$\{input:kolors-token\}")(text)), "servers"),
}


@pytest.mark.parametrize("name", sorted(HOSTS))
def test_each_hosts_configuration_leads_to_the_service_with_the_token(name: str) -> None:
    text = (CONFIGURATIONS / name).read_text(encoding="utf-8")
    assert HOSTS[name](text) == (URL, f"Bearer {TOKEN}")
    assert f"\n{text}```" in PAGE


def test_every_configuration_is_held() -> None:
    assert {path.name for path in CONFIGURATIONS.iterdir()} == set(HOSTS)


def test_the_table_of_figures_has_every_instrument_with_its_unit() -> None:
    reader = InMemoryMetricReader()
    kept = Metrics(MeterProvider(metric_readers=[reader]))
    kept.create_ended("created")
    kept.kling_answered("read", 1.0)
    kept.line_seen(1, 1)
    kept.waited_in_line(1.0)
    kept.units_read(1.0)
    kept.operations.record(1.0)
    data: Any = reader.get_metrics_data()
    made = {metric.name: metric.unit for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics}
    rows = {code(row[0])[0]: row for row in rows_under("metric")}
    assert {name: row[1] for name, row in rows.items()} == {
        name: "s" if unit == "s" else "" for name, unit in made.items()
    }
    outcomes = set(code(rows["kolors.creates"][3])) - {"kolors.create.outcome", "kolors.upstream.code"}
    assert outcomes == set(get_args(Outcome))
