"""Names that are not there: what cannot be told apart is opened, a slip is named, and nothing else is proposed."""

import os
import unicodedata

import pytest

from kolors_mcp.images.sources import files, names
from kolors_mcp.images.sources.names import as_seen, typos
from tests.support.image_tree import Tree
from tests.support.images_support import png

posix = pytest.mark.skipif(os.name != "posix", reason="needs links and block counts as POSIX has them")

AT_NINE = "Screenshot 2026-08-10 at 9.22.20"


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (f"{AT_NINE}\u202fPM.png", f"{AT_NINE} PM.png"),
        (f"{AT_NINE} PM.png", f"{AT_NINE}\u202fPM.png"),
        ("a\u00a0b.png", "a b.png"),
        ("a  b.png", "a b.png"),
        (unicodedata.normalize("NFD", "Blümchen é.png"), "Blümchen é.png"),
        (unicodedata.normalize("NFC", "가방.png"), unicodedata.normalize("NFD", "가방.png")),
        ("Anna\u2019s dress.png", "Anna's dress.png"),
        ("Anna's \u201cbest\u201d.png", "Anna\u2019s \u201ebest\u201d.png"),
        ("a\u2013b\u2026.png", "a-b....png"),
        ("\u200edress\u200b 2.png", "dress 2.png"),
        (unicodedata.normalize("NFD", "Fotos März") + "/a\u202fb.png", "Fotos März/a b.png"),
    ],
)
def test_a_name_that_looks_the_same_opens_the_one_file_that_is_meant(tree: Tree, there: str, asked: str) -> None:
    path = tree.allowed / there
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(png())
    shown = " ".join(path.name.replace("\u200e", " ").replace("\u200b", " ").split())
    assert tree.read(tree.allowed / asked) == shown
    assert tree.read(asked) == shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dress.png", "dress.png"),
        ("dress2.png", "dress\u00b2.png"),
        ("dress.png", "dréss.png"),
        ("dress1.png", "dressl.png"),
        ("\uff41.png", "a.png"),
        ("dress.png", "dress.jpg"),
    ],
)
def test_names_that_can_be_told_apart_stay_apart(one: str, other: str) -> None:
    assert as_seen(one) != as_seen(other)


def test_of_two_names_that_look_the_same_none_is_guessed(tree: Tree) -> None:
    for name in ("red dress.png", "red\u2009dress.png"):
        (tree.allowed / name).write_bytes(png())
    asked = tree.allowed / "red\u00a0dress.png"
    assert tree.read(asked) == 'human_image looks the same as 2 names there: "red dress.png". Rename one of them.'
    assert tree.read(tree.allowed / "red\u2009dress.png") == "red dress.png"


@posix
def test_a_name_that_looks_the_same_leads_out_of_no_folder(tree: Tree) -> None:
    (tree.allowed / "out\u202f1.png").symlink_to(tree.forbidden / "dress.png")
    (tree.allowed / "far\u202foff").symlink_to(tree.forbidden)
    (tree.allowed / ".a\u202fb.png").write_bytes(png())
    (tree.forbidden / "a\u202fb.png").write_bytes(png())
    for asked in ("out 1.png", "far off/dress.png", ".a b.png", "../forbidden/a b.png"):
        assert "names no file" in tree.read(tree.allowed / asked), asked


def test_of_folders_too_full_to_be_listed_nothing_is_guessed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.allowed / "a\u202fb.png").write_bytes(png())
    assert tree.read(tree.allowed / "a b.png") == "a b.png"
    monkeypatch.setattr(names, "_MAX_LISTED", 1)
    assert "names no file" in tree.read(tree.allowed / "a b.png")


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("person.png", "photo.png"),
        ("person.png", "parson.png"),
        ("flower.png", "lower.png"),
        ("lowercase.png", "lower.png"),
        ("nofile.png", "profile.png"),
        ("shirt.png", "skirt.png"),
        ("IMG_2034.png", "IMG_2043.png"),
        ("dress-1.png", "dress-2.png"),
        ("red.png", "bed.png"),
        ("a.png", "b.png"),
        ("hat.png", "hst2.png"),
    ],
)
def test_another_picture_is_never_proposed(tree: Tree, asked: str, there: str) -> None:
    (tree.allowed / there).write_bytes(png())
    text = tree.read(tree.allowed / asked)
    assert text == (
        f'human_image names no file: "{tree.allowed / asked}"; that folder has none of this name. '
        "Check the path, or give an https link."
    )


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("jacet.png", "jacket.png"),
        ("jackett.png", "jacket.png"),
        ("jakcet.png", "jacket.png"),
        ("jscket.png", "jacket.png"),
        ("jcaket2.PNG", "jacket2.png"),
        ("red_jaket.jpg", "red_jacket.jpg"),
        ("Jacket.webp", "jacket.png"),
    ],
)
def test_a_slip_is_told_what_was_meant(tree: Tree, asked: str, there: str) -> None:
    (tree.allowed / there).write_bytes(png())
    assert tree.read(tree.allowed / asked).endswith(f'Did you mean "{tree.allowed / there}"?')


def test_between_two_names_that_are_as_near_none_is_proposed(tree: Tree) -> None:
    for name in ("jackets.png", "jackett.png"):
        (tree.allowed / name).write_bytes(png())
    assert "Did you mean" not in tree.read(tree.allowed / "jacket.png")


def test_typos_are_counted_as_people_make_them() -> None:
    counted = {"dress": 0, "drses": 1, "dres": 1, "dresss": 1, "drezs": 1, "dredd": 2, "drs": 2, "dross": 3, "d": 3}
    assert {written: typos(written, "dress") for written in counted} == counted


def test_missing_is_told_from_forbidden_and_from_a_folder_that_is_not_there(tree: Tree) -> None:
    assert "that folder has none of this name" in tree.read(tree.allowed / "IMG_2034.jpg")
    assert f'there is no folder "{tree.allowed}/Holidays"' in tree.read(tree.allowed / "Holidays" / "IMG_2034.jpg")
    assert "names no file that may be read" in tree.read(tree.forbidden / "IMG_2034.jpg")
    hidden = tree.read(tree.allowed / ".hidden" / "IMG_2034.jpg")
    assert "names no file that may be read" in hidden
    assert "Names that begin with a dot are not read." in hidden
    relative = tree.read("IMG_2034.jpg")
    assert f'names no file: "IMG_2034.jpg"; there is none in "{tree.allowed}". Give the whole path.' in relative
    assert "A picture of the chat itself has no path here." in relative
    assert "write https:// before it" in tree.read("www.shop.example/a.jpg")


@posix
def test_a_link_that_leads_out_is_not_said_to_be_missing_or_there(tree: Tree) -> None:
    for name, aim in (("to-nothing.png", "missing.png"), ("to-picture.png", "dress.png")):
        (tree.allowed / name).symlink_to(tree.forbidden / aim)
    said = {tree.read(tree.allowed / name).replace(name, "NAME") for name in ("to-nothing.png", "to-picture.png")}
    assert len(said) == 1
    assert said.pop().startswith("human_image names no file that may be read")


@posix
def test_a_file_that_only_a_cloud_has_is_told_so(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.allowed / ".IMG_1.HEIC.icloud").write_bytes(b"bplist00")
    assert tree.read(tree.allowed / "IMG_1.HEIC").startswith('human_image is not on this disk: "IMG_1.HEIC" is only in')
    with (tree.allowed / "online.png").open("wb") as file:
        file.truncate(100_000)
    assert tree.read(tree.allowed / "online.png").startswith('human_image is not on this disk: "online.png"')
    # Zeros that are on the disk are a damaged file, and a picture of a disk that counts no blocks is a picture.
    (tree.allowed / "zeros.png").write_bytes(bytes(100_000))
    assert "not on this disk" not in tree.read(tree.allowed / "zeros.png")
    monkeypatch.setattr(files, "_is_without_blocks", bool)
    assert tree.read(tree.allowed / "dress.png") == "dress.png"


@pytest.mark.parametrize(
    "marks", [{"st_flags": 0x40000000}, {"st_file_attributes": 0x400020}, {"st_file_attributes": 0x1000}]
)
def test_the_systems_own_marks_of_a_file_in_a_cloud_are_known(marks: dict[str, int]) -> None:
    class Status:
        st_blocks = 8

        def __init__(self, marks: dict[str, int]) -> None:
            self.__dict__.update(marks)

    assert files._is_marked_as_away(Status(marks))  # pyright: ignore[reportPrivateUsage, reportArgumentType]
    here = dict.fromkeys(marks, 32)
    assert not files._is_marked_as_away(Status(here))  # pyright: ignore[reportPrivateUsage, reportArgumentType]
