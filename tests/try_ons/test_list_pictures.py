"""What an assistant is told of the user's own pictures, and that what it is told can be used as it stands."""

import os
from pathlib import Path

import pytest

from kolors_mcp.local_pictures import LocalPictures
from tests.support.images_support import b64
from tests.support.making import jpeg
from tests.support.rooms import room_of
from tests.support.wishing import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Pictures"
    made.mkdir()
    for age, (name, colour) in enumerate((("me in the garden.jpg", "teal"), ("dress.jpg", "crimson"))):
        (made / name).write_bytes(jpeg(colour=colour))
        os.utime(made / name, (1_000_000 - age, 1_000_000 - age))
    return made


async def test_what_is_listed_can_be_worn(world: World, folder: Path) -> None:
    async with room_of(world, image_dirs=(folder,)) as room:
        await room.call("keep_photo", image=b64(jpeg(colour="navy")), name="anna")
        said = await room.call("list_pictures")
        listed = LocalPictures.model_validate(said.structured)
        assert [one.path for one in listed.kept] == ["photo:anna"]
        assert [Path(one.path).name for one in listed.pictures] == ["me in the garden.jpg", "dress.jpg"]
        assert listed.pictures[0].modified_at.isoformat() == "1970-01-12T13:46:40+00:00"
        assert not listed.more
        for one in (*listed.kept, *listed.pictures):
            assert f'"{one.path}" (' in said.text
            assert f"{one.modified_at:%Y-%m-%dT%H:%M:%SZ}" in said.text
        garment = listed.pictures[1].path
        for person in (listed.kept[0].path, listed.pictures[0].path):
            assert not (await room.call("create_try_on", human_image=person, cloth_image=garment)).is_error


async def test_kept_photos_can_be_asked_for_alone(world: World, folder: Path) -> None:
    async with room_of(world, image_dirs=(folder,)) as room:
        for name in ("anna", "dress"):
            await room.call("keep_photo", image=b64(jpeg(colour="navy")), name=name)
        for query, kept, files in (("photo:", 2, 0), ("photo:AN", 1, 0), ("dress", 1, 1), ("nothing so named", 0, 0)):
            said = await room.call("list_pictures", query=query)
            listed = LocalPictures.model_validate(said.structured)
            assert (len(listed.kept), len(listed.pictures)) == (kept, files), query
        assert said.text == "No pictures."
        said = await room.call("list_pictures", limit=1)
        assert "There are more; give a query to find others." in said.text


async def test_where_not_all_was_looked_through_no_picture_is_not_said_to_be_none(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.images.sources.nearby.MAX_LOOKED_AT", 1)
    async with room_of(world, image_dirs=(folder,)) as room:
        said = await room.call("list_pictures", query="beach")
    assert said.text == "No pictures.\nNot all folders were looked through: ask the user for the path."


async def test_a_disk_that_does_not_answer_is_given_up(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room_of(world, image_dirs=(folder,)) as room:
        monkeypatch.setattr("kolors_mcp.try_ons.photos.MAX_LOOKING_SECONDS", 0)
        said = await room.call("list_pictures")
        assert said.is_error
        assert "could not be looked through in time" in said.text
