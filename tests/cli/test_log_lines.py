"""Lines of the log: out at once where they are read; nothing waits where they are not, and what is lost is told."""

import fcntl
import json
import logging
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from kolors_mcp.cli.log_lines import MAX_WAITING_LINES, LogLines, log_handler
from tests.support.commands import environment
from tests.support.over_http import asked, serving

LOG = "a line of the log, which is some fifty letters long"
PIPE_BYTES = 4096
UNREAD = 60
"""Requests whose lines are more than such a pipe holds."""


def own_logger(handler: logging.Handler) -> logging.Logger:
    """A logger that only this handler hears."""
    logger = logging.getLogger("heard by one")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG)
    return logger


@contextmanager
def logging_to_pipe(*, never_waits: bool = False) -> Generator[tuple[logging.Logger, LogLines, TextIO]]:
    """A logger whose lines go into a pipe, its handler, and what reads at the pipe's other end."""
    theirs, ours = os.pipe()
    os.set_blocking(ours, not never_waits)
    handler = LogLines(ours)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = own_logger(handler)
    with os.fdopen(theirs, encoding="utf-8") as end:
        yield logger, handler, end
    handler.flush()
    os.close(ours)


def read(end: TextIO, lines: int) -> list[str]:
    """Read so many lines."""
    return [end.readline().rstrip("\n") for _ in range(lines)]


def test_a_line_that_has_room_is_out_when_the_call_returns() -> None:
    with logging_to_pipe() as (logger, _handler, end):
        logger.warning("one %d \udcff", 1)
        os.set_blocking(end.fileno(), False)
        assert os.read(end.fileno(), 100) == b"WARNING one 1 \\udcff\n"


@pytest.mark.parametrize("never_waits", [False, True])
def test_what_nobody_reads_keeps_nobody_waiting_and_comes_in_order_when_somebody_does(never_waits: bool) -> None:
    with logging_to_pipe(never_waits=never_waits) as (logger, handler, end):
        for number in range(MAX_WAITING_LINES + 3_000):
            logger.info("%d %s", number, LOG)
        said = read(end, MAX_WAITING_LINES + 100)
        numbers = [int(line.split()[1]) for line in said]
        assert numbers == list(range(len(said)))
        assert {line.partition(LOG)[2] for line in said} == {""}
        rest: list[str] = []
        while not rest or not rest[-1].startswith("WARNING "):
            rest += read(end, 1)
        kept = len(said) + len(rest) - 1
        dropped = MAX_WAITING_LINES + 3_000 - kept
        assert dropped > 0
        assert rest[-1] == f"WARNING {dropped} lines of the log were dropped: nobody read it"
        handler.flush()
        logger.info("again")
        assert read(end, 1) == ["INFO again"]


def test_where_the_reader_has_gone_the_work_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    own_logger(LogLines(ours)).error("nobody hears this")
    os.close(ours)
    assert capfd.readouterr() == ("", "")


def test_a_file_has_each_line_at_once_and_what_is_no_file_is_written_as_the_library_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "log").open("w") as file:
        handler = log_handler(file)
        handler.emit(logging.makeLogRecord({"msg": "kept"}))
        assert (tmp_path / "log").read_text() == "kept\n"
    assert isinstance(log_handler(None), logging.NullHandler)
    log_handler(sys.stderr).emit(logging.makeLogRecord({"msg": "said"}))
    assert capsys.readouterr().err == "said\n"


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="a pipe is made small, so that it is full soon")
def test_a_service_whose_log_is_not_read_answers_on(tmp_path: Path) -> None:
    with serving(environment(tmp_path, KOLORS_SANDBOX="1"), tmp_path) as service:
        log = service.process.stderr
        assert log is not None
        assert fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, PIPE_BYTES) == PIPE_BYTES
        assert {asked(service, "GET", "/nothing").status for _ in range(UNREAD)} == {404}
        service.send(signal.SIGINT)
        lines = log.read().splitlines()
    assert len("\n".join(lines)) > PIPE_BYTES
    assert [json.loads(line)["status"] for line in lines] == [404] * UNREAD
