"""What the service counts and times, as OpenTelemetry's SDK has kept it."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from kolors_mcp.observer import Observer
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.server.http import metrics
from kolors_mcp.server.http.metrics import Metrics, time_operations
from tests.support import commands
from tests.support.in_memory import PICTURES, settings_for, together_with, try_on_of
from tests.support.making import api_key

pytestmark = pytest.mark.anyio
LABELS = {
    "error.type",
    "gen_ai.tool.name",
    "http.response.status_code",
    "kolors.create.outcome",
    "kolors.upstream.code",
    "kolors.upstream.operation",
    "mcp.method.name",
}


class Kept:
    """What an operator would see."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.metrics = Metrics(MeterProvider(metric_readers=[self._reader]))

    def points(self) -> dict[str, list[HistogramDataPoint | NumberDataPoint]]:
        """Every series, by the name of its instrument."""
        data: Any = self._reader.get_metrics_data()
        found: dict[str, list[HistogramDataPoint | NumberDataPoint]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found

    def figures(self, name: str) -> dict[tuple[str, ...], float]:
        """The count or value of each series of an instrument, by the values of its labels in their names' order."""
        return {
            tuple(str(value) for _, value in sorted((point.attributes or {}).items())): (
                point.count if isinstance(point, HistogramDataPoint) else point.value
            )
            for point in self.points().get(name, ())
        }


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def client(kling: SandboxKling, kept: Kept) -> Client:
    """A client of a service that is looked at."""
    clock = together_with(kling)
    server = build_server(
        settings_for(kling, daily_limit=3), lambda: api_key(kling), clock=clock, observer=kept.metrics
    )
    time_operations(server, kept.metrics, clock)
    return Client(server)


async def test_wishes_are_counted_by_how_they_ended(client: Client, kling: SandboxKling, kept: Kept) -> None:
    async with client:

        async def create(**changes: Any) -> None:
            await client.call_tool("create_try_on", PICTURES | changes)

        await create()
        await create()
        kling.faults.next_create(faults.Refuse(1102))
        await create(new_render=True)
        kling.faults.next_create(faults.Disconnect())
        await create(model_name="kolors-virtual-try-on-v1")
        await create(model_name="kolors-virtual-try-on-v1-5")
        await create(human_image=PICTURES["cloth_image"], cloth_image=PICTURES["human_image"])
    assert kept.figures("kolors.creates") == {
        ("created",): 2,
        ("joined",): 1,
        ("refused", "1102"): 1,
        ("unconfirmed",): 1,
        ("limited",): 1,
    }


async def test_requests_to_kling_are_timed_by_what_was_asked_and_what_came_of_it(
    client: Client, kling: SandboxKling, kept: Kept
) -> None:
    async with client:
        task_id = try_on_of(await client.call_tool("create_try_on", PICTURES)).task_id
        await client.call_tool("get_try_on", {"task_id": task_id, "wait_seconds": 0})
        await client.call_tool("list_try_ons")
        await client.call_tool("get_account")
        kling.faults.next_create(faults.Refuse(1102))
        await client.call_tool("create_try_on", PICTURES | {"new_render": True})
        kling.faults.next_create(faults.Disconnect())
        await client.call_tool("create_try_on", PICTURES | {"model_name": "kolors-virtual-try-on-v1"})
    figures = kept.figures("kolors.upstream.duration")
    seen = {series: count for series, count in figures.items() if "list" not in series and "read" not in series}
    assert seen == {
        ("200", "create"): 1,
        ("200", "account"): 1,
        ("1102", "429", "1102", "create"): 1,
        ("ConnectionLostError", "create"): 1,
    }
    assert figures["200", "read"] >= 1
    assert figures["200", "list"] >= 1
    assert kept.figures("kolors.units") == {(): kling.rules.units - 1}


async def test_a_code_that_is_in_no_table_opens_no_series_of_its_own(
    client: Client, kling: SandboxKling, kept: Kept
) -> None:
    async with client:
        for code in (7001, 7002):
            kling.faults.next_create(faults.Refuse(code))
            await client.call_tool("create_try_on", PICTURES | {"new_render": True})
    codes = {series[0] for series in kept.figures("kolors.upstream.duration") if "create" in series}
    assert codes == {"other"}


async def test_calls_are_timed_by_method_and_tool_and_names_that_a_client_made_up_are_one(
    client: Client, kept: Kept
) -> None:
    async with client:
        await client.list_tools()
        await client.call_tool("get_account")
        for tool in ("mine_all_coins", "another"):
            await client.call_tool(tool, {})
        await client.call_tool("get_try_on", {"task_id": "abc", "wait_seconds": 900})
    figures = kept.figures("mcp.server.operation.duration")
    assert figures["tools/list",] == 1
    assert figures["get_account", "tools/call"] == 1
    assert figures["tool_error", "unknown", "tools/call"] == 2
    assert figures["tool_error", "get_try_on", "tools/call"] == 1


async def test_no_series_tells_of_a_user_a_task_or_a_picture(client: Client, kept: Kept) -> None:
    async with client:
        made = try_on_of(await client.call_tool("create_try_on", PICTURES | {"label": "summer-dress"}))
        await client.call_tool("get_try_on", {"task_id": made.task_id, "wait_seconds": 0})
    points = [point for of_one in kept.points().values() for point in of_one]
    labels: dict[str, object] = {name: value for point in points for name, value in (point.attributes or {}).items()}
    assert labels.keys() <= LABELS
    values = json.dumps([dict(point.attributes or {}) for point in points])
    assert not any(word in values for word in (made.task_id, made.reference or "", "summer", "local"))


@pytest.mark.parametrize(
    ("name", "buckets"),
    [
        ("kolors.line.wait", metrics.LINE_BUCKETS),
        ("kolors.upstream.duration", metrics.UPSTREAM_BUCKETS),
        ("mcp.server.operation.duration", metrics.CALL_BUCKETS),
    ],
)
def test_seconds_fall_into_buckets_that_tell_them_apart(kept: Kept, name: str, buckets: tuple[float, ...]) -> None:
    kept.metrics.waited_in_line(7.0)
    kept.metrics.kling_answered("read", 7.0)
    kept.metrics.operations.record(7.0)
    (point,) = kept.points()[name]
    assert isinstance(point, HistogramDataPoint)
    assert tuple(point.explicit_bounds) == buckets
    assert point.sum == 7.0
    assert point.bucket_counts[sum(bound < 7.0 for bound in buckets)] == 1


def test_the_line_and_the_slots_are_shown_as_they_were_seen_last(kept: Kept) -> None:
    kept.metrics.line_seen(9, 5)
    kept.metrics.line_seen(2, 4)
    assert kept.figures("kolors.line.waiting") == {(): 2}
    assert kept.figures("kolors.slots.busy") == {(): 4}


def test_without_the_sdk_nothing_is_kept_and_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("""
import sys
from kolors_mcp.server.http.metrics import Metrics
kept = Metrics()
kept.create_ended("refused", 1102)
kept.kling_answered("create", 1.0, status=200)
kept.line_seen(3, 2)
kept.waited_in_line(1.0)
kept.units_read(9.0)
kept.operations.record(1.0, {"mcp.method.name": "tools/list"})
print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
""")
    # A fork has all modules of the package, so what any of them loads besides is seen.
    done = commands.ran(program, env=commands.environment(tmp_path), cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_everything_that_can_be_observed_has_an_instrument() -> None:
    observable = {name for name in vars(Observer) if not name.startswith("_")}
    assert observable == observable & vars(Metrics).keys()
