"""Callbacks: the bare task posted to `callback_url` at every status change, signed where a secret is set."""

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.rules import Rules
from kolors_mcp.sandbox.tasks import Task

_MAX_CALL_SECONDS = 5.0


def sign(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature` of a message, as Standard Webhooks has it.

    Args:
        secret: `whsec_` and the base64 of the key.
        message_id: The `webhook-id`.
        timestamp: The `webhook-timestamp`, in seconds.
        body: The raw body.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


Dialler = Callable[[], httpx.AsyncBaseTransport]
"""Makes what callbacks are sent through; it decides which addresses are dialled."""


class Callbacks:
    """Delivers callbacks from the sandbox's own event loop. No retries are promised, and none are made.

    Args:
        clock: The sandbox's.
        rules: The sandbox's.
        view: Shows a task as it is at a moment.
        dial: By it callbacks are sent; left out, any address is dialled.
    """

    def __init__(
        self,
        clock: SandboxClock,
        rules: Rules,
        view: Callable[[Task, float], dict[str, Any]],
        dial: Dialler | None = None,
    ) -> None:
        self.delivered = 0
        self.failed = 0
        self._clock = clock
        self._rules = rules
        self._view = view
        self._dial = dial
        self._client: httpx.AsyncClient | None = None
        self._following: set[asyncio.Task[None]] = set()

    def follow(self, task: Task) -> None:
        """Post each later status change of a task to its `callback_url`, in order. Needs a running event loop."""
        if task.request.callback_url is not None:
            follower = asyncio.create_task(self._follow(task, task.request.callback_url))
            self._following.add(follower)
            follower.add_done_callback(self._following.discard)

    async def aclose(self) -> None:
        """Stop delivering."""
        followers = list(self._following)
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _follow(self, task: Task, url: str) -> None:
        for moment in (task.processing_at, task.finished_at):
            await self._clock.reach(moment)
            body = json.dumps(self._view(task, moment)).encode()
            headers = {"content-type": "application/json"}
            if self._rules.callback_secret is not None:
                message_id, timestamp = uuid.uuid4().hex, str(int(self._clock.now()))
                headers["webhook-id"] = message_id
                headers["webhook-timestamp"] = timestamp
                headers["webhook-signature"] = sign(self._rules.callback_secret, message_id, timestamp, body)
            await self._post(url, body, headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        if self._client is None:
            transport = None if self._dial is None else self._dial()
            self._client = httpx.AsyncClient(transport=transport, trust_env=False, timeout=_MAX_CALL_SECONDS)
        try:
            # The body is left unread: its listener may send one without end, as fast or slowly as it likes.
            async with (
                asyncio.timeout(_MAX_CALL_SECONDS),
                self._client.stream("POST", url, content=body, headers=headers) as response,
            ):
                delivered = response.is_success
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError, OSError):
            # A listener that cannot be reached is its owner's affair; polling stays the truth.
            delivered = False
        if delivered:
            self.delivered += 1
        else:
            self.failed += 1
