"""A slow line on this machine: takes connections and passes on what comes, so many bits a second and so much later.

`python -m benchmarks.programs.slow_line PORT MEGABITS LATENCY` prints the port of its near end and serves until its
input closes. Each direction has the rate, whatever the number of connections; half of the latency is one way.
"""

import asyncio
import sys
from contextlib import suppress

port, rate, delay = int(sys.argv[1]), float(sys.argv[2]) * 1e6 / 8, float(sys.argv[3]) / 2

PACKET = 16_384
"""Bytes that are read at once: 6.5 ms of 20 Mbit/s, below the latency."""
BUFFER = 65_536
AHEAD = 0.1
"""Seconds of data that wait at the near end, as before any line, so that it is never idle when this program is late."""


class Direction:
    """One of the two, with the moment at which all that was given to it has left."""

    def __init__(self) -> None:
        self.free_at = 0.0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one end sends, until it ends."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._arrive(under_way, writer))
            data = b"-"
            while data:
                with suppress(ConnectionError):
                    data = await reader.read(PACKET)
                now = asyncio.get_running_loop().time()
                self.free_at = max(self.free_at, now) + len(data) / rate
                await asyncio.sleep(self.free_at - now - AHEAD)
                under_way.put_nowait((self.free_at + delay, data))

    async def _arrive(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        data = b"-"
        while data:
            at, data = await under_way.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            with suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
        writer.close()


there, back = Direction(), Direction()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=BUFFER)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(there.carry(reader, far_writer))
        tasks.create_task(back.carry(far_reader, writer))


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=BUFFER)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
