"""Runs the programs of tests without what their imports cost: each is a fork of one process that has made them all.

`python fork_server.py NUMBER PYTHON` listens at the socket with this number until its standard input ends. `forked.py`
stands in for a program and is what a test sees of it; the command PYTHON starts it. What the tests prove by
this, and what not, stands in docs/decisions/0011-programs-of-tests-are-forked.md.
"""

import atexit
import ctypes
import gc
import io
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from unittest.mock import patch

import kolors_mcp

if TYPE_CHECKING:
    from kolors_mcp.server.tool import TryOnTool

LIBRARIES = (
    "anyio._backends._asyncio",
    "argparse",
    "encodings.idna",
    "jsonschema",
    "mcp.client.stdio",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "uvicorn.lifespan.off",
    "uvicorn.lifespan.on",
)
"""What a program loads only once it needs it, and no module of the package on its first lines."""
AT_THE_START = ("COVERAGE", "LANG", "LC_", "LD_", "PYTHON")
"""How variables begin that are read before a program's first line, so that a fork cannot hear of another value."""


@dataclass(frozen=True)
class Order:
    """A program that is asked for."""

    folder: str
    arguments: list[str]
    environment: dict[str, str]
    streams: list[int]
    """Standard input, output and error."""


@dataclass(frozen=True, eq=False)
class Program:
    """One that runs."""

    number: int
    stand_in: socket.socket
    """The connection to what a test takes for the program."""
    alive: int
    """A pipe whose other end is only the program's, so that it ends when the program does."""
    note: Path
    """Has its number, for whoever knows only the one of its stand-in."""


class ForkServer:
    """Forks a process for each connection to the listening socket, and keeps both together."""

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        self._listener = listener
        self._folder = folder
        self._running: set[Program] = set()
        self._environment = read_at_the_start(os.environ)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._begin)
        self._selector.register(0, selectors.EVENT_READ, self._end)

    def serve(self) -> Order:
        """Return in each fork, with what it is to be."""
        while True:
            for key, _ in self._selector.select():
                order = key.data()
                if order is not None:
                    return order

    def _begin(self) -> Order | None:
        """Fork a program; return its order in the fork."""
        stand_in, _ = self._listener.accept()
        order = received(stand_in)
        if order is None:
            stand_in.close()
            return None
        if read_at_the_start(order.environment) != self._environment:
            with stand_in:
                stand_in.sendall(b"own")
            close(order.streams)
            return None
        alive, theirs = os.pipe()
        note = note_of(self._folder, number_of(stand_in))
        number = os.fork()
        if number == 0:
            note.write_text(str(os.getpid()))
            self._selector.close()
            self._listener.close()
            for other in self._running:
                other.stand_in.close()
            stand_in.close()
            close([alive, *(other.alive for other in self._running)])
            return order
        close([theirs, *order.streams])
        program = Program(number, stand_in, alive, note)
        self._running.add(program)
        self._selector.register(stand_in, selectors.EVENT_READ, partial(self._hear, program))
        self._selector.register(alive, selectors.EVENT_READ, partial(self._reap, program))
        return None

    def _hear(self, program: Program) -> None:
        """Pass on an interrupt; kill the program if its stand-in was killed."""
        if program not in self._running:
            return
        said = program.stand_in.recv(1)
        if not said:
            self._selector.unregister(program.stand_in)
            program.stand_in.close()
        os.kill(program.number, signal.SIGINT if said else signal.SIGKILL)

    def _reap(self, program: Program) -> None:
        """Let the stand-in end as the program did."""
        _, status = os.waitpid(program.number, 0)
        self._running.remove(program)
        program.note.unlink(missing_ok=True)
        self._selector.unregister(program.alive)
        os.close(program.alive)
        if program.stand_in.fileno() < 0:
            return
        self._selector.unregister(program.stand_in)
        with program.stand_in, suppress(BrokenPipeError):  # killed in this moment
            program.stand_in.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))

    def _end(self) -> NoReturn:
        """Leave nothing behind, however the tests have ended."""
        for program in self._running:
            os.kill(program.number, signal.SIGKILL)
            os.waitpid(program.number, 0)
        shutil.rmtree(self._folder)
        sys.exit()


def number_of(stand_in: socket.socket) -> int:
    """Return the number of the process at the other end."""
    number, _user, _group = struct.unpack("3i", stand_in.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return number


def note_of(folder: Path, stand_in: int) -> Path:
    """Where it stands which process runs the program of a stand-in."""
    return folder / f"program-of-{stand_in}"


def read_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_THE_START)}


def received(stand_in: socket.socket) -> Order | None:
    """Read what `forked.py` wrote; None if it could not write all of it."""
    length, streams, _, _ = socket.recv_fds(stand_in, 4, 3)
    size = int.from_bytes(length, "big")
    written = stand_in.recv(size, socket.MSG_WAITALL)
    if len(length) < 4 or len(written) < size:
        close(streams)
        return None
    folder, count, *texts = map(os.fsdecode, written.split(b"\0"))
    arguments, pairs = texts[: int(count)], texts[int(count) :]
    return Order(folder, arguments, dict(pair.split("=", 1) for pair in pairs), list(streams))


def close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def become(order: Order, executable: str) -> None:
    """Be as a new interpreter in its own session would be before its first line."""
    # What the program runs by the interpreter that runs itself is forked as well.
    sys.executable = executable
    os.setsid()
    for stream, descriptor in enumerate(order.streams):
        os.dup2(descriptor, stream)
    close(order.streams)
    for name, stream in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        # Its own, whatever pytest has put in its place.
        old = getattr(sys, f"__{name}__")
        raw = io.FileIO(stream, old.mode, closefd=False)
        raw.name = f"<{name}>"
        opened = io.TextIOWrapper(
            raw if isinstance(old.buffer, io.RawIOBase) else type(old.buffer)(raw),
            encoding=old.encoding,
            errors=old.errors,
            newline="\n",
            line_buffering=old.line_buffering or os.isatty(stream),
            write_through=old.write_through,
        )
        opened.mode = old.mode  # pyright: ignore[reportAttributeAccessIssue]  (the interpreter does it too)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)


def run(arguments: list[str]) -> None:
    """Do what `python ARGUMENTS` does."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


def load() -> None:
    """Import all that a program may need, and keep it from the collector, so that the forks have little to copy."""
    # Hardly any of it becomes garbage, and looking for that takes a tenth of the time.
    gc.disable()
    packaged = (module.name for module in pkgutil.walk_packages(kolors_mcp.__path__, "kolors_mcp."))
    for name in (*packaged, *LIBRARIES):
        if not name.endswith(".__main__"):
            import_module(name)
    make_tools()
    fork_decoders()
    gc.freeze()
    gc.enable()


def make_tools() -> None:
    """Have the tools, and models that are built when they are first used: a quarter of what a short service takes."""
    from kolors_mcp.server import build  # noqa: PLC0415  (as all that is loaded: where that is asked for)
    from kolors_mcp.server.tool import TryOnTool  # noqa: PLC0415
    from kolors_mcp.settings import Settings  # noqa: PLC0415

    TryOnTool.of = made_once(TryOnTool.of)
    # A server itself would set up how this process writes its log.
    with patch.object(build, "TryOnServer"):
        for over_http in (False, True):
            build.build_server(Settings(), over_http=over_http)


def fork_decoders() -> None:
    """Let the processes in which programs decode be forks as well."""
    from forked_decoders import ForkedProcess, decoder_server  # noqa: PLC0415  (beside this file, which is run as a program)

    from kolors_mcp.images import pictures  # noqa: PLC0415  (as above)

    # While the variable says it, which not every program is given.
    decoder_server()
    pictures.Decoders = partial(pictures.Decoders, start=ForkedProcess)  # pyright: ignore[reportAttributeAccessIssue]


def made_once(really_of: "Callable[..., TryOnTool]") -> "Callable[..., TryOnTool]":
    """Make each tool once: the same function and title give the same tool, and each server has its own copy."""
    made: dict[tuple[object, str], TryOnTool] = {}

    def of(fn: Any, *, title: str, **more: Any) -> "TryOnTool":
        if (fn, title) not in made:
            made[fn, title] = really_of(fn, title=title, **more)
        return made[fn, title].model_copy()

    return of


if __name__ == "__main__":
    from forked_ending import Ending  # beside this file, which is run as a program

    ending = Ending()
    if "coverage" not in sys.modules:  # which begins earlier, so that it writes down what it saw later
        # What is registered first is done last: all else that belongs to the end still finds what it needs.
        atexit.register(ending.end)
    load()
    ending.loaded |= sys.modules
    # Held for ever.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(ending.loaded))
    number, stand_in = sys.argv[1:]
    ordered = ForkServer(socket.socket(fileno=int(number)), Path(stand_in).parent).serve()
    become(ordered, stand_in)
    ending.run(partial(run, ordered.arguments))
