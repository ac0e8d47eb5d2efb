"""Object stores as operators name them, by the variables that the stores' own programs read."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kolors_mcp.jobs.copies import ShelfCopies
from kolors_mcp.shelf.shelf import Shelf
from tests.support.s3_signing import is_signed, queried


class Empty(BaseHTTPRequestHandler):
    """A store in which nothing lies."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as the library has it)
        pass


@contextmanager
def empty_store() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.process
@pytest.mark.anyio
async def test_a_store_beside_the_service_is_spoken_with_in_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"}
    with empty_store() as origin:
        for name, value in {**keys, "AWS_ENDPOINT_URL": origin}.items():
            monkeypatch.setenv(name, value)
        await Shelf.at("s3://bucket/kolors").ready()


@pytest.mark.anyio
async def test_a_link_to_a_copy_is_signed_for_an_hour_and_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a/secret+key", "AWS_REGION": "eu-central-1"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": "https://store.example"}.items():
        monkeypatch.setenv(name, value)
    copies = ShelfCopies(Shelf.at("s3://bucket/kolors"))
    link, other = await copies.link("ana", "871", 0), await copies.link("ben", "871", 0)
    assert link is not None
    assert other is not None
    assert link.startswith("https://store.example/bucket/kolors/results/")
    assert queried(link)["X-Amz-Expires"] == "3600"
    assert is_signed("GET", link, keys["AWS_SECRET_ACCESS_KEY"])
    assert "ana" not in link
    assert link.partition("?")[0] != other.partition("?")[0]
    changed = {
        "of another user": link.replace(link.partition("?")[0], other.partition("?")[0]),
        "of another picture": link.replace("/871/0.jpg", "/871/1.jpg"),
        "for longer": link.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
        "at another time": link.replace(queried(link)["X-Amz-Date"], "20200101T000000Z"),
    }
    secret = keys["AWS_SECRET_ACCESS_KEY"]
    assert [what for what, url in changed.items() if url == link or is_signed("GET", url, secret)] == []
    assert not is_signed("PUT", link, secret), "nothing can be put there with it"
    assert not is_signed("GET", link, "another key")
