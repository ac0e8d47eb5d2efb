"""Keeping pictures: saved once, under a speaking name, over nothing, through no link; a failed save hides no link."""

# ruff: noqa: ASYNC240  (the tests look at a few small files; nothing else runs meanwhile)

import asyncio
import os
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from kolors_mcp.images.limits import FETCH_SECONDS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.making import client_of, jpeg
from tests.support.still_time import turn
from tests.support.wishing import MINUTE, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "try-ons"


def fetches(world: World) -> int:
    return sum(request.path.startswith("/results/") for request in world.kling.requests)


async def test_a_finished_picture_is_saved_once_under_a_speaking_name(world: World, folder: Path) -> None:
    async with world.server(save_dir=folder) as assistant:
        said = await assistant.create(wait_seconds=30)
        made = said.try_on
        [image] = made.images
        assert image.saved_to is not None
        path = Path(image.saved_to)
        assert path.parent == folder
        assert path.stem == f"try-on-{made.task_id}-0"
        assert path.read_bytes() == world.kling.tasks.all[0].result
        assert f"Saved to: {path}" in said.text
        for again in (await assistant.get(made.task_id), await assistant.create()):
            assert again.try_on.images[0].saved_to == str(path)
    async with world.server(save_dir=folder) as assistant:
        assert (await assistant.get(made.reference or "")).try_on.images[0].saved_to == str(path)
    assert [entry.name for entry in folder.iterdir()] == [path.name]
    assert fetches(world) == 1
    assert not any(
        "authorization" in request.headers for request in world.kling.requests if "/results/" in request.path
    )


async def test_many_who_ask_at_once_save_it_once(world: World, folder: Path) -> None:
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create()).try_on
        world.time.now += MINUTE
        saved: list[str | None] = []

        async def ask() -> None:
            saved.append((await assistant.get(made.task_id)).try_on.images[0].saved_to)

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(ask)
    assert len(saved) == 10
    assert len(set(saved)) == 1
    assert len(list(folder.iterdir())) == 1
    assert fetches(world) == 1


async def test_without_a_ledger_the_copy_on_the_disk_is_recognised(world: World, folder: Path) -> None:
    for _ in range(3):
        async with world.server(save_dir=folder, ledger="sqlite://") as assistant:
            if not world.kling.tasks_created:
                await assistant.create()
                world.time.now += MINUTE
            said = await assistant.get(world.kling.tasks.all[0].id)
            assert said.try_on.images[0].saved_to is not None
    assert len(list(folder.iterdir())) == 1


async def test_nothing_that_is_there_is_written_over_or_followed(world: World, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("untouched")
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
    world.time.now += MINUTE
    folder.mkdir(parents=True)
    rendered = world.kling.own_result(
        world.kling.view(world.kling.tasks.all[0], world.time.now)["task_result"]["images"][0]["url"]
    )
    assert rendered is not None
    ending = ".png" if rendered.startswith(b"\x89PNG") else ".jpg"
    taken = folder / f"try-on-{made.task_id}-0{ending}"
    taken.write_bytes(b"somebody's own")
    dangling = folder / f"try-on-{made.task_id}-0-2{ending}"
    dangling.symlink_to(secret)
    async with world.server(save_dir=folder) as assistant:
        saved = (await assistant.get(made.task_id)).try_on.images[0].saved_to
    assert saved == str(folder / f"try-on-{made.task_id}-0-3{ending}")
    assert taken.read_bytes() == b"somebody's own"
    assert dangling.is_symlink()
    assert secret.read_text() == "untouched"


FAILURES: dict[str, faults.Fault] = {
    "gone": faults.Raw(410, ""),
    "a page": faults.Raw(200, "<html>expired</html>"),
    "a cut picture": faults.Cut(),
    "resets": faults.Disconnect(),
    "a redirect inwards": faults.Redirect("http://169.254.169.254/latest/meta-data"),
}


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES)
async def test_a_picture_that_cannot_be_had_leaves_the_link_and_a_note(
    world: World, folder: Path, fault: faults.Fault
) -> None:
    world.kling.faults.next_result(fault, times=None)
    async with world.server(save_dir=folder) as assistant:
        said = await assistant.create(wait_seconds=30)
        [image] = said.try_on.images
        assert image.saved_to is None
        assert image.url in said.text
        assert any("picture 0 could not be saved" in note for note in said.try_on.notes)
        assert not any("?" in note for note in said.try_on.notes), "a link's query is its signature"
        assert not folder.exists() or not list(folder.iterdir())
        world.kling.faults.clear()
        later = (await assistant.get(said.try_on.task_id)).try_on
        assert later.images[0].saved_to is not None
        assert not any("could not be saved" in note for note in later.notes)


async def test_a_download_that_breaks_once_is_tried_again(world: World, folder: Path) -> None:
    world.kling.faults.next_result(faults.Cut())
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
    assert made.images[0].saved_to is not None
    assert fetches(world) == 2


async def test_a_folder_that_cannot_be_made_leaves_the_link_and_a_note(world: World, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("no folder")
    async with world.server(save_dir=tmp_path / "a file" / "kept") as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
    assert made.status == "succeed"
    assert made.images[0].saved_to is None
    assert any("could not be" in note for note in made.notes)


async def test_a_download_that_takes_too_long_does_not_hold_the_answer_and_ends_later(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FETCH_SECONDS < MAX_SILENT_CALL_SECONDS, "the answer never waits for less than one download"
    monkeypatch.setattr("kolors_mcp.server.request.MAX_SILENT_CALL_SECONDS", 5.0)
    async with world.server(save_dir=folder) as assistant, asyncio.TaskGroup() as group:
        made = (await assistant.create()).try_on
        world.time.now += MINUTE
        world.kling.faults.next_result(faults.Slow(1000))
        asking = group.create_task(assistant.get(made.task_id))
        await anyio.to_thread.run_sync(world.kling.clock.wait_for_sleepers)
        turn(5)
        said = (await asking).try_on
        assert said.images[0].saved_to is None
        assert any("takes too long" in note for note in said.notes)
        world.kling.clock.advance(1000)
        assert (await assistant.get(made.task_id)).try_on.images[0].saved_to is not None
    assert fetches(world) == 1


async def test_a_saved_picture_is_shown_after_its_link_has_died(world: World, folder: Path) -> None:
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
        world.kling.faults.next_result(faults.Raw(410, ""), times=None)
        shown = await assistant.view(made.task_id)
        assert (shown.is_error, shown.pictures) == (False, 1)
        fetched = fetches(world)
    # Also where it is no more said to keep them.
    async with world.server() as assistant:
        assert (await assistant.view(made.task_id)).pictures == 1
        assert fetches(world) == fetched
        Path(made.images[0].saved_to or "").unlink()
        gone = await assistant.view(made.task_id)
        assert gone.is_error
        assert made.images[0].url in gone.text
        world.kling.faults.clear()
        assert (await assistant.view(made.task_id)).pictures == 1, "the file is gone, the link is not"


async def test_a_picture_that_was_replaced_by_something_else_is_not_shown(world: World, folder: Path) -> None:
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
        path = Path(made.images[0].saved_to or "")
        fetched = fetches(world)
        path.write_text("no picture any more")
        shown = await assistant.view(made.task_id)
        assert (shown.pictures, fetches(world)) == (1, fetched + 1), "the link has the picture"
        assert str(path) not in shown.text
        path.write_bytes(jpeg())
        shown = await assistant.view(made.task_id)
        assert (shown.pictures, fetches(world)) == (1, fetched + 1)
        assert str(path) in shown.text


async def test_a_ledger_that_names_any_other_picture_shows_the_links_picture(world: World, folder: Path) -> None:
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
        fetched = fetches(world)
        other = world.folder / "private.jpg"
        other.write_bytes(jpeg())
        ledger = await Ledger.open(world.ledger, clock=world.time.clock(), account=client_of(world.kling).account)
        await ledger.saved(made.task_id, 0, str(other))
        shown = await assistant.view(made.task_id)
        assert (shown.pictures, fetches(world)) == (1, fetched + 1)
        # The same picture under a name that is ours is shown, wherever the folder was when it was saved.
        await ledger.saved(made.task_id, 0, str(other.rename(world.folder / f"try-on-{made.task_id}-0.jpg")))
        await ledger.aclose()
        shown = await assistant.view(made.task_id)
        assert (shown.pictures, fetches(world)) == (1, fetched + 1)


async def test_a_saved_picture_that_is_no_file_any_more_is_not_waited_for(world: World, folder: Path) -> None:
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
        path = Path(made.images[0].saved_to or "")
        path.unlink()
        os.mkfifo(path)
        assert (await assistant.view(made.task_id)).pictures == 1


async def test_the_longest_label_leaves_room_for_the_id_so_that_the_copy_is_known_in_another_folder(
    world: World, folder: Path
) -> None:
    async with world.server(save_dir=folder) as assistant:
        made = (await assistant.create(wait_seconds=30, label="裙" * 60)).try_on
    saved = Path(made.images[0].saved_to or "")
    assert saved.stem.startswith("裙" * 30)
    assert saved.stem.endswith(f"try-on-{made.task_id}-0")
    served = fetches(world)
    async with world.server(save_dir=folder.parent / "elsewhere", chosen_dir=None) as assistant:
        assert (await assistant.view(made.task_id)).pictures == 1
    assert fetches(world) == served
