"""A photo that the user keeps by name: used by the next create that names it, by nothing else, gone when removed."""

# ruff: noqa: ASYNC240  (the tests look at a few small files; nothing else runs meanwhile)

import asyncio
import base64
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.images import write
from tests.support.commands import HANG_SECONDS
from tests.support.images_support import assert_nothing_but_picture, b64, corners, distance, exif, jpeg, opened, png
from tests.support.making import jpeg as plain_jpeg
from tests.support.rooms import room_of
from tests.support.wishing import Assistant, World, garment

pytestmark = pytest.mark.anyio

PHOTO = jpeg(exif=exif(1)) + b"SECRET-TRAILER"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a person's files from others by other means")


@pytest.fixture
def folder(world: World) -> Path:
    return world.folder / "state" / "photos"


@pytest.fixture
async def room(world: World) -> AsyncIterator[Assistant]:
    async with room_of(world) as made:
        yield made


async def kept(room: Assistant, name: str = "anna", data: bytes = PHOTO) -> str:
    said = await room.call("keep_photo", image=b64(data), name=name)
    assert not said.is_error, said.text
    assert said.structured is not None
    path = said.structured["path"]
    assert f"Kept as {path} ." in said.text
    assert path in [photo["path"] for photo in said.structured["kept"]]
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


async def test_a_kept_photo_is_the_person_of_the_next_create(world: World, room: Assistant) -> None:
    path = await kept(room)
    made = (await room.call("create_try_on", human_image=path, cloth_image=garment("crimson"))).try_on
    sent = world.kling.tasks.all[0].request.human
    assert distance(corners(opened(sent)), corners(opened(PHOTO))) < 12
    assert "photo:anna" not in str(world.kling.requests[-1].body), "its name stays here"
    await room.get(made.task_id, 60)
    assert (await room.view(made.task_id)).pictures == 1


async def test_it_is_drawn_anew_and_nothing_else_is_kept_of_it(room: Assistant, folder: Path) -> None:
    await kept(room)
    data = (folder / "photo-anna.jpg").read_bytes()
    assert_nothing_but_picture(data)
    assert b"SECRET" not in data
    assert data not in PHOTO
    await kept(room, "drawing", png())
    assert_nothing_but_picture((folder / "photo-drawing.png").read_bytes())


@posix
async def test_nobody_else_can_read_it(room: Assistant, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    await kept(room)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "photo-anna.jpg").stat().st_mode) == 0o600
    assert files_in(folder) == ["photo-anna.jpg"], "no draft is left"


async def test_it_leaves_in_a_create_that_names_it_and_in_nothing_else(
    world: World, room: Assistant, folder: Path
) -> None:
    await kept(room)
    mine = base64.b64encode((folder / "photo-anna.jpg").read_bytes()).decode()

    def left() -> int:
        return sum(mine[:2_000].encode() in request.body for request in world.kling.requests)

    other = (await room.create(wait_seconds=60)).try_on
    for tool, arguments in (
        ("view_try_on", {"task_id": other.task_id, "compare": True}),
        ("create_try_on", {"human_image": "photo:anne", "cloth_image": garment("navy")}),
        ("create_try_on", {"human_image": b64(plain_jpeg(colour="navy")), "cloth_image": "anna"}),
        ("list_try_ons", {}),
        ("keep_photo", {"image": b64(plain_jpeg()), "name": "other"}),
    ):
        said = await room.call(tool, **arguments)
        assert mine[:2_000] not in f"{said.text} {said.structured}"
    resources = await room.client.list_resources()
    assert "anna" not in resources.model_dump_json()
    assert left() == 0
    # The same count finds it where it is named, so that it would have been seen.
    await room.call("create_try_on", human_image="photo:anna", cloth_image=garment("navy"))
    assert left() == 1


async def test_removed_means_gone_from_the_disk(world: World, room: Assistant, folder: Path) -> None:
    path = await kept(room)
    inside = (folder / "photo-anna.jpg").read_bytes()[-1_000:]

    def on_disk() -> bool:
        return any(inside in file.read_bytes() for file in world.folder.rglob("*") if file.is_file())

    assert on_disk()
    made = (await room.call("create_try_on", human_image=path, cloth_image=garment("crimson"), wait_seconds=60)).try_on
    assert "Left: the person's photo." in (await room.call("view_try_on", task_id=made.task_id, compare=True)).text
    said = await room.call("remove_photo", name="anna")
    assert (said.is_error, said.text) == (False, "No photo is kept.")
    assert files_in(folder) == []
    assert not on_disk()
    again = await room.call("create_try_on", human_image=path, cloth_image=garment("navy"))
    assert again.is_error
    assert 'human_image names no kept photo: "photo:anna". None is kept.' in again.text
    shown = await room.call("view_try_on", task_id=made.task_id, compare=True)
    assert shown.text.startswith("Left: the garment's photo."), "the person's is not at hand any more"
    assert not (await room.call("remove_photo", name="anna")).is_error, "gone is what was asked for"


async def test_another_photo_of_a_removed_ones_name_is_not_taken_for_it(room: Assistant) -> None:
    first = await kept(room, "me", plain_jpeg(colour="navy"))
    made = (await room.call("create_try_on", human_image=first, cloth_image=garment("crimson"), wait_seconds=60)).try_on
    await room.call("remove_photo", name="Me")
    assert await kept(room, "me", plain_jpeg(colour="teal")) == first
    shown = await room.call("view_try_on", task_id=made.task_id, compare=True)
    assert shown.text.startswith("Left: the garment's photo.")
    again = await room.call("create_try_on", human_image=f"tryon://{made.task_id}/person", cloth_image=garment("teal"))
    assert again.is_error
    assert "not remembered here" in again.text


async def test_a_name_that_is_not_kept_is_answered_with_those_that_are(
    room: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo:ann").write_bytes(plain_jpeg())
    for name in ("anna", "dress"):
        await kept(room, name)
    said = await room.call("create_try_on", human_image="photo:ann", cloth_image="photo:dress")
    assert said.is_error
    assert 'human_image names no kept photo: "photo:ann". Kept are photo:' in said.text
    assert "photo:anna" in said.text
    assert "photo:dress" in said.text


async def test_a_name_that_no_photo_can_have_is_answered_with_those_that_can_be(world: World, tmp_path: Path) -> None:
    async with room_of(world, image_dirs=(tmp_path,)) as room:
        names = ("photo:me at home", "Photo:../me", "photo:" + "x" * 61)
        said = [await room.call("create_try_on", human_image=name, cloth_image=garment("navy")) for name in names]
    for answer in said:
        assert answer.is_error
        assert "A kept photo is photo:NAME, with 1 to 60 of a-z, A-Z, 0-9, _ and -" in answer.text


async def test_another_photo_of_the_name_gets_a_number_and_the_same_is_kept_once(room: Assistant, folder: Path) -> None:
    assert await kept(room, "me") == "photo:me"
    assert await kept(room, "me") == "photo:me"
    assert await kept(room, "Me", plain_jpeg()) == "photo:Me-2", "some file systems know no case"
    long = "x" * 60
    assert await kept(room, long) == f"photo:{long}"
    assert await kept(room, long, plain_jpeg()) == f"photo:{long[:58]}-2"
    assert len(files_in(folder)) == 4
    said = await room.call("create_try_on", human_image="Photo:ME", cloth_image="photo:me-2")
    assert not said.is_error, said.text


async def test_no_more_are_kept_than_can_be_and_one_that_goes_makes_room(room: Assistant, folder: Path) -> None:
    await kept(room, "p0")
    for number in range(1, 20):
        os.link(folder / "photo-p0.jpg", folder / f"photo-p{number}.jpg")
    said = await room.call("keep_photo", image=b64(plain_jpeg()), name="one-more")
    assert said.is_error
    assert "20 photos are kept, which is as many as can be. This one was not kept." in said.text
    assert len(files_in(folder)) == 20
    await room.call("remove_photo", name="p7")
    await kept(room, "one-more", plain_jpeg())


@pytest.mark.parametrize(("there", "names"), [(19, ("one", "two")), (0, ("me", "Me"))])
async def test_two_servers_that_keep_at_once_have_neither_too_many_nor_one_name_twice(
    world: World, room: Assistant, folder: Path, monkeypatch: pytest.MonkeyPatch, there: int, names: tuple[str, str]
) -> None:
    folder.mkdir(parents=True)
    for number in range(there):
        (folder / f"photo-p{number}.jpg").write_bytes(plain_jpeg())
    both, give_name = threading.Barrier(2), write.give_name

    def at_once(*given: Any) -> None:
        with suppress(threading.BrokenBarrierError):  # of a second try
            both.wait(HANG_SECONDS)
            both.abort()
        give_name(*given)

    monkeypatch.setattr(write, "give_name", at_once)
    async with room_of(world) as other, asyncio.TaskGroup() as group:
        for who, data, name in zip((room, other), (png(), PHOTO), names, strict=True):
            group.create_task(who.call("keep_photo", image=b64(data), name=name))
    listed = [name.partition(".")[0].lower() for name in files_in(folder)]
    assert len(listed) <= 20
    assert len(listed) == len(set(listed))


@posix
async def test_what_a_server_left_that_was_ended_while_it_kept_goes_with_the_photo(
    room: Assistant, folder: Path
) -> None:
    await kept(room)
    (folder / ".0123456789abcdef.part").hardlink_to(folder / "photo-anna.jpg")
    (folder / ".fedcba9876543210.part").write_bytes(b"half a photo, of long ago")
    os.utime(folder / ".fedcba9876543210.part", (1, 1))
    await room.call("remove_photo", name="anna")
    assert files_in(folder) == []


@posix
async def test_what_somebody_else_put_into_the_folder_is_no_photo(room: Assistant, folder: Path) -> None:
    await kept(room)
    secret = folder.parent / "secret.jpg"
    secret.write_bytes(plain_jpeg())
    (folder / "photo-link.jpg").symlink_to(secret)
    (folder / "photo-folder.jpg").mkdir()
    os.mkfifo(folder / "photo-pipe.jpg")
    for name in ("link", "folder", "pipe"):
        said = await room.call("create_try_on", human_image=f"photo:{name}", cloth_image=garment("navy"))
        assert "Kept are photo:anna." in said.text
    (folder / "photo-anna.jpg").write_bytes(b"")
    said = await room.call("create_try_on", human_image="photo:anna", cloth_image=garment("navy"))
    assert "is a kept photo that is damaged" in said.text


async def test_what_cannot_be_kept_is_said_in_a_sentence(world: World, folder: Path) -> None:
    async with room_of(world, photos_dir=None) as homeless:
        said = await homeless.call("keep_photo", image=b64(PHOTO), name="anna")
        assert "no folder to keep photos in" in said.text
    async with room_of(world) as room:
        too_small = await room.call("keep_photo", image=b64(plain_jpeg(200, 200)), name="anna")
        assert "image is 200 x 200 pixels" in too_small.text
        no_name = await room.call("keep_photo", image=b64(PHOTO), name="../anna")
        assert "name takes letters from a to z" in no_name.text
        folder.parent.mkdir()
        folder.write_text("a file in its place")
        said = await room.call("keep_photo", image=b64(PHOTO), name="anna")
        assert said.text.startswith("Error: The photo could not be kept in ")


async def test_a_model_keeps_and_removes_nothing(world: World, folder: Path) -> None:
    async with room_of(world) as room:
        await kept(room)
    async with world.server(photos_dir=folder) as assistant:
        listed = {tool.name for tool in (await assistant.client.list_tools()).tools}
        assert not listed & {"keep_photo", "remove_photo"}
        for tool, arguments in (("keep_photo", {"image": b64(PHOTO), "name": "x"}), ("remove_photo", {"name": "anna"})):
            said = await assistant.call(tool, **arguments)
            assert said.is_error
            assert "is for the fitting room's page. Nothing was done." in said.text
        assert files_in(folder) == ["photo-anna.jpg"]
        # What the user has kept, the model may use.
        said = await assistant.call("create_try_on", human_image="photo:anna", cloth_image=garment("navy"))
        assert not said.is_error, said.text
