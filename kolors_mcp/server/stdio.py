"""Speaks with the host that started this process, over standard input and output."""

import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import NoReturn, Self, TextIO, cast

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import JSONRPCRequest

from kolors_mcp.server.handlers import TryOnServer
from kolors_mcp.server.lines import LineReader
from kolors_mcp.server.output import Output
from kolors_mcp.server.sdk import WriteStream
from kolors_mcp.threads import Threads

Incoming = SessionMessage | Exception
_DISCOVER, _INITIALIZE = "server/discover", "initialize"


async def serve_stdio(
    server: TryOnServer,
    *,
    on_begin: Callable[[anyio.CancelScope], None],
    on_closed: Callable[[], None],
    leave: Callable[[], NoReturn],
) -> None:
    """Serve until the host closes standard input, or until the serving is cancelled.

    Args:
        server: The server.
        on_begin: Is given the scope that cancels the serving.
        on_closed: Called when the host has closed standard input; what is under way is put away then.
        leave: Ends the process. Called once a cancelled serving has put everything away: a thread that waits for
            the host's next line cannot be stopped, and leaving in good order would wait for it.
    """
    # Code that reads the usual input meanwhile finds it empty; what it prints goes where the log goes, and at once: a
    # process that is ended in time loses what still waits in its buffers.
    with suppress(AttributeError):  # the program that started us may have put another stream there
        cast("io.TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
    with _moved(sys.stdin, _nothing()) as descriptor, _moved(sys.stdout, _log()) as way_out:
        # The SDK's reader has no bounds and answers nothing to what it cannot read, so it is given an empty file.
        async with stdio_server(anyio.wrap_file(io.StringIO()), Output(way_out)) as (_, outgoing):
            begin, conversations = anyio.create_memory_object_stream[MemoryObjectReceiveStream[Incoming]](0)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_read, LineReader(descriptor), begin, outgoing, on_closed)
                with anyio.CancelScope() as serving:
                    on_begin(serving)
                    async for incoming in conversations:
                        await server.serve(incoming, _SharedOutput(outgoing))
                if serving.cancel_called:
                    leave()
            # The task that writes it out waits for more until then.
            await outgoing.aclose()


async def _read(
    lines: LineReader,
    begin: MemoryObjectSendStream[MemoryObjectReceiveStream[Incoming]],
    outgoing: WriteStream[SessionMessage],
    on_closed: Callable[[], None],
) -> None:
    """Hand on the host's messages, as one conversation or, where the host changes its mind about the protocol, two.

    A client of 2026 asks first what this server is. One that also knows the older protocols gives up after a moment,
    a second for some, which a start on a busy machine can take; then it greets as they did. The SDK has settled
    on the protocol by then, so a greeting after nothing but that question begins anew.
    """
    thread = Threads(1)
    only_asked = False
    given: MemoryObjectSendStream[Incoming] | None = None
    try:
        async with begin:
            while (read := await thread.run(lines.next)) is not None:
                if not isinstance(read, SessionMessage):
                    await outgoing.send(SessionMessage(read))
                    continue
                method = read.message.method if isinstance(read.message, JSONRPCRequest) else None
                if given is None or (only_asked and method == _INITIALIZE):
                    if given is not None:
                        await given.aclose()
                    given, incoming = anyio.create_memory_object_stream[Incoming](0)
                    await begin.send(incoming)
                    only_asked = True
                if method is not None:
                    only_asked = only_asked and method == _DISCOVER
                await given.send(read)
    finally:
        if given is not None:
            given.close()
    on_closed()


class _SharedOutput:
    """Standard output, which stays open when one of the conversations over it ends."""

    def __init__(self, stream: WriteStream[SessionMessage]) -> None:
        self._stream = stream

    async def send(self, item: SessionMessage, /) -> None:
        await self._stream.send(item)

    async def aclose(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@contextmanager
def _moved(standard: TextIO, instead: int) -> Generator[int]:
    """Move a standard stream to another descriptor, which is yielded, and put `instead` into its place meanwhile."""
    standard.flush()
    place = standard.fileno()
    moved = os.dup(place)
    try:
        _put(instead, place)
        yield moved
    finally:
        standard.flush()
        # `moved` stays open: a thread may still wait at it.
        _put(moved, place)
        os.close(instead)


def _nothing() -> int:
    return os.open(os.devnull, os.O_RDONLY)


def _log() -> int:
    try:
        return os.dup(2)
    except OSError:  # a host may close it
        return os.open(os.devnull, os.O_WRONLY)


def _put(descriptor: int, place: int) -> None:
    os.dup2(descriptor, place)
    if sys.platform == "win32":
        from mcp.os.win32.utilities import rebind_std_handle_to_fd  # noqa: PLC0415  (exists there only)

        rebind_std_handle_to_fd(place)
