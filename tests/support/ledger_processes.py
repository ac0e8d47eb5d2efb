"""Processes that do something to one ledger at the same time."""

import json
import subprocess
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.support import ledger_deeds
from tests.support.commands import python


@contextmanager
def process(deed: str, *arguments: str) -> Generator["subprocess.Popen[str]"]:
    """A process that is ready to do one of the deeds and waits for a line to begin."""
    command = [python(), ledger_deeds.__file__, deed, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def at_once(deed: str, *lists: Sequence[str]) -> list[Any]:
    """Let one process for each list of arguments do the same at the same time; return what each of them found."""
    with ExitStack() as stack:
        running = [stack.enter_context(process(deed, *arguments)) for arguments in lists]
        assert [line_of(one) for one in running] == ["ready"] * len(lists)
        for one in running:
            begin(one)
        answers = [json.loads(line_of(one)) for one in running]
        assert [one.wait() for one in running] == [0] * len(lists)
    return answers


def begin(one: "subprocess.Popen[str]") -> None:
    assert one.stdin is not None
    one.stdin.write("begin\n")
    one.stdin.flush()


def line_of(one: "subprocess.Popen[str]") -> str:
    assert one.stdout is not None
    return one.stdout.readline().strip()
