"""The floor: the cheapest program that does the same work over the same pipe, without a single check.

`python -m benchmarks.programs.floor PORT` reads JSON lines, calls of `Raw.work` with an id, and writes a line with the
id when it is done.
"""

import asyncio
import json
import sys

from benchmarks.programs.raw import Raw

raw = Raw(int(sys.argv[1]))


async def handle(line: bytes) -> None:
    call = json.loads(line)
    await raw.work(call)
    sys.stdout.buffer.write(b'{"id":%d}\n' % call["id"])
    sys.stdout.buffer.flush()


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(handle(line))


asyncio.run(main())
