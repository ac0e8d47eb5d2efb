"""Links over real sockets: what is sent, redirects, pages, TLS, downloads."""

import anyio
import pytest

from kolors_mcp import __version__
from kolors_mcp.clock import Clock
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.sources.fetch import FetchLimits
from tests.support.images_support import QUARTERS, corners, distance, encoded, jpeg, opened, png, quarters
from tests.support.images_web import web
from tests.support.network import PUBLIC, redirect, response

pytestmark = pytest.mark.anyio


async def test_a_picture_is_fetched_with_nothing_but_our_name() -> None:
    async with web() as site:
        site.server.answers["/a.webp?size=large"] = response(
            encoded(quarters(), "WEBP", lossless=True), kind="text/plain", headers="Set-Cookie: a=b\r\n"
        )
        await site.pictures.prepare("http://shop.example/a.webp?size=large#top", "cloth_image")
        picture = await site.pictures.prepare("http://shop.example/a.webp?size=large#top", "cloth_image")
        assert picture.notes == ("converted from WebP to JPEG",)
        assert picture.label == "shop.example"
        assert distance(corners(opened(b"".join(picture.blocks()))), QUARTERS) <= 6
    for request in site.server.requests:
        lines = request.decode().split("\r\n")
        assert lines[0] == "GET /a.webp?size=large HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
        assert headers["Host"] == "shop.example"
        assert headers["User-Agent"] == f"kolors-mcp/{__version__}"
        assert headers["Accept-Encoding"] == "identity"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://10.9.9.9:3128")
    async with web() as site:
        site.server.answers["/a.png"] = response(png())
        await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
        assert site.network.dialled == [(PUBLIC, 80)]


async def test_up_to_five_redirects_are_followed_and_relative_ones_too() -> None:
    async with web() as site:
        for step in range(6):
            site.server.answers[f"/{step}"] = redirect(
                f"/{step + 1}" if step % 2 else f"http://shop.example/{step + 1}"
            )
        site.server.answers["/5"] = response(png())
        assert (await site.pictures.prepare("http://shop.example/0", "cloth_image")).notes == ()
        site.server.answers["/5"] = redirect("/6")
        site.server.answers["/6"] = response(png())
        assert await site.refused("/0") == "cloth_image is redirected more than 5 times. Give the link it ends at."


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("https://shop.example:8443/a.png", "cloth_image is a link to port 8443; only 80 and 443 are fetched from."),
        ("ftp://shop.example/a.png", "cloth_image leads to something other than http or https. Give an https link."),
        ("file:///etc/passwd", "cloth_image leads to something other than http or https. Give an https link."),
        (
            "http://user:secret@shop.example/",
            "cloth_image is a link with a name or password in it; those are never sent.",
        ),
        ("http://[broken", "cloth_image leads to a link that is written wrongly. Give the picture's own link."),
    ],
)
async def test_each_hop_is_judged_like_the_first(location: str, text: str) -> None:
    async with web() as site:
        site.server.answers["/"] = redirect(location)
        assert (await site.refused("/")).startswith(text)
        assert len(site.network.dialled) == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("404 Not Found", 'cloth_image is not there: "shop.example" answered 404. Check the link.'),
        ("403 Forbidden", 'cloth_image is not given out: "shop.example" answered 403.'),
        ("503 Busy", 'cloth_image cannot be fetched now: "shop.example" answered 503. Try again later.'),
        ("206 Partial Content", 'cloth_image cannot be fetched: "shop.example" answered 206.'),
        ("304 Not Modified", 'cloth_image cannot be fetched: "shop.example" answered 304.'),
    ],
)
async def test_only_status_200_brings_a_picture(status: str, text: str) -> None:
    async with web() as site:
        site.server.answers["/"] = response(png(), status=status)
        assert (await site.refused("/")).startswith(text)


async def test_https_goes_by_the_name_though_an_address_is_dialled() -> None:
    async with web(certificate_for="shop.example") as site:
        site.server.answers["/a.png"] = response(png())
        await site.pictures.prepare("https://shop.example/a.png", "cloth_image")
        assert site.network.dialled == [(PUBLIC, 443)]
        refusal = await site.refused("/a.png", "https://other.example")
        assert refusal == (
            'cloth_image cannot be fetched from "other.example": its certificate is for another name. '
            "Check the address. Or give the picture as a file."
        )


async def test_https_is_never_left_for_http() -> None:
    async with web(certificate_for="shop.example") as site:
        site.server.answers["/a.png"] = redirect("http://shop.example/b.png")
        assert await site.refused("/a.png", "https://shop.example") == (
            'cloth_image is redirected by "shop.example" from https to http, which is not followed. '
            "Download it and give the file."
        )
        assert site.network.dialled == [(PUBLIC, 443)]
        # The counterpart: the same redirect is followed where it stays with https.
        site.server.answers |= {"/a.png": redirect("https://shop.example/b.png"), "/b.png": response(png())}
        assert (await site.pictures.prepare("https://shop.example/a.png", "cloth_image")).notes == ()


BODY = png()


async def test_only_so_many_fetches_run_at_once() -> None:
    async with web(FetchLimits(at_once=3, per_host=2)) as site:
        site.network.names = {f"host{number}.example": [[f"93.184.216.{number + 1}"]] for number in range(4)}
        running, most, gate = 0, 0, anyio.Event()
        everybody = anyio.Event()

        async def counting(stream: anyio.abc.ByteStream) -> None:
            nonlocal running, most
            async with stream:
                await stream.receive()
                running += 1
                most = max(most, running)
                if running == 3:
                    everybody.set()
                await gate.wait()
                running -= 1
                await stream.send(response(BODY))

        site.server.behave = counting
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                link = f"http://host{number % 4}.example/a.png"
                tasks.start_soon(site.pictures.prepare, link, "cloth_image")
            await everybody.wait()
            gate.set()
        assert most == 3
        assert len(site.network.dialled) == 8


async def test_a_cancelled_fetch_closes_its_connection_and_passes_on() -> None:
    async with web() as site:
        asked, closed = anyio.Event(), anyio.Event()

        async def watching(stream: anyio.abc.ByteStream) -> None:
            async with stream:
                await stream.receive()
                asked.set()
                try:
                    await stream.receive()
                except anyio.EndOfStream:
                    closed.set()

        site.server.behave = watching
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(site.pictures.prepare, "http://shop.example/a.png", "cloth_image")
            await asked.wait()
            tasks.cancel_scope.cancel()
        await closed.wait()


@pytest.mark.parametrize(
    "link",
    [
        "http://",
        "http://:80/a",
        "https:///a.png",
        "http://a b/",
        "http://shop.example:99999/",
        "http://[::1",
        "http://\u2025/",
        "http:shop.example/a.png",
        "https://" + "a" * 300 + ".example/",
        "http://shop.example:0/",
        "http://%31%32%37.0.0.1/",
        "http://xn--a.example\x00/",
    ],
)
async def test_a_link_that_is_none_is_refused_before_anything_is_dialled(link: str) -> None:
    async with web() as site:
        with pytest.raises(PictureRefusedError):
            await site.pictures.prepare(link, "cloth_image")
        assert site.network.dialled == []


async def test_a_finished_picture_is_downloaded_whole_after_breaks() -> None:
    whole = jpeg()
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with web() as site:
        answers = [
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole[:500],
            b"HTTP/1.1 200 OK\r\n\r\n" + whole[:-600],  # the same without a length: only the picture tells
            response(whole, kind="application/octet-stream"),
        ]

        async def one_after_the_other(stream: anyio.abc.ByteStream) -> None:
            async with stream:
                site.server.requests.append(await stream.receive())
                await stream.send(answers.pop(0))

        site.server.behave = one_after_the_other
        clock = Clock(sleep=sleep, jitter=lambda: 1.0)
        pictures = Pictures(folders=[], resolver=site.network.resolver, connect=site.network.connect, clock=clock)
        assert await pictures.finished.download("http://cdn.example/result.jpg?sig=SECRET") == whole
        assert pauses == [0.5, 1.0]
        assert all(b"sig=SECRET" in request for request in site.server.requests)


@pytest.mark.parametrize(
    "answer", [response(b"<html>gone</html>"), response(b"", status="404 Gone"), response(b"no picture" * 50)]
)
async def test_a_download_that_is_no_picture_is_refused_without_its_query(answer: bytes) -> None:
    async with web() as site:
        site.server.answers["/r?sig=SECRET"] = answer
        with pytest.raises(PictureRefusedError) as refusal:
            await site.pictures.finished.download("http://cdn.example/r?sig=SECRET")
        assert str(refusal.value).startswith("The finished picture ")
        assert "SECRET" not in str(refusal.value)


async def test_a_redirect_that_stays_on_http_is_followed() -> None:
    async with web() as site:
        site.server.answers["/a.png"] = redirect("http://other.example/b.png")
        site.server.answers["/b.png"] = response(BODY)
        assert (await site.pictures.prepare("http://shop.example/a.png", "cloth_image")).label == "other.example"
