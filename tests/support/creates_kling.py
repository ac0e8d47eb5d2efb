"""A Kling in this process for the life of creates: it makes tasks, denies, hides and forgets; no socket, no picture."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

PATH = "/v1/images/kolors-virtual-try-on"
FINISHED_AFTER_SECONDS = 40.0
SHOWN_IN_TIME_SECONDS = 5.0
"""So much later shows at the latest what was made although its create was denied; a client waits for some longer."""

Repeated = Literal["refuses", "returns the first", "makes a second"]
"""What a create does with a reference that is known."""


@dataclass(frozen=True)
class Fate:
    """What befalls one create on its way."""

    says: tuple[int, int] | None = None
    """With which status and code it is refused; None: as Kling takes it."""
    made: bool = True
    """Whether Kling makes the task."""
    lost: bool = False
    """Whether the answer never comes."""
    fails: bool = False
    """Whether the task fails in the end."""
    stop: Literal["before the mark", "under way", "made", "at the next read"] | None = None
    """Where its process is stopped: the last piece not yet out, all of it out, taken by Kling, or looking for it."""
    for_good: bool = False
    """Whether that process is killed there; else it goes on some day."""
    arrives_late: bool = False
    """Whether Kling has what was under way only after that process was stopped."""


@dataclass(eq=False)
class Task:
    """One task, which has been paid."""

    id: str
    account: str
    wish: str
    reference: str
    made_at: float
    ends_at: float
    fails: bool

    def status(self, now: float) -> str:
        if now < self.ends_at:
            return "submitted" if now < self.made_at + 1 else "processing"
        return "failed" if self.fails else "succeed"


@dataclass(eq=False)
class PlainKling:
    """Several accounts, which are told by the key that comes with a request."""

    now: Callable[[], float]
    repeated: Repeated = "refuses"
    by_reference: bool = True
    """Whether a task can be asked for by its reference."""
    in_list: bool = True
    """Whether rows of the list carry it."""
    lag: float = 0.0
    """Seconds for which a new task is not shown by anything but its id."""
    hidden_until: float = 0.0
    """Until when none is."""
    away: bool = False
    """Whether it answers no question."""
    slots: int | None = None
    """How many tasks an account may have running at once; None: any number."""
    most_running: int = 0
    tasks: list[Task] = field(default_factory=list[Task])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What came with each task, as it was sent."""
    whole: Counter[str] = field(default_factory=Counter[str])
    """How many whole requests there were, by reference."""
    denied: Counter[str] = field(default_factory=Counter[str])
    """How many of them were refused, for certain, by reference."""
    reads: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """When which name was asked for."""

    def create(self, account: str, body: bytes, fate: Fate) -> tuple[int, Any]:
        """Do what a create asks for, as far as its fate lets it, and return the answer."""
        reference = json.loads(body)["external_task_id"]
        self.whole[reference] += 1
        answer = self._create(account, body, fate)
        self.denied[reference] += answer[0] < 500 and answer[1] is not None and answer[1]["code"] != 0
        return answer

    def _create(self, account: str, body: bytes, fate: Fate) -> tuple[int, Any]:
        status, code = fate.says or (200, 0)
        denied = _no(code, "no") if code else None
        if not fate.made or (denied is not None and status < 500 and not self.shows_in_time):
            return (status, denied) if denied is not None else (502, None)
        fields = json.loads(body)
        reference, wish = fields["external_task_id"], base64.b64decode(fields["cloth_image"]).decode()
        task = self.called(account, reference)
        if task is None and self.slots is not None and self.running(account) >= self.slots:
            return 429, _no(1303, "parallel task over resource pack limit")
        if task is not None and self.repeated == "refuses":
            return 400, _no(1201, "external_task_id already exists")
        if task is None or self.repeated == "makes a second":
            number = f"{870_000_000_000_000_000 + len(self.tasks)}"
            task = Task(
                number, account, wish, reference, self.now(), self.now() + FINISHED_AFTER_SECONDS, fails=fate.fails
            )
            self.tasks.append(task)
            self.bodies.append(fields)
            self.most_running = max(self.most_running, self.running(account))
        return status, denied or _yes(self.row(task))

    @property
    def shows_in_time(self) -> bool:
        """Whether what is made now will show before anybody who was told "busy" is told that nothing was created."""
        shows = self.by_reference or self.in_list
        return shows and self.lag <= SHOWN_IN_TIME_SECONDS and self.now() >= self.hidden_until

    def read(self, account: str, name: str) -> tuple[int, Any]:
        """Answer about one task, by either name."""
        self.reads.append((self.now(), name))
        if self.away:
            return 502, None
        task = next((task for task in self.tasks if task.account == account and task.id == name), None)
        if task is None and self.by_reference:
            task = self.called(account, name)
            task = task if task is not None and self.shows(task) else None
        return (404, _no(1203, "task not found")) if task is None else (200, _yes(self.row(task)))

    def page(self, account: str, number: int, size: int) -> tuple[int, Any]:
        """Answer with one page, the newest first."""
        if self.away:
            return 502, None
        shown = [task for task in reversed(self.tasks) if task.account == account and self.shows(task)]
        rows = [self.row(task, named=self.in_list) for task in shown[(number - 1) * size : number * size]]
        return 200, _yes(rows)

    def running(self, account: str) -> int:
        """Return how many tasks of the account have not ended."""
        return sum(task.account == account and self.now() < task.ends_at for task in self.tasks)

    def called(self, account: str, reference: str) -> Task | None:
        """Return the account's first task with this reference."""
        return next((one for one in self.tasks if (one.account, one.reference) == (account, reference)), None)

    def shows(self, task: Task) -> bool:
        return self.now() >= max(task.made_at + self.lag, self.hidden_until)

    def row(self, task: Task, *, named: bool = True) -> dict[str, Any]:
        """Write a task as the vendor's page has it."""
        now = self.now()
        status = task.status(now)
        row: dict[str, Any] = {
            "task_id": task.id,
            "task_status": status,
            "created_at": int(task.made_at * 1000),
            "updated_at": int(min(now, task.ends_at) * 1000),
        }
        if named:
            row["task_info"] = {"external_task_id": task.reference}
        if status == "succeed":
            row["task_result"] = {"images": [{"index": 0, "url": f"https://cdn.example/{task.id}.png"}]}
        return row


def _yes(data: Any) -> dict[str, Any]:
    return {"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}


def _no(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": "r"}
