"""Callbacks of the sandbox: taken by a real listener, signed as the vendor signs, and never in the way."""

import base64
import hmac
import json
import queue
import socket
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kolors_mcp.sandbox.callbacks import sign
from kolors_mcp.sandbox.faults import FailLate
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.rules import Rules
from tests.support.commands import HANG_SECONDS
from tests.support.sandbox_door import calling

Delivery = tuple[dict[str, str], bytes]


@pytest.fixture
def listener() -> Generator[tuple[str, "queue.Queue[Delivery]"]]:
    """A real web server that takes callbacks."""
    deliveries: queue.Queue[Delivery] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            deliveries.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", deliveries
        server.shutdown()
        thread.join()


def test_the_vendors_own_vector_is_signed_as_the_vendor_signs_it() -> None:
    body = (
        b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,"update_time":1781080794151}'
    )
    secret = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
    assert sign(secret, "9876543210", "1781080794", body) == "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="


def test_each_status_change_is_called_back_with_a_signature_that_holds(
    listener: tuple[str, "queue.Queue[Delivery]"],
) -> None:
    url, deliveries = listener
    key = b"a secret of thirty-two bytes!!!!"
    secret = "whsec_" + base64.b64encode(key).decode()
    with calling(SandboxKling(rules=Rules(callback_secret=secret))) as caller:
        name = caller.made(callback_url=url, external_task_id="k-9")
        caller.sandbox.clock.advance(6)
        (headers, first), (_, second) = deliveries.get(timeout=HANG_SECONDS), deliveries.get(timeout=HANG_SECONDS)
        task = caller.read(name).json()["data"]
    assert [json.loads(body)["task_status"] for body in (first, second)] == ["processing", "succeed"]
    assert json.loads(second) == task
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + first
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == expected
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers


def test_callbacks_are_unsigned_without_a_secret(listener: tuple[str, "queue.Queue[Delivery]"]) -> None:
    url, deliveries = listener
    with calling() as caller:
        caller.sandbox.faults.next_create(FailLate("risk"))
        caller.made(callback_url=url)
        caller.sandbox.clock.advance(6)
        deliveries.get(timeout=HANG_SECONDS)
        headers, body = deliveries.get(timeout=HANG_SECONDS)
    assert json.loads(body)["task_status_msg"] == "risk"
    assert "webhook-signature" not in headers


def test_a_listener_that_is_away_is_only_counted(listener: tuple[str, "queue.Queue[Delivery]"]) -> None:
    url, deliveries = listener
    with calling() as caller, socket.socket() as away:
        away.bind(("127.0.0.1", 0))  # nobody else can have the port, and nobody listens there
        caller.made(callback_url=f"http://127.0.0.1:{away.getsockname()[1]}/none")
        caller.sandbox.clock.advance(6)
        caller.made(callback_url=url)
        caller.sandbox.clock.advance(6)
        deliveries.get(timeout=HANG_SECONDS)
        deliveries.get(timeout=HANG_SECONDS)
    assert caller.sandbox.callbacks.failed >= 1
    assert caller.sandbox.tasks_created == 2
