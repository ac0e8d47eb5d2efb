"""What the service writes down of requests: a line of JSON each, with nothing in it of whom or what they are about."""

import base64
import json
import logging
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.server.http.logs import REQUEST, JsonFormatter, Request
from tests.support.commands import environment
from tests.support.making import jpeg
from tests.support.over_http import asked, posted, serving
from tests.support.shoppers import shopper, tokens_of

SECRET = "secret-ann-of-the-shop"


def lines_of(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        yield json.loads(line)


@pytest.mark.anyio
@pytest.mark.process
async def test_each_request_is_one_line_without_names_links_pictures_and_secrets_also_of_older_clients(
    tmp_path: Path,
) -> None:
    tokens = tokens_of(tmp_path, "ann-of-the-shop", scopes="try_on:read")
    env = environment(tmp_path, KOLORS_SANDBOX="1", KOLORS_LOG_LEVEL="DEBUG", **tokens)
    picture = base64.b64encode(jpeg(320, 400, "teal")).decode()
    mine = ("Authorization", f"Bearer {SECRET}")
    with serving(env, tmp_path) as service:
        said = [
            posted(service, "tools/list", {}, mine),
            posted(service, "tools/call", {"name": "get_try_on", "arguments": {"task_id": picture}}, mine),
            posted(service, "tools/call", {"name": SECRET, "arguments": {}}, mine),
            posted(service, f"private/{SECRET}", {}, mine),
            posted(service, "resources/read", {"uri": f"https://shop.example/a.jpg?key={SECRET}"}, mine),
            posted(service, "tools/list", {}, ("Authorization", f"Bearer no-{SECRET}")),
            asked(service, "GET", f"/{SECRET}?key={SECRET}", ("X-Request-Id", SECRET)),
            asked(service, "GET", "/healthz", ("Host", f"{SECRET}.example")),
            asked(service, "GET", "/healthz"),
        ]
        async with shopper(service, "ann-of-the-shop", era="legacy") as ann:
            await ann.call("get_account")
        service.send(signal.SIGINT)
        _, log = service.process.communicate()
    assert [word for word in (SECRET, "ann-of-the-shop", picture[:40], "shop.example") if word in log] == []
    told = {line["request_id"]: line for line in lines_of(log) if line["logger"] == "kolors_mcp.requests"}
    by_hand = {answer.headers["x-request-id"] for answer in said}
    older = [line for number, line in told.items() if number not in by_hand]
    assert ("tools/call", "get_account", "ok") in {
        (line.get("method"), line.get("tool"), line["outcome"]) for line in older
    }
    assert all(line["path"] == "/mcp" for line in older)
    # Each is found under the number that its answer carries, and that is not the caller's.
    lines = [told[answer.headers["x-request-id"]] for answer in said]
    parts = ("path", "method", "tool", "status", "outcome")
    assert [tuple(line.get(part) for part in parts) for line in lines] == [
        ("/mcp", "tools/list", None, 200, "ok"),
        ("/mcp", "tools/call", "get_try_on", 200, "tool error"),
        ("/mcp", "tools/call", "unknown", 200, "tool error"),
        ("/mcp", "unknown", None, 404, "error -32601"),
        ("/mcp", "resources/read", None, 400, "error -32602"),
        ("/mcp", None, None, 401, "refused"),
        ("other", None, None, 404, "refused"),
        ("/healthz", None, None, 421, "refused"),
        ("/healthz", None, None, 200, "ok"),
    ]
    assert len({line["user"] for line in lines[:5]}) == 1
    assert not any("user" in line for line in lines[5:])
    assert all(line["ms"] >= 0 and re.fullmatch(r"[0-9T:.+-]{29}", line["time"]) for line in lines)


def record_of(name: str, message: str, *given: object, error: Exception | None = None) -> logging.LogRecord:
    found = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, given, found)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("kolors_mcp.jobs.send", f"told of {SECRET}"), ("mcp.server", "told of %s"), ("other", "told of %s")],
)
def test_of_others_only_the_pattern_is_logged(name: str, shown: str) -> None:
    line = json.loads(JsonFormatter().format(record_of(name, "told of %s", SECRET)))
    assert (line["message"], line["logger"], line["level"]) == (shown, name, "ERROR")


def test_an_error_is_told_by_its_kind_and_place_in_one_line_with_the_number_of_its_request() -> None:
    token = REQUEST.set(Request("4711", "/mcp"))
    with pytest.raises(ValueError, match=SECRET) as raised:
        int(SECRET)
    try:
        text = JsonFormatter().format(record_of("kolors_mcp.server", "failed\nat once", error=raised.value))
    finally:
        REQUEST.reset(token)
    assert "\n" not in text
    assert SECRET not in text
    line = json.loads(text)
    assert (line["error"], line["request_id"], line["message"]) == ("ValueError", "4711", "failed at once")
    assert "test_http_logs.py" in line["where"][-1]
