"""Photos that each user of the service keeps by name: used by them alone, on the shelf, gone when removed."""

import base64
from pathlib import Path

import pytest
from mcp_types import TextResourceContents

from tests.support.images_support import assert_nothing_but_picture, b64, corners, distance, exif, jpeg, opened
from tests.support.making import jpeg as plain_jpeg
from tests.support.shop import Shop
from tests.support.shoppers import shopper
from tests.support.wishing import Assistant, garment

pytestmark = [pytest.mark.anyio, pytest.mark.process]

PHOTO = jpeg(exif=exif(1)) + b"SECRET-TRAILER"
ROOM = "ui://kolors-mcp/fitting-room.html"


async def kept(room: Assistant, name: str = "me", data: bytes = PHOTO) -> str:
    said = await room.call("keep_photo", image=b64(data), name=name)
    assert not said.is_error, said.text
    assert said.structured is not None
    return said.structured["path"]


async def test_a_kept_photo_is_the_person_of_its_users_next_create_and_of_nobody_elses(
    shop: Shop,
) -> None:
    async with shopper(shop.service, shop.ana, views=True) as room, shopper(shop.service, shop.ben) as ben:
        assert await kept(room) == "photo:me"
        [file] = shop.files
        assert shop.ana not in str(file.relative_to(shop.shelf))
        assert_nothing_but_picture(file.read_bytes())
        assert b"SECRET" not in file.read_bytes()
        # A model of the same user, in a host without views.
        async with shopper(shop.service, shop.ana) as ana:
            listed = await ana.call("list_pictures")
            assert "photo:me" in listed.text
            made = await ana.call("create_try_on", human_image="photo:ME", cloth_image=garment("crimson"))
            assert not made.is_error, made.text
        sent = shop.tasks[0].request.human
        assert distance(corners(opened(sent)), corners(opened(PHOTO))) < 12
        refused = await ben.call("create_try_on", human_image="photo:me", cloth_image=garment("navy"))
        assert 'human_image names no kept photo: "photo:me". None is kept.' in refused.text
        assert "open_fitting_room" in refused.text
        assert (await ben.call("list_pictures")).text == "No pictures."
        # One that does not exist at all is answered with the same words.
        other = await ben.call("create_try_on", human_image="photo:you", cloth_image=garment("navy"))
        assert other.text == refused.text.replace("photo:me", "photo:you")
    assert len(shop.tasks) == 1


async def test_the_fitting_room_works_over_http(shop: Shop) -> None:
    async with shopper(shop.service, shop.ana, views=True) as room:
        [page] = (await room.client.read_resource(ROOM)).contents
        assert isinstance(page, TextResourceContents)
        assert 'data-text="keep_about_service"' in page.text
        opened_room = await room.call("open_fitting_room")
        assert "is open beside this conversation" in opened_room.text
        checked = await room.call("check_photo", picture=b64(PHOTO), role="human_image")
        assert (checked.is_error, checked.pictures) == (False, 1)
        path = await kept(room)
        started = await room.call("start_try_on", human_image=path, cloth_image=garment("teal"))
        assert not started.is_error, started.text
        removed = await room.call("remove_photo", name="me")
        assert (removed.is_error, removed.text) == (False, "No photo is kept.")
        assert shop.files == []
        again = await room.call("create_try_on", human_image=path, cloth_image=garment("navy"))
        assert "None is kept." in again.text
    assert len(shop.tasks) == 1


async def test_the_rules_are_those_of_the_users_own_machine(shop: Shop) -> None:
    async with (
        shopper(shop.service, shop.ana, views=True) as room,
        shopper(shop.service, shop.ben, views=True) as other,
    ):
        assert await kept(room) == "photo:me"
        assert await kept(room) == "photo:me", "the same is kept once"
        assert await kept(room, "Me", plain_jpeg()) == "photo:Me-2"
        [first] = [file for file in shop.files if file.stem == "me"]
        for number in range(18):
            (first.parent / f"p{number}.jpg").write_bytes(first.read_bytes())
        full = await room.call("keep_photo", image=b64(plain_jpeg(colour="navy")), name="more")
        assert "20 photos are kept, which is as many as can be. This one was not kept." in full.text
        assert await kept(other, "more") == "photo:more", "of each user there may be so many"
        (first.parent / "p3.jpg").write_bytes(b"")
        damaged = await room.call("create_try_on", human_image="photo:p3", cloth_image=garment("navy"))
        assert "is a kept photo that is damaged" in damaged.text


async def test_what_only_the_chat_or_another_machine_has_is_answered_with_the_way_to_hand_it_over(
    shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "me.jpg").write_bytes(base64.b64decode(garment("teal")))
    async with shopper(shop.service, shop.ana) as ana:
        for named in ("[Image #1]", "file-abc123", str(tmp_path / "me.jpg"), "me.jpg", "attachment:1"):
            said = await ana.call("create_try_on", human_image=named, cloth_image=garment("navy"))
            assert said.is_error, named
            assert "call open_fitting_room, where the user picks the photo" in said.text, named
            assert str(tmp_path) not in said.text.replace(named, ""), named
