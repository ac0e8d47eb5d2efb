"""Waiting: 200 waiters on 20 tasks, and how often they make the server ask Kling."""

import http.client
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.pipes import kolors, upstream

TASKS, WAITERS = 20, 200
SECONDS = 8


def main() -> dict[str, Any]:
    """Print how many reads reached the upstream, beside one per task and poll interval."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        upstream(0, Path(scratch)) as port,
        kolors(port, Path(scratch)) as server,
    ):
        server.result(server.call("get_try_on", {"task_id": "warm", "wait_seconds": 0}))
        already = _reads(port)
        begin, cpu = time.perf_counter(), server.cpu_seconds()
        calls = [
            server.call("get_try_on", {"task_id": f"8{number % TASKS:02}", "wait_seconds": SECONDS})
            for number in range(WAITERS)
        ]
        for number in calls:
            server.result(number)
        seconds, cpu = time.perf_counter() - begin, server.cpu_seconds() - cpu
        reads = _reads(port) - already
    print(f"\n{WAITERS} waiters on {TASKS} tasks for {SECONDS} s (took {seconds:.1f} s, {cpu:.2f} s of CPU)")
    print(f"  reads at the upstream: {reads}, that is {reads / TASKS:.1f} a task; a pause between two is 2 to 5 s")
    return {"reads_a_task": reads / TASKS, "cpu_seconds": cpu, "seconds": seconds}


def _reads(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/reads")
    reads = json.loads(connection.getresponse().read())["data"]["reads"]
    connection.close()
    return reads


if __name__ == "__main__":
    main()
