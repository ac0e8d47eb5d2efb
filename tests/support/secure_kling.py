"""A Kling behind TLS, for tests of the way to it, and an environment that names no way."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests.support.raw_kling import ROW, raw_answer, said

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass
class SecureKling:
    """A Kling behind TLS whose authority is no known one, and what it was asked."""

    port: int
    authority: trustme.CA
    inside: ssl.SSLContext
    asked: list[bytes] = field(default_factory=list[bytes])

    def trust(self, file: Path) -> str:
        self.authority.cert_pem.write_to_path(file)
        return str(file)


@asynccontextmanager
async def secure_kling(*names: str) -> AsyncGenerator[SecureKling]:
    authority, inside = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(inside)  # pyright: ignore[reportUnknownMemberType]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            made.asked.append(head)
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b": 0")
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(raw_answer(said(ROW), Connection="close"))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=inside) as server:
        made = SecureKling(server.sockets[0].getsockname()[1], authority, inside)
        yield made


def forget_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave none of the variables in the environment."""
    for name in (*VARIABLES, *(name.lower() for name in VARIABLES)):
        monkeypatch.delenv(name, raising=False)
