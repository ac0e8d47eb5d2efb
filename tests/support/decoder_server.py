"""Forks the processes that decode pictures from one that has made their imports, and only theirs.

`python -P -m tests.support.decoder_server NUMBER` listens at the socket with this number until its standard input ends.
What a fork is given, and who asks for one, stands in `forked_decoders.py`; what the tests prove by this, and what not,
in docs/decisions/0011-programs-of-tests-are-forked.md.
"""

import atexit
import gc
import json
import os
import runpy
import selectors
import socket
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import NoReturn

import kolors_mcp
from tests.support.forked_ending import Ending

AT_THE_START = ("COVERAGE", "DYLD_", "LD_", "PYTHON")
"""How variables begin that are read before a program's first line, so that a fork cannot hear of another value."""
ITS_OWN = "PYTHONPATH"
"""But this one, which a fork has to be given."""
OWN = b"own"
"""The answer that leaves a process to whoever asks for it."""
MOST_BYTES = 200_000
"""Of an order: few variables, of which the search path is the longest."""
WORKER = "kolors_mcp.images.worker.__main__"


@dataclass(frozen=True)
class Order:
    """A process that is asked for."""

    module: str
    package: str
    """Where the asker's copy of what is tested lies."""
    environment: dict[str, str]
    streams: list[int]
    """Standard input, output and error."""


class DecoderServer:
    """Forks a process for each message to the listening socket, and tells whoever asked for it which it is."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._environment = read_at_the_start(os.environ)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(0, selectors.EVENT_READ, self._end)

    def serve(self) -> Order:
        """Return in each fork, with what it is to be."""
        while True:
            for key, _ in self._selector.select():
                order = key.data()
                if order is not None:
                    return order

    def _accept(self) -> None:
        """Let somebody ask; a program that a test has stopped at this moment keeps no other waiting."""
        asker, _ = self._listener.accept()
        self._selector.register(asker, selectors.EVENT_READ, partial(self._begin, asker))

    def _begin(self, asker: socket.socket) -> Order | None:
        """Fork a process; return its order in the fork."""
        self._selector.unregister(asker)
        with asker:
            order = received(asker)
            if order is None:
                return None
            if read_at_the_start(order.environment) != self._environment or order.package != kolors_mcp.__file__:
                close(order.streams)
                asker.sendall(OWN)
                return None
            number = os.fork()
            if number == 0:
                self._let_go()
                return order
            close(order.streams)
            # It was not waited for yet, so the number is still its own.
            process = os.pidfd_open(number)
            self._selector.register(process, selectors.EVENT_READ, partial(self._reap, number, process))
            # Whoever asked may be gone, and with it the other ends of the streams, by which the process ends.
            with suppress(OSError):
                socket.send_fds(asker, [b"%d" % number], [process])
        return None

    def _let_go(self) -> None:
        """Close, in a fork, all but the standard streams."""
        for key in self._selector.get_map().values():
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            elif key.fd:
                os.close(key.fd)
        self._selector.close()

    def _reap(self, number: int, process: int) -> None:
        os.waitpid(number, 0)
        self._selector.unregister(process)
        os.close(process)

    @staticmethod
    def _end() -> NoReturn:
        """End; the processes end with those who asked for them."""
        os._exit(0)


def received(asker: socket.socket) -> Order | None:
    """Read what `forked_decoders.py` wrote; None if it was killed before."""
    written, streams, _, _ = socket.recv_fds(asker, MOST_BYTES, 3)
    if len(streams) < 3:
        close(streams)
        return None
    module, package, environment = json.loads(written)
    return Order(module, package, environment, list(streams))


def read_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_THE_START) and name != ITS_OWN}


def close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def become(order: Order, own_path: list[str]) -> None:
    """Be as a new interpreter with these variables would be before its first line."""
    for stream, descriptor in enumerate(order.streams):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    # The interpreter itself sets this one where no other says which letters there are; it was not given.
    letters = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update(letters | order.environment)
    sys.path[:] = dict.fromkeys([*filter(None, order.environment[ITS_OWN].split(os.pathsep)), *own_path])


def run(module: str) -> None:
    """Do what `python -m MODULE` does."""
    sys.argv = [""]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Load what decodes, fork, and do in the fork what `python -P -m MODULE` does."""
    given = os.environ[ITS_OWN].split(os.pathsep)
    own_path = [entry for entry in sys.path if entry not in given]
    ending = Ending()
    # What is registered first is done last.
    atexit.register(ending.end)
    import_module(WORKER)
    ending.loaded |= sys.modules
    # So that the forks have little to copy.
    gc.freeze()
    order = DecoderServer(socket.socket(fileno=int(sys.argv[1]))).serve()
    become(order, own_path)
    ending.run(partial(run, order.module))


if __name__ == "__main__":
    main()
