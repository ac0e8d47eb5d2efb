"""The whole disk: never allowed by accident; and when it is full, what cannot be written leaves nothing behind."""

import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.exc import OperationalError

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.folders import default_folders
from kolors_mcp.images import write
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources import files
from kolors_mcp.images.sources.files import open_file
from kolors_mcp.ledger.failures import in_words
from kolors_mcp.settings import Settings
from tests.support.images_support import png
from tests.support.wishing import World

pytestmark = pytest.mark.anyio

ROOT = Path(Path.cwd().anchor)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full(*_: object, **__: object) -> NoReturn:
    raise FULL


def test_a_server_that_is_started_at_the_root_does_not_read_the_whole_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert ROOT not in default_folders({})
    # Where no folder for temporary files can be written to, the working folder stands for it.
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(ROOT))
    assert ROOT not in Settings.from_env({}).image_dirs
    (tmp_path / "everything").symlink_to(ROOT)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "everything"))
    assert tmp_path / "everything" not in Settings.from_env({}).image_dirs
    # Who says so may.
    assert Settings.from_env({"KOLORS_IMAGE_DIRS": str(ROOT)}).image_dirs == (ROOT,)


def test_an_ordinary_working_folder_and_temporary_folder_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert default_folders({})[-2:] == (tmp_path, tmp_path / "temporary")


def test_the_allowed_folder_itself_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match=r"^names no file that may be read"):
        open_file(str(tmp_path), [tmp_path])


def test_a_file_may_be_just_as_large_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1_000)
    file = tmp_path / "a.png"
    file.write_bytes(bytes(1_000))
    content, _ = open_file(str(file), [tmp_path])
    content.close()
    file.write_bytes(bytes(1_001))
    with pytest.raises(RefusalError, match=r"^is a file of"):
        open_file(str(file), [tmp_path])


_really_open = os.open


def _full_for_new_names(path: str | Path, flags: int, mode: int = 0o777) -> int:
    return full() if Path(path).name == "a-2.png" else _really_open(path, flags, mode)


async def test_a_full_disk_leaves_the_link_and_a_note_and_nothing_half(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    async with world.server(save_dir=folder) as assistant:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            said = await assistant.create(wait_seconds=30)
        [image] = said.try_on.images
        assert image.saved_to is None
        assert image.url in said.text
        assert any(os.strerror(errno.ENOSPC) in note for note in said.try_on.notes)
        assert list(folder.iterdir()) == []
        # With room again it is saved, without a new try-on.
        again = (await assistant.get(said.try_on.task_id)).try_on
        assert again.images[0].saved_to is not None
        assert [str(path) for path in folder.iterdir()] == [again.images[0].saved_to]


@pytest.mark.parametrize("step", ["write", "name", "move"])
def test_wherever_the_disk_is_full_nothing_half_is_left(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "a.png"
    there.write_bytes(b"something that is there")
    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(Path, "hardlink_to", full)
        if step == "move":
            patch.setattr(Path, "replace", full)
        if step == "name":
            patch.setattr(os, "open", _full_for_new_names)
        with pytest.raises(PictureRefusedError, match=f"could not be kept in .*{os.strerror(errno.ENOSPC)}"):
            write.keep(png(), tmp_path, "a")
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_bytes() == b"something that is there"
    assert write.keep(png(), tmp_path, "a") == tmp_path / "a-2.png"


def test_without_hard_links_a_picture_is_kept_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", full)
    assert write.keep(png(), tmp_path, "a").read_bytes() == png()
    assert len(list(tmp_path.iterdir())) == 1


class _ServerError(Exception):
    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.sqlstate = state


def _sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("SECRET of a row")
    error.sqlite_errorcode, error.sqlite_errorname = code, "NAME"
    return error


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (_sqlite(sqlite3.SQLITE_FULL), "the disk is full"),
        (_sqlite(sqlite3.SQLITE_FULL | 3 << 8), "the disk is full"),
        (_sqlite(sqlite3.SQLITE_BUSY | 2 << 8), "is locked"),
        (_sqlite(sqlite3.SQLITE_IOERR), "failed"),
        (PermissionError(errno.EACCES, "SECRET"), "may not be written by this program"),
        (OSError(errno.ENOENT, "SECRET"), "cannot be opened"),
        (_ServerError("53100"), "the disk is full"),
        (_ServerError("53300"), "has no free connection"),
        (_ServerError("57014"), "is locked"),
        (_ServerError("57P01"), "was cut off by its server"),
        (_ServerError("99999"), "failed"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_a_full_disk_of_the_ledger_is_told_from_its_other_troubles(cause: Exception, words: str) -> None:
    said = in_words(OperationalError("INSERT", {}, cause), "sqlite:///here")
    assert said.startswith(f"The ledger sqlite:///here {words}") or f": {words} (" in said
    assert "SECRET" not in said
