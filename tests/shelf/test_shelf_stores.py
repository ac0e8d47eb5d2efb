"""Object stores as operators name them, by the variables that the stores' own programs read."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kolors_mcp.shelf.shelf import Shelf


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
