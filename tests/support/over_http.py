"""The real service as a process that listens on loopback, and how one speaks with it, also by hand."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.loopback_nginx import free_port
from tests.support import commands

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
TAKES = "application/json, text/event-stream"


@dataclass(frozen=True)
class Serving:
    """A service that runs."""

    process: subprocess.Popen[str]
    url: str
    """Of the MCP server, as the world reaches it."""
    port: int
    """Where it listens on loopback."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program itself, also where another process stands in for it."""
        os.kill(commands.program_of(self.process.pid), number)


@contextmanager
def serving(
    env: dict[str, str], cwd: Path, *arguments: str, really: bool = False, port: int | None = None
) -> Generator[Serving]:
    """The service, at a port of loopback; left out, a free one."""
    port = free_port() if port is None else port
    given = ("serve", "--http", "--port", str(port), *arguments)
    with commands.started(*given, env=env, cwd=cwd, really=really) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            assert process.stderr is not None
            raise AssertionError(f"The service did not start: {process.stderr.read()}")
        yield Serving(process, said.split()[-1], port)


@dataclass(frozen=True)
class Answer:
    """What a service answers to a request that was written by hand."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def words(self) -> str:
        """What a client of MCP shows of a refusal: the text of its error."""
        error: dict[str, Any] = json.loads(self.body)
        assert error.keys() == {"jsonrpc", "id", "error"}
        words: str = error["error"]["message"]
        return words


@contextmanager
def connected(service: Serving) -> Generator[socket.socket]:
    """A connection to it."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=commands.HANG_SECONDS) as connection:
        yield connection


def head_of(method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request, as it is written."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode()


def answer_on(connection: socket.socket) -> Answer:
    """Read one answer from a connection, to the length that it announces, or to the end of the connection."""
    held = b""
    while b"\r\n\r\n" not in held:
        piece = connection.recv(65536)
        assert piece, f"the connection ended after {held!r}"
        held += piece
    head, _, body = held.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    length = int(headers["content-length"]) if "content-length" in headers else None
    if status == 204:
        length = 0
    while (length is None or len(body) < length) and (piece := connection.recv(65536)):
        body += piece
    return Answer(status, headers, body.decode())


def asked(service: Serving, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Answer:
    """Send one request on a connection of its own; its Host is the right one unless `headers` have another."""
    named = {name.lower() for name, _ in headers}
    given = list(headers) if "host" in named else [("Host", service.host), *headers]
    if body:
        given.append(("Content-Length", str(len(body))))
    with connected(service) as connection:
        connection.sendall(head_of(method, path, given) + body)
        return answer_on(connection)


def spoken(method: str, params: dict[str, Any]) -> tuple[list[tuple[str, str]], bytes]:
    """A message of the protocol of 2026: its headers, and its body."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": ENVELOPE}}
    headers = [
        ("Content-Type", "application/json"),
        ("Accept", TAKES),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", method),
        *(("Mcp-Name", str(params[key])) for key in ("name", "uri") if key in params),
    ]
    return headers, json.dumps(message).encode()


def posted(service: Serving, method: str, params: dict[str, Any], *headers: tuple[str, str]) -> Answer:
    """Send one message of the protocol of 2026."""
    own, body = spoken(method, params)
    return asked(service, "POST", "/mcp", *headers, *own, body=body)
