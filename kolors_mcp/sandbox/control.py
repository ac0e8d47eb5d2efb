"""Turning a sandbox that runs alone, from outside: faults, clock and rules over HTTP.

Answered only to callers on this machine, and only where the page of a browser cannot be behind the call.

    POST /sandbox/faults   {"on": "create", "fault": "refuse", "code": 1303, "times": 2}
    POST /sandbox/faults   {"on": "read", "fault": "slow", "seconds": 8, "then": {"fault": "raw", "status": 504}}
    POST /sandbox/faults   {"clear": true}
    POST /sandbox/clock    {"advance": 3600}
    POST /sandbox/rules    {"speed": 10, "slots": 1, "external_ids": "return_first"}
    GET  /sandbox/state    what it is now: time, rules, number of tasks
    GET  /sandbox/tasks    what was paid for, oldest first: ids, times, and the SHA-256 of both pictures

`on` is create, read, list, costs or result; `times` null means until cleared. The faults and their fields are the
classes of `faults.py`, the rules those of `rules.py`.
"""

import asyncio
import dataclasses
import hashlib
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kolors_mcp.sandbox.bodies import BodyTooLargeError, read_whole
from kolors_mcp.sandbox.faults import Kind
from kolors_mcp.sandbox.rules import Rules
from kolors_mcp.sandbox.script import fault_from

if TYPE_CHECKING:
    from kolors_mcp.sandbox.kling import SandboxKling
    from kolors_mcp.sandbox.tasks import Task

_Handler = Callable[["SandboxKling", Mapping[str, Any]], None]
_MAX_BODY_BYTES = 64 * 1024
_MAX_ERROR_CHARACTERS = 2000


def routes(sandbox: "SandboxKling") -> list[Route]:
    """Return the control paths of a sandbox."""
    return [
        Route("/sandbox/faults", _endpoint(sandbox, _faults), methods=["POST"]),
        Route("/sandbox/clock", _endpoint(sandbox, _clock), methods=["POST"]),
        Route("/sandbox/rules", _endpoint(sandbox, _rules), methods=["POST"]),
        Route("/sandbox/state", _endpoint(sandbox, None), methods=["GET"]),
        Route("/sandbox/tasks", _account_book(sandbox), methods=["GET"]),
    ]


def _endpoint(sandbox: "SandboxKling", handle: _Handler | None) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not _from_this_machine(request):
            return _turned_away()
        if handle is not None:
            try:
                body = await read_whole(request, _MAX_BODY_BYTES)
            except BodyTooLargeError:
                return _answer({"error": f"the body must have at most {_MAX_BODY_BYTES} bytes"}, 413)
            try:
                fields: object = json.loads(body)
                if not isinstance(fields, dict):
                    raise ValueError("the body must be a JSON object")  # noqa: TRY004, TRY301  (one answer for both)
                handle(sandbox, cast("dict[str, Any]", fields))
            except RecursionError:
                return _answer({"error": "the body is nested too deeply"}, 400)
            except ValueError as error:
                return _answer({"error": str(error)[:_MAX_ERROR_CHARACTERS]}, 400)
        state = {
            "now": sandbox.clock.now(),
            "tasks_created": sandbox.tasks_created,
            "rules": dataclasses.asdict(sandbox.rules) | {"callback_secret": None},
        }
        return _answer(state)

    return endpoint


def _account_book(sandbox: "SandboxKling") -> Callable[[Request], Awaitable[Response]]:
    def written(tasks: list["Task"]) -> list[dict[str, Any]]:
        return [
            {
                "task_id": task.id,
                "external_task_id": task.request.external_task_id,
                "created_at": task.created_at,
                "finished_at": task.finished_at,
                "human_sha256": hashlib.sha256(task.request.human).hexdigest(),
                "cloth_sha256": hashlib.sha256(task.request.cloth).hexdigest(),
            }
            for task in tasks
        ]

    async def endpoint(request: Request) -> Response:
        if not _from_this_machine(request):
            return _turned_away()
        # Some thousand pictures take a while to look through.
        return _answer({"tasks": await asyncio.to_thread(written, list(sandbox.tasks.all))})

    return endpoint


def _turned_away() -> Response:
    return _answer({"error": "the sandbox is turned from its own machine only"}, 403)


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    # In ASCII, because an error shows what was sent, and that need not be text that can be encoded.
    return Response(json.dumps(content), status, {"x-content-type-options": "nosniff"}, media_type="application/json")


def _from_this_machine(request: Request) -> bool:
    # A page in a browser sends an Origin, or at least says whether it is at home here; a name that was rebound to
    # 127.0.0.1 shows in the Host.
    if "origin" in request.headers or "sec-fetch-site" in request.headers or request.client is None:
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
