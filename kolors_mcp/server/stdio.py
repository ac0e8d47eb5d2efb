"""Speaks with the host that started this process, over standard input and output."""

import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from kolors_mcp.server.lines import LineReader
from kolors_mcp.server.sdk import WriteStream
from kolors_mcp.server.surface import TryOnServer

Incoming = SessionMessage | Exception


async def serve_stdio(
    server: TryOnServer,
    *,
    begun: Callable[[anyio.CancelScope], None],
    closed: Callable[[], None],
    leave: Callable[[], NoReturn],
) -> None:
    """Serve until the host closes standard input, or until the serving is cancelled.

    Args:
        server: The server.
        begun: Is given the scope that cancels the serving.
        closed: Called when the host has closed standard input; what is under way is put away then.
        leave: Ends the process. Called once a cancelled serving has put everything away: a thread that waits for
            the host's next line cannot be stopped, and leaving in good order would wait for it.
    """
    # The SDK's reader has no bounds and answers nothing to what it cannot read, so it is given an empty file.
    with _standard_input() as descriptor:
        async with stdio_server(stdin=anyio.wrap_file(io.StringIO())) as (_, outgoing):
            given, incoming = anyio.create_memory_object_stream[Incoming](0)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_read, LineReader(descriptor), given, outgoing, closed)
                with anyio.CancelScope() as serving:
                    begun(serving)
                    await server.serve(incoming, outgoing)
                if serving.cancel_called:
                    leave()


async def _read(
    lines: LineReader,
    given: MemoryObjectSendStream[Incoming],
    outgoing: WriteStream[SessionMessage],
    closed: Callable[[], None],
) -> None:
    thread = CapacityLimiter(1)
    async with given:
        while (read := await to_thread.run_sync(lines.next, limiter=thread)) is not None:
            if isinstance(read, SessionMessage):
                await given.send(read)
            else:
                await outgoing.send(SessionMessage(read))
        closed()


@contextmanager
def _standard_input() -> Generator[int]:
    """Move standard input to another descriptor: code that reads the usual one meanwhile finds it empty."""
    theirs = sys.stdin.fileno()
    ours, nothing = os.dup(theirs), os.open(os.devnull, os.O_RDONLY)
    try:
        _put(nothing, theirs)
        yield ours
    finally:
        # `ours` stays open: a thread may still wait at it.
        _put(ours, theirs)
        os.close(nothing)


def _put(descriptor: int, place: int) -> None:
    os.dup2(descriptor, place)
    if sys.platform == "win32":
        from mcp.os.win32.utilities import rebind_std_handle_to_fd  # noqa: PLC0415  (exists there only)

        rebind_std_handle_to_fd(place)
