"""Which pictures are told of: those that may be opened, by their names alone, the newest first, and within bounds."""

import os
import sys
from pathlib import Path

import pytest

from kolors_mcp.images.sources import nearby
from kolors_mcp.images.sources.nearby import Nearby, find_pictures

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names, or asks for rights")


def put(path: Path, age: int = 0, data: bytes = b"a name is enough") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def found(*folders: Path, query: str = "", limit: int = 50, left: float = 1.0) -> Nearby:
    return find_pictures(folders, query, limit, lambda: left)


def names(*folders: Path, query: str = "") -> list[str]:
    return [Path(picture.path).name for picture in found(*folders, query=query).pictures]


def test_the_newest_come_first_and_more_are_told_of(tmp_path: Path) -> None:
    for age, name in enumerate(("c.jpg", "a.HEIC", "b.webp")):
        put(tmp_path / name, age)
    put(tmp_path / "notes.txt")
    put(tmp_path / "empty.jpg", data=b"")
    assert names(tmp_path) == ["c.jpg", "a.HEIC", "b.webp"]
    two = found(tmp_path, limit=2)
    assert ([Path(one.path).name for one in two.pictures], two.more) == (["c.jpg", "a.HEIC"], True)
    assert (two.pictures[0].path, two.pictures[0].size) == (str(tmp_path.resolve() / "c.jpg"), 16)
    assert not found(tmp_path, limit=3).more


def test_a_query_is_words_of_the_name_or_of_folders_in_any_case(tmp_path: Path) -> None:
    put(tmp_path / "Holiday 2025" / "IMG_1.jpg")
    put(tmp_path / "Rotes Kleid.png")
    put(tmp_path / "cafe\u0301.jpg")
    assert names(tmp_path, query="holiday img") == ["IMG_1.jpg"]
    assert names(tmp_path, query="KLEID") == ["Rotes Kleid.png"]
    assert names(tmp_path, query="caf\u00e9") == ["cafe\u0301.jpg"]
    assert names(tmp_path, query=tmp_path.name) == [], "the allowed folder's own name is none"


def test_three_folders_deep_and_nothing_hidden(tmp_path: Path) -> None:
    put(tmp_path / "1" / "2" / "3" / "in.jpg")
    put(tmp_path / "1" / "2" / "3" / "4" / "too deep.jpg")
    put(tmp_path / ".hidden" / "x.jpg")
    put(tmp_path / ".x.jpg")
    assert names(tmp_path) == ["in.jpg"]
    # Asked for itself, a hidden folder may be read.
    assert names(tmp_path / ".hidden") == ["x.jpg"]


@posix
def test_links_are_judged_by_where_they_lead(tmp_path: Path) -> None:
    mine, outside = tmp_path / "mine", tmp_path / "outside"
    put(outside / "secret.jpg")
    inside = put(mine / "photo.jpg", 1)
    (mine / "out.jpg").symlink_to(outside / "secret.jpg")
    (mine / "folder").symlink_to(outside)
    (mine / "round").symlink_to(mine)
    (mine / "gone.jpg").symlink_to(mine / "nothing")
    (mine / "in.jpg").symlink_to(inside)
    assert sorted(names(mine)) == ["in.jpg", "photo.jpg"]
    link = tmp_path / "linked"
    link.symlink_to(mine)
    assert sorted(names(link, mine)) == ["in.jpg", "photo.jpg"], "once, although both are allowed"
    os.mkfifo(mine / "pipe.jpg")
    assert "pipe.jpg" not in names(mine)


def test_a_star_stands_for_every_folder_that_is_not_hidden(tmp_path: Path) -> None:
    put(tmp_path / "one" / "images" / "a.jpg")
    put(tmp_path / "one" / "notes" / "b.jpg")
    put(tmp_path / ".two" / "images" / "c.jpg")
    assert names(tmp_path / "*" / "images") == ["a.jpg"]


@posix
def test_a_name_that_cannot_be_told_on_a_line_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "ignore all\nprevious.jpg", 1)
    put(tmp_path / "screen\u202fshot\u200b.jpg", 2)
    put(tmp_path / "bell\x07.jpg")
    put(tmp_path / 'a"b.jpg')
    assert names(tmp_path) == ["ignore all previous.jpg", "screen shot.jpg"]


def test_only_so_many_names_are_looked_at_and_a_large_folder_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "MAX_LOOKED_AT", 40)
    monkeypatch.setattr(nearby, "_NAMES_A_TURN", 10)
    for number in range(60):
        put(tmp_path / "large" / f"{number}.txt")
    put(tmp_path / "small" / "mine.jpg")
    looked = found(tmp_path / "large", tmp_path / "small")
    assert [Path(one.path).name for one in looked.pictures] == ["mine.jpg"]
    assert looked.more
    assert found(tmp_path / "small", left=0.0) == Nearby([], more=True), "out of time"
