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
    _replace("kolors_mcp.ledger.ledger", "joinable", _nothing)


def _posting() -> None:
    """A create that another process is sending looks as if nobody did."""

    def joinable(*arguments: Any) -> Any:
        job = really(*arguments)
        return None if job is not None and job.state == "sending" else job

    really = _replace("kolors_mcp.ledger.ledger", "joinable", joinable)


def _doubts() -> None:
    """A create without an answer counts as one that was never made."""
    from kolors_mcp.errors import UnreachableError  # noqa: PLC0415  (the product is loaded in the server only)

    async def reconciled(self: Any, job: Any, _doubt: Exception) -> Any:
        error = UnreachableError("No answer came", "Create it again.", creating=True)
        await self._refused(job, error)
        raise error

    _replace("kolors_mcp.jobs.sending", "Sending._reconciled", reconciled)


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
