"""A photo of the user's own in a host that shows no views: put into the room by the browser, used by the next call."""

import base64
import re

import httpx

from kolors_mcp.sandbox.samples import sample
from tests.support.mock_model import Step
from tests.support.model_checks import Check
from tests.support.model_protocols import Seen

LINK = re.compile(r"(http://127\.0\.0\.1:[0-9]+)/room\?key=[\w-]{40,}")
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}},
    "clientInfo": {"name": "the page", "version": "1"},
}


def keep_in_the_room(seen: Seen) -> None:
    """Keep a photo as the room's page does, once the model has the link to the room."""
    found = LINK.search(seen.results[-1])
    assert found is not None, seen.results[-1]
    with httpx.Client(base_url=found[1], trust_env=False, timeout=60) as web:
        [token] = re.findall('kolors-page-token" content="([^"]{40,})"', web.get(found[0]).text)
        headers = {"kolors-page-token": token, "origin": found[1], "accept": "application/json, text/event-stream"}
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
        session = web.post("/mcp", json=hello, headers=headers).headers["mcp-session-id"]
        headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
        photo = base64.b64encode(sample("person").read_bytes()).decode()
        call = {"name": "keep_photo", "arguments": {"image": f"data:image/jpeg;base64,{photo}", "name": "anna"}}
        kept = web.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}, headers=headers
        )
        answer = kept.json()["result"]
        assert answer.get("structuredContent", {}).get("path") == "photo:anna", kept.text


def script_without() -> list[Step]:
    """Return the calls that the model makes, without what was pasted."""
    return [
        Step("open_fitting_room", {}),
        Step("list_pictures", {"query": "photo:"}, before=keep_in_the_room),
        Step("create_try_on", {"human_image": "photo:anna", "cloth_image": str(sample("upper")), "wait_seconds": 30}),
    ]


def the_room_is_given_as_a_link(seen: Seen) -> None:
    """Whole, with its key."""
    assert LINK.search(seen.results[0]), seen.results[0]


def the_kept_photo_is_listed(seen: Seen) -> None:
    """By the name under which it was kept."""
    assert "photo:anna" in seen.results[1], seen.results[1]


def the_kept_photo_is_worn(seen: Seen) -> None:
    """By the very next create."""
    assert re.search(r"submitted|processing|succeed", seen.results[2]), seen.results[2]
    assert "k-" in seen.results[2], seen.results[2]


CHECKS: tuple[Check, ...] = (the_room_is_given_as_a_link, the_kept_photo_is_listed, the_kept_photo_is_worn)
