"""How a link is followed to a server: which redirects, names, ports and addresses are taken, and how many of them."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import httpcore
import pytest

from kolors_mcp.egress import certificates
from kolors_mcp.egress.allowed import AllowedHosts
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.sources.fetch import FetchLimits
from kolors_mcp.images.sources.network import NotPublicError, NotResolvedError, PinnedBackend
from tests.support.images_support import png
from tests.support.images_web import web
from tests.support.network import PUBLIC, redirect, response

pytestmark = pytest.mark.anyio

BODY = png()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_every_kind_of_redirect_is_followed(status: str) -> None:
    async with web() as site:
        site.server.answers |= {"/a.png": redirect("/b.png", status), "/b.png": response(BODY)}
        assert (await site.pictures.prepare("http://shop.example/a.png", "cloth_image")).notes == ()
        assert len(site.server.requests) == 2


@pytest.mark.parametrize("status", ["300 Choices", "304 Not Modified", "305 Use Proxy", "309 None", "201 Created"])
async def test_other_answers_with_a_location_are_not_followed(status: str) -> None:
    async with web() as site:
        site.server.answers |= {"/a.png": redirect("/b.png", status), "/b.png": response(BODY)}
        assert f"answered {status[:3]}" in await site.refused("/a.png")
        assert len(site.server.requests) == 1


@pytest.mark.parametrize("most", [0, 1, 5])
async def test_just_so_many_redirects_are_followed(most: int) -> None:
    async with web(FetchLimits(redirects=most)) as site:
        site.server.answers = {f"/{step}": redirect(f"/{step + 1}") for step in range(most + 2)}
        site.server.answers[f"/{most}"] = response(BODY)
        assert (await site.pictures.prepare("http://shop.example/0", "cloth_image")).notes == ()
        site.server.answers |= {f"/{most}": redirect(f"/{most + 1}"), f"/{most + 1}": response(BODY)}
        site.server.requests.clear()
        assert "is redirected more than" in await site.refused("/0")
        assert len(site.server.requests) == most + 1


async def dialled(
    addresses: Sequence[str], seconds: float | None, *, reached: str = ""
) -> list[tuple[str, float | None]]:
    """Which addresses of a name are tried, one after the other, and how long each; all but `reached` fail."""
    tried: list[tuple[str, float | None]] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        del host, port
        return addresses

    async def connect(address: str, port: int, seconds: float | None) -> httpcore.AsyncNetworkStream:
        assert port == 443
        tried.append((address, seconds))
        if address != reached:
            raise httpcore.ConnectTimeout if len(tried) % 2 else httpcore.ConnectError
        return httpcore.AsyncMockStream([])

    backend = PinnedBackend(frozenset(), resolver, connect)
    try:
        stream = await backend.connect_tcp("shop.example", 443, seconds)
    except (httpcore.ConnectError, httpcore.ConnectTimeout):
        assert not reached
    else:
        await stream.aclose()
    return tried


MANY = [f"93.184.216.{n}" for n in range(1, 10)]


async def test_four_addresses_of_a_name_share_four_seconds() -> None:
    assert await dialled(MANY, None) == [(address, 1.0) for address in MANY[:4]]
    assert await dialled(MANY, 20.0) == [(address, 1.0) for address in MANY[:4]]
    assert await dialled(MANY[:1], 20.0) == [(MANY[0], 4.0)]
    assert await dialled(MANY[:2], 2.0) == [(address, 1.0) for address in MANY[:2]]
    assert await dialled(MANY, None, reached=MANY[3]) == [(address, 1.0) for address in MANY[:4]]
    assert await dialled(MANY, None, reached=MANY[0]) == [(MANY[0], 1.0)]


async def test_both_families_of_addresses_are_tried_by_turns_beginning_as_the_system_does() -> None:
    six = [f"2606:4700::{n}" for n in range(1, 6)]
    for first, second in ((six, MANY), (MANY, six)):
        tried = [address for address, _ in await dialled([*first, *second], None)]
        assert tried == [first[0], second[0], first[1], second[1]]
    assert [address for address, _ in await dialled([*six[:1], *MANY], None)] == [six[0], *MANY[:3]]


@pytest.mark.parametrize("error", [OSError(), UnicodeError(), UnicodeEncodeError("idna", "x", 0, 1, "too long")])
async def test_a_name_that_cannot_be_asked_for_leads_nowhere(error: Exception) -> None:
    async def resolver(*_: object) -> Sequence[str]:
        raise error

    pictures = Pictures(folders=[], resolver=resolver)
    with pytest.raises(Exception, match=r'the name "shop\.example" cannot be resolved'):
        await pictures.prepare("http://shop.example/a.png", "cloth_image")
    with pytest.raises(NotResolvedError):
        await PinnedBackend(frozenset(), resolver).connect_tcp("shop.example", 443)


@pytest.mark.parametrize("host", ["xn--a.example", "xn--99999.example"])
async def test_a_name_that_cannot_be_shown_as_people_write_it_is_shown_as_it_is_asked_for(host: str) -> None:
    async with web() as site:
        site.server.answers |= {"/a.png": response(png()), "/b.png": response(b"", status="404 Not Found")}
        assert (await site.pictures.prepare(f"http://{host}/a.png", "cloth_image")).label == host
        with pytest.raises(PictureRefusedError, match=f'"{host}"'):
            await site.pictures.prepare(f"http://{host}/b.png", "cloth_image")
        assert site.network.asked == [host, host]


@pytest.mark.parametrize("part", ["/\ud800.png", "/a.png?\ud800", ":80\ud800/"])
async def test_a_link_with_half_a_character_is_refused_in_words(part: str) -> None:
    async with web() as site:
        with pytest.raises(PictureRefusedError, match="is a link that is written wrongly"):
            await site.pictures.prepare(f"http://shop.example{part}", "cloth_image")
        assert site.network.asked == []


async def test_no_socket_in_the_file_system_is_connected_to() -> None:
    with pytest.raises(NotPublicError):
        await PinnedBackend(frozenset()).connect_unix_socket("/run/docker.sock")


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("intranet.example.", 80, "intranet.example"),
        ("INTRANET.example.", 8080, "intranet.example:8080"),
        ("[::1]", 8000, "[::1]:8000"),
        ("::1", 80, "::1"),
    ],
)
async def test_an_exception_holds_for_a_name_with_a_dot_behind_too(host: str, port: int, allowed: str) -> None:
    assert AllowedHosts({allowed}).name(host, port)
    assert not AllowedHosts({allowed}).name("other." + host, port)
    assert not AllowedHosts().name(host, port)


@pytest.mark.parametrize(
    "host", ["localhost.", "metadata.google.internal.", "shop.", "printer.local.", "2130706433.", "0x7f.1."]
)
async def test_a_dot_behind_a_name_of_the_inside_changes_nothing(host: str) -> None:
    async with web() as site:
        assert "does not lead to the public internet" in await site.refused("/a.png", f"http://{host}")
        assert site.network.asked == site.network.dialled == []


@pytest.mark.parametrize(
    ("origin", "port"),
    [
        ("http://shop.example", 80),
        ("http://shop.example:80", 80),
        ("http://shop.example:443", 443),
        ("http://shop.example.", 80),
    ],
)
async def test_the_ports_of_the_web_are_dialled(origin: str, port: int) -> None:
    async with web() as site:
        site.server.answers["/a.png"] = response(BODY)
        await site.pictures.prepare(f"{origin}/a.png", "cloth_image")
        assert site.network.dialled == [(PUBLIC, port)]


@pytest.mark.parametrize("port", [0, 1, 22, 79, 81, 442, 444, 8080, 65535])
async def test_no_other_port_is_dialled(port: int) -> None:
    async with web() as site:
        assert f"is a link to port {port}; only 80 and 443 are fetched from" in await site.refused(
            "/a.png", f"http://shop.example:{port}"
        )
        assert site.network.asked == site.network.dialled == []


@pytest.mark.parametrize("scheme", ["http", "HTTP", "hTtP"])
async def test_a_page_that_was_fetched_over_https_has_its_picture_fetched_over_https(scheme: str) -> None:
    async with web(certificate_for="shop.example") as site:
        page = f"<html><meta property=og:image content={scheme}://shop.example/b.png>".encode()
        site.server.answers |= {"/a": response(page, kind="text/html"), "/b.png": response(BODY)}
        assert len((await site.pictures.prepare("https://shop.example/a", "cloth_image")).notes) == 1
        assert site.network.dialled == [(PUBLIC, 443)] * 2


async def test_keys_of_connections_that_fetch_pictures_are_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    file.touch()
    monkeypatch.setenv("SSLKEYLOGFILE", str(file))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    for own in (True, False):
        async with web(certificate_for="shop.example") as site:
            fetcher = site.pictures._fetcher  # pyright: ignore[reportPrivateUsage]  (its authority is made by the test)
            assert fetcher._ssl_context is not None  # pyright: ignore[reportPrivateUsage]  (the same)
            context = certificates.trusted_certificates()
            context.load_verify_locations(cadata=b"".join(fetcher._ssl_context.get_ca_certs(binary_form=True)))  # pyright: ignore[reportPrivateUsage]  (the same)
            if not own:  # what happens to anybody else's
                context.keylog_filename = str(file)  # type: ignore[attr-defined]
            fetcher._ssl_context = context  # pyright: ignore[reportPrivateUsage]  (the same)
            site.server.answers["/a.png"] = response(BODY)
            await site.pictures.prepare("https://shop.example/a.png", "cloth_image")
        assert (b"SECRET" in await anyio.Path(file).read_bytes()) is not own
