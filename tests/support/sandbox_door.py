"""The door through which tests use the sandbox: a plain HTTP client with credentials and good pictures."""

import base64
import io
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
from PIL import Image

from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.codes import TABLE
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.rules import Rules
from kolors_mcp.sandbox.running import running
from tests.support.commands import HANG_SECONDS

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the loading of certificates that nobody asks for."""
NOW = 1_790_000_000
"""What a standing clock shows, in seconds."""
PATH = "/v1/images/kolors-virtual-try-on"


def picture(
    width: int = 320, height: int = 400, kind: str = "PNG", colour: tuple[int, int, int] = (90, 140, 60)
) -> bytes:
    """Return a small picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind)
    return file.getvalue()


def text(content: bytes) -> str:
    """Return bare base64."""
    return base64.b64encode(content).decode()


PERSON, GARMENT = text(picture()), text(picture(300, 300, "JPEG", (200, 30, 30)))


class Caller:
    """A client of one sandbox."""

    def __init__(self, sandbox: SandboxKling, origin: str, authorization: str | None = None) -> None:
        self.sandbox = sandbox
        self.origin = origin
        key = f"Bearer {sandbox.api_key}" if authorization is None else authorization
        self.http = httpx.Client(
            base_url=origin, headers={"authorization": key}, trust_env=False, verify=NO_TLS, timeout=HANG_SECONDS
        )

    def create(self, **fields: Any) -> httpx.Response:
        """Post a try-on; a field that is none is left out."""
        body = {"human_image": PERSON, "cloth_image": GARMENT} | fields
        return self.http.post(PATH, json={name: value for name, value in body.items() if value is not None})

    def made(self, **fields: Any) -> str:
        """Post a try-on that must be accepted, and return its id."""
        answer = self.create(**fields).json()
        assert answer["code"] == 0, answer
        return str(answer["data"]["task_id"])

    def read(self, name: str) -> httpx.Response:
        """Read one try-on."""
        return self.http.get(f"{PATH}/{name}")

    def page(self, **query: Any) -> httpx.Response:
        """Read a page of the list."""
        return self.http.get(PATH, params=query)

    def costs(self) -> httpx.Response:
        """Ask for the packs of the last 400 days."""
        now = int(self.sandbox.clock.now() * 1000)
        return self.http.get("/account/costs", params={"start_time": now - 400 * 86400_000, "end_time": now})

    def link(self) -> str:
        """Make a try-on, let it finish, and return the link to its picture."""
        name = self.made()
        self.sandbox.clock.advance(6)
        return str(self.read(name).json()["data"]["task_result"]["images"][0]["url"])


@contextmanager
def calling(sandbox: SandboxKling | None = None) -> Generator[Caller]:
    """Run a sandbox and call it."""
    sandbox = sandbox or SandboxKling()
    with running(sandbox) as place:
        caller = Caller(sandbox, place.origin)
        with caller.http:
            yield caller


def standing(rules: Rules | None = None) -> SandboxKling:
    """Return a sandbox whose clock stands until it is turned."""
    return SandboxKling(rules=rules, clock=SandboxClock(wall=lambda: float(NOW)))


def refused(response: httpx.Response, code: int) -> str:
    """Check that an answer is the envelope of a code, and return its message."""
    envelope = response.json()
    assert (response.status_code, envelope["code"]) == (TABLE[code][0], code), envelope
    assert set(envelope) == {"code", "message", "request_id"}
    return envelope["message"]
