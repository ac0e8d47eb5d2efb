"""Links by which a user hands over one photo: what each request is answered, and that no model sees the photo."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from kolors_mcp.clock import Clock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server.http.upload_links import UploadLinks
from kolors_mcp.settings import Credentials
from tests.support.commands import account_of, environment
from tests.support.images_support import assert_nothing_but_picture, exif, jpeg
from tests.support.making import api_key
from tests.support.making import jpeg as plain_jpeg
from tests.support.over_http import Answer, Serving, answer_on, asked, connected, head_of, serving
from tests.support.shop import Shop, photos_on
from tests.support.shoppers import shopper, tokens_of
from tests.support.wishing import garment

pytestmark = [pytest.mark.anyio, pytest.mark.process]

PHOTO = jpeg(exif=exif(1)) + b"SECRET-TRAILER"
MB = 1024 * 1024


@pytest.fixture
def service(shop: Shop) -> Serving:
    return shop.service


@pytest.fixture
def made(shop: Shop) -> Callable[..., str]:
    """Makes the path of a link as another replica would, which knows nothing but the account's keys."""

    def path(user: str = "", age: float = 0.0, key: str | None = None) -> str:
        def keys() -> Credentials:
            return api_key(shop.kling) if key is None else Credentials(api_key=SecretStr(key))

        links = UploadLinks(f"http://{shop.service.host}", keys, Clock(wall=lambda: time.time() - age))
        return urlsplit(links.made_for(f"token {user or shop.ana}")).path

    return path


def put(service: Serving, path: str, body: bytes = PHOTO, *headers: tuple[str, str]) -> Answer:
    return asked(service, "PUT", path, *headers, body=body)


async def test_a_photo_reaches_a_create_and_passes_no_model_and_no_log(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    shelf = tmp_path / "pictures"
    variables = {**account_of(fast_kling), **tokens_of(tmp_path, "ana", "ben"), "KOLORS_SHELF": str(shelf)}
    with serving(environment(tmp_path, **variables, KOLORS_LOG_LEVEL="DEBUG"), tmp_path) as service:
        async with shopper(service, "ana") as ana, shopper(service, "ben") as ben:
            said = await ana.call("open_fitting_room")
            link = re.search(rf"http://{service.host}(/uploads/\S+) ", said.text)
            assert link is not None, said.text
            page = asked(service, "GET", link[1])
            assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            answer = put(service, link[1])
            assert (answer.status, json.loads(answer.body)) == (201, {"path": "photo:my-photo"})
            [file] = photos_on(shelf)
            assert_nothing_but_picture(file.read_bytes())
            assert "photo:my-photo" in (await ana.call("list_pictures")).text
            assert (await ben.call("list_pictures")).text == "No pictures."
            created = await ana.call("create_try_on", human_image="photo:my-photo", cloth_image=garment("navy"))
            assert not created.is_error, created.text
        service.process.terminate()
        _, log = service.process.communicate()
    assert len(fast_kling.tasks.all) == 1
    assert '"path":"other"' in log
    assert link[1].rpartition("/")[2].rpartition(".")[2] not in log
    assert "/uploads/" not in log


def test_each_request_gets_its_status(service: Serving, shop: Shop, made: Callable[..., str]) -> None:
    good, late = made(), made(age=15 * 60 + 2)
    head, payload, signature = good.rpartition("/")[2].split(".")
    other_payload = made(shop.ben).rpartition("/")[2].split(".")[1]
    rows: list[tuple[str, int, int]] = [
        ("late", put(service, late).status, 410),
        ("late, the page", asked(service, "GET", late).status, 410),
        ("by another key", put(service, made(key="other-key")).status, 404),
        ("forged: another user's", put(service, f"/uploads/{head}.{other_payload}.{signature}").status, 404),
        ("forged: not signed", put(service, f"/uploads/eyJhbGciOiJub25lIn0.{payload}.").status, 404),
        ("garbled", put(service, good[:-3] + "AAA").status, 404),
        ("garbage", put(service, "/uploads/garbage").status, 404),
        ("too long", put(service, "/uploads/" + "a" * 2_000).status, 404),
        ("none", put(service, "/uploads/").status, 404),
        ("below it", put(service, f"{good}/more").status, 404),
        ("wrong method", asked(service, "POST", good, body=PHOTO).status, 405),
        ("removal", asked(service, "DELETE", good).status, 405),
        ("another host", put(service, good, PHOTO, ("Host", "shop.example")).status, 421),
        ("a stranger's page", put(service, good, PHOTO, ("Origin", "https://evil.example")).status, 403),
        ("empty", asked(service, "PUT", good).status, 422),
        ("no picture", put(service, good, b"%PDF-1.7 " * 200).status, 422),
        ("half a picture", put(service, good, PHOTO[: len(PHOTO) // 4]).status, 422),
        ("too small", put(service, good, plain_jpeg(200, 200)).status, 422),
        ("a bad name", put(service, f"{good}?name=..%2Fana").status, 422),
        ("larger than 10 MB", put(service, good, PHOTO + b"\0" * (10 * MB)).status, 413),
    ]
    assert [name for name, status, expected in rows if status != expected] == [], rows
    assert shop.photos == []
    # None of that has used it up.
    assert put(service, f"{good}?name=Anna").status == 201
    assert [file.name for file in shop.photos] == ["Anna.jpg"]
    again = put(service, good)
    assert (again.status, "works once" in again.body) == (409, True)
    assert asked(service, "GET", good).status == 410
    assert len(shop.photos) == 1


def test_a_length_is_refused_when_it_is_announced_and_when_it_turns_out(
    service: Serving, made: Callable[..., str]
) -> None:
    with connected(service) as connection:
        announced = [("Host", service.host), ("Content-Length", str(10 * MB + 1))]
        connection.sendall(head_of("PUT", made(), announced))
        assert answer_on(connection).status == 413
    with connected(service) as connection:
        connection.sendall(head_of("PUT", made(), [("Host", service.host), ("Transfer-Encoding", "chunked")]))
        for _ in range(11):
            try:
                connection.sendall(b"%x\r\n%s\r\n" % (MB, b"\0" * MB))
            except OSError:
                break
        assert answer_on(connection).status == 413


def test_of_many_requests_at_once_one_keeps_a_photo(service: Serving, shop: Shop, made: Callable[..., str]) -> None:
    path, statuses = made(), list[int]()

    def hand_over(number: int) -> None:
        statuses.append(put(service, path, PHOTO + bytes([number])).status)

    threads = [threading.Thread(target=hand_over, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 5
    assert len(shop.photos) == 1


def test_the_same_photo_sent_again_by_a_proxy_or_a_person_gets_the_answer_that_was_lost(
    service: Serving, shop: Shop, made: Callable[..., str]
) -> None:
    # Another photo has the name, so that what is answered is not what was asked for.
    assert put(service, made(), plain_jpeg(colour="crimson")).status == 201
    path = made()
    first, second = put(service, path), put(service, path)
    assert (first.status, json.loads(first.body)) == (201, {"path": "photo:my-photo-2"})
    assert (second.status, second.body) == (first.status, first.body)
    assert len(shop.photos) == 2
    others = [put(service, path, PHOTO + b"-"), put(service, f"{path}?name=other"), put(service, made(age=16 * 60))]
    assert [other.status for other in others] == [409, 409, 410]
    for photo in shop.photos:
        photo.unlink()
    # Whatever became of the photo since: the link adds nothing a second time.
    assert put(service, path).status == 201
    assert shop.photos == []


def test_the_page_loads_nothing_from_elsewhere_and_nobody_frames_it(service: Serving, made: Callable[..., str]) -> None:
    page = asked(service, "GET", made())
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"https?://|\bon\w+=", page.body)


def test_a_body_that_ends_early_uses_nothing_up(service: Serving, shop: Shop, made: Callable[..., str]) -> None:
    path = made()
    with connected(service) as connection:
        head = head_of("PUT", path, [("Host", service.host), ("Content-Length", str(len(PHOTO)))])
        connection.sendall(head + PHOTO[:-10])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert put(service, path).status == 201
    assert len(shop.photos) == 1
