"""Files are read from allowed folders only, decided on what was opened."""

import os
import socket
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources import allowed, files
from kolors_mcp.images.sources.allowed import Allowed
from tests.support.image_tree import Tree, posix
from tests.support.images_support import jpeg, png


def test_pictures_in_allowed_folders_are_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree.read(tree.allowed / "dress.png") == "dress.png"
    assert tree.read(tree.allowed / "inner" / ".." / "dress.png") == "dress.png"
    assert tree.read("inner/dress.png") == "dress.png"
    monkeypatch.chdir(tree.allowed / "inner")
    assert tree.read("./dress.png") == "dress.png"
    monkeypatch.setenv("HOME", str(tree.allowed))
    assert tree.read("~/inner/dress.png") == "dress.png"
    assert tree.read(tree.allowed / ".hidden" / "dress.png", [tree.allowed, tree.allowed / ".hidden"]) == "dress.png"


def test_outside_missing_and_forbidden_read_the_same(tree: Tree) -> None:
    texts = {
        tree.read(path).replace(str(path), "PATH")
        for path in (
            tree.forbidden / "dress.png",
            tree.forbidden / "missing.png",
            tree.allowed / ".." / "forbidden" / "dress.png",
            tree.forbidden,
            Path("/etc/passwd"),
            Path("/etc/missing"),
            Path("/root"),
        )
    }
    assert len(texts) == 1
    assert texts.pop().startswith('human_image names no file that may be read: "PATH". Pictures are read from ')


def test_hidden_parts_are_refused_below_an_allowed_folder(tree: Tree) -> None:
    (tree.allowed / ".dress.png").write_bytes(png())
    for path in (".hidden/dress.png", ".dress.png", "inner/../.hidden/dress.png"):
        assert "names no file" in tree.read(tree.allowed / path), path


def test_without_the_containment_hidden_and_forbidden_pictures_would_be_read(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Allowed, "root_of", lambda _self, _path: "/")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(Allowed, "has", lambda _self, _path: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert tree.read(tree.allowed / ".hidden" / "dress.png") == "dress.png"
    assert tree.read(tree.forbidden / "dress.png") == "dress.png"


@posix
def test_links_lead_nowhere_but_inside(tree: Tree) -> None:
    (tree.allowed / "out.png").symlink_to(tree.forbidden / "dress.png")
    (tree.allowed / "out").symlink_to(tree.forbidden)
    (tree.allowed / "hidden.png").symlink_to(tree.allowed / ".hidden" / "dress.png")
    (tree.allowed / "loop.png").symlink_to(tree.allowed / "loop.png")
    (tree.allowed / "in.png").symlink_to(tree.allowed / "inner" / "dress.png")
    (tree.forbidden / "back.png").symlink_to(tree.allowed / "dress.png")
    for path in ("out.png", "out/dress.png", "hidden.png"):
        assert "names no file" in tree.read(tree.allowed / path), path
    assert tree.read(tree.allowed / "loop.png").startswith("human_image is no ordinary file")
    assert "names no file" in tree.read(tree.forbidden / "back.png")
    assert tree.read(tree.allowed / "in.png") == "in.png"
    # An allowed folder may itself be a link: its owner said so.
    (tree.forbidden.parent / "linked").symlink_to(tree.forbidden)
    linked = tree.forbidden.parent / "linked"
    assert tree.read(linked / "dress.png", [linked]) == "dress.png"


def test_a_relative_path_may_begin_with_the_name_of_a_folder_that_is_allowed(tree: Tree) -> None:
    assert tree.read(f"{tree.allowed.name}/dress.png") == "dress.png"
    assert tree.read(f"{tree.allowed.name}/inner/dress.png") == "dress.png"
    for elsewhere in (f"{tree.forbidden.name}/dress.png", f"{tree.allowed.name}/../{tree.forbidden.name}/dress.png"):
        assert "names no file" in tree.read(elsewhere)


@posix
def test_what_is_no_ordinary_file_is_refused_at_once(tree: Tree) -> None:
    os.mkfifo(tree.allowed / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree.allowed / "s.png"))
        assert tree.read(tree.allowed / "pipe.png") == (
            'human_image is no ordinary file: "pipe.png". Give the path of a picture.'
        )
        assert tree.read(tree.allowed / "s.png") == (
            'human_image is no ordinary file: "s.png". Give the path of a picture.'
        )
    assert tree.read(tree.allowed / "inner") == ('human_image is a folder: "inner". Give the path of a picture in it.')
    (tree.allowed / "empty.png").touch()
    assert tree.read(tree.allowed / "empty.png") == (
        'human_image is an empty file: "empty.png". Perhaps its download has not finished, or it is only in a cloud: '
        "open it once."
    )
    with (tree.allowed / "huge.png").open("wb") as file:
        file.truncate(64_000_001)
    assert tree.read(tree.allowed / "huge.png") == (
        "human_image is a file of 64 MB; at most 64 MB are read. Ask for a smaller version."
    )


@posix
@pytest.mark.parametrize(
    "path", ["/dev/zero", "/dev/stdin", "/proc/self/environ", "/proc/self/root/etc/hostname", "/sys/kernel/notes"]
)
def test_the_system_is_not_read_even_where_everything_is_allowed(tree: Tree, path: str) -> None:
    assert tree.read(path, [Path("/")]).startswith("human_image names no file that may be read")


@posix
def test_without_its_list_the_system_would_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowed, "_NEVER", ("/nowhere", "/nowhere", "/nowhere"))
    assert tree.read("/proc/version", [Path("/")]).startswith("human_image is an empty file")


def test_no_folders_means_no_files(tmp_path: Path) -> None:
    async def attempt(reference: str) -> None:
        await Pictures(folders=[]).prepare(reference, "human_image")

    for reference in (str(tmp_path), "dress.png", "file:///etc/passwd", "~"):
        with pytest.raises(PictureRefusedError, match="this server reads no local files"):
            anyio.run(attempt, reference)


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("dres.png", "dress.png"),
        ("Dress.PNG", "dress.png"),
        ("dress.jpg", "dress.png"),
    ],
)
def test_a_mistyped_path_is_told_what_is_near(tree: Tree, written: str, nearest: str) -> None:
    text = tree.read(tree.allowed / written)
    assert text.startswith("human_image names no file: ")
    assert text.endswith(f'Did you mean "{tree.allowed / nearest}"?')


def test_nothing_hidden_or_outside_is_named_as_near(tree: Tree) -> None:
    assert "Did you mean" not in tree.read(tree.forbidden / "dres.png")
    assert "Did you mean" not in tree.read(tree.allowed / ".hidden" / "dres.png")
    (tree.allowed / "inner" / ".secret.png").touch()
    assert ".secret" not in tree.read(tree.allowed / "inner" / "secret.png")


@pytest.mark.parametrize(
    "written", ["\\\\server\\share\\a.png", "//server/share/a.png", "\\\\?\\C:\\a.png", "\\\\.\\PhysicalDrive0"]
)
def test_paths_to_other_machines_are_refused(tree: Tree, written: str) -> None:
    assert tree.read(written) == (
        "human_image is a path to another machine or to a device. Give the path of a file on this one."
    )


@pytest.mark.parametrize(
    "written", ["C:\\a.png:stream", "a.png::$DATA", "C:\\NUL", "con.png", "x\\Lpt1 .txt", "C:\\com\u00b2"]
)
def test_streams_and_devices_of_windows_are_refused(written: str) -> None:
    refusal = files._odd_form(written, windows=True)  # pyright: ignore[reportPrivateUsage]
    assert "a stream or a device inside Windows" in str(refusal)
    fine = "C:\\Users\\Anna\\console.png"
    assert files._odd_form(fine, windows=True) is None  # pyright: ignore[reportPrivateUsage]


def test_descriptors_are_not_left_open(tree: Tree) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to count")
    (tree.allowed / "broken.png").write_bytes(png()[:-30])
    (tree.allowed / "turn.gif").write_bytes(b"GIF89a" + bytes(50))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        for path in ("dress.png", "broken.png", "turn.gif", "inner", "missing.png"):
            tree.read(tree.allowed / path)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


@settings(max_examples=60)
@given(
    parts=st.lists(
        st.sampled_from(
            (
                "..",
                ".",
                "allowed",
                "forbidden",
                "inner",
                ".hidden",
                "dress.png",
                "",
                "/",
                "~",
                "etc",
                "\\",
                "a\0b",
                "%2e%2e",
                "...",
                "\u202e",
            )
        )
        | st.text(max_size=5),
        max_size=8,
    ),
    absolute=st.booleans(),
)
def test_no_path_leads_out_of_the_allowed_folder(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool
) -> None:
    root = tmp_path_factory.getbasetemp() / "paths"
    if not root.exists():
        root.mkdir()
        Tree(root)
        # Only pictures that may be read are PNGs; whatever else is opened would be told from them.
        (root / "forbidden" / "dress.png").write_bytes(jpeg())
        (root / "allowed" / ".hidden" / "dress.png").write_bytes(jpeg())
    allowed = root / "allowed"
    written = "/".join([str(allowed), *parts] if absolute else parts)
    try:
        content, _ = files.open_file(written, [allowed])
    except RefusalError:
        return
    assert content.read(0, 4) == b"\x89PNG"
    content.close()
