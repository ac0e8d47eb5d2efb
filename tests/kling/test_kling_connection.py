"""Proxies and certificates of the environment: what cannot be used is refused by its variable's name."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
import trustme
from mcp import Client
from pydantic import SecretStr

from kolors_mcp import errors
from kolors_mcp.cli import main as kolors_mcp
from kolors_mcp.clock import Clock
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.server import build_server
from kolors_mcp.settings import Credentials, Settings
from tests.support.making import BytesPicture
from tests.support.raw_kling import ROW, raw_answer, raw_kling, said
from tests.support.wishing import Assistant

HIDDEN = "s3cret-of-the-proxy"
KEY = Credentials(api_key=SecretStr("key"))
NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
UNREACHED = "https://127.0.0.1:1"
UNTRIED_AGAIN = Clock(jitter=lambda: 1e6)
"""Every wait before another try is longer than anybody has."""

UNUSABLE = {
    "HTTPS_PROXY": [
        f"socks5://{'u' * 256}:{HIDDEN}@127.0.0.1:1",
        f"foo://{HIDDEN}",
        f"http://127.0.0.1:1/{HIDDEN}.pac",
        f"http://user:{HIDDEN}#1@127.0.0.1:1",
        f"http://user:{HIDDEN}@127.1:1",
        f"http://user name:{HIDDEN}@127.0.0.1:1",
        "://",
        f"http://{HIDDEN}:port",
        f"http://user:{HIDDEN}@127.0.0.1:99999",
        f"http://{HIDDEN}\x7f:1",
    ],
    "https_proxy": [f"socks4://{HIDDEN}"],
    "ALL_PROXY": [f"socks4a://{HIDDEN}:1", f"{HIDDEN}:0", f"{HIDDEN}:99999", f"{HIDDEN}:1:2"],
    "HTTP_PROXY": [f"socks6://{HIDDEN}"],
    "NO_PROXY": [f"{HIDDEN}:port", f"localhost, {HIDDEN}:1:2", f"10.0.0.0/33,{HIDDEN}"],
    "SSL_CERT_FILE": [f"/nowhere/{HIDDEN}", __file__, str(Path(__file__).parent)],
    "SSL_CERT_DIR": [f"/nowhere/{HIDDEN}", __file__],
    "SSLKEYLOGFILE": [f"/nowhere/{HIDDEN}"],
}


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any of the variables."""
    for name in (*NAMES, *(name.lower() for name in NAMES)):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def assistant_of(origin: str) -> AsyncGenerator[Assistant]:
    server = build_server(Settings(api_base=origin, ledger="sqlite://"), lambda: KEY, clock=UNTRIED_AGAIN)
    async with Client(server) as client:
        yield Assistant(client)


def is_refusal(text: str, name: str) -> bool:
    return name in text and "Nothing was sent." in text and "inside this server" not in text and HIDDEN not in text


@pytest.mark.anyio
@pytest.mark.parametrize("name", UNUSABLE)
async def test_a_variable_that_cannot_be_used_is_named_by_every_tool_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async with assistant_of(UNREACHED) as assistant:
        for value in UNUSABLE[name]:
            monkeypatch.setenv(name, value)
            said_of = await assistant.create()
            assert said_of.is_error
            assert is_refusal(said_of.text, name), (value, said_of.text)
        for said_of in (await assistant.list(), await assistant.get("842")):
            assert said_of.is_error
            assert is_refusal(said_of.text, name), said_of.text
        # Asking and its prompts need no network.
        assert (await assistant.client.list_tools()).tools
        assert (await assistant.client.list_resources()).resources
        assert (await assistant.client.get_prompt("try_on_garment")).messages
        monkeypatch.delenv(name)
        mended = await assistant.list()
        assert "cannot be reached" in mended.text, "nothing of the refusal stays"
    assert HIDDEN not in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize("origin", ["https://xn--\u00e9.test", "https://xn--\u00e9"])
async def test_an_origin_whose_host_cannot_be_written_is_named(origin: str) -> None:
    assert Settings.from_env({"KLING_API_BASE": origin}).api_base == origin
    async with assistant_of(origin) as assistant:
        said_of = await assistant.create()
    assert is_refusal(said_of.text, "KLING_API_BASE"), said_of.text


@pytest.mark.anyio
@pytest.mark.parametrize("host", [f"{'a' * 70}.test", "a..test", "a_b.invalid"])
async def test_a_host_that_cannot_be_looked_up_has_got_nothing(host: str) -> None:
    async with assistant_of(f"https://{host}") as assistant:
        said_of = await assistant.create()
    assert said_of.nothing_created
    assert "cannot be reached" in said_of.text


@pytest.mark.parametrize(("name", "value"), [(name, values[0]) for name, values in UNUSABLE.items()])
def test_the_doctor_prints_a_failure_with_the_variable_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, value: str
) -> None:
    variables = {
        "KLING_API_KEY": "key",
        "KLING_API_BASE": UNREACHED,
        "KOLORS_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        name: value,
    }
    for variable, given in variables.items():
        monkeypatch.setenv(variable, given)
    assert kolors_mcp(["doctor"]) == 1
    shown = capsys.readouterr()
    [line] = [line for line in shown.out.splitlines() if line.startswith("FAIL")]
    check = "certificates" if name.startswith("SSL_") else "network" if name == "SSLKEYLOGFILE" else "proxy"
    assert line.startswith(f"FAIL  {check:<16}  {name} ")
    assert is_refusal(line, name)
    assert "\nok    ledger " in shown.out
    assert shown.err == ""
    assert HIDDEN not in shown.out


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"http://user:{HIDDEN}@127.0.0.1:1"),
        ("ALL_PROXY", "127.0.0.1:1"),
        ("all_proxy", f"socks5://user:{HIDDEN}@127.0.0.1:1"),
        ("ALL_PROXY", "socks://127.0.0.1:1/"),
        ("https_proxy", "https://[::1]:1"),
    ],
)
async def test_a_proxy_that_nobody_listens_at_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    async with assistant_of(UNREACHED) as assistant:
        said_of = await assistant.create()
    assert said_of.nothing_created, said_of.text
    assert f"cannot be reached (the proxy of {name} cannot be reached)" in said_of.text
    assert is_refusal(said_of.text, name), said_of.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NO_PROXY", "localhost, .example.com, 10.0.0.0/8, ::1, <local>, 192.168., 10.*, *.corp.example:8080"),
        ("SSL_CERT_DIR", str(Path(__file__).parent)),
    ],
)
async def test_a_variable_that_is_in_order_is_no_reason_to_refuse(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    async with assistant_of(UNREACHED) as assistant:
        said_of = await assistant.create()
    assert said_of.nothing_created, said_of.text
    assert "cannot be reached (ConnectError)" in said_of.text


@pytest.mark.anyio
async def test_certificates_that_the_environment_names_are_those_that_are_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import certifi  # noqa: PLC0415  (only here)

    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    async with assistant_of(UNREACHED) as assistant:
        assert "cannot be reached" in (await assistant.list()).text


@asynccontextmanager
async def proxy(answer: bytes) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A proxy that answers every request for a tunnel in these words."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 Connection established\r\n\r\nthis is no TLS",
    ],
)
async def test_a_create_whose_tunnel_a_proxy_refuses_has_created_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async with proxy(answer) as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", address)
        client = KlingClient("https://kling.example", lambda: KEY)
        with pytest.raises(errors.UnreachableError, match=r"cannot be reached.*No task was created\."):
            await client.create(CreateRequest(BytesPicture(), BytesPicture(), external_task_id="k-1"))
        await client.aclose()
    [head] = asked
    assert head.startswith(b"CONNECT kling.example:443")
    assert b"authorization" not in head.lower(), "the key is no proxy's"


@pytest.mark.anyio
async def test_a_kling_on_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy(raw_answer(said(ROW))) as (address, asked), raw_kling() as raw:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        raw.answers = [raw_answer(said(ROW))]
        client = KlingClient(raw.origin, lambda: KEY, clock=UNTRIED_AGAIN)
        assert (await client.read("842")).id == "842"
        await client.aclose()
        assert not asked
        assert len(raw.requests) == 1
        # The control: whoever trusts the environment asks the proxy.
        async with httpx.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as trusting:
            await trusting.get(f"{raw.origin}/")
        assert len(asked) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("named", [True, False])
async def test_keys_of_calls_to_kling_are_written_where_somebody_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool
) -> None:
    authority, inside = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(inside)  # pyright: ignore[reportUnknownMemberType]
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    keys = tmp_path / "keys"
    if named:
        monkeypatch.setenv("SSLKEYLOGFILE", str(keys))

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=inside)
    async with listening, assistant_of(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}") as assistant:
        assert (await assistant.list()).is_error
    written = await anyio.Path(keys).read_bytes() if named else b""
    assert await anyio.Path(keys).exists() is named
    assert (b"SECRET" in written) is named
