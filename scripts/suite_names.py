"""The conformance suite's own tools for long jobs, played by the server that users have."""

import base64
import io
import json
from itertools import count
from typing import Any

from PIL import Image
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolors_mcp.sandbox.faults import FailLate
from kolors_mcp.sandbox.kling import SandboxKling

FASTER = 10
"""The suite's long jobs take 60 seconds, and it waits 10 for them to end after it has cancelled them. Kling cannot
cancel, so they have to end by themselves: here they take a tenth."""


def _picture(colour: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (320, 400), colour).save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()


class SuiteNames:
    """Stands before the server, and calls `create_try_on` where the suite calls its own examples of long jobs.

    The server behind it is the one that users have, and knows nothing of it.
    """

    def __init__(self, app: ASGIApp, sandbox: SandboxKling) -> None:
        """Stand before an application, at whose other end is this simulated Kling."""
        self._app = app
        self._rules = sandbox.rules
        self._faults = sandbox.faults
        self._person = _picture("teal")
        self._jobs = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, changed if it calls a long job."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        renamed = self._renamed(body)
        if renamed is not None:
            name, body = renamed
            scope = {**scope, "headers": [_header(key, value, name, len(body)) for key, value in scope["headers"]]}
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    def _renamed(self, body: bytes) -> tuple[bytes, bytes] | None:
        """Return the job's name and the changed body, if the request calls one."""
        try:
            message: dict[str, Any] = json.loads(body)
        except ValueError:
            return None
        params: Any = message.get("params")
        if message.get("method") != "tools/call" or params is None:
            return None
        name: str = params["name"]
        if name == "slow_compute":
            self._rules.submitted_seconds = 0.0
            self._rules.finished_seconds = params["arguments"]["seconds"] / FASTER
        elif name == "failing_job":
            self._rules.finished_seconds = 1 / FASTER
            self._faults.next_create(FailLate())
        else:
            return None
        # Each job is a try-on of its own: the same request would join the one before.
        garment = _picture(f"#dc{2 * (next(self._jobs) % 128):02x}3c")
        params |= {"name": "create_try_on", "arguments": {"human_image": self._person, "cloth_image": garment}}
        return name.encode(), json.dumps(message).encode()


def _header(key: bytes, value: bytes, name: bytes, length: int) -> tuple[bytes, bytes]:
    if key == b"content-length":
        return key, str(length).encode()
    return key, b"create_try_on" if (key, value) == (b"mcp-name", name) else value
