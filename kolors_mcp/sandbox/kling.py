"""The simulated Kling itself: its accounts, tasks, clock, rules and faults, and a record of what it was asked."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, QueryParams

from kolors_mcp.sandbox.accounts import Account
from kolors_mcp.sandbox.callbacks import Callbacks, Dialler
from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.codes import Refusal, success
from kolors_mcp.sandbox.links import LinkSigner
from kolors_mcp.sandbox.packs import costs
from kolors_mcp.sandbox.render import render
from kolors_mcp.sandbox.requests import CreateRequest
from kolors_mcp.sandbox.rules import Rules
from kolors_mcp.sandbox.script import Script
from kolors_mcp.sandbox.tasks import Task, TaskStore

_COSTS_PAUSE_SECONDS = 1.0  # The account query takes one call a second (vendor).


@dataclass(eq=False)
class SeenRequest:
    """A request as it came.

    Attributes:
        path: As on the wire, before percent-decoding.
        raw_query: What followed the question mark; `query` is the same, parsed.
        body: The raw bytes; empty until (and unless) they were read.
        at: When it came, by the sandbox's clock.
    """

    method: str
    path: str
    raw_query: str
    query: QueryParams
    headers: Headers = field(repr=False)
    at: float
    body: bytes = field(default=b"", repr=False)

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class SandboxKling:
    """A simulated Kling. `kolors_mcp.sandbox.running.running` puts it on a loopback port.

    Args:
        accounts: Its customers; one with fresh random keys if not given.
        clock: Its time.
        rules: How it behaves all the time.
        remember: How many requests it keeps for `requests`.
        dial: Makes what callbacks are sent through; left out, any address is dialled, also on this machine.
    """

    def __init__(
        self,
        *,
        accounts: list[Account] | None = None,
        clock: SandboxClock | None = None,
        rules: Rules | None = None,
        remember: int = 1000,
        dial: Dialler | None = None,
    ) -> None:
        self.accounts = [Account.with_fresh_keys()] if accounts is None else accounts
        self.clock = clock or SandboxClock()
        self.rules = rules or Rules()
        self.faults = Script()
        self.tasks = TaskStore()
        self.links = LinkSigner()
        self.callbacks = Callbacks(self.clock, self.rules, self.view, dial)
        self.requests: deque[SeenRequest] = deque(maxlen=remember)
        """What it was asked, oldest first."""
        self.origin = "http://127.0.0.1"
        """Where it can be reached; set when it starts to listen."""
        self._opened_at = self.clock.now()
        self._came = threading.Condition()

    @property
    def api_key(self) -> str:
        """An API key of the first account."""
        return next(iter(self.accounts[0].api_keys))

    @property
    def key_pair(self) -> tuple[str, str]:
        """An access key and its secret key, of the first account."""
        return next(iter(self.accounts[0].key_pairs.items()))

    @property
    def tasks_created(self) -> int:
        """How many try-ons were accepted, which is how many were paid for."""
        return len(self.tasks.all)

    def record(self, request: SeenRequest) -> None:
        """Note a request and wake the threads that wait for one."""
        with self._came:
            self.requests.append(request)
            self._came.notify_all()

    def wait_for_request(self, matches: Callable[[SeenRequest], bool], timeout: float = 100.0) -> SeenRequest:
        """Return the first request seen that matches, waiting in real seconds for it to come.

        Raises:
            TimeoutError: None came.
        """

        def found() -> SeenRequest | None:
            return next((request for request in self.requests if matches(request)), None)

        with self._came:
            request = self._came.wait_for(found, timeout)
        if request is None:
            raise TimeoutError("the request did not come")
        return request

    def create(self, account: Account, request: CreateRequest, failure: str | None = None) -> dict[str, Any]:
        """Accept a try-on and return the answer.

        Args:
            account: Who asks.
            request: What passed the checks.
            failure: Why the task will fail in the end, if it shall.

        Raises:
            Refusal: 1102 without units, 1303 without a slot, 1201 for an external id that is taken.
        """
        now = self.clock.now()
        external_id = request.external_task_id
        if external_id is not None and self.rules.external_ids in ("refuse", "return_first"):
            first = self.tasks.with_external_id(account, external_id)
            if first is not None and self.rules.external_ids == "refuse":
                raise Refusal(1201, "external_task_id already exists, it must be unique within one account")
            if first is not None:
                return success(self._created(first, now))
        if self.units_left(account) < 1:
            raise Refusal(1102)
        if self.rules.slots is not None and self.running_tasks(account) >= self.rules.slots:
            raise Refusal(1303)
        task = self.tasks.make(account, request, self.rules, now, failure)
        self.callbacks.follow(task)
        return success(self._created(task, now))

    def read(self, account: Account, name: str) -> dict[str, Any]:
        """Return the answer about one task, by either id.

        Raises:
            Refusal: There is none with that id, by the code of the rules.
        """
        now = self.clock.now()
        task = self.tasks.find(account, name)
        if task is None and self.rules.unknown_task_code is not None:
            raise Refusal(self.rules.unknown_task_code, "Task not found by id/external_task_id")
        if task is None or task.denied_reads > 0:
            if task is not None:
                task.denied_reads -= 1
            gone = {"task_id": name, "task_status": "failed", "task_status_msg": "task not found"}
            return success(gone | {"created_at": int(now * 1000), "updated_at": int(now * 1000)})
        return success(self.view(task, now))

    def page(self, account: Account, number: int, size: int) -> dict[str, Any]:
        """Return the answer with one page of an account's tasks, newest first."""
        now = self.clock.now()
        visible = [task for task in self.tasks.of(account) if now - task.created_at >= self.rules.list_lag_seconds]
        chosen = visible[::-1][(number - 1) * size : number * size]
        return success([self.view(task, now, with_info=self.rules.list_shows_external_ids) for task in chosen])

    def costs(self, account: Account, start: float, end: float) -> dict[str, Any]:
        """Return the answer with the packs that an account bought between two moments (s).

        Raises:
            Refusal: 1302 within a second of the last call.
        """
        now = self.clock.now()
        if account.costs_asked_at is not None and 0 <= now - account.costs_asked_at < _COSTS_PAUSE_SECONDS:
            raise Refusal(1302)
        account.costs_asked_at = now
        return costs(self.rules.units, self.units_left(account), self._opened_at, now, (start, end))

    async def picture(self, task: Task) -> bytes:
        """Return a finished task's picture, rendered when it is first asked for, off the event loop."""
        async with task.rendering:
            if task.result is None:
                task.result = await asyncio.to_thread(render, task.request.human, task.request.cloth)
            return task.result

    def own_result(self, url: str) -> bytes | None:
        """Return the picture behind a good link of this sandbox; None for any other URL. Blocks while it renders."""
        task_id = self.links.named_by(url, self.origin, self.clock.now())
        task = None if task_id is None else self.tasks.by_id(task_id)
        if task is None:
            return None
        return task.result or render(task.request.human, task.request.cloth)

    def units_left(self, account: Account) -> int:
        """Return how many try-ons an account may still make."""
        now = self.clock.now()
        return self.rules.units - sum(task.status(now) != "failed" for task in self.tasks.of(account))

    def running_tasks(self, account: Account) -> int:
        """Return how many slots of an account are taken."""
        now = self.clock.now()
        return sum(task.running(now) for task in self.tasks.of(account))

    def view(self, task: Task, now: float, *, with_info: bool = True) -> dict[str, Any]:
        """Return a task as a read, the list and a callback show it."""
        data = task.head(now, as_number=self.rules.task_ids_as_numbers)
        if with_info:
            data |= self._info(task)
        if data["task_status"] == "failed":
            data["task_status_msg"] = task.failure
        if data["task_status"] == "succeed":
            url = self.origin + self.links.path(task.id, 0, task.finished_at)
            data["task_result"] = {"images": [{"index": 0, "url": url}]}
            data["final_unit_deduction"] = "1"
        return data

    def _created(self, task: Task, now: float) -> dict[str, Any]:
        return task.head(now, as_number=self.rules.task_ids_as_numbers) | self._info(task)

    def _info(self, task: Task) -> dict[str, Any]:
        external_id = task.request.external_task_id
        if external_id is None or not self.rules.shows_external_ids:
            return {}
        return {"task_info": {"external_task_id": external_id}}
