"""Turning the sandbox from outside, for whoever runs it alone: faults, clock and rules over HTTP.

Answered only to callers on this machine, and only where the page of a browser cannot be behind the call.

    POST /sandbox/faults   {"on": "create", "fault": "refuse", "code": 1303, "times": 2}
    POST /sandbox/faults   {"on": "read", "fault": "slow", "seconds": 8, "then": {"fault": "raw", "status": 504}}
    POST /sandbox/faults   {"clear": true}
    POST /sandbox/clock    {"advance": 3600}
    POST /sandbox/rules    {"speed": 10, "slots": 1, "external_ids": "return_first"}
    GET  /sandbox/state    what it is now: time, rules, number of tasks

`on` is create, read, list, costs or result; `times` null means until cleared. The faults and their fields are the
classes of `faults.py`, the rules those of `rules.py`.
"""

import dataclasses
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kolors_mcp.sandbox.faults import Kind
from kolors_mcp.sandbox.rules import Rules
from kolors_mcp.sandbox.script import fault_from

if TYPE_CHECKING:
    from kolors_mcp.sandbox.kling import SandboxKling

_Handler = Callable[["SandboxKling", Mapping[str, Any]], None]


def routes(sandbox: "SandboxKling") -> list[Route]:
    """Return the control paths of a sandbox."""
    return [
        Route("/sandbox/faults", _endpoint(sandbox, _faults), methods=["POST"]),
        Route("/sandbox/clock", _endpoint(sandbox, _clock), methods=["POST"]),
        Route("/sandbox/rules", _endpoint(sandbox, _rules), methods=["POST"]),
        Route("/sandbox/state", _endpoint(sandbox, None), methods=["GET"]),
    ]


def _endpoint(sandbox: "SandboxKling", handle: _Handler | None) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not _from_this_machine(request):
            return JSONResponse({"error": "the sandbox is turned from its own machine only"}, 403)
        if handle is not None:
            try:
                fields: object = json.loads(await request.body())
                if not isinstance(fields, dict):
                    raise ValueError("the body must be a JSON object")  # noqa: TRY004, TRY301  (one answer for both)
                handle(sandbox, cast("dict[str, Any]", fields))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        state = {
            "now": sandbox.clock.now(),
            "tasks_created": sandbox.tasks_created,
            "rules": dataclasses.asdict(sandbox.rules) | {"callback_secret": None},
        }
        return JSONResponse(state)

    return endpoint


def _from_this_machine(request: Request) -> bool:
    # A page in a browser sends an Origin; a name that was rebound to 127.0.0.1 shows in the Host.
    if "origin" in request.headers or request.client is None:
        return False
    try:
        here = ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    return here and request.url.hostname in ("127.0.0.1", "::1", "localhost")


def _faults(sandbox: "SandboxKling", fields: Mapping[str, Any]) -> None:
    if fields == {"clear": True}:
        sandbox.faults.clear()
        return
    values = dict(fields)
    on, times = values.pop("on", None), values.pop("times", 1)
    if on not in get_args(Kind):
        raise ValueError(f"on must be one of {', '.join(get_args(Kind))}")
    if times is not None and type(times) is not int:
        raise ValueError("times must be a whole number, or null")
    sandbox.faults.add(on, fault_from(values), times)


def _clock(sandbox: "SandboxKling", fields: Mapping[str, Any]) -> None:
    seconds = fields.get("advance")
    if set(fields) != {"advance"} or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError('the body must be {"advance": seconds}')
    sandbox.clock.advance(seconds)


def _rules(sandbox: "SandboxKling", fields: Mapping[str, Any]) -> None:
    changed = TypeAdapter(Rules).validate_python(dataclasses.asdict(sandbox.rules) | dict(fields))
    # In place: others hold the same rules.
    for name in fields:
        setattr(sandbox.rules, name, getattr(changed, name))
