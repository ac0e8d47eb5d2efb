"""Who is let in to the demo's pages and server: by exact name, port, origin and token; a policy on every answer."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from kolors_mcp.cli import app_demo
from kolors_mcp.server import Upstream
from kolors_mcp.server.loopback.guard import MCP_PATH, TOKEN_HEADER, Addresses, Guard
from kolors_mcp.settings import Settings

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
WHERE = Addresses(8766)
PROOF = {TOKEN_HEADER: WHERE.token, "accept": "application/json, text/event-stream"}


def application(*, official: bool = False) -> Starlette:
    choice = app_demo.AppOptions(8766, real=False, bridge=Path(__file__).parent if official else None)
    upstream = Upstream("http://127.0.0.1:1", lambda: None)
    return app_demo.application_for(choice, Settings(sandbox=True), upstream, WHERE)


def guarded(*, official: bool = False) -> TestClient:
    """The demo as it is served, without a socket."""
    return TestClient(Guard(application(official=official), WHERE), base_url=WHERE.origin, follow_redirects=False)


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8766",
        "localhost:8766@evil.example",
        "127.0.0.1:8766@evil.example",
        "127.0.0.1:8766.evil.example",
        "127.0.0.1:87660",
        "127.0.0.1:8765",
        "127.0.0.1",
        "127.0.0.1.:8766",
        "0.0.0.0:8766",
        "[::1]:8766",
        "rebound.example:8766",
        "rebound.example",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/gate.js", "/nothing-here", MCP_PATH])
def test_another_host_gets_nothing(host: str, path: str) -> None:
    with guarded() as browser:
        answer = browser.post(path, json=HELLO, headers={**PROOF, "host": host})
        assert answer.status_code == 421
        assert WHERE.token not in browser.get(path, headers={"host": host}).text


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://localhost:8766",
        "http://localhost:8766@evil.example",
        "http://127.0.0.1:8766@evil.example",
        "http://127.0.0.1:8766.evil.example",
        "http://127.0.0.1:8765",
        "http://127.0.0.1",
        "https://127.0.0.1:8766",
        "http://evil.example",
        "",
    ],
)
def test_another_origin_gets_nothing(origin: str) -> None:
    with guarded() as browser:
        for path in (MCP_PATH, "/", "/gate.js"):
            assert browser.post(path, json=HELLO, headers={**PROOF, "origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [
        {TOKEN_HEADER: ""},
        {TOKEN_HEADER: "a guess"},
        {TOKEN_HEADER: WHERE.token[:-1]},
        {TOKEN_HEADER: Addresses(8766).token},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_request_that_is_not_the_pages_own_gets_nothing(changed: dict[str, str]) -> None:
    with guarded() as browser:
        for path in (MCP_PATH, f"{MCP_PATH}/"):
            answer = browser.post(path, json=HELLO, headers={**PROOF, "origin": WHERE.origin, **changed})
            assert answer.status_code == 403


def test_the_page_itself_is_answered() -> None:
    own = {**PROOF, "origin": WHERE.origin, "sec-fetch-site": "same-origin"}
    with guarded() as browser:
        assert WHERE.token in browser.get("/").text
        answer = browser.post(MCP_PATH, json=HELLO, headers=own)
        assert answer.json()["result"]["serverInfo"]["name"] == "kolors-mcp"


def test_behind_the_guard_the_sdk_compares_as_exactly() -> None:
    with TestClient(application(), base_url=WHERE.origin) as browser:
        for changed, status in ({}, 200), ({"host": "localhost:8766"}, 421), ({"origin": "http://localhost:8766"}, 403):
            assert browser.post(MCP_PATH, json=HELLO, headers={**PROOF, **changed}).status_code == status


def test_what_is_for_the_sandbox_is_at_its_own_address_and_nothing_else_is() -> None:
    with guarded() as browser:
        for name in ("sandbox.html", "sandbox.js", "sandbox.css"):
            assert browser.get(f"/{name}").status_code == 421
            assert browser.get(f"/{name}", headers={"host": WHERE.sandbox_host}).status_code == 200
        page = browser.get("/sandbox.html", headers={"host": WHERE.sandbox_host})
        assert page.headers["content-security-policy"].endswith(f"; frame-ancestors {WHERE.origin}")
        assert "referrer" not in browser.get("/sandbox.js", headers={"host": WHERE.sandbox_host}).text


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing-here", {}, 404),
        ("GET", "/" + "x" * 5000, {}, 404),
        ("GET", "/modules/nothing.js", {}, 404),
        ("GET", "/modules", {}, 404),
        ("DELETE", "/", {}, 405),
        ("POST", "/host.js", {}, 405),
        ("GET", "/", {"host": "evil.example"}, 421),
        ("GET", "/", {"origin": "null"}, 403),
        ("POST", MCP_PATH, {}, 403),
        ("POST", MCP_PATH, {**PROOF, "content-type": "text/plain"}, 400),
        ("GET", "/host.js", {}, 200),
        ("GET", "/", {}, 200),
    ],
)
def test_every_answer_has_a_policy_and_is_kept_nowhere(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with guarded(official=True) as browser:
        answer = browser.request(method, path, headers=headers)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert ("sandbox" in policy) is (path != "/" or status != 200)
    assert "unsafe" not in " ".join(policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert "location" not in answer.headers


def test_a_port_that_browsers_do_not_write_is_not_expected() -> None:
    assert (Addresses(80).host, Addresses(80).origin) == ("127.0.0.1", "http://127.0.0.1")
