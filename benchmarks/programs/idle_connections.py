"""Clients that have called once and stay connected: `python -m benchmarks.programs.idle_connections PORT NUMBER`.

It prints how many connections it has, and at each line of its input how many of them are still open; it ends with its
input.
"""

import asyncio
import resource
import sys

port, number = int(sys.argv[1]), int(sys.argv[2])
AT_ONCE = 50
SPARE_FILES = 100
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port


async def connect(turn: asyncio.Semaphore) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with turn:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer


async def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(number + SPARE_FILES, hard), hard))
    turn = asyncio.Semaphore(AT_ONCE)
    connections = await asyncio.gather(*(connect(turn) for _ in range(number)))
    print(len(connections), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        await asyncio.sleep(0)
        print(sum(not reader.at_eof() for reader, _ in connections), flush=True)


asyncio.run(main())
