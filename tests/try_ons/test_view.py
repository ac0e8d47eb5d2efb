"""The finished picture as a model gets it: small, beside what went in, and from its copy when the link is dead."""

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import ImageContent
from PIL import Image

from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.try_ons.gallery import MAX_INPUT_SECONDS
from tests.support.in_memory import PICTURES, server_for, settings_for, text_of, try_on_of
from tests.support.making import Era, jpeg
from tests.support.still_time import turn

pytestmark = pytest.mark.anyio


def connected(kling: SandboxKling, era: Era = "auto", **changes: Any) -> Client:
    return Client(server_for(kling, **changes), mode=era)


async def finished(client: Client, **more: Any) -> str:
    return try_on_of(await client.call_tool("create_try_on", {**PICTURES, "wait_seconds": 30, **more})).task_id


async def viewed(client: Client, task_id: str, **more: Any) -> tuple[Image.Image, str]:
    result = await client.call_tool("view_try_on", {"task_id": task_id, **more})
    assert not result.is_error, text_of(result)
    assert result.structured_content is None
    [picture] = [part for part in result.content if isinstance(part, ImageContent)]
    assert len(picture.data) <= 200_000
    shown = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert (shown.format, picture.mime_type) == ("JPEG", "image/jpeg")
    assert "progressive" not in shown.info
    assert max(shown.size) <= 768
    assert "\n" not in text_of(result)
    return shown, text_of(result)


def colour_at(image: Image.Image, share: float) -> tuple[int, int, int]:
    """The colour in the middle row, at a share of the width."""
    colour = image.convert("RGB").getpixel((round((image.width - 1) * share), image.height // 2))
    assert isinstance(colour, tuple)
    return colour[0], colour[1], colour[2]


async def test_a_comparison_has_the_persons_photo_to_the_left_of_the_result(kling: SandboxKling, era: Era) -> None:
    async with connected(kling, era) as client:
        task_id = await finished(client)
        alone, _ = await viewed(client, task_id)
        both, text = await viewed(client, task_id, compare=True)
    assert text.startswith(f"Left: the person's photo. Right: picture 0 of try-on {task_id}; in full: ")
    assert "http" in text
    assert both.width > alone.width
    red, green, blue = colour_at(both, 0.1)  # the photo is all teal
    assert red < 40
    assert abs(green - 128) < 20
    assert abs(blue - 128) < 20


async def test_a_photo_that_is_gone_leaves_the_garment_to_compare_with(kling: SandboxKling, tmp_path: Path) -> None:
    photo = tmp_path / "person.png"
    Image.new("RGB", (1500, 2000), "gold").save(photo)
    async with connected(kling, image_dirs=(tmp_path,)) as client:
        task_id = await finished(client, human_image=str(photo))
        both, text = await viewed(client, task_id, compare=True)
        photo.unlink()
        _, without = await viewed(client, task_id, compare=True)
    assert "the person's photo" in text
    red, green, blue = colour_at(both, 0.1)
    assert red > 230
    assert abs(green - 215) < 20
    assert blue < 40
    assert "the garment" in without


async def test_photos_that_do_not_come_leave_the_result_alone(kling: SandboxKling) -> None:
    kept_waiting = False

    async def shop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if kept_waiting:
            turn(MAX_INPUT_SECONDS)
            await reader.read()  # until the other side has had enough
        picture = jpeg(colour="gold" if b"cloth" in asked else "teal")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(picture) + picture)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(shop, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        photos = {name: f"http://127.0.0.1:{port}/{name}.jpg" for name in PICTURES}
        allowed = settings_for(kling).allowed_hosts | {f"127.0.0.1:{port}"}
        async with connected(kling, allowed_hosts=allowed) as client:
            task_id = await finished(client, **photos)
            assert "the person's photo" in (await viewed(client, task_id, compare=True))[1]
            kept_waiting = True
            assert "It is shown alone" in (await viewed(client, task_id, compare=True))[1]


async def test_the_first_picture_is_shown_also_where_kling_counts_from_one(kling: SandboxKling) -> None:
    async with connected(kling) as client:
        made = try_on_of(await client.call_tool("create_try_on", {**PICTURES, "wait_seconds": 30}))
        rows = {"images": [{"index": number, "url": made.images[0].url} for number in (1, 2)]}
        data = {"task_id": made.task_id, "task_status": "succeed", "task_result": rows}
        kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"), times=None)
        assert "Picture 1 of" in (await viewed(client, made.task_id))[1]
        assert "Picture 2 of" in (await viewed(client, f" {made.task_id}\n", index=2))[1]
        missing = await client.call_tool("view_try_on", {"task_id": made.task_id, "index": 3})
    assert "it has 1, 2" in text_of(missing)


async def test_another_process_shows_the_result_alone_and_says_so(kling: SandboxKling) -> None:
    async with connected(kling) as first:
        task_id = await finished(first)
    async with connected(kling) as second:
        alone, _ = await viewed(second, task_id)
        compared, text = await viewed(second, task_id, compare=True)
    assert compared.size == alone.size
    assert "It is shown alone" in text
    assert task_id in text


async def test_only_the_latest_creates_are_remembered(kling: SandboxKling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kolors_mcp.jobs.memory.MAX_INPUT_CHARACTERS", sum(map(len, PICTURES.values())) + 1000)
    async with connected(kling) as client:
        first = await finished(client)
        second = await finished(client, cloth_image=base64.b64encode(jpeg(colour="navy")).decode())
        assert "shown alone" in (await viewed(client, first, compare=True))[1]
        assert "the person's photo" in (await viewed(client, second, compare=True))[1]


async def test_the_saved_copy_is_shown_when_kling_has_forgotten_the_task(kling: SandboxKling, tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with connected(kling, ledger=ledger, save_dir=tmp_path / "kept") as client:
        task_id = await finished(client)
        before, _ = await viewed(client, task_id)
    kling.faults.next_read(faults.Refuse(1203), times=None)
    async with connected(kling, ledger=ledger, save_dir=tmp_path / "kept") as client:
        after, text = await viewed(client, task_id)
        assert after.tobytes() == before.tobytes()
        [copy] = (tmp_path / "kept").iterdir()
        assert copy.as_uri() in text
        copy.unlink()
        gone = await client.call_tool("view_try_on", {"task_id": task_id})
    assert gone.is_error
    assert text_of(gone) == ("Error: Kling does not have this picture any more, and its saved copy is gone or damaged.")


async def test_a_picture_that_does_not_exist_is_named(kling: SandboxKling) -> None:
    async with connected(kling) as client:
        task_id = await finished(client)
        missing = await client.call_tool("view_try_on", {"task_id": task_id, "index": 7, "compare": True})
    assert missing.is_error
    assert text_of(missing) == f'Error: Try-on "{task_id}" has no picture with index 7; it has 0.'


async def test_a_try_on_names_its_picture_as_a_resource(kling: SandboxKling) -> None:
    async with connected(kling) as client:
        result = await client.call_tool("create_try_on", {**PICTURES, "wait_seconds": 30})
    [image] = try_on_of(result).images
    assert image.resource_uri == f"tryon://{try_on_of(result).task_id}/images/0"
    assert f"Resource: {image.resource_uri}" in text_of(result)
