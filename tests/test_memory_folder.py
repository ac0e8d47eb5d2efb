"""The folders of tests are in memory where there is one with room, and else where pytest makes them by itself."""

import os
from pathlib import Path

import pytest

from tests.support import memory_folder
from tests.support.memory_folder import PLACE_OF_TESTS, keep_tests_in_memory


@pytest.fixture
def nobody_has_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set before it is deleted: what a test then adds is taken back too.
    monkeypatch.setenv(PLACE_OF_TESTS, "")
    monkeypatch.delenv(PLACE_OF_TESTS)


@pytest.mark.usefixtures("nobody_has_said")
def test_a_folder_with_room_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "MEMORY", tmp_path)
    monkeypatch.setattr(memory_folder, "ROOM_BYTES", 0)
    keep_tests_in_memory()
    assert os.environ[PLACE_OF_TESTS] == str(tmp_path)


@pytest.mark.usefixtures("nobody_has_said")
def test_one_without_room_and_one_that_does_not_exist_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, room in ((tmp_path, 1 << 62), (tmp_path / "none", 0)):
        monkeypatch.setattr(memory_folder, "MEMORY", folder)
        monkeypatch.setattr(memory_folder, "ROOM_BYTES", room)
        keep_tests_in_memory()
        assert PLACE_OF_TESTS not in os.environ


def test_a_place_that_somebody_chose_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "MEMORY", tmp_path)
    monkeypatch.setattr(memory_folder, "ROOM_BYTES", 0)
    monkeypatch.setenv(PLACE_OF_TESTS, "/elsewhere")
    keep_tests_in_memory()
    assert os.environ[PLACE_OF_TESTS] == "/elsewhere"
