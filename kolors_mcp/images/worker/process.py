"""One decoding process, from the server's side: started, given one request at a time, and ended at any moment."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from errno import ENOENT

from kolors_mcp.images.formats.content import SLICE, Content, FileContent
from kolors_mcp.images.worker.channel import HANDS_OVER, Channel, EndedError
from kolors_mcp.images.worker.messages import TAKEN, Answer, Done, Given, MalformedError, Request, answer_of

MODULE = "kolors_mcp.images.worker"
"""What it runs."""
_KEPT = (
    "COVERAGE_PROCESS_CONFIG",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPYCACHEPREFIX",
    "SYSTEMROOT",
    "WINDIR",
    "__PYVENV_LAUNCHER__",
)
"""Variables without which a Python may not find itself or its libraries. No other reaches the process, so no key."""
_MAX_EXIT_SECONDS = 1.0
"""Seconds that an idle process has to end by itself."""


class NotTakenError(Exception):
    """The process was gone before it had the whole request, so that no picture can be why."""


class Process:
    """A process that decodes, and what is said to it. Everything but `kill` blocks, so it belongs into a thread.

    Args:
        executable: The Python that runs it.
        hands_over: Whether open files are handed over; their bytes are sent otherwise.
    """

    def __init__(self, *, executable: str = sys.executable, hands_over: bool = HANDS_OVER) -> None:
        self._executable = executable
        self._hands_over = hands_over
        self._lock = threading.Lock()
        self._killed = False
        self._busy = False
        self._running: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self.serves = False
        """Whether it ever took a request."""

    def __del__(self) -> None:
        self.kill()
        self.end()

    @property
    def pid(self) -> int | None:
        """Its number, if it runs."""
        return self._running.pid if self._running is not None else None

    @property
    def alive(self) -> bool:
        """Whether it can be given something: it has not ended, or was not even started."""
        return not self._killed and (self._running is None or self._running.poll() is None)

    def run(self, request: Request, contents: Sequence[Content]) -> Answer | None:
        """Have a request done; None if the process ended over it, which also ends what is left of it.

        Raises:
            OSError: It cannot be started.
            NotTakenError: It ended before.
            RefusalError: A content cannot be read.
        """
        settled = taken = False
        with self._lock:
            self._busy = True
        try:
            channel = self._channel or self._start()
            self._hand_over(channel, request, contents)
            self.serves = taken = True
            answer = _answered(channel)
            settled = True
        except (EndedError, MalformedError) as error:
            if not taken:
                raise NotTakenError from error
            return None
        finally:
            with self._lock:
                self._busy = False
            if not settled or self._killed:
                self.kill()
                self.end()
        return answer

    def kill(self) -> None:
        """End it at once, whatever it does; from any thread, without waiting."""
        with self._lock:
            self._killed = True
            if self._running is not None:
                self._running.kill()

    def end(self) -> None:
        """Let it go, and wait until it is gone; one at work is killed; whatever waits for its answer does the rest."""
        with self._lock:
            self._killed = True  # from here on it is given nothing
            if self._busy:
                if self._running is not None:
                    self._running.kill()
                return
            running, channel = self._running, self._channel
            self._running = self._channel = None
        if channel is not None:
            channel.close()
        if running is not None:
            try:
                running.wait(_MAX_EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()

    def _start(self) -> Channel:
        if not self._executable:
            raise FileNotFoundError(ENOENT, "the Python that runs us has no name")
        with self._lock:
            if self._killed:
                raise EndedError
            if self._hands_over:
                ours, theirs = socket.socketpair()
                with ours, theirs:
                    self._running = self._popen(theirs.fileno(), subprocess.DEVNULL)
                    end = ours.detach()
                    os.set_blocking(end, True)
                    self._channel = Channel(end, end)
            else:
                with ExitStack() as opened:
                    their_in, our_out = _pipe(opened)
                    our_in, their_out = _pipe(opened)
                    self._running = self._popen(their_in, their_out)
                    self._channel = Channel(os.dup(our_in), os.dup(our_out))
            return self._channel

    def _popen(self, standard_input: int, standard_output: int) -> "subprocess.Popen[bytes]":
        # What decoders and libraries print goes nowhere: a pipe that is not read would stop them one day.
        return subprocess.Popen(  # noqa: S603  (our own module, run by the Python that runs us)
            (self._executable, "-P", "-m", MODULE),
            stdin=standard_input,
            stdout=standard_output,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd=os.path.dirname(os.path.abspath(self._executable)) or None,  # noqa: PTH100, PTH120  (plain text does)
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    @staticmethod
    def _hand_over(channel: Channel, request: Request, contents: Sequence[Content]) -> None:
        """Return when the process has said that it has everything."""
        streamed: list[Content] = []
        with ExitStack() as lent:
            files: list[int] = []
            pictures: list[Given] = []
            for given, content in zip(request.pictures, contents, strict=True):
                handed = False
                if channel.hands_over and isinstance(content, FileContent):
                    handed = True
                    files.append(content.duplicate())
                    lent.callback(os.close, files[-1])
                else:
                    streamed.append(content)
                pictures.append(replace(given, handed=handed))
            channel.send(replace(request, pictures=tuple(pictures)).to_wire(), files)
        for content in streamed:
            for start in range(0, content.size, SLICE):
                channel.write(content.read(start, SLICE))
        if bytes(channel.read(len(TAKEN))) != TAKEN:
            raise MalformedError


def _answered(channel: Channel) -> Answer:
    answer, size = answer_of(channel.receive())
    if not isinstance(answer, Done):
        return answer
    return Done(channel.read(size), answer.notes, answer.shrunk)


def _pipe(opened: ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        opened.callback(os.close, end)
    return ends


def environment(path: Iterable[str] | None = None) -> dict[str, str]:
    """Return all variables that the process has: a few by name, and our search path, however we came by it."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    entries = [entry for entry in (sys.path if path is None else path) if os.path.isabs(entry)]  # noqa: PTH117  (text)
    kept["PYTHONPATH"] = os.pathsep.join(entries)
    return kept


Start = Callable[[], Process]
