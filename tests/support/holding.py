"""A way to Kling on which a create waits when all but its end may have left: nothing of the end is taken in."""

import select
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

UNREAD_BYTES, SEGMENT_BYTES = 8192, 1400
"""What a connection takes in that nobody reads, and in which pieces; by itself it would be some megabytes.

Both ends together hold less than 150 kB then, so the end of anything longer stays with its sender.
"""


def narrow_listener() -> socket.socket:
    """Return a listening socket on a free port of loopback, whose connections take in only what is read."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


class Holding:
    """Passes on what servers and Kling say; holds up the first create until it is let go."""

    def __init__(self, origin: str) -> None:
        self._kling = (urlsplit(origin).hostname, urlsplit(origin).port)
        self._listener = narrow_listener()
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.begun, self.goes_on = threading.Event(), threading.Event()
        """Whether the first create has reached this place, and whether it goes on from here."""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self.goes_on.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                server, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._pass_on, args=(server,)))
            self._threads[-1].start()

    def _pass_on(self, server: socket.socket) -> None:
        with server, socket.create_connection(self._kling) as kling:
            if server.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) == b"POST" and not self.begun.is_set():
                self.begun.set()
                self.goes_on.wait()
            while True:
                for one in select.select([server, kling], [], [])[0]:
                    try:
                        said = one.recv(65536)
                        (kling if one is server else server).sendall(said)
                    except ConnectionError:
                        return
                    if not said:
                        return


@contextmanager
def holding(origin: str) -> Generator[Holding]:
    """Run one before a Kling; all servers that go by it have to have ended before the body does."""
    made = Holding(origin)
    try:
        yield made
    finally:
        made.close()
