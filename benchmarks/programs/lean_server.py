"""The same work as kolors-mcp's, with the same packages and no care: a lean `MCPServer` that trusts everybody.

`python -m benchmarks.programs.lean_server PORT FILE` serves MCP over stdio. A create reads two files, takes their
SHA-256, writes a row that is on the disk before anything is sent, sends both over a connection of its own, marks the
row before the last piece leaves, and writes down the task. A get looks for the row, and asks.
"""

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pybase64
from mcp.server.mcpserver import MCPServer
from sqlalchemy import (
    Column,
    Engine,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)

PIECE = 192 * 1024
URL = f"http://127.0.0.1:{sys.argv[1]}/v1/images/kolors-virtual-try-on"
FRAME = b'{"human_image":"|","cloth_image":"|"}'
METADATA = MetaData()
ROWS = Table(
    "rows",
    METADATA,
    Column("digest", String, primary_key=True),
    Column("state", String),
    Column("task", String, index=True),
)
RESERVE = insert(ROWS)
CHANGE = update(ROWS).where(ROWS.c.digest == bindparam("which")).values(state=bindparam("now"), task=bindparam("made"))
FIND = select(ROWS).where(ROWS.c.task == bindparam("made"))


def opened(file: str) -> Engine:
    """Open the database; what is committed is on the disk."""
    engine = create_engine(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    METADATA.create_all(engine)
    return engine


engine = opened(sys.argv[2])
kept = httpx.AsyncClient(trust_env=False)
fresh = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
server = MCPServer("lean", version="1", log_level="WARNING")


async def write(statement: Any, values: dict[str, Any]) -> None:
    """Do one transaction."""

    def writing() -> None:
        with engine.begin() as connection:
            connection.execute(statement, values)

    await asyncio.to_thread(writing)


def found(task: str) -> bool:
    """Look for a row."""
    with engine.connect() as connection:
        return connection.execute(FIND, {"made": task}).one_or_none() is not None


def read(name: str) -> tuple[bytes, bytes]:
    """Return a file and its digest."""
    data = Path(name).read_bytes()
    return data, hashlib.sha256(data).digest()


async def body(digest: str, pictures: list[bytes]) -> AsyncIterator[bytes]:
    """Yield the JSON in pieces."""
    head, between, end = FRAME.split(b"|")
    for before, picture in zip((head, between), pictures, strict=True):
        yield before
        for start in range(0, len(picture), PIECE):
            yield pybase64.b64encode(memoryview(picture)[start : start + PIECE])
    await write(CHANGE, {"which": digest, "now": "posting", "made": None})
    yield end


async def create(names: list[str]) -> None:
    """Make a try-on."""
    looked = await asyncio.gather(*(asyncio.to_thread(read, name) for name in names))
    pictures = [data for data, _ in looked]
    digest = base64.b64encode(b"".join(each for _, each in looked)).decode()
    await write(RESERVE, {"digest": digest, "state": "sending", "task": None})
    length = len(FRAME) - 2 + sum((len(data) + 2) // 3 * 4 for data in pictures)
    answer = await fresh.post(URL, content=body(digest, pictures), headers={"Content-Length": str(length)})
    task = json.loads(answer.content)["data"]["task_id"]
    await write(CHANGE, {"which": digest, "now": "created", "made": task})


@server.tool()
async def work(call: dict[str, Any]) -> str:
    """Do a call."""
    if "files" in call:
        await create(call["files"])
    else:
        await asyncio.to_thread(found, call["get"])
        json.loads((await kept.get(f"{URL}/{call['get']}")).content)
    return "done"


if __name__ == "__main__":
    server.run("stdio")
