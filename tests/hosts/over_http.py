"""The service in real hosts: behind nginx, for who has the token, set up with the files that docs/service.md shows."""

import hashlib
import re
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.samples import sample
from scripts import loopback_service
from tests.hosts.conversations import Conversation
from tests.support.mock_model import Step
from tests.support.model_checks import (
    LINK,
    the_create_says_status_ids_and_next_step,
    the_get_says_status_link_and_next_step,
    the_tools_are_offered,
)
from tests.support.model_protocols import Seen

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "service"
"""The page's own blocks: tests/test_service_page.py holds them together."""
PAGE_URL = "https://try-on.shop.example/mcp"


@dataclass(frozen=True)
class Service:
    """Where it is, and who may call."""

    url: str
    token: str

    def settings(self, example: str) -> str:
        """Return what the page tells the users of a host to write, for this service."""
        text = (EXAMPLES / example).read_text(encoding="utf-8")
        assert PAGE_URL in text, text
        return text.replace(PAGE_URL, self.url)


@contextmanager
def served(nginx: str, folder: Path, kling: SandboxKling, shop: str) -> Generator[Service]:
    """Run the service for one user, who has a token; `shop` is a host whose pictures may be fetched."""
    token = secrets.token_hex(32)
    tokens = folder / "tokens"
    tokens.write_text(f"host {hashlib.sha256(token.encode()).hexdigest()} try_on:read,try_on:create\n", "utf-8")
    hosts = ",".join(origin.removeprefix("http://") for origin in (kling.origin, shop))
    settings = {"KOLORS_TOKENS": str(tokens), "KOLORS_ALLOWED_HOSTS": hosts}
    with loopback_service.behind_nginx(nginx, folder, kling, **settings) as url:
        yield Service(url, token)


@contextmanager
def shop() -> Generator[str]:
    """Serve the pictures of a shop on loopback; yields its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(sample("upper").parent))) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{web.server_port}"
        finally:
            web.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
        """Say nothing."""


def conversation_at(shop: str) -> Conversation:
    """Return what a user of the service asks for: pictures are links, for nothing is read from its disk."""
    person, garment = (f"{shop}/{sample(name).name}" for name in ("person", "upper"))
    return Conversation(
        f"Show me {garment} on {person}, and give me the link.",
        lambda _: [
            Step("create_try_on", {"human_image": person, "cloth_image": garment}),
            Step("get_try_on", {"task_id": "{task_id}", "wait_seconds": 60}),
        ],
        (the_tools_are_offered, the_create_says_status_ids_and_next_step, the_get_says_status_link_and_next_step),
        last_words=the_link,
    )


def the_link(seen: Seen) -> str:
    """Return the link to the result, whole, as a model gives it to its user."""
    found = re.search(LINK, "\n".join(seen.results))
    return found[0] if found else "There is no link."
