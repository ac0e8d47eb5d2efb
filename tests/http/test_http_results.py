"""Copies of results on the shelf of the service: kept where that is asked, shown when Kling's link is dead."""

from pathlib import Path

import pytest

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import account_of, environment
from tests.support.over_http import serving
from tests.support.shop import Shop
from tests.support.shoppers import shopper, tokens_of

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_folder_keeps_no_copies_where_that_is_not_asked(shop: Shop) -> None:
    async with shopper(shop.service, shop.ana) as ana:
        [image] = (await ana.create(wait_seconds=60)).try_on.images
    assert (shop.files, image.saved_to) == ([], None)


async def test_a_folder_keeps_copies_where_that_is_asked_and_the_tools_read_them(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    shelf = tmp_path / "pictures"
    place = f"{shelf}?results=keep"
    variables = {**account_of(fast_kling), **tokens_of(tmp_path, "ana", "ben"), "KOLORS_SHELF": place}
    with serving(environment(tmp_path, **variables), tmp_path) as service:
        async with shopper(service, "ana") as ana, shopper(service, "ben") as ben:
            made = (await ana.create(wait_seconds=60)).try_on
            [image] = made.images
            [file] = shelf.glob("results/*/*/*")
            assert file.relative_to(shelf).parts[2:] == (made.task_id, "0.jpg")
            assert "ana" not in str(file.relative_to(shelf))
            assert image.url.startswith("http")
            assert image.saved_to == image.resource_uri == f"tryon://{made.task_id}/images/0"
            assert str(tmp_path) not in (await ana.get(made.task_id)).text
            file.unlink()
            again = (await ana.get(made.task_id)).try_on
            assert again.images[0].saved_to == image.saved_to
            assert file.exists(), "it is copied anew while Kling has it"
            assert (await ana.view(made.task_id)).pictures == 1
            assert (await ben.view(made.task_id)).is_error
