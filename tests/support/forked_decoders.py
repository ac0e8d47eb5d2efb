"""Processes that decode, forked from one that has made their imports: a start takes a tenth of a second otherwise."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from weakref import finalize

import kolors_mcp
from kolors_mcp.images.worker import process
from kolors_mcp.images.worker.process import Process

DECODERS = "TESTS_FORKING_DECODERS"
"""The variable that tells all processes of one run the socket of the server that they share; empty if there is none."""
OWN = b"own"
"""What the server says where a process has to be started; as in `decoder_server.py`, which is a program of its own."""
ROOT = str(Path(__file__).parents[2])


class ForkedDecoder(subprocess.Popen[bytes]):
    """A forked process, with all that a `Process` asks of the one that it has started."""

    def __init__(self, number: int, handle: int) -> None:
        self.pid = number
        self._ended = select.poll()
        self._ended.register(handle, select.POLLIN)
        self._handle = handle
        self._close = finalize(self, os.close, handle)

    def poll(self) -> int | None:
        """None while it runs; nobody asks for its code, which is its parent's to know."""
        return 0 if not self._close.alive or self._ended.poll(0) else None

    def wait(self, timeout: float | None = None) -> int:
        if self._close.alive and not self._ended.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("a forked decoder", timeout or 0)
        self._close()
        return 0

    def kill(self) -> None:
        if self._close.alive:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)


class ForkedProcess(Process):
    """One that decodes, forked where that is as good as a start."""

    def _popen(self, standard_input: int, standard_output: int) -> "subprocess.Popen[bytes]":
        place = decoder_server()
        made = forked(place, standard_input, standard_output) if place else None
        return made or super()._popen(standard_input, standard_output)


def forked(place: str, standard_input: int, standard_output: int) -> ForkedDecoder | None:
    """Have a process forked; None if it has to be started, since a variable or the package are not the server's."""
    order = json.dumps([process.MODULE, kolors_mcp.__file__, process.environment()]).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker, Path(os.devnull).open("wb") as nowhere:
        asker.connect(place)
        streams = [number if number >= 0 else nowhere.fileno() for number in (standard_input, standard_output, -1)]
        socket.send_fds(asker, [order], streams)
        number, handles, _, _ = socket.recv_fds(asker, 20, 1)
    if number == OWN:
        return None
    os.set_inheritable(handles[0], False)
    return ForkedDecoder(int(number), handles[0])


@cache
def decoder_server() -> str | None:
    """Return the socket of the server that forks; it is begun when it is first needed, and none where that is no good.

    Where coverage is measured, each interpreter's start is what does it.
    """
    if DECODERS in os.environ:
        return os.environ[DECODERS] or None
    if sys.platform != "linux" or any(name.startswith("COVERAGE_") for name in os.environ):
        return None
    return _begun()[1]


@cache
def _begun() -> tuple["subprocess.Popen[bytes] | None", str | None]:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # an old system
        return None, None
    # The path of a socket has about 100 characters.
    place = str(Path(tempfile.mkdtemp(prefix="kolors-decoders-", dir="/tmp")) / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(place)
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.support.decoder_server", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=Path(sys.executable).parent,
            env=process.environment([*sys.path, ROOT]),
            pass_fds=[listener.fileno()],
            # An interrupt from the keyboard ends the tests, and with them this process; nothing else does.
            start_new_session=True,
        )
    return server, place


def end_decoder_server() -> None:
    """End it, if this process has started it; what it has forked ends with whoever asked for it."""
    if _begun.cache_info().currsize:
        server, place = _begun()
        if server is not None and place is not None:
            server.communicate()
            # Whatever tidies that folder may have been there before.
            shutil.rmtree(Path(place).parent, ignore_errors=True)
        _begun.cache_clear()
    decoder_server.cache_clear()
