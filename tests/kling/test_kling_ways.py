"""The way to Kling: through proxies of both kinds, and with certificates of a network's own."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from kolors_mcp import errors
from kolors_mcp.clock import Clock
from kolors_mcp.egress.proxies import proxy_for
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.settings import Credentials
from tests.support.making import BytesPicture
from tests.support.proxies import http_proxy, socks_proxy
from tests.support.secure_kling import forget_ways, secure_kling

pytestmark = pytest.mark.anyio

KEY = Credentials(api_key=SecretStr("key"))
UNTRIED_AGAIN = Clock(jitter=lambda: 1e6)
NAME, PASSWORD = "user@corp", "s3:cret/é"
WRITTEN = "user%40corp:s3%3Acret%2F%C3%A9"


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_ways(monkeypatch)


async def created(origin: str) -> str:
    """What is answered to a create: the task's id, or why not."""
    client = KlingClient(origin, lambda: KEY, clock=UNTRIED_AGAIN)
    try:
        # The reference makes the client ask first whether this Kling knows any.
        return (await client.create(CreateRequest(BytesPicture(), BytesPicture()))).id
    except errors.UnreachableError as error:
        return str(error)
    finally:
        await client.aclose()


@pytest.mark.parametrize("secret", [None, (NAME, PASSWORD)])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h", "socks"])
async def test_kling_is_reached_through_a_proxy_which_resolves_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str, secret: tuple[str, str] | None
) -> None:
    async with secure_kling("kling.example", "127.0.0.1") as kling:
        running = (
            socks_proxy(kling.port)
            if scheme.startswith("socks")
            else http_proxy(kling.port, kling.inside if scheme == "https" else None)
        )
        async with running as proxy:
            proxy.credentials = secret
            monkeypatch.setenv("ALL_PROXY", f"{scheme}://{WRITTEN + '@' if secret else ''}127.0.0.1:{proxy.at}")
            monkeypatch.setenv("SSL_CERT_FILE", kling.trust(tmp_path / "authority.pem"))
            assert await created("https://kling.example") == "842"
            assert set(proxy.asked) == {"kling.example:443"}
            assert not any(b"bearer" in head.lower() for head in proxy.heads), "Kling's key is no proxy's"
        assert all(b"Authorization: Bearer key" in head for head in kling.asked)
        assert not any(b"proxy-" in head.lower() for head in kling.asked), "and the proxy's is not Kling's"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (b"403 No " + PASSWORD.encode("latin-1"), "the proxy of HTTPS_PROXY answered 403)"),
        (b"502 Bad Gateway", "the proxy of HTTPS_PROXY answered 502)"),
        (b"407 Who", "the proxy of HTTPS_PROXY answered 407, so it wants a name and a password)"),
    ],
)
async def test_a_tunnel_that_is_refused_is_told_with_its_status(
    monkeypatch: pytest.MonkeyPatch, status: bytes, words: str
) -> None:
    async with http_proxy(9) as proxy:
        proxy.status = status
        monkeypatch.setenv("HTTPS_PROXY", f"http://{WRITTEN}@127.0.0.1:{proxy.at}")
        text = await created("https://kling.example")
    assert words in text
    assert "No task was created. Nothing was sent." in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    ("reply", "credentials", "words"),
    [
        (2, None, "refused the connection (connection not allowed by ruleset)"),
        (1, (NAME, PASSWORD), "refused the connection (general server failure)"),
        (4, None, "refused the connection (host unreachable)"),
        (0, ("other", "name"), "does not accept the name and password"),
    ],
)
async def test_a_socks_proxy_that_refuses_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, reply: int, credentials: tuple[str, str] | None, words: str
) -> None:
    async with socks_proxy(9) as proxy:
        proxy.reply, proxy.credentials = reply, credentials
        monkeypatch.setenv("ALL_PROXY", f"socks5://{WRITTEN + '@' if credentials else ''}127.0.0.1:{proxy.at}")
        text = await created("https://kling.example")
        assert f"the proxy of ALL_PROXY {words}" in text
        assert "Nothing was sent." in text
        if credentials:
            monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.at}")
            assert "the proxy of ALL_PROXY wants a name and password" in await created("https://kling.example")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05", b"\x05\x00\x05", b"\x04\x5a", b""])
async def test_what_listens_there_and_is_no_socks_proxy_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(3)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        text = await created("https://kling.example")
    assert "the proxy of ALL_PROXY does not answer as a SOCKS5 proxy does" in text
    assert "Nothing was sent." in text


async def test_a_certificate_that_is_not_trusted_is_told_and_so_is_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with secure_kling("127.0.0.1") as kling:
        origin = f"https://127.0.0.1:{kling.port}"
        text = await created(origin)
        assert "cannot be reached (its certificate is not trusted on this machine)" in text
        assert "Nothing was sent." in text
        assert "let SSL_CERT_FILE name a file" in text
        other = trustme.CA()
        other.cert_pem.write_to_path(tmp_path / "other.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        assert "add its authority's certificate to what SSL_CERT_FILE names" in await created(origin)
        monkeypatch.setenv("SSL_CERT_FILE", kling.trust(tmp_path / "authority.pem"))
        assert await created(origin) == "842"
        assert "its certificate is for another name" in await created(f"https://localhost:{kling.port}")
    assert len(kling.asked) == 1


@pytest.mark.parametrize("kept_as", ["folder", "file"])
async def test_what_the_system_trusts_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept_as: str) -> None:
    """The system's store is a folder whose files are called by a hash, or one file."""
    async with secure_kling("127.0.0.1") as kling:
        file, folder = tmp_path / "bundle.pem", tmp_path / "certs"
        folder.mkdir()
        if kept_as == "folder":
            kling.trust(file)
            file.rename(folder / f"{subject_hash(str(file))}.0")
        else:
            kling.trust(file)
        paths = ssl.DefaultVerifyPaths(
            str(file) if kept_as == "file" else None,  # pyright: ignore[reportArgumentType]
            str(folder) if kept_as == "folder" else None,  # pyright: ignore[reportArgumentType]
            "SSL_CERT_FILE", "", "SSL_CERT_DIR", "",
        )  # fmt: skip
        origin = f"https://127.0.0.1:{kling.port}"
        assert "not trusted" in await created(origin)
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
        assert await created(origin) == "842"


async def test_a_name_that_cannot_be_resolved_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> Sequence[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    text = await created("https://kling.example")
    assert "Kling at kling.example cannot be reached (its name cannot be resolved). No task was created." in text


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "bypassed"),
    [
        ("kling.example", "kling.example", 443, True),
        ("kling.example", "api.kling.example", 443, True),
        ("kling.example", "notkling.example", 443, False),
        (".kling.example", "API.kling.example.", 443, True),
        ("*.kling.example", "api.kling.example", 443, True),
        ("other.example,KLING.example", "kling.example", 443, True),
        ("other.example kling.example", "kling.example", 443, True),
        ("kling.example:443", "kling.example", 443, True),
        ("kling.example:8443", "kling.example", 443, False),
        ("https://kling.example", "kling.example", 443, True),
        ("bücher.example", "xn--bcher-kva.example", 443, True),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.1/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "kling.example", 443, False),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.", "10.1.2.3", 443, True),
        ("10.*", "100.1.2.3", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("fd00::/8", "fd00::1", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("<local>", "intranet", 443, True),
        ("<local>", "kling.example", 443, False),
        ("*", "kling.example", 443, True),
        ("", "kling.example", 443, False),
        (" , ", "kling.example", 443, False),
    ],
)
async def test_an_entry_for_no_proxy_holds_for_hosts_subdomains_addresses_and_ranges(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, port: int, bypassed: bool
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for("https", host, port) is None) is bypassed


async def test_the_proxy_for_https_comes_before_the_one_for_all_and_small_letters_before_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:s3cret@127.0.0.1")
    found = proxy_for("https", "kling.example", 443)
    assert found is not None
    assert (found.source, found.scheme, found.host, found.port) == ("ALL_PROXY", "socks5", "127.0.0.1", 1080)
    assert "s3cret" not in repr(found)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://other.example")
    for scheme, source, port in (
        ("https", "HTTPS_PROXY", 3128),
        ("http", "http_proxy", 80),
        ("ftp", "ALL_PROXY", 1080),
    ):
        found = proxy_for(scheme, "kling.example", 443)
        assert found is not None
        assert (found.source, found.port) == (source, port)
    monkeypatch.setenv("https_proxy", "http://third.example:1")
    found = proxy_for("https", "kling.example", 443)
    assert found is not None
    assert (found.source, found.host) == ("https_proxy", "third.example")


def subject_hash(file: str) -> str:
    """The name by which OpenSSL looks for an authority's certificate."""
    return subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", file],  # noqa: S607  (the one of this system)
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


@pytest.mark.parametrize("excepted", [True, False])
async def test_a_kling_on_a_port_of_its_own_is_reached_directly_where_no_proxy_names_that_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, excepted: bool
) -> None:
    async with secure_kling("127.0.0.1") as kling, http_proxy(kling.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.at}")
        monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{kling.port if excepted else 443}")
        monkeypatch.setenv("SSL_CERT_FILE", kling.trust(tmp_path / "authority.pem"))
        assert await created(f"https://127.0.0.1:{kling.port}") == "842"
        assert bool(proxy.asked) is not excepted
