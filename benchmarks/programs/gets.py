"""Someone who looks at a try-on now and then: `python -m benchmarks.programs.gets NAME PAUSE PORT...`.

It begins when it has got the try-on once, which it says with a line; at the end of its input it prints, as JSON, the
seconds that each get took. A process of its own: in one with whoever sends pictures it would measure their sending.
"""

import asyncio
import json
import sys

from benchmarks.over_http import Connections, get_of

name, pause, ports = sys.argv[1], float(sys.argv[2]), [int(port) for port in sys.argv[3:]]


async def main() -> None:
    connections = Connections(ports)
    await connections.call("get_try_on", *get_of(name))
    connections.seconds.clear()
    print("begun", flush=True)
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    while not end.done():
        await connections.call("get_try_on", *get_of(name))
        await asyncio.wait([end], timeout=pause)
    print(json.dumps(connections.seconds), flush=True)


asyncio.run(main())
