"""A web server on this machine that stands for every public host."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
import trustme
from anyio.streams.tls import TLSListener

from kolors_mcp.clock import Clock
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.sources.fetch import FetchLimits
from tests.support.network import Network, Server


async def no_pause(_: float) -> None:
    """Come back at once."""


@dataclass
class Web:
    """A server on this machine that stands for all public hosts, and pictures fetched from it."""

    server: Server
    network: Network
    pictures: Pictures

    async def refused(self, path: str, host: str = "http://shop.example") -> str:
        with pytest.raises(PictureRefusedError) as refusal:
            await self.pictures.prepare(f"{host}{path}", "cloth_image")
        return str(refusal.value)


@asynccontextmanager
async def web(costs: FetchLimits | None = None, certificate_for: str | None = None) -> AsyncGenerator[Web]:
    """Run the server; with a certificate, if it is to speak TLS."""
    server, network, context = Server(), Network(), None
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    network.port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  (no Django here)
    serving: anyio.abc.Listener[anyio.abc.ByteStream] = listener
    if certificate_for is not None:
        authority, inside = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(certificate_for).configure_cert(inside)  # pyright: ignore[reportUnknownMemberType]
        serving = TLSListener(listener, inside, standard_compatible=False)
        # Reading the usual authorities as well takes longer than all else here.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
    pictures = Pictures(
        folders=[],
        resolver=network.resolver,
        connect=network.connect,
        costs=costs,
        ssl_context=context,
        clock=Clock(sleep=no_pause),
    )
    async with serving, anyio.create_task_group() as tasks:
        tasks.start_soon(serving.serve, server.serve)
        yield Web(server, network, pictures)
        await pictures.aclose()
        tasks.cancel_scope.cancel()
