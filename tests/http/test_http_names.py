"""Under which names the service answers, and pages of which origins may call it."""

from pathlib import Path

import pytest

from tests.support.commands import environment
from tests.support.over_http import Answer, Serving, asked, posted, serving

PUBLIC = "https://try-on.shop.example"

LOOPBACK: list[tuple[str, str | None, int]] = [
    ("127.0.0.1:PORT", None, 200),
    ("localhost:PORT", None, 200),
    ("LocalHost:PORT", None, 200),
    ("[::1]:PORT", None, 200),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT", 200),
    ("127.0.0.1:PORT", "http://localhost:PORT", 200),
    ("127.0.0.1", None, 421),
    ("localhost", None, 421),
    ("127.0.0.1:1", None, 421),
    ("127.0.0.1:PORT0", None, 421),
    ("127.0.0.2:PORT", None, 421),
    ("0.0.0.0:PORT", None, 421),
    ("localhost.:PORT", None, 421),
    ("localhost.shop.example:PORT", None, 421),
    ("shop.example", None, 421),
    ("shop.example:PORT", None, 421),
    ("user@127.0.0.1:PORT", None, 421),
    ("127.0.0.1:PORT,shop.example", None, 421),
    ("", None, 421),
    ("127.0.0.1:PORT", "http://127.0.0.1", 403),
    ("127.0.0.1:PORT", "http://127.0.0.1:1", 403),
    ("127.0.0.1:PORT", "https://127.0.0.1:PORT", 403),
    ("127.0.0.1:PORT", "http://shop.example", 403),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT.shop.example", 403),
    ("127.0.0.1:PORT", "null", 403),
    ("127.0.0.1:PORT", "", 403),
]
BEHIND_A_NAME: list[tuple[str, str | None, int]] = [
    ("try-on.shop.example", None, 200),
    ("try-on.shop.example:443", None, 200),
    ("Try-On.Shop.Example", None, 200),
    ("try-on.shop.example", PUBLIC, 200),
    ("try-on.shop.example:80", None, 421),
    ("try-on.shop.example:PORT", None, 421),
    ("shop.example", None, 421),
    ("a.try-on.shop.example", None, 421),
    ("try-on.shop.example.", None, 421),
    ("try-on.shop.example.evil.example", None, 421),
    ("127.0.0.1:PORT", None, 421),
    ("localhost:PORT", None, 421),
    ("try-on.shop.example", "http://try-on.shop.example", 403),
    ("try-on.shop.example", "https://shop.example", 403),
    ("try-on.shop.example", "https://try-on.shop.example:8443", 403),
    ("try-on.shop.example", "https://try-on.shop.example/", 403),
    ("try-on.shop.example", "http://127.0.0.1:PORT", 403),
    ("try-on.shop.example", "null", 403),
]


def listed(service: Serving, host: str, origin: str | None) -> Answer:
    """What is answered to a list of tools that is asked for under a name, by a page or by none."""
    port = str(service.port)
    headers = [("Host", host.replace("PORT", port))]
    if origin is not None:
        headers.append(("Origin", origin.replace("PORT", port)))
    return posted(service, "tools/list", {}, *headers)


def test_on_loopback_it_answers_to_loopback_names_with_its_port_alone(service: Serving) -> None:
    answers = {(host, origin): listed(service, host, origin) for host, origin, _ in LOOPBACK}
    assert {name: answer.status for name, answer in answers.items()} == {row[:2]: row[2] for row in LOOPBACK}
    assert {(answer.status, answer.words) for answer in answers.values() if answer.status != 200} == {
        (421, f"This service is at http://{service.host}. Call it by that name; a proxy must pass the Host header on."),
        (403, "Pages of other origins may not call this service."),
    }


def test_with_a_public_address_it_answers_to_that_alone_and_where_it_listens_to_whoever_looks_after_the_process(
    tmp_path: Path,
) -> None:
    # Its proxy is on this machine.
    with serving(environment(tmp_path, KOLORS_SANDBOX="1", KOLORS_PUBLIC_URL=PUBLIC), tmp_path) as named:
        assert named.url == f"{PUBLIC}/mcp"
        statuses = {(host, origin): listed(named, host, origin).status for host, origin, _ in BEHIND_A_NAME}
        assert statuses == {row[:2]: row[2] for row in BEHIND_A_NAME}
        for path in ("/healthz", "/readyz"):
            looked_after(named, path)


def looked_after(named: Serving, path: str) -> None:
    """Ask as whoever looks after the process does, and as a page does, which may not."""
    asking = (
        named.host,
        f"localhost:{named.port}",
        "try-on.shop.example",
        "shop.example",
        f"shop.example:{named.port}",
    )
    answers = [asked(named, "GET", path, ("Host", host)).status for host in asking]
    assert [status in (200, 503) for status in answers] == [True, True, True, False, False]
    assert asked(named, "GET", path, ("Host", named.host), ("Origin", "https://shop.example")).status == 403


@pytest.mark.parametrize("headers", [[("Host", "x"), ("Host", "y")], [("Origin", "a"), ("Origin", "b")]])
def test_a_name_that_is_given_twice_is_refused(service: Serving, headers: list[tuple[str, str]]) -> None:
    assert asked(service, "GET", "/healthz", *headers).status in (400, 403)


@pytest.mark.parametrize("path", ["/", "/mcp/", "/mcp/x", "/docs", "/.well-known/x", "/healthz/", "//mcp"])
def test_elsewhere_is_nothing_and_is_said_to_be(service: Serving, path: str) -> None:
    answer = asked(service, "GET", path)
    assert (answer.status, answer.body) == (404, "There is nothing here. The MCP server is at /mcp.\n")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/mcp"), ("DELETE", "/mcp"), ("PUT", "/mcp"), ("POST", "/readyz")]
)
def test_what_is_not_done_with_a_method_is_said_with_those_that_are(service: Serving, method: str, path: str) -> None:
    answer = asked(service, method, path, ("Accept", "text/event-stream"))
    assert answer.status == 405
    assert ("POST" if path == "/mcp" else "GET") in answer.headers["allow"]
