"""A Kling of the soak's own: takes creates as the vendor's page says, and treats references as its provider does."""

import base64
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from .pictures import Pictures
from .plan import FAULTS, Answered, Provider, Stage, WishPlan

PATH = "/v1/images/kolors-virtual-try-on"
MODELS = ("kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5")
API_KEY = "soak-key"
TAKEN = (
    "external_task_id already exists",
    "The task exists",
    "invalid external_task_id",
    "外部任务ID已存在",
    "参数错误",
    "duplicate request",
)
"""How a Kling may refuse a reference that it knows: nobody has written down in which words it does."""


class Refused(Exception):  # noqa: N818  (it is Kling's answer, not a fault of this program)
    """What Kling says instead of doing it."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Task:
    """One paid task."""

    id: str
    wish: int
    reference: str | None
    accepted_at: float
    ends_at: float
    shown_at: float
    fails: bool
    answered: Answered = "nothing yet"
    """What the creates that came to it were answered."""

    def status(self, now: float) -> str:
        """Return the vendor's word."""
        if now < self.ends_at:
            return "submitted" if now < (self.accepted_at + self.ends_at) / 2 else "processing"
        return "failed" if self.fails else "succeed"

    def failed_by(self, now: float) -> bool:
        """Whether the same wish may be paid for again, since nothing came of this."""
        return self.fails and now >= self.ends_at


@dataclass
class Kling:
    """One account. Everything happens at once when it is asked, so that nothing comes between."""

    provider: Provider
    pictures: Pictures
    plans: dict[int, WishPlan]
    on_stage: Callable[[int, Stage], None]
    origin: str = ""
    calm: bool = False
    """No fault any more."""
    tasks: list[Task] = field(default_factory=list[Task])
    again: dict[int, list[tuple[Task, list[Task]]]] = field(
        default_factory=lambda: defaultdict[int, list[tuple[Task, list[Task]]]](list)
    )
    """By wish: each task that was made although others of the wish were there that had not failed, and those."""
    posts: dict[int, list[str]] = field(default_factory=lambda: defaultdict[int, list[str]](list))
    """By wish: the faults that its creates met."""
    by_reference: dict[str, Task] = field(default_factory=dict[str, Task])
    by_id: dict[str, Task] = field(default_factory=dict[str, Task])

    def of(self, wish: int) -> list[Task]:
        """Return the tasks of a wish."""
        return [task for task in self.tasks if task.wish == wish]

    def wish_in(self, body: bytes) -> tuple[int, str | None]:
        """Check a create as strictly as the page, and return which wish it is for, and its reference.

        Raises:
            Refused: The page does not allow it.
        """
        fields = _object(body)
        known = {"model_name", "human_image", "cloth_image", "callback_url"}
        if self.provider.shown != "unknown":
            known.add("external_task_id")
        for name, value in fields.items():
            if name not in known:
                raise Refused(400, 1201, f"unknown parameter: {name}")
            if not isinstance(value, str) or not value:
                raise Refused(400, 1201, f"{name} is not text")
        if fields.get("model_name", MODELS[0]) not in MODELS:
            raise Refused(400, 1201, "model_name is not supported")
        for name in ("human_image", "cloth_image"):
            if name not in fields:
                raise Refused(400, 1201, f"{name} is required")
        wish = self.pictures.wish_of(fields["human_image"], fields["cloth_image"])
        if wish is None or wish not in self.plans:
            raise Refused(400, 1201, "File is not in a valid base64 format")
        return wish, fields.get("external_task_id")

    def accept(self, wish: int, reference: str | None) -> Task:
        """Make a task, or treat a reference that is known as the provider does.

        Raises:
            Refused: It is known, and that is refused.
        """
        now, plan = time.monotonic(), self.plans[wish]
        before = self.by_reference.get(reference or "")
        if before is not None and self.provider.repeated == "first":
            return before
        if before is not None and self.provider.repeated == "refuses":
            raise Refused(400, 1201, TAKEN[len(self.posts[wish]) % len(TAKEN)])
        earlier = [task for task in self.of(wish) if not task.failed_by(now)]
        seconds = plan.task_seconds
        number = len(self.tasks)
        # Only the first fails, or a wish would never be granted.
        fails = plan.task_fails and not self.of(wish)
        task = Task(f"{870_000_000_000_000_000 + number}", wish, reference, now, now + seconds, 0.0, fails)
        task.shown_at = now + plan.shown_after
        self.tasks.append(task)
        self.by_id[task.id] = task
        if reference is not None:
            self.by_reference.setdefault(reference, task)
        if earlier:
            self.again[wish].append((task, earlier))
        return task

    def fault_for(self, wish: int) -> str:
        """Return what befalls the next create of a wish, and count it."""
        planned, count = self.plans[wish].faults, len(self.posts[wish])
        name = planned[count] if count < len(planned) and not self.calm else "none"
        assert name in FAULTS
        self.posts[wish].append(name)
        return name

    def read(self, name: str, luck: float) -> dict[str, Any]:
        """Return one task by its id, or by its reference where the provider does that.

        Raises:
            Refused: It does not know it, in one of the two ways that were seen.
        """
        now = time.monotonic()
        task = self.by_id.get(name)
        if task is None and self.provider.shown in ("both", "id"):
            task = self.by_reference.get(name)
            if task is not None and now < task.shown_at:
                task = None
        if task is not None:
            return self.row(task, now)
        if luck < 0.5:
            raise Refused(404, 1203, "task not found")
        return {"task_id": name, "task_status": "failed", "task_status_msg": "task not found"}

    def page(self, number: int, size: int) -> list[dict[str, Any]]:
        """Return one page, the newest first."""
        if not 1 <= number <= 1000 or not 1 <= size <= 500:
            raise Refused(400, 1201, "pageNum or pageSize is out of range")
        now = time.monotonic()
        shown: Sequence[Task] = [task for task in reversed(self.tasks) if now >= task.shown_at]
        return [self.row(task, now) for task in shown[(number - 1) * size : number * size]]

    def row(self, task: Task, now: float) -> dict[str, Any]:
        """Write a task as the page has it."""
        status, wall = task.status(now), time.time()
        row: dict[str, Any] = {
            "task_id": task.id,
            "task_status": status,
            "task_status_msg": "there is no human in the picture" if status == "failed" else "",
            "created_at": int((wall - (now - task.accepted_at)) * 1000),
            "updated_at": int(wall * 1000),
        }
        if task.reference is not None and self.provider.shown in ("both", "list"):
            row["task_info"] = {"external_task_id": task.reference}
        if status == "succeed":
            row["task_result"] = {"images": [{"index": 0, "url": f"{self.origin}/results/{task.id}.png?sign=1"}]}
        return row

    @property
    def shows(self) -> bool:
        """Whether a task can be found by its reference, however its answer was lost."""
        return self.provider.shown not in ("nowhere", "unknown")


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except ValueError:
        raise Refused(400, 1200, "the body is not JSON") from None
    if not isinstance(given, dict):
        raise Refused(400, 1200, "the body is not an object")
    return cast("dict[str, Any]", given)


def envelope(data: Any) -> bytes:
    """Write a success."""
    return json.dumps({"code": 0, "message": "SUCCEED", "request_id": _request_id(), "data": data}).encode()


def refusal(code: int, message: str) -> bytes:
    """Write a refusal."""
    return json.dumps({"code": code, "message": message, "request_id": _request_id()}, ensure_ascii=False).encode()


def _request_id() -> str:
    return base64.b32encode(time.time_ns().to_bytes(8)).decode().rstrip("=")
