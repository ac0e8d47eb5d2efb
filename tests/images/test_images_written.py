"""The ways in which people, models and hosts write where a picture is, read as they are meant or told what to give."""

import pytest

from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources import files, paths
from kolors_mcp.images.sources.attachments import is_attachment
from kolors_mcp.images.sources.paths import translated
from kolors_mcp.images.sources.reference import FilePath, WebLink, parse
from tests.support.image_tree import Tree
from tests.support.images_support import png

LINK = "https://cdn.shop.example/a.jpg?b=1&c=2"


@pytest.mark.parametrize(
    "written",
    [
        f"<{LINK}>",
        f"[the dress]({LINK})",
        f"![]({LINK})",
        f'![a dress]( <{LINK}> "A dress" )',
        f"[![a dress]({LINK})](https://shop.example/dress)",
        f"`![a dress]({LINK})`",
        f'<img alt="x" src="{LINK.replace("&", "&amp;")}" width=3>',
        f"<IMG SRC={LINK}>",
        LINK.replace("&", "&amp;"),
        LINK.removeprefix("https:"),
        f"'{LINK.removeprefix('https:')}'",
        LINK.replace("//", "/"),
        f"({LINK})",
        f"\ufeff{LINK}\u200b",
        f' \u202a"{LINK}"\u202c ',
        f"**{LINK}**",
        f"\u3010{LINK}\u3011",
        f"@{LINK}",
        f"Image: {LINK}",
        f"**Photo URL:** <{LINK}>",
        f'cloth_image = "{LINK}"',
        f"url({LINK})",
        f"URL('{LINK}')",
    ],
)
def test_a_link_is_read_from_what_is_around_it(written: str) -> None:
    assert parse(written) == WebLink(LINK)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("[a dress](/home/anna/a\\_dress.png)", "/home/anna/a_dress.png"),
        ("![](<~/my dress.png>)", "~/my dress.png"),
        ("[x](~/dress (2).png)", "[x](~/dress (2).png)"),
        ("[x](~/dress(2).png)", "~/dress(2).png"),
        ("[Image: source: /home/anna/.claude/image-cache/0a/1.png]", "/home/anna/.claude/image-cache/0a/1.png"),
        ("[Image #1]", "[Image #1]"),
        ("//server/share/a.png", "//server/share/a.png"),
        ("//wsl.localhost/Ubuntu/home/a.png", "//wsl.localhost/Ubuntu/home/a.png"),
        ("[1] dress.png", "[1] dress.png"),
        ("\u202aC:\\Users\\Anna\\a.jpg", "C:\\Users\\Anna\\a.jpg"),
        ("\u2060 ~/a.jpg", "~/a.jpg"),
        ("(1) dress.png", "(1) dress.png"),
        ("picture=1.png", "picture=1.png"),
    ],
)
def test_a_path_is_read_from_what_is_around_it_and_else_left_alone(written: str, path: str) -> None:
    assert parse(written) == FilePath(path)


def test_a_link_among_other_words_is_told_to_stand_alone() -> None:
    for written in (f"the dress: {LINK}", f"Here: {LINK}. Thanks", f"view-source:{LINK}", f"url({LINK}) no-repeat"):
        with pytest.raises(RefusalError, match=r"^is a link among other words\. Give the link alone\.$"):
            parse(written)


@pytest.mark.parametrize(
    "written",
    [
        "{folder}/my\\ dress\\ \\(2\\).png",
        "'{folder}/my dress (2).png'",
        "{folder}/'my dress (2).png'",
        '{folder}/my\\ "dress (2).png"',
        "{folder}/my%20dress%20%282%29.png",
        "@{folder}/my dress (2).png",
        '@"{folder}/my dress (2).png"',
        "$HOME/my dress (2).png",
        "${{HOME}}/my\\ dress\\ \\(2\\).png",
        "%USERPROFILE%/my dress (2).png",
        "file://{folder}/my%20dress%20(2).png",
        "my\\ dress\\ (2).png",
    ],
)
def test_a_path_that_is_quoted_for_a_shell_is_read(tree: Tree, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("HOME", str(tree.allowed))
    (tree.allowed / "my dress (2).png").write_bytes(png())
    assert tree.read(written.format(folder=tree.allowed)) == "my dress (2).png"
    # The same form leads nowhere else.
    (tree.forbidden / "my dress (2).png").write_bytes(png())
    monkeypatch.setenv("HOME", str(tree.forbidden))
    if not written.startswith("my"):
        assert "names no file that may be read" in tree.read(written.format(folder=tree.forbidden))


def test_what_is_there_as_it_is_written_comes_first(tree: Tree) -> None:
    for name in ("it's%20a dress.png", "its%20a dress.png", "it's a dress.png"):
        (tree.allowed / name).write_bytes(png())
    assert tree.read(tree.allowed / "it's%20a dress.png") == "it's%20a dress.png"


@pytest.mark.parametrize(
    ("written", "here"),
    [
        ("C:\\Users\\Anna\\Pictures\\a b.jpg", "/mnt/c/Users/Anna/Pictures/a b.jpg"),
        ("d:/Fotos/a.jpg", "/mnt/d/Fotos/a.jpg"),
        ("\\\\wsl$\\Ubuntu\\home\\anna\\a.jpg", "/home/anna/a.jpg"),
        ("//wsl.localhost/Debian/tmp/a.jpg", "/tmp/a.jpg"),
        ("/home/anna/a.jpg", None),
        ("\\\\server\\share\\a.jpg", None),
    ],
)
def test_paths_of_windows_are_read_in_its_linux(written: str, here: str | None) -> None:
    assert translated(written, windows=False, wsl=True) == here
    assert translated(written, windows=False, wsl=False) is None


def test_paths_of_its_linux_are_read_in_windows() -> None:
    for written in ("/mnt/c/Users/Anna/a.jpg", "/c/Users/Anna/a.jpg", "/cygdrive/c/Users/Anna/a.jpg"):
        assert translated(written, windows=True, wsl=False) == "C:\\Users\\Anna\\a.jpg"
    assert translated("/home/anna/a.jpg", windows=True, wsl=False) is None


def test_in_the_linux_of_windows_both_kinds_open_and_neither_leads_out(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "is_wsl", lambda: True)
    inside = "\\\\wsl$\\Ubuntu" + str(tree.allowed / "dress.png").replace("/", "\\")
    assert tree.read(inside) == "dress.png"
    outside = "\\\\wsl$\\Ubuntu" + str(tree.forbidden / "dress.png").replace("/", "\\")
    assert tree.read(outside).startswith("human_image is a path to another machine")
    assert tree.read("C:\\Windows\\win.ini").startswith("human_image names no file that may be read")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("C:\\Users\\Anna\\a.jpg", "is a path of Windows, which this system is not."),
        ("\\\\wsl$\\Ubuntu\\home\\a.jpg", "is a path into WSL."),
        ("/mnt/c/Users/Anna/a.jpg", "is a path into Windows from WSL, which this system is not."),
        ("\\\\server\\share\\a.jpg", "is a path to another machine or to a device."),
    ],
)
def test_a_path_of_a_system_that_this_is_not_is_told_so(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, written: str, words: str
) -> None:
    monkeypatch.setattr(paths, "is_wsl", lambda: False)
    assert tree.read(written).startswith(f"human_image {words}")
    if not written.startswith(("\\", "/")):
        # Where a file is called so, it is that file.
        monkeypatch.chdir(tree.allowed)
        (tree.allowed / written).write_bytes(png())
        assert tree.read(written) == written


ATTACHED = [
    "attached image", "the attached photo", "[Image #1]", "[Pasted image 2]", "<image>", "image 1", "{{user_image}}",
    "uploaded_image", "file-abc123", "file_011CNha8iCJcU1wXNR6q4V8w", "/mnt/data/dress.png",
    "/mnt/user-data/uploads/dress.png", "the image above", "das angehängte Bild", "la imagen adjunta", "附件图片",
    "human_image", "clipboard",
]  # fmt: skip


@pytest.mark.parametrize("written", ATTACHED)
def test_a_picture_of_the_chat_is_named_as_such_with_what_to_give_instead(tree: Tree, written: str) -> None:
    said = tree.read(written)
    assert said.startswith("human_image is a picture attached to the chat, which does not reach this server. Give the ")
    assert "the path that the host shows with it or an https link, or call open_fitting_room" in said
    with pytest.raises(RefusalError, match="attached to the chat"):
        files.open_file(written.strip("<>"), [])


@pytest.mark.parametrize(
    "written",
    ["attachment://dress.png", "attachment:1", "sandbox:/mnt/data/a.png", "blob:https://chat.example/1",
     "cid:part1@mail.example", "content://media/external/images/1", "file-service://file-abc", "clipboard:image"],
)  # fmt: skip
def test_a_link_that_only_the_chat_can_follow_is_named_as_such(written: str) -> None:
    with pytest.raises(RefusalError, match=r"does not reach this server\. .* or call open_fitting_room"):
        parse(written)


@pytest.mark.parametrize(
    "written",
    ["dress.png", "image.png", "red dress", "/home/anna/attached/dress", "photos/dress", "file.txt", "imagery",
     "dress-abc123", "~/Pictures/image", "my trousers"],
)  # fmt: skip
def test_a_name_of_a_file_is_not_taken_for_a_picture_of_the_chat(written: str) -> None:
    assert not is_attachment(written)


def test_a_file_of_such_a_name_is_read_all_the_same(tree: Tree) -> None:
    for name in ("[Image #1]", "file-abc123"):
        (tree.allowed / name).write_bytes(png())
        assert tree.read(name) == name
