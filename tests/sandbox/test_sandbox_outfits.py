"""A dress with any other garment fails late, as at Kling; what the sandbox does not know it does not judge."""

import base64
import io
from functools import cache

import pytest
from PIL import Image

from kolors_mcp.sandbox.samples import SampleName, sample
from tests.support.wishing import PERSON, World, garment

pytestmark = pytest.mark.anyio


@cache
def scaled(name: SampleName) -> str:
    """A sample as somebody's own copy of it: smaller, and written anew."""
    out = io.BytesIO()
    with Image.open(sample(name)) as image:
        image.thumbnail((image.width * 2 // 3, image.height * 2 // 3))
        image.save(out, "JPEG", quality=80)
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize(("upper", "lower"), [("upper", "dress"), ("dress", "lower")])
async def test_a_dress_with_anything_is_taken_and_fails_in_the_end(
    world: World, upper: SampleName, lower: SampleName
) -> None:
    async with world.server() as assistant:
        made = await assistant.call(
            "create_try_on", human_image=PERSON, cloth_image=scaled(upper), lower_cloth_image=scaled(lower)
        )
        assert made.try_on.status == "submitted"
        ended = (await assistant.get(made.try_on.task_id, wait_seconds=30)).try_on
    assert (ended.status, ended.images) == ("failed", ())
    assert "a dress cannot be combined" in (ended.status_message or "")


@pytest.mark.parametrize("upper", ["upper", "unknown"])
async def test_an_upper_and_a_lower_one_succeed_also_where_nobody_knows_them(world: World, upper: str) -> None:
    cloth = scaled("upper") if upper == "upper" else garment("crimson")
    async with world.server() as assistant:
        made = await assistant.call(
            "create_try_on",
            human_image=PERSON,
            cloth_image=cloth,
            lower_cloth_image=scaled("lower"),
            wait_seconds=30,
        )
    assert made.try_on.status == "succeed"


async def test_a_dress_alone_succeeds(world: World) -> None:
    async with world.server() as assistant:
        made = await assistant.call(
            "create_try_on",
            human_image=PERSON,
            cloth_image=scaled("dress"),
            model_name="kolors-virtual-try-on-v1-5",
            wait_seconds=30,
        )
    assert made.try_on.status == "succeed"
