"""Links through a proxy: who resolves names, what is judged before it is asked, and what is said where it refuses."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
import trustme

from kolors_mcp.clock import Clock
from kolors_mcp.errors import NotConfiguredError, PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.settings import Settings
from tests.support.images_support import png
from tests.support.images_web import no_pause
from tests.support.network import Server, redirect, response
from tests.support.proxies import ProxyServer, http_proxy, socks_proxy

pytestmark = pytest.mark.anyio

PROXIES = {"http": http_proxy, "socks5": socks_proxy}


@asynccontextmanager
async def served() -> AsyncGenerator[tuple[Server, int]]:
    server = Server()
    server.answers = {"/a.png": response(png())}
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, server.serve)
        yield server, listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  (no Django here)
        tasks.cancel_scope.cancel()


async def said(link: str, proxy: str, **more: Any) -> str | None:
    """What is said about a link; none if it was fetched."""

    async def resolver(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host}:{port} is the proxy's to resolve")

    given: dict[str, Any] = {"fetch_proxy": proxy, "resolver": resolver, "clock": Clock(sleep=no_pause), **more}
    pictures = Pictures(folders=[], **given)
    try:
        await pictures.prepare(link, "cloth_image")
    except PictureRefusedError as error:
        return str(error)
    finally:
        await pictures.aclose()
    return None


@pytest.mark.parametrize("secret", [None, ("me", "s3cret")])
@pytest.mark.parametrize("scheme", PROXIES)
async def test_a_link_is_fetched_through_the_proxy_which_resolves_its_name(
    scheme: str, secret: tuple[str, str] | None
) -> None:
    async with served() as (server, port), PROXIES[scheme](port) as proxy:
        proxy.credentials = secret
        url = f"{scheme}://{'me:s3cret@' if secret else ''}127.0.0.1:{proxy.at}"
        assert await said("http://shop.example/a.png", url) is None
        assert [asked.removesuffix(":80") for asked in proxy.asked] == ["shop.example"]
        assert b"s3cret" not in server.requests[0]
        assert b"proxy-" not in server.requests[0].lower()


@pytest.mark.parametrize("scheme", PROXIES)
async def test_https_is_between_this_machine_and_the_server(scheme: str) -> None:
    authority = trustme.CA()
    inside, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("shop.example").configure_cert(inside)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType]
    async with served() as (_, port), http_proxy(port, inside) as secure, PROXIES[scheme](secure.at) as proxy:
        # The encrypted proxy stands for the server's own TLS: it passes on what it is sent.
        url = f"{scheme}://127.0.0.1:{proxy.at}"
        assert await said("https://shop.example/a.png", url, ssl_context=trusting) is None
        assert proxy.asked == ["shop.example:443"]
        assert b"GET /a.png" in secure.heads[0]
        refusal = await said("https://other.example/a.png", url, ssl_context=trusting)
        assert refusal is not None
        assert "its certificate is for another name" in refusal


@pytest.mark.parametrize("scheme", PROXIES)
@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/a.png",
        "https://127.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "http://198.18.0.5/a.png",
        "http://2130706433/a.png",
        "http://0x7f.1/a.png",
        "http://localhost/a.png",
        "http://metadata.google.internal/a.png",
        "http://intranet/a.png",
        "http://shop.example:22/a.png",
    ],
)
async def test_no_proxy_is_told_to_reach_what_is_inside(scheme: str, target: str) -> None:
    async with served() as (server, port), PROXIES[scheme](port) as proxy:
        url = f"{scheme}://127.0.0.1:{proxy.at}"
        assert await said(target, url, allowed_hosts=frozenset({"198.18.0.0/15", "127.0.0.0/8"})) is not None
        assert proxy.asked == proxy.heads == []
        server.answers["/to"] = redirect(target)
        assert await said("http://shop.example/to", url) is not None
        assert len(proxy.asked) == 1


async def test_a_host_that_the_setting_names_is_reached_directly() -> None:
    async with served() as (_, port), http_proxy(port) as proxy:
        url = f"http://127.0.0.1:{proxy.at}"
        link = f"http://127.0.0.1:{port}/a.png"
        assert await said(link, url, allowed_hosts=frozenset({f"127.0.0.1:{port}"})) is None
        assert proxy.asked == []


async def test_the_environment_says_for_whom_there_is_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)

    async def resolver(host: str, port: int) -> list[str]:
        del host, port
        return ["10.0.0.1"]

    async with served() as (_, port), http_proxy(port) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.at}")
        monkeypatch.setenv("NO_PROXY", ".corp.example")
        assert await said("http://shop.example/a.png", "env", resolver=resolver) is None
        refusal = await said("http://a.corp.example/a.png", "env", resolver=resolver)
        assert refusal is not None
        assert "does not lead to the public internet" in refusal, "without a proxy a name is judged as ever"
        assert proxy.asked == ["shop.example"]
        monkeypatch.setenv("ALL_PROXY", "ftp://me:s3cret@proxy.example")
        refusal = await said("http://shop.example/a.png", "env", resolver=resolver)
        assert refusal is not None
        assert "ALL_PROXY names a proxy that cannot be used here. Nothing was sent." in refusal
        assert "s3cret" not in refusal


async def test_a_proxy_that_refuses_is_told_with_what_it_says() -> None:
    cases: list[tuple[AbstractAsyncContextManager[ProxyServer], str, str, str]] = [
        (http_proxy(9), "http", "https://shop.example/a.png", "answered 403"),
        (socks_proxy(9), "socks5", "http://shop.example/a.png", "refused the connection (connection not allowed by"),
    ]
    for running, scheme, link, words in cases:
        async with running as proxy:
            proxy.status, proxy.reply = b"403 Forbidden", 2
            refusal = await said(link, f"{scheme}://127.0.0.1:{proxy.at}")
            assert refusal is not None
            assert f'from "shop.example": the proxy of KOLORS_FETCH_PROXY {words}' in refusal
    refusal = await said("http://shop.example/a.png", "socks5://127.0.0.1:1")
    assert refusal is not None
    assert "the proxy of KOLORS_FETCH_PROXY cannot be reached" in refusal


@pytest.mark.parametrize(
    "value", ["ftp://proxy.example", "http://me:s3cret@proxy.example:99999", "http://", "socks4://a"]
)
async def test_a_proxy_that_cannot_be_used_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(NotConfiguredError, match="KOLORS_FETCH_PROXY names a proxy that cannot be used") as refusal:
        Settings.from_env({"KOLORS_FETCH_PROXY": value})
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in repr(Settings.from_env({"KOLORS_FETCH_PROXY": "http://me:s3cret@proxy.example"}))
    assert Settings.from_env({"KOLORS_FETCH_PROXY": " ENV "}).fetch_proxy == "env"
