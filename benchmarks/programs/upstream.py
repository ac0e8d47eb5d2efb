"""A Kling as cheap as it gets, for measuring: raw sockets, no checks, canned answers; also a shop with pictures.

`python -m benchmarks.programs.upstream LATENCY FOLDER [FIRST]` prints its port and serves until its input closes.
Creates are answered after LATENCY seconds, with ids that begin with the digit FIRST (1); `GET /shop/NAME` serves the
file NAME of FOLDER. Tasks whose id begins with a 7 are finished.
"""

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path

latency = float(sys.argv[1])
folder = Path(sys.argv[2])
first = int(sys.argv[3]) * 10**17 if len(sys.argv) > 3 else 10**17
made: dict[str, int] = {}
reads = 0


def task(task_id: str, status: str) -> dict[str, object]:
    now = int(time.time() * 1000)
    return {"task_id": task_id, "task_status": status, "created_at": now, "updated_at": now}


def answer(data: object) -> bytes:
    body = json.dumps({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def state_of(task_id: str, head: bytes) -> dict[str, object]:
    if not task_id.startswith("7"):
        return task(task_id, "processing")
    host = head.lower().split(b"host: ")[1].split(b"\r\n")[0].decode()
    images = [{"index": 0, "url": f"http://{host}/shop/0-1MB.jpg"}]
    return task(task_id, "succeed") | {"task_result": {"images": images}}


PAGE = answer(
    [
        task(str(10**17 + number), "succeed")
        | {"task_result": {"images": [{"index": 0, "url": f"https://cdn.example/{number}.png?sign={'a' * 60}"}]}}
        for number in range(500)
    ]
)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global reads  # noqa: PLW0603  (a counter of one small program)
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b" ", 2)
            if method == b"POST":
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                while length:
                    length -= len(await reader.read(min(length, 1 << 20)))
                await asyncio.sleep(latency)
                made[f"{first + len(made)}"] = 0
                writer.write(answer(task(f"{first + len(made) - 1}", "submitted")))
            elif path.startswith(b"/shop/"):
                data = (folder / path[6:].split(b"?")[0].decode()).read_bytes()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\n\r\n" % len(data))
                writer.write(data)
            elif path == b"/reads":
                writer.write(answer({"reads": reads, "creates": len(made)}))
            elif b"?" in path:
                writer.write(PAGE)
            else:
                reads += 1
                writer.write(answer(state_of(path.rpartition(b"/")[2].decode(), head)))
            await writer.drain()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
