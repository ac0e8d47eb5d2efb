"""The tasks of a simulated Kling: made, moved on by the clock, listed per account."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from kolors_mcp.models import Status
from kolors_mcp.sandbox.accounts import Account
from kolors_mcp.sandbox.requests import CreateRequest
from kolors_mcp.sandbox.rules import Rules

_FIRST_ID = 10**17  # Ids have 18 digits: above 2**53, so no float can carry one.


@dataclass(eq=False)
class Task:
    """One try-on. Its status is a function of the time, so nothing has to run to move it on.

    All times are seconds of the sandbox's clock.
    """

    id: str
    account: Account
    request: CreateRequest
    created_at: float
    processing_at: float
    finished_at: float
    failure: str | None = None
    """Why it fails in the end; none: it succeeds."""
    denied_reads: int = 0
    """Reads that will still answer "task not found"."""
    result: bytes | None = field(default=None, repr=False)
    """The picture, once it has been fetched."""
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)

    def status(self, now: float) -> Status:
        """Return the status word at `now`."""
        if now < self.processing_at:
            return "submitted"
        if now < self.finished_at:
            return "processing"
        return "succeed" if self.failure is None else "failed"

    def running(self, now: float) -> bool:
        """Whether it takes a slot at `now`."""
        return now < self.finished_at

    def head(self, now: float, *, as_number: bool) -> dict[str, Any]:
        """Return the four fields that every answer about a task has; times in ms."""
        changes = (self.created_at, self.processing_at, self.finished_at)
        return {
            "task_id": int(self.id) if as_number else self.id,
            "task_status": self.status(now),
            "created_at": int(self.created_at * 1000),
            "updated_at": int(max(moment for moment in changes if moment <= now or moment == changes[0]) * 1000),
        }


class TaskStore:
    """All tasks of all accounts, in the order in which they were made."""

    def __init__(self) -> None:
        self.all: list[Task] = []
        self._by_id: dict[str, Task] = {}
        self._next_id = _FIRST_ID + secrets.randbelow(8 * _FIRST_ID)

    def make(self, account: Account, request: CreateRequest, rules: Rules, now: float, failure: str | None) -> Task:
        """Accept a try-on and start its clock."""
        self._next_id += 1 + secrets.randbelow(1000)
        task = Task(
            id=str(self._next_id),
            account=account,
            request=request,
            created_at=now,
            processing_at=now + rules.submitted_seconds / rules.speed,
            finished_at=now + rules.finished_seconds / rules.speed,
            failure=failure,
            denied_reads=rules.not_found_reads,
        )
        self.all.append(task)
        self._by_id[task.id] = task
        return task

    def of(self, account: Account) -> list[Task]:
        """Return an account's tasks, oldest first."""
        return [task for task in self.all if task.account is account]

    def by_id(self, task_id: str) -> Task | None:
        """Return the task with Kling's id, of any account."""
        return self._by_id.get(task_id)

    def find(self, account: Account, name: str) -> Task | None:
        """Return an account's task by Kling's id or by the caller's own; of two with one id, the later."""
        task = self._by_id.get(name)
        if task is not None:
            return task if task.account is account else None
        return self.with_external_id(account, name, latest=True)

    def with_external_id(self, account: Account, external_id: str, *, latest: bool = False) -> Task | None:
        """Return an account's first (or latest) task that carries the caller's own id."""
        found = [task for task in self.of(account) if task.request.external_task_id == external_id]
        return (found[-1] if latest else found[0]) if found else None
