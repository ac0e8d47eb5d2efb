"""A relay before a real PostgreSQL, which loses the connection of a ledger at the moment of a commit."""

import select
import socket
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.support.postgres import PREFIX, SHORT, Postgres

Moment = Literal["before", "after"]
"""Of the commit: the server never hears of it, or the ledger never hears that it was done."""
SOCKET = ".s.PGSQL.5432"
COMMITS = b"COMMIT\0", b"UPDATE "
"""What commits: a transaction, or a statement that comes without one."""


class Relay:
    """Passes on what a ledger and its server say, each connection in a thread of its own."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self._server = server
        self.url = server.empty().replace(str(server.folder), str(folder))
        self._next_cut: Moment | None = None
        self.cuts = self.trips = 0
        """How many were lost, and how often the ledger has asked something and waited for the answer."""
        self.is_away = False
        """Whether new connections are ended at once, as those of a server that restarts."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self, moment: Moment) -> None:
        """Lose the connection over which the next commit comes."""
        self._next_cut = moment

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._pass_on, args=(client,)))
            self._threads[-1].start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self._server.folder / SOCKET))
            awaited = False
            while not self.is_away:
                for one in select.select([client, server], [], [])[0]:
                    said = one.recv(65536)
                    if not said or (one is server and awaited):
                        return
                    self.trips += one is client
                    if one is client and self._next_cut is not None and any(word in said for word in COMMITS):
                        moment, self._next_cut = self._next_cut, None
                        self.cuts += 1
                        if moment == "before":
                            return
                        awaited = True
                    (server if one is client else client).sendall(said)


@contextmanager
def relay(server: Postgres) -> Generator[Relay]:
    """Run a relay before a new, empty schema; all ledgers have to be closed before the body ends."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=SHORT) as folder:
        made = Relay(server, Path(folder))
        try:
            yield made
        finally:
            made.close()
