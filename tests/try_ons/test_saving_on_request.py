"""A picture that somebody wants to keep is saved whole, under a name that they know it by, and over nothing."""

# ruff: noqa: ASYNC240  (the tests look at a few small files; nothing else runs meanwhile)

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kolors_mcp.folders import pictures_folder
from tests.support.wishing import Assistant, Said, World

pytestmark = pytest.mark.anyio
DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Pictures" / "try-ons"


@pytest.fixture
async def saver(world: World, folder: Path) -> AsyncIterator[Assistant]:
    async with world.server(chosen_dir=folder) as assistant:
        yield assistant


async def saved(assistant: Assistant, task_id: str, **more: object) -> Path:
    said = await assistant.call("save_try_on", task_id=task_id, **more)
    assert not said.is_error, said.text
    assert said.structured is not None
    assert f"saved to: {said.structured['saved_to']} ." in said.text
    return Path(said.structured["saved_to"])


async def made(assistant: Assistant, colour: str = "crimson") -> str:
    return (await assistant.create(colour, wait_seconds=60)).try_on.task_id


async def test_a_picture_is_saved_whole_under_its_name_and_the_answer_says_how_long_the_link_lives(
    world: World, saver: Assistant, folder: Path
) -> None:
    task_id = await made(saver)
    said = await saver.call("save_try_on", task_id=task_id, name="Red dress, front")
    assert said.structured is not None
    path = Path(said.structured["saved_to"])
    assert (path.parent, path.stem) == (folder, "Red-dress-front")
    assert path.read_bytes() == world.kling.tasks.all[0].result
    assert said.structured["url"] in said.text
    assert "good until 2" in said.text


async def test_saving_again_writes_nothing_twice_and_another_picture_gets_a_number(saver: Assistant) -> None:
    first = await made(saver)
    kept = await saved(saver, first, name="look")
    assert await saved(saver, first, name="look") == kept
    other = await saver.call("create_try_on", human_image=first, cloth_image=f"tryon://{first}")
    assert other.is_error, "the same picture twice"
    assert [entry.name for entry in kept.parent.iterdir()] == [kept.name]
    taken = kept.with_name("coat" + kept.suffix)
    taken.write_bytes(b"somebody's own")
    assert (await saved(saver, first, name="coat")).stem == "coat-2"
    assert taken.read_bytes() == b"somebody's own"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("红色连衣裙", "红色连衣裙"),
        ("../../etc/passwd", "etc-passwd"),
        ("a*b?[c]", "a-b-c"),
        (".hidden", "hidden"),
        ("...", "picture"),
        ("CON", "CON-"),
        ("Red dress v1.5.JPG", "Red-dress-v1-5"),
        ("x" * 60, "x" * 60),
        ("裙" * 60, "裙" * 60),
    ],
)
async def test_a_name_is_words_and_never_a_path(saver: Assistant, folder: Path, name: str, stem: str) -> None:
    path = await saved(saver, await made(saver), name=name)
    assert (path.parent, path.stem) == (folder, stem)


async def test_what_was_saved_is_there_when_the_link_has_died_also_to_go_on_from(
    world: World, saver: Assistant, folder: Path
) -> None:
    task_id = await made(saver)
    path = await saved(saver, task_id, name="mine")
    world.time.now += 31 * DAY
    assert (await saver.get(task_id)).try_on.images[0].saved_to == str(path)
    said = await saver.call("save_try_on", task_id=task_id)
    assert "Its link has expired; only the saved picture is left." in said.text
    assert not (await saver.view(task_id)).is_error
    assert folder.is_dir()


def refused(said: Said, why: str) -> bool:
    return said.is_error and why in said.text


async def test_what_cannot_be_saved_says_why(world: World, saver: Assistant, folder: Path) -> None:
    running = (await saver.create()).try_on.task_id
    assert refused(await saver.call("save_try_on", task_id=running), "is not finished")
    assert refused(await saver.call("save_try_on", task_id=running, name="n" * 61), "1 to 60 characters")
    assert refused(await saver.call("save_try_on", task_id="99999"), "Kling")
    folder.parent.mkdir()
    folder.write_bytes(b"no folder")
    finished = await made(saver, "navy")
    assert refused(await saver.call("save_try_on", task_id=finished), "could not be kept in")
    async with world.server(chosen_dir=None) as homeless:
        assert refused(await homeless.call("save_try_on", task_id=finished), "Set KOLORS_SAVE_DIR")


async def test_the_folder_for_all_pictures_counts_before_the_users_own(world: World, folder: Path) -> None:
    everything = folder.with_name("all")
    async with world.server(save_dir=everything, chosen_dir=folder) as assistant:
        task_id = await made(assistant)
        automatic = (await assistant.get(task_id)).try_on.images[0].saved_to
        assert str(await saved(assistant, task_id)) == automatic
        assert (await saved(assistant, task_id, name="mine")).parent == everything
    assert not folder.exists()


def test_the_users_pictures_have_their_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pictures_folder({}, platform="linux") == tmp_path / "Pictures"
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "user-dirs.dirs").write_text(
        'XDG_DOWNLOAD_DIR="$HOME/Laden"\nXDG_PICTURES_DIR="$HOME/Bilder"\n'
    )
    assert pictures_folder({}, platform="linux") == tmp_path / "Bilder"
    shell = {"My Pictures": r"%USERPROFILE%/Bilder"}.get
    found = pictures_folder({"USERPROFILE": "/users/ann"}, platform="win32", read_shell_folder=shell)
    assert found == Path("/users/ann/Bilder")
