"""The file of tokens: what of it opens, how soon a change is seen, and what the log says of it."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from kolors_mcp.server.http import tokens
from kolors_mcp.server.http.tokens import read_tokens
from kolors_mcp.service_settings import ServiceSettings
from tests.support.letting_in import Door

SEEN_WITHIN_SECONDS = 10.0
pytestmark = pytest.mark.anyio
# ruff: noqa: ASYNC240  (what tests write is small, and lies on a disk of this machine)


def line(token: str, name: str = "ana", scopes: str = "try_on:read") -> str:
    return f"{name} {hashlib.sha256(token.encode()).hexdigest()} {scopes}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


@pytest.fixture
def door(path: Path) -> Door:
    return Door(ServiceSettings(tokens=path))


async def test_a_change_is_seen_soon_whatever_is_changed(path: Path, door: Door) -> None:
    path.write_text(line("one"))
    assert (await door.status("one"), await door.status("two")) == (200, 401)
    path.write_text(line("two"))  # of the same size
    door.now += SEEN_WITHIN_SECONDS
    assert (await door.status("one"), await door.status("two")) == (401, 200)
    other = path.with_name("other")
    other.write_text(line("six"))
    before = path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    door.now += SEEN_WITHIN_SECONDS
    assert (await door.status("two"), await door.status("six")) == (401, 200)
    path.unlink()
    door.now += SEEN_WITHIN_SECONDS
    assert (await door.status("two"), await door.status("six")) == (401, 401)
    assert not await door.authentication.can_let_in()
    path.write_text(line("two"))
    door.now += SEEN_WITHIN_SECONDS
    assert await door.status("two") == 200
    assert await door.authentication.can_let_in()


async def test_the_file_is_not_read_for_each_call(path: Path, door: Door) -> None:
    path.write_text(line("one"))
    assert await door.status("one") == 200
    path.unlink()
    assert await door.status("one") == 200


async def test_what_cannot_be_read_opens_nothing_and_the_log_says_so_without_names(
    path: Path, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir()
    with caplog.at_level(logging.INFO):
        assert await door.status("one") == 401
        path.rmdir()
        path.write_text(line("one", "ana") + "ben nothing\n" + line("two", "cleo", "try_on:all"))
        door.now += SEEN_WITHIN_SECONDS
        assert await door.status("one") == 200
        assert await door.status("two") == 401
    assert "is no ordinary file" in caplog.text
    assert "lines that cannot be used: 2, 3" in caplog.text
    assert not [name for name in ("ana", "ben", "cleo", str(path), "one") if name in caplog.text.replace("none", "")]


def test_a_token_of_two_users_is_nobodys_and_one_user_may_have_two() -> None:
    tokens, wrong = read_tokens(line("a", "ana") + line("a", "ben") + line("b", "ana") + line("c", "ana"))
    assert {token.user for token in tokens.values()} == {"ana"}
    assert len(tokens) == 2
    assert wrong == (1, 2)
    same, none = read_tokens(line("a", "ana") * 2)
    assert (len(same), none) == (1, ())


async def test_scopes_and_case_are_read_as_people_write_them(path: Path, door: Door) -> None:
    digest = hashlib.sha256(b"one").hexdigest().upper()
    path.write_text(f"\ufeff  ana\t{digest}   try_on:create, try_on:read  \r\n", encoding="utf-8")
    answer = await door.asked("one")
    assert answer.json() == {"user": "token ana", "may_create": True}


async def test_an_open_service_has_one_user_and_a_closed_one_none_without_a_token(path: Path) -> None:
    is_open = Door(ServiceSettings())
    assert await is_open.user("anything") == "local"
    assert is_open.authentication.caller().owns_account
    closed = Door(ServiceSettings(tokens=path))
    with pytest.raises(PermissionError):
        closed.authentication.caller()
    # An issuer that is away lets nobody in, but may be back in a moment.
    for settings, can in (
        (ServiceSettings(), True),
        (ServiceSettings(tokens=path), False),
        (ServiceSettings(issuer="http://127.0.0.1:9"), True),
        (ServiceSettings(tokens=path, issuer="http://127.0.0.1:9"), True),
    ):
        assert await Door(settings).authentication.can_let_in() is can


async def test_while_the_file_cannot_be_looked_at_a_caller_is_told_to_come_again_and_not_that_the_token_is_wrong(
    path: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(line("one"))
    answers = anyio.Event()

    async def late(look: Callable[[], Any], **_limits: Any) -> Any:
        await answers.wait()
        return look()

    monkeypatch.setattr(tokens, "to_thread", SimpleNamespace(run_sync=late))
    with monkeypatch.context() as shorter:
        shorter.setattr(tokens, "MAX_LOOKING_SECONDS", 0.0)
        shorter.setattr(tokens, "MAX_AGE_SECONDS", 0.0)
        answer = await door.asked("one")
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert "www-authenticate" not in answer.headers
    answers.set()
    assert (await door.status("one"), await door.status("two")) == (200, 401)
