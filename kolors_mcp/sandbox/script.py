"""The script of faults: which of the next requests go wrong, and how; also told by name, in JSON."""

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import TypeAdapter

from kolors_mcp.sandbox.faults import (
    Altered,
    CodeAsText,
    Cut,
    Disconnect,
    Drip,
    FailLate,
    Fault,
    Kind,
    NoData,
    NoPictures,
    Raw,
    Redirect,
    Refuse,
    Slow,
    StatusWord,
)

FAULTS: dict[str, type[Fault]] = {
    "refuse": Refuse,
    "fail_late": FailLate,
    "slow": Slow,
    "drip": Drip,
    "disconnect": Disconnect,
    "cut": Cut,
    "raw": Raw,
    "redirect": Redirect,
    "code_as_text": CodeAsText,
    "no_data": NoData,
    "status_word": StatusWord,
    "no_pictures": NoPictures,
}
"""The names by which the control endpoint knows the faults."""


def fault_from(fields: Mapping[str, Any]) -> Fault:
    """Make a fault from JSON: `{"fault": "refuse", "code": 1303}`.

    Raises:
        ValueError: An unknown fault, or fields that it does not take.
    """
    values = dict(fields)
    kind = FAULTS.get(str(values.pop("fault", "")))
    if kind is None:
        raise ValueError(f"fault must be one of {', '.join(FAULTS)}")
    if isinstance(values.get("then"), dict):
        values["then"] = fault_from(values["then"])
    return TypeAdapter(kind).validate_python(values)


class Script:
    """Which faults the next requests of each kind meet. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Kind, deque[tuple[Fault, int | None]]] = {kind: deque() for kind in get_args(Kind)}

    def add(self, kind: Kind, fault: Fault, times: int | None = 1) -> None:
        """Play `fault` on the next `times` requests of a kind (none: on all, until `clear`), after those added before.

        Raises:
            ValueError: `times` is below 1, or the fault changes JSON and a picture is none.
        """
        if kind == "result" and isinstance(fault, Altered):
            raise ValueError("this fault changes JSON; a result is a picture")
        if times is not None and times < 1:
            raise ValueError("times must be at least 1")
        with self._lock:
            self._waiting[kind].append((fault, times))

    def next_create(self, fault: Fault, times: int | None = 1) -> None:
        """Spoil the next creates."""
        self.add("create", fault, times)

    def next_read(self, fault: Fault, times: int | None = 1) -> None:
        """Spoil the next reads of one try-on."""
        self.add("read", fault, times)

    def next_list(self, fault: Fault, times: int | None = 1) -> None:
        """Spoil the next reads of the list."""
        self.add("list", fault, times)

    def next_costs(self, fault: Fault, times: int | None = 1) -> None:
        """Spoil the next reads of the account's costs."""
        self.add("costs", fault, times)

    def next_result(self, fault: Fault, times: int | None = 1) -> None:
        """Spoil the next fetches of a picture."""
        self.add("result", fault, times)

    def clear(self) -> None:
        """Forget every fault that was not played yet."""
        with self._lock:
            for waiting in self._waiting.values():
                waiting.clear()

    def take(self, kind: Kind) -> Fault | None:
        """Return the fault for the request that just came, if there is one."""
        with self._lock:
            waiting = self._waiting[kind]
            if not waiting:
                return None
            fault, left = waiting[0]
            if left is not None:
                waiting.popleft()
                if left > 1:
                    waiting.appendleft((fault, left - 1))
            return fault
