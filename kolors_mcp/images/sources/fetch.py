"""Fetches a link that is not ours: public hosts only, within one deadline and a number of bytes."""

import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpcore
import httpx
from anyio import CapacityLimiter, to_thread

from kolors_mcp import __version__
from kolors_mcp.egress.allowed import AllowedHosts
from kolors_mcp.egress.certificates import trusted_certificates
from kolors_mcp.egress.proxies import Proxy, picture_proxy_for
from kolors_mcp.images import limits
from kolors_mcp.images.formats.sniff import HEAD_BYTES, is_page, kind_of
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.failures import failed, refused_by_status
from kolors_mcp.images.sources.links import check_link, join_link, show_host, web_port
from kolors_mcp.images.sources.network import PinnedBackend
from kolors_mcp.images.sources.page import main_picture
from kolors_mcp.images.sources.places import Lines
from kolors_mcp.images.sources.proxied import Connection, connection_through
from kolors_mcp.images.sources.waits import SLOW_SECONDS, Waits
from kolors_mcp.packing import PackingError, TooLargeError, packing_of, unpack
from kolors_mcp.wording import plain, quoted

if TYPE_CHECKING:
    from kolors_mcp.images.sources.pace import PacedStream

_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = (
    ("User-Agent", f"kolors-mcp/{__version__}"),
    ("Accept", "image/jpeg, image/png, image/webp, image/avif, image/*;q=0.8, */*;q=0.5"),
    # The bytes as they are: a few compressed kilobytes can inflate to any number.
    ("Accept-Encoding", "identity"),
)
_FIRST_ROOM_BYTES = 1_000_000
_PAGES_AT_ONCE = 2
"""Pages searched at once: each takes a core for some hundredths of a second."""


@dataclass(frozen=True)
class Fetched:
    """What a link led to."""

    data: bytearray
    label: str
    notes: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class FetchLimits:
    """What a fetch may cost."""

    seconds: float = limits.FETCH_SECONDS
    slow_seconds: float = SLOW_SECONDS
    data_bytes: int = limits.MAX_FETCHED_BYTES
    redirects: int = limits.MAX_REDIRECTS
    at_once: int = limits.MAX_FETCHES
    per_host: int = limits.MAX_FETCHES_PER_HOST


class Fetcher:
    """Asks without cookies and without credentials, with a connection of its own for each question.

    Args:
        backend: The way out.
        allowed_hosts: Entries of the setting, for those that may be fetched from at other ports than the usual ones.
        to_proxy: The way to a proxy, and what `KOLORS_FETCH_PROXY` says of it; without it there is none.
        ssl_context: Which certificates are trusted; the usual ones by default.
        costs: What a fetch may take.
    """

    def __init__(
        self,
        backend: PinnedBackend,
        allowed_hosts: Iterable[str],
        *,
        to_proxy: tuple[str, Callable[[str], PinnedBackend]] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        costs: FetchLimits | None = None,
    ) -> None:
        self._backend = backend
        self._allowed_hosts = AllowedHosts(allowed_hosts)
        self._to_proxy = to_proxy
        self._ssl_context = ssl_context
        self._limits = costs or FetchLimits()
        self._hosts = Lines(self._limits.per_host)
        self._searchers = CapacityLimiter(_PAGES_AT_ONCE)

    async def fetch(self, link: str, *, pages: bool = True, may_be_slow: bool = False) -> Fetched:
        """Return the picture behind `link`.

        Args:
            link: An http or https link.
            pages: Whether a web page stands for the picture it names as its main one.
            may_be_slow: Whether a slow server has all the time of the fetch.

        Raises:
            RefusalError: There is no such picture, or it may not be fetched.
        """
        waits = Waits(self._limits.seconds if may_be_slow else self._limits.slow_seconds)
        try:
            with anyio.fail_after(self._limits.seconds):
                return await self._fetch(link, self._backend.within(waits), pages=pages)
        except TimeoutError as error:
            raise RefusalError(
                f"was not delivered within {self._limits.seconds:g} seconds. Try again, or download it "
                "and give the file.",
                transient=True,
            ) from error

    async def _fetch(self, link: str, way: PinnedBackend, *, pages: bool) -> Fetched:
        url, data = await self._follow(check_link(link, self._allowed_hosts), way)
        head = bytes(data[:HEAD_BYTES])
        host = plain(show_host(url), 100)
        if kind_of(head) is not None or not is_page(head):
            return Fetched(data, host)
        if not pages:
            raise RefusalError("leads to a web page, not to a picture. Open the page and give the picture's own link.")
        named = await to_thread.run_sync(main_picture, bytes(data[: limits.MAX_PAGE_BYTES]), limiter=self._searchers)
        if named is None:
            raise RefusalError(
                f"leads to a web page at {quoted(show_host(url), 100)} that names no main picture. "
                "Open the page and give the picture's own link."
            )
        target = join_link(url, named.address)
        if url.scheme == "https" and target[:7].lower() == "http://":
            target = "https" + target[len("http") :]
        fetched = await self._fetch(target, way, pages=False)
        title = f", {quoted(named.title, 80)}" if plain(named.title) else ""
        note = f"the link is a web page at {host}{title}; the page's main picture, from {fetched.label}, was used"
        return replace(fetched, notes=(note, *fetched.notes), title=named.title)

    async def _follow(self, url: httpx.URL, way: PinnedBackend) -> tuple[httpx.URL, bytearray]:
        """Follow redirects by hand, each hop under the same rules."""
        for _ in range(self._limits.redirects + 1):
            host = url.raw_host.rstrip(b".").decode("ascii")
            async with self._hosts.place(host), self._answer(url, way) as response:
                if response.status not in _REDIRECTS:
                    return url, await self._body(url, response)
                location = _header(response, b"location")
            if location is None:
                raise RefusalError(f"is redirected by {quoted(show_host(url), 100)} to nowhere. Check the link.")
            following = check_link(join_link(url, location), self._allowed_hosts)
            if url.scheme == "https" and following.scheme == "http":
                raise RefusalError(
                    f"is redirected by {quoted(show_host(url), 100)} from https to http, which is not followed. "
                    "Download it and give the file."
                )
            url = following
        raise RefusalError(f"is redirected more than {self._limits.redirects} times. Give the link it ends at.")

    @asynccontextmanager
    async def _answer(self, url: httpx.URL, way: PinnedBackend) -> AsyncGenerator[httpcore.Response]:
        """Ask for the link; whatever goes wrong on the way is told in our words."""
        host = quoted(show_host(url), 100)
        proxy: Proxy | None = None
        try:
            proxy = self._proxy(url)
            context = await self._trusted() if url.scheme == "https" else None
            target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
            connection = await self._connection(target.origin, context, way, proxy)
            try:
                headers = [("Host", url.netloc.decode("ascii")), *_HEADERS]
                async with connection.stream("GET", target, headers=headers) as response:
                    yield response
            finally:
                with anyio.CancelScope(shield=True):
                    await connection.aclose()
        except RefusalError:
            raise
        except Exception as error:
            raise failed(error, host, proxy) from error

    def _proxy(self, url: httpx.URL) -> Proxy | None:
        """Return the proxy for a link. What the setting names is reached directly: it is on this network."""
        host, port = url.raw_host.decode("ascii"), web_port(url)
        if self._to_proxy is None or self._allowed_hosts.name(host, port) or self._allowed_hosts.cover(host):
            return None
        return picture_proxy_for(self._to_proxy[0], url.scheme, host, port)

    async def _connection(
        self, origin: httpcore.Origin, context: ssl.SSLContext | None, way: PinnedBackend, proxy: Proxy | None
    ) -> Connection:
        if proxy is None or self._to_proxy is None:
            return httpcore.AsyncHTTPConnection(origin, context, network_backend=way)
        way.judge_host(origin.host.decode("ascii"), origin.port)
        to_proxy = way.instead(self._to_proxy[1](proxy.host))
        proxy_context = await self._trusted() if proxy.scheme == "https" else None
        return connection_through(proxy, origin, to_proxy, context, proxy_context)

    async def _body(self, url: httpx.URL, response: httpcore.Response) -> bytearray:
        host = quoted(show_host(url), 100)
        if response.status != HTTPStatus.OK:
            raise refused_by_status(response.status, host)
        declared = (_header(response, b"content-length") or "").strip()
        announced = int(declared[:20]) if declared.isascii() and declared.isdigit() else 0
        if announced > self._limits.data_bytes:
            raise RefusalError(self._too_large())
        stream = cast("PacedStream", cast("Any", response).extensions["network_stream"])
        stream.begin_body(chunked=_header(response, b"transfer-encoding") is not None)
        # Room for all that is announced, at once: what grows bit by bit is moved about and leaves holes behind. But a
        # server that only announces gets none.
        data, filled = bytearray(min(announced, _FIRST_ROOM_BYTES)), 0
        async for chunk in response.aiter_stream():
            await stream.hand_over(len(chunk))
            if len(data) < filled + len(chunk) <= announced:
                data.extend(bytes(announced - len(data)))
            data[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
            if filled > self._limits.data_bytes:
                raise RefusalError(self._too_large())
        if not filled:
            raise RefusalError(f"is empty: {host} sent no bytes. Check the link.")
        del data[filled:]
        return await self._unpacked(data, _header(response, b"content-encoding") or "", host)

    async def _unpacked(self, data: bytearray, encoding: str, host: str) -> bytearray:
        """Return what came as it was before it was packed. Many servers name a packing and send the picture itself."""
        head = bytes(data[:HEAD_BYTES])
        if kind_of(head) is not None or is_page(head):
            return data
        try:
            if (packing := packing_of(encoding)) is not None:
                data = bytearray(await to_thread.run_sync(unpack, data, packing, self._limits.data_bytes))
        except TooLargeError:
            raise RefusalError(self._too_large()) from None
        except PackingError as error:
            raise RefusalError(f"{error}, as {host} sent it. Download it and give the file.") from None
        return data

    def _too_large(self) -> str:
        megabytes = self._limits.data_bytes / 1_000_000
        return f"is larger than {megabytes:g} MB. Ask for a smaller version, or give it as a file."

    async def _trusted(self) -> ssl.SSLContext:
        if self._ssl_context is None:  # reading the certificates takes tens of milliseconds
            self._ssl_context = await to_thread.run_sync(trusted_certificates)
        return self._ssl_context


def _header(response: httpcore.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)
