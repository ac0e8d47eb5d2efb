"""Stands in for `python`: a copy of this script, beside the fork server's socket, lets it run `python ARGUMENTS`.

This process is what a test sees of the program: it lends it its streams, passes on an interrupt, ends as it ends, and
takes it along when it is killed. It imports as little as can be, since every start of a program pays for it.
"""

import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, SOL_SOCKET, socket  # the module around it takes longer than all the rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIG_BLOCK, SIG_UNBLOCK, SIGINT, pthread_sigmask, signal
    from typing import NoReturn
else:
    from _signal import SIG_BLOCK, SIG_UNBLOCK, SIGINT, pthread_sigmask, signal

SCM_RIGHTS = 1
"""The number of the message that hands over open files, which the stubs do not know."""


def run(place: str, arguments: list[str]) -> int:
    """Have the program run; return the code of its end, negative for a signal, as `subprocess` has it."""
    if arguments[0] != "-m" and arguments[0].startswith("-"):
        become(arguments)
    texts = [os.getcwdb(), b"%d" % len(arguments), *map(os.fsencode, arguments)]  # noqa: PTH109  (pathlib is slow too)
    order = b"\0".join([*texts, *(name + b"=" + value for name, value in os.environb.items())])
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    server = socket(AF_UNIX, SOCK_STREAM)
    server.connect(place)

    def pass_on(_number: int, _frame: object) -> None:
        server.sendall(b"I")

    # An interrupt that comes while the order leaves is passed on after it.
    pthread_sigmask(SIG_BLOCK, (SIGINT,))
    server.sendmsg([len(order).to_bytes(4, "big")], [(SOL_SOCKET, SCM_RIGHTS, streams)])
    server.sendall(order)
    signal(SIGINT, pass_on)
    pthread_sigmask(SIG_UNBLOCK, (SIGINT,))
    answer = server.recv(4)
    if answer == b"own":
        become(arguments)
    if not answer:
        sys.exit("the fork server has ended")
    return int.from_bytes(answer, "big", signed=True)


def become(arguments: list[str]) -> "NoReturn":
    """Be an interpreter of one's own: an option, or a variable, says how it is to start."""
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  (the program that was asked for)


if __name__ == "__main__":
    code = run(os.path.join(os.path.dirname(__file__), "socket"), sys.argv[1:])  # noqa: PTH118, PTH120  (as above)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
