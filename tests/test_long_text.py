"""Long texts lie in files: nothing of them is lost, little of them is held, and no file stays."""

import gc
import os
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp import long_text
from kolors_mcp.long_text import LONG, LongText, length_of
from kolors_mcp.server.messages import message_of

TEXT = "AbC/" * (LONG // 4)


def test_a_long_text_is_read_back_whole_and_as_often_as_wanted() -> None:
    put = LongText.of(TEXT)
    assert isinstance(put, LongText)
    assert [put.whole(), put.whole()] == [TEXT, TEXT]
    assert TEXT.startswith(put)
    assert length_of(put) == len(TEXT)


@pytest.mark.parametrize("text", ["", TEXT[1:], "\u4e2d" * LONG])
def test_what_is_short_or_no_ascii_stays_what_it_is(text: str) -> None:
    assert LongText.of(text) is text
    assert length_of(text) == len(text)


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files through /proc")
def test_the_file_has_no_name_and_goes_with_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def opened() -> list[str]:
        gc.collect()
        targets = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
        return [target for target in targets if target.startswith(str(tmp_path))]

    put: str | None = LongText.of(TEXT)
    assert list(tmp_path.iterdir()) == []
    assert len(opened()) == 1
    assert put is not None
    put = None
    assert opened() == []


def test_without_a_place_for_files_a_text_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert LongText.of(TEXT) is TEXT


def test_only_so_many_files_are_open_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr(long_text, "MOST_FILES", 2)
    kept = [LongText.of(TEXT) for _ in range(3)]
    assert [isinstance(one, LongText) for one in kept] == [True, True, False]
    kept.clear()
    assert isinstance(LongText.of(TEXT), LongText)


def test_calls_that_wait_hold_next_to_nothing_of_their_pictures() -> None:
    line = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_try_on","arguments":{"human_image":"'
    )
    line += TEXT.encode() * 4 + b'"}}}'
    tracemalloc.start()
    try:
        waiting: list[Any] = [message_of(line) for _ in range(10)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 500_000
    arguments = [read.message.params["arguments"] for read in waiting]
    assert all(one["human_image"].whole() == TEXT * 4 for one in arguments)
