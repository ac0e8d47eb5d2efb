"""What the service counts and times, by OpenTelemetry's API alone: without its SDK in the process nothing is kept.

`opentelemetry-instrument kolors-mcp serve --http` puts the SDK before these instruments, and its `OTEL_*` variables say
where the figures go. No label tells of a user, a task or a picture, and each label has few values.
"""

from typing import TYPE_CHECKING, Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from opentelemetry import metrics
from pydantic import ValidationError

from kolors_mcp import __version__
from kolors_mcp.clock import Clock
from kolors_mcp.observer import Observer, Operation, Outcome
from kolors_mcp.server.http.request_log import is_tool_error, names_of

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider

    from kolors_mcp.server.handlers import TryOnServer

CALL_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Seconds, as OpenTelemetry's conventions for MCP have them."""
UPSTREAM_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120)
LINE_BUCKETS = (0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1200)


class Metrics(Observer):
    """The instruments. They are made once, and are the SDK's where one was there before."""

    def __init__(self, provider: "MeterProvider | None" = None) -> None:
        """Make them.

        Args:
            provider: Keeps what is counted; left out, the one of the process.
        """
        meter = metrics.get_meter("kolors_mcp", __version__, provider)
        self.operations: Histogram = meter.create_histogram(
            "mcp.server.operation.duration",
            unit="s",
            description="How long a request of a client took.",
            explicit_bucket_boundaries_advisory=CALL_BUCKETS,
        )
        self._upstream = meter.create_histogram(
            "kolors.upstream.duration",
            unit="s",
            description="How long a request to Kling took.",
            explicit_bucket_boundaries_advisory=UPSTREAM_BUCKETS,
        )
        self._creates = meter.create_counter(
            "kolors.creates", unit="{create}", description="How wishes for a try-on ended."
        )
        self._waiting = meter.create_gauge(
            "kolors.line.waiting", unit="{create}", description="Wishes of the account that are in line."
        )
        self._line = meter.create_histogram(
            "kolors.line.wait",
            unit="s",
            description="How long a wish was in line until it got a slot.",
            explicit_bucket_boundaries_advisory=LINE_BUCKETS,
        )
        self._busy = meter.create_gauge(
            "kolors.slots.busy", unit="{slot}", description="Slots of the account that are taken."
        )
        self._units = meter.create_gauge(
            "kolors.units", unit="{unit}", description="Units left for try-ons when Kling was last asked."
        )

    def kling_answered(
        self,
        operation: Operation,
        seconds: float,
        *,
        status: int | None = None,
        code: str | None = None,
        error: str | None = None,
    ) -> None:
        """Time one request to Kling, by what was asked, HTTP status, and code or kind of error."""
        labels: dict[str, str | int] = {"kolors.upstream.operation": operation}
        if status is not None:
            labels["http.response.status_code"] = status
        if code is not None:
            labels["kolors.upstream.code"] = code
        if (kind := error or code) is not None:
            labels["error.type"] = kind
        self._upstream.record(seconds, labels)

    def create_ended(self, outcome: Outcome, code: int | None = None) -> None:
        """Count one wish by its outcome, and a refused one by Kling's code as well."""
        labels: dict[str, str] = {"kolors.create.outcome": outcome}
        if code is not None:
            labels["kolors.upstream.code"] = str(code)
        self._creates.add(1, labels)

    def line_seen(self, waiting: int, busy: int) -> None:
        """Show how long the line is, and how many slots are taken."""
        self._waiting.set(waiting)
        self._busy.set(busy)

    def waited_in_line(self, seconds: float) -> None:
        """Time one wish that got its slot."""
        self._line.record(seconds)

    def units_read(self, units: float) -> None:
        """Show what is left."""
        self._units.set(units)


def time_operations(server: "TryOnServer", kept: Metrics, clock: Clock) -> None:
    """Have every request of a client to this server timed."""
    server.middleware.append(_Timed(server, kept.operations, clock))


class _Timed(ServerMiddleware[Any]):
    """Times each request, by its method, the tool it calls, and the kind of error it ends with."""

    def __init__(self, server: "TryOnServer", operations: "Histogram", clock: Clock) -> None:
        self._clock = clock
        self._server = server
        self._operations = operations

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None:  # a notification has no answer whose time could be told
            return await call_next(ctx)
        began, error = self._clock.monotonic(), "cancelled"
        try:
            result = await call_next(ctx)
        except MCPError as refusal:
            error = str(refusal.error.code)
            raise
        except ValidationError:
            error = str(INVALID_PARAMS)
            raise
        except Exception as fault:
            error = type(fault).__qualname__
            raise
        else:
            error = "tool_error" if is_tool_error(result) else None
            return result
        finally:
            method, tool = names_of(self._server, ctx)
            labels = {"mcp.method.name": method, "gen_ai.tool.name": tool, "error.type": error}
            known = {name: value for name, value in labels.items() if value is not None}
            self._operations.record(self._clock.monotonic() - began, known)
