"""The person at the terminal: what is said there, and that they may interrupt, or stop reading, at any moment."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from types import FrameType

EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


def print_line(text: str = "") -> None:
    """Write a line to standard output at once. Once the reader has gone (`| head`), the work goes on in silence."""
    _write(sys.stdout, text)


def print_error(text: str) -> None:
    """Write a line to standard error: standard output may carry the protocol."""
    _write(sys.stderr, text)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person sits at the other end; a standard stream that was closed is none."""
    return stream is not None and not stream.closed and stream.isatty()


def flush() -> None:
    """Flush both streams. Where the reader has gone the rest is dropped, or Python would complain when it ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # pyright: ignore[reportUnnecessaryComparison]  # closed by the program that started us
            try:
                stream.flush()
            except (OSError, ValueError):
                _drop(stream)


def leave(code: int = EXIT_INTERRUPTED) -> NoReturn:
    """End the process now. Threads that wait for a line of input would keep it for ever."""
    flush()
    os._exit(code)


@contextmanager
def leaving_when_interrupted(*, for_good: bool) -> Generator[None]:
    """Let Ctrl-C end the process without a word, also in the middle of an import.

    Args:
        for_good: Also after the block, when nothing is left to do but to end.
    """

    def ended(_number: int, _frame: "FrameType | None") -> None:
        leave()

    with _handler(ended, for_good=for_good):
        yield


@contextmanager
def interruptible() -> Generator[None]:
    """Let Ctrl-C be a KeyboardInterrupt in the block, for work that has something to put away or to say."""
    with _handler(signal.default_int_handler, for_good=False):
        yield


@contextmanager
def _handler(handler: "signal._HANDLER", *, for_good: bool) -> Generator[None]:  # pyright: ignore[reportPrivateUsage]  # the stubs' only name
    try:
        before = signal.signal(signal.SIGINT, handler)
    except ValueError:  # Only the main thread hears of signals.
        yield
        return
    try:
        yield
    finally:
        if not for_good:
            signal.signal(signal.SIGINT, before)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        # File names can hold bytes that are no text, and some terminals know few letters.
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError as error:
        _drop(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            print_error(f"Standard output takes nothing any more ({error.strerror}).")


def _drop(stream: TextIO) -> None:
    """Let what is still in the buffer, and all that follows, go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
