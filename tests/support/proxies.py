"""Proxies on this machine: one that speaks HTTP, with tunnels and without, and one that speaks SOCKS5.

Whatever they are asked for, they connect to `port` of this machine: who asks knows names, and they resolve them.
"""

import asyncio
import base64
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class ProxyServer:
    """What a proxy does, and what it was asked for."""

    port: int
    """Where it connects to."""
    status: bytes = b"200 Connection established"
    """What the HTTP one answers to a tunnel."""
    reply: int = 0
    """What the SOCKS one answers to a connection (RFC 1928)."""
    credentials: tuple[str, str] | None = None
    """The name and password that it wants."""
    at: int = 0
    """Where it listens."""
    asked: list[str] = field(default_factory=list[str])
    """`host:port` of each connection."""
    heads: list[bytes] = field(default_factory=list[bytes])
    """What the HTTP one was sent before each connection."""


@asynccontextmanager
async def http_proxy(port: int, inside: ssl.SSLContext | None = None) -> AsyncGenerator[ProxyServer]:
    """Run a proxy that speaks HTTP, encrypted if it has a certificate."""
    made = ProxyServer(port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        made.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        if made.credentials is not None:
            expected = base64.b64encode(":".join(made.credentials).encode())
            if b"proxy-authorization: basic " + expected.lower() not in head.lower():
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
        if method == b"CONNECT":
            made.asked.append(target.decode())
            writer.write(b"HTTP/1.1 " + made.status + b"\r\n\r\n")
            if made.status.startswith(b"2"):
                await _join((reader, writer), made.port)
        else:
            origin, _, path = target.removeprefix(b"http://").partition(b"/")
            made.asked.append(origin.decode())
            kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"proxy-")]
            await _join((reader, writer), made.port, b"\r\n".join(kept).replace(target, b"/" + path, 1))

    async with _listening(made, serve, inside):
        yield made


@asynccontextmanager
async def socks_proxy(port: int) -> AsyncGenerator[ProxyServer]:
    """Run a proxy that speaks SOCKS5."""
    made = ProxyServer(port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = (await _begun(reader, 2))[1]
        offered = await reader.readexactly(methods)
        wanted = 0 if made.credentials is None else 2
        if wanted not in offered:
            writer.write(b"\x05\xff")
            return
        writer.write(bytes((5, wanted)))
        if made.credentials is not None:
            name = await reader.readexactly((await _begun(reader, 2, version=1))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            known = (name.decode(), password.decode()) == made.credentials
            writer.write(bytes((1, not known)))
            if not known:
                return
        kind = (await _begun(reader, 4))[3]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        address = await reader.readexactly(length)
        host = address.decode() if kind == 3 else str(ip_address(address))
        made.asked.append(f"{host}:{struct.unpack('!H', await reader.readexactly(2))[0]}")
        writer.write(bytes((5, made.reply, 0, 1)) + bytes(6))
        if not made.reply:
            await _join((reader, writer), made.port)

    async with _listening(made, serve):
        yield made


async def _begun(reader: asyncio.StreamReader, size: int, version: int = 5) -> bytes:
    begun = await reader.readexactly(size)
    assert begun[0] == version
    return begun


@asynccontextmanager
async def _listening(made: ProxyServer, serve: Serve, inside: ssl.SSLContext | None = None) -> AsyncGenerator[None]:
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                await serve(reader, writer)
                await writer.drain()
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=inside)
    made.at = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _join(client: Streams, port: int, first: bytes = b"") -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    try:
        await asyncio.gather(_pass(client[0], writer), _pass(reader, client[1]))
    finally:
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()
