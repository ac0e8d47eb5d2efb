"""What a simulated Kling may call back: public addresses, and what KOLORS_ALLOWED_HOSTS allows.

The address of a callback is the assistant's choice, and this machine may stand inside a private network.
"""

import asyncio
from collections.abc import AsyncIterator

import httpcore
import httpx

from kolors_mcp.images.sources.network import NotPublicError, NotResolvedError, PinnedBackend


class GuardedTransport(httpx.AsyncBaseTransport):
    """Dials like the fetching of pictures: each address is judged, and the judged one dialled. Knows no proxy."""

    def __init__(self, allowed_hosts: frozenset[str]) -> None:
        """Open nothing.

        Args:
            allowed_hosts: What may be called besides public addresses, as in the settings.
        """
        self._backend = PinnedBackend(allowed_hosts)
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.ConnectError: Its address may not be called.
            httpx.TransportError: It could not be sent, or was not answered.
        """
        if self._pool is None:
            context = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
            self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=self._backend)
        target = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        try:
            answer = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    target,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except NotPublicError as error:
            raise httpx.ConnectError("not a public address", request=request) from error
        except NotResolvedError as error:
            raise httpx.ConnectError("no address", request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise httpx.TransportError(type(error).__name__, request=request) from error
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None


class _Body(httpx.AsyncByteStream):
    """The body of an answer; callbacks look at none, so it is only closed."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()
