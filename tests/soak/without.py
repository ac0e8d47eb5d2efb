"""Runs the server without one of its guards: `python -m tests.soak.without join`. The soak has to find the fault.

This is the only place of the soak that knows how the product is made inside: one small table.
"""

import sys
from collections.abc import Callable
from typing import Any


def _nothing(*_: Any) -> None:
    return


def _joining() -> None:
    """The same wish never joins the one before it."""
    _replace("kolors_mcp.ledger.reserving", "joinable", _nothing)


def _posting() -> None:
    """A create that another process is sending looks as if nobody did."""

    def joinable(*arguments: Any) -> Any:
        found = really(*arguments)
        return None if found is not None and found.job.state in ("sending", "posting") else found

    really = _replace("kolors_mcp.ledger.reserving", "joinable", joinable)


def _mark() -> None:
    """Whoever sends a create lets it leave whole, whatever was written down meanwhile."""

    def mark_posting(*arguments: Any) -> bool:
        really(*arguments)
        return True

    really = _replace("kolors_mcp.ledger.leases", "mark_posting", mark_posting)


def _doubts() -> None:
    """A create without an answer counts as one that was never made."""
    from kolors_mcp.errors import UnreachableError  # noqa: PLC0415  (the product is loaded in the server only)

    async def reconciled(self: Any, _doubt: Exception) -> Any:
        error = UnreachableError("No answer came", "Create it again.", creating=True)
        await self._refused(error)
        raise error

    _replace("kolors_mcp.jobs.send", "Send._reconciled", reconciled)


def _references() -> None:
    """No create carries a reference."""

    def body(self: Any) -> Any:
        return really(replace(self, external_task_id=None))

    from dataclasses import replace  # noqa: PLC0415

    really = _replace("kolors_mcp.kling.wire", "CreateRequest.body", body)


def _words() -> None:
    """A refusal that may be about our reference is believed."""

    async def require_certain(*_: Any, **__: Any) -> None:
        return

    _replace("kolors_mcp.kling.references", "References.require_certain", require_certain)


PUT = setattr
GUARDS: dict[str, Callable[[], None]] = {
    "join": _joining,
    "posting": _posting,
    "mark": _mark,
    "doubts": _doubts,
    "references": _references,
    "words": _words,
}
"""By name: what switches it off."""


def _replace(module: str, name: str, new: Any) -> Any:
    """Put something else in the place of a name, and return what was there; without it the server does not start."""
    from importlib import import_module  # noqa: PLC0415

    owner: Any = import_module(module)
    *owners, last = name.split(".")
    for part in owners:
        owner = getattr(owner, part)
    there = getattr(owner, last)
    PUT(owner, last, new)
    return there


if __name__ == "__main__":
    GUARDS[sys.argv.pop(1)]()
    from kolors_mcp.cli import main

    sys.exit(main())
