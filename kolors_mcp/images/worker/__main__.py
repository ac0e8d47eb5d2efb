"""The decoding process: takes one request after the other from the server that started it, and ends with it."""

import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Sequence

from kolors_mcp.images.formats.content import Content, FileContent, MemoryContent
from kolors_mcp.images.worker import boundaries
from kolors_mcp.images.worker.channel import Channel, EndedError
from kolors_mcp.images.worker.jobs import perform
from kolors_mcp.images.worker.messages import TAKEN, Answer, Done, MalformedError, Request

_LEFT_ALONE = 70
"""Exit status of a process whose server went away in the middle of a job."""


def main() -> int:
    """Work until the server closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches both; the server decides
    channel = _channel()
    boundaries.set_once()
    while True:
        try:
            header, files = channel.receive_with_files()
            request = Request.from_wire(header)
            answer = _answer(channel, request, files)
            channel.send(answer.header())
            if isinstance(answer, Done):
                channel.write(answer.data)
        except (EndedError, MalformedError):
            boundaries.lift()
            return 0


def _channel() -> Channel:
    """Take over what the server talks on, so that nothing else of this process can talk on it."""
    reading = os.dup(0)
    writing = reading if stat.S_ISSOCK(os.fstat(0).st_mode) else os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    if hasattr(select, "poll"):
        threading.Thread(target=_end_with_the_server, args=(reading,), daemon=True).start()
    return Channel(reading, writing)


def _end_with_the_server(reading: int) -> None:
    """End at once when the server is gone, also in the middle of a decoder."""
    watched = select.poll()
    watched.register(reading, 0)  # hanging up is always told
    watched.poll()
    threading.Event().wait(1)  # between two jobs the process ends by itself, in good order
    os._exit(_LEFT_ALONE)


def _answer(channel: Channel, request: Request, files: list[int]) -> Answer:
    contents: list[Content] = []
    try:
        contents += _contents(channel, request, files)
        channel.write(TAKEN)
        boundaries.set_for(request)
        return perform(request, contents)
    finally:
        boundaries.rest()
        for content in contents:
            content.close()
        for left in files:
            os.close(left)


def _contents(channel: Channel, request: Request, files: list[int]) -> Sequence[Content]:
    contents: list[Content] = []
    for given in request.pictures:
        if given.handed:
            contents.append(FileContent(files.pop(0), given.size))
        else:
            contents.append(MemoryContent(channel.read(given.size)))
    return contents


if __name__ == "__main__":
    sys.exit(main())
