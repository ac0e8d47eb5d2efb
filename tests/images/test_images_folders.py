"""Where pictures may be read when nothing is set: the system's own folders, those of hosts, and nothing beside them."""

import os
from pathlib import Path

import pytest

from kolors_mcp import folders
from kolors_mcp.folders import default_folders
from tests.support.image_tree import Tree
from tests.support.images_support import png

posix = pytest.mark.skipif(os.name != "posix", reason="needs folders as POSIX has them")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and a working and a temporary folder elsewhere."""
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    for folder in (elsewhere, home):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(elsewhere))
    return home


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree").mkdir()
    return Tree(tmp_path / "tree")


def kept(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png())
    return path


def user_directories(home: Path, *lines: str) -> None:
    (home / ".config").mkdir(exist_ok=True)
    (home / ".config" / "user-dirs.dirs").write_text("# written by a program\n" + "\n".join(lines) + "\n")


@posix
def test_folders_are_known_by_the_names_that_the_system_gives_them(home: Path, tree: Tree) -> None:
    user_directories(home, 'XDG_PICTURES_DIR="$HOME/Bilder"', 'XDG_DOWNLOAD_DIR="${HOME}/Mes \\"fichiers\\""')
    found = default_folders({})
    assert home / "Pictures" in found
    for folder in (home / "Bilder", home / 'Mes "fichiers"'):
        assert tree.read(kept(folder / "dress.png"), found) == "dress.png"
    assert "names no file that may be read" in tree.read(kept(home / "Musik" / "dress.png"), found)


def test_the_file_of_names_may_lie_elsewhere_and_name_another_disk(home: Path, tmp_path: Path) -> None:
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration" / "user-dirs.dirs").write_text(f'XDG_DESKTOP_DIR="{tmp_path}/disk/Schreibtisch"')
    assert tmp_path / "disk" / "Schreibtisch" in default_folders({"XDG_CONFIG_HOME": str(tmp_path / "configuration")})
    assert home / "Desktop" in default_folders({})


@posix
@pytest.mark.parametrize(
    "written",
    [
        "/",
        "$HOME",
        "$HOME/",
        "$HOME/..",
        "$HOME/.ssh",
        "$HOME/a/../.config",
        "$HOME/everything",
        "relative",
        "$HOME/up",
    ],
)
def test_a_name_for_all_of_a_home_or_disk_opens_nothing(home: Path, written: str) -> None:
    (home / "everything").symlink_to("/")
    (home / "up").symlink_to(home.parent)
    before = default_folders({})
    user_directories(home, f'XDG_PICTURES_DIR="{written}"', 'XDG_MUSIC_DIR="$HOME/Musik"', "XDG_DESKTOP_DIR=$HOME/x")
    assert default_folders({}) == before
    # The control: what is a folder of the person's own is taken.
    user_directories(home, 'XDG_PICTURES_DIR="$HOME/Bilder"')
    assert set(default_folders({})) - set(before) == {home / "Bilder"}


def test_windows_and_onedrive_say_where_folders_are(home: Path) -> None:
    shell = {
        "My Pictures": str(home / "OneDrive" / "Bilder"),
        "Desktop": "%UserProfile%/Bureau",
        "Personal": "%GONE%/x",
    }
    environment = {"USERPROFILE": str(home), "OneDriveCommercial": str(home / "OneDrive - Shop")}
    found = default_folders(environment, platform="win32", read_shell_folder=shell.get)
    for folder in ("OneDrive/Bilder", "Bureau", "OneDrive - Shop/Pictures", "OneDrive - Shop/Desktop", "Pictures"):
        assert home / folder in found
    assert not any("GONE" in str(folder) for folder in found)


def test_onedrive_on_a_mac_and_windows_around_a_linux_are_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "Library" / "CloudStorage" / "OneDrive-Personal").mkdir(parents=True)
    assert home / "Library/CloudStorage/OneDrive-Personal/Pictures" in default_folders({}, platform="darwin")
    assert not any("/mnt/c" in str(folder) for folder in default_folders({}, platform="linux"))
    monkeypatch.setattr(folders, "is_wsl", lambda: True)
    assert Path("/mnt/c/Users/*/Pictures") in default_folders({}, platform="linux")


PASTED = [
    ".claude/image-cache/0a1b/1.png",
    ".claude/projects/-home-anna-shop/0a1b/tool-results/mcp-kolors-blob-1.png",
    ".gemini/tmp/5f2e/images/clipboard-1.png",
    ".qwen/tmp/clipboard/clipboard-1.png",
    ".codex/generated_images/0a1b/1.png",
    ".cursor/projects/home-anna-shop/assets/image-1.png",
    ".kimi/prompt-cache/images/1.png",
    ".kimi-code/sessions/shop-0a1b/session-1/attachments/1.png",
    ".kimi-code/sessions/shop-0a1b/session-1/media-originals/1.png",
    ".kimi-code/cache/0a1b.png",
]


@posix
@pytest.mark.parametrize("path", PASTED)
def test_pictures_that_hosts_keep_are_read_although_a_part_of_the_path_is_hidden(
    home: Path, tree: Tree, path: str
) -> None:
    assert tree.read(kept(home / path), default_folders({})) == Path(path).name


@posix
@pytest.mark.parametrize(
    "path",
    [
        ".claude/projects/-home-anna-shop/0a1b.png",  # where transcripts lie
        ".claude/projects/-home-anna-shop/0a1b/subagents/a.png",
        ".claude/projects/-home-anna-shop/tool-results/a.png",
        ".claude/a.png",
        ".claude/image-cache/.hidden/1.png",
        ".claude/projects/.hidden/0a1b/tool-results/1.png",
        ".gemini/tmp/5f2e/chats/session.png",
        ".gemini/tmp/5f2e/images.png",
        ".gemini/tmp/.images/images/1.png",
        ".gemini/oauth.png",
        ".codex/sessions/2026/1.png",
        ".cursor/projects/home-anna-shop/agent-transcripts/1.png",
        ".kimi-code/sessions/shop-0a1b/session-1/agents/main/1.png",
        ".kimi-code/credentials/1.png",
        ".ssh/images/id.png",
        ".config/tmp/5f2e/images/1.png",
    ],
)
def test_what_lies_beside_the_pictures_of_hosts_stays_closed(home: Path, tree: Tree, path: str) -> None:
    text = tree.read(kept(home / path), default_folders({}))
    assert text.startswith("human_image names no file that may be read"), text


@posix
def test_a_link_out_of_the_folder_of_a_host_leads_nowhere(home: Path, tree: Tree) -> None:
    found, outside = default_folders({}), tree.forbidden
    cache, projects = home / ".claude/image-cache", home / ".gemini/tmp"
    inside = kept(cache / "0a1b" / "1.png")
    (cache / "0a1b" / "out.png").symlink_to(outside / "dress.png")
    (cache / "linked").symlink_to(outside)
    (projects / "5f2e").mkdir(parents=True)
    (projects / "5f2e" / "images").symlink_to(outside)
    (projects / "6a3b").symlink_to(kept(outside / "images" / "dress.png").parent.parent)
    for path in (cache / "0a1b/out.png", cache / "linked/dress.png", *projects.glob("*/images/dress.png")):
        assert tree.read(path, found).startswith("human_image names no file that may be read"), path
    assert tree.read(inside, found) == "1.png"


@posix
def test_a_host_may_have_its_folder_elsewhere_and_the_home_may_be_a_link(
    home: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.parent / "linked").symlink_to(home)
    moved = home.parent / "claude"
    monkeypatch.setenv("HOME", str(home.parent / "linked"))
    kept(home / PASTED[2])
    found = default_folders({"CLAUDE_CONFIG_DIR": str(moved)})
    for path in (home.parent / "linked" / PASTED[2], home / PASTED[2], kept(moved / "image-cache/0a1b/1.png")):
        assert tree.read(path, found) == path.name
    assert home / ".claude/image-cache" not in found
