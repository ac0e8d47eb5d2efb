"""The shelf of the service on a real S3-compatible store: copies of results, uploads, wishes in line, and it away."""

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.service_soak.kling import Kling, kling
from tests.service_soak.plan import Plan
from tests.service_soak.store import Store, store
from tests.support.commands import environment
from tests.support.making import jpeg
from tests.support.over_http import Serving, asked, serving
from tests.support.s3_signing import is_signed, queried
from tests.support.shoppers import shopper, tokens_of
from tests.support.wishing import Assistant, garment

PLAN = Plan(
    seed=1, users=1, wishes=1, heavy_wishes=1, slots=1, render_seconds=1.0, spread=0.0, replicas=1, happenings=()
)
SECONDS = 90.0
"""After which what has not come is missing."""
HOUR = "3600"
FRESH_SECONDS = 300
CREATED, CONFLICT = 201, 409


class WrongError(Exception):
    """Something is not as it has to be; the text says what."""


def check(is_so: object, what: str) -> None:
    """Go on only if that is so."""
    if not is_so:
        raise WrongError(what)


@dataclass
class Scene:
    """A replica with a store as its shelf, and two users of it."""

    store: Store
    kling: Kling
    service: Serving
    ana: Assistant
    ben: Assistant
    world: httpx.AsyncClient
    """Who has no credentials of the store."""

    async def bytes_of(self, url: str) -> bytes:
        """Return what lies behind a link."""
        answer = await self.world.get(url, headers={"accept": "image/*"})
        check(answer.is_success, f"{url.partition('?')[0]} is answered with {answer.status_code}")
        return answer.content

    async def lies(self, folder: str) -> list[str]:
        """Return the names of what the store has below a folder of the shelf."""
        return [name for name in await self.store.left() if name.startswith(f"kolors/{folder}/")]


async def a_result_is_a_link_into_the_store_that_is_signed_for_an_hour(scene: Scene) -> None:
    made = (await scene.ana.create(wait_seconds=60)).try_on
    [image] = made.images
    link = image.saved_to or ""
    check(link.startswith(f"{scene.store.origin}/shelf/kolors/results/"), f"the copy is at {link!r}")
    check(queried(link)["X-Amz-Expires"] == HOUR, "the link is not for an hour")
    check(is_signed("GET", link, scene.store.variables["AWS_SECRET_ACCESS_KEY"]), "the signature is another one")
    check(await scene.bytes_of(link) == await scene.bytes_of(image.url), "the copy has other bytes")
    again = (await scene.ana.get(made.task_id)).try_on.images[0].saved_to or ""
    signed_at = datetime.strptime(queried(again)["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    check(abs(time.time() - signed_at.timestamp()) < FRESH_SECONDS, "a later look shows an old link")
    check((await scene.ana.view(made.task_id)).pictures == 1, "the picture is not shown")
    foreign = await scene.ben.get(made.task_id)
    check(foreign.is_error and "X-Amz" not in foreign.text, "another user was given a link")
    check((await scene.ben.view(made.task_id)).is_error, "another user was shown the picture")


async def a_photo_by_an_upload_link_lies_there_and_is_used(scene: Scene) -> None:
    said = (await scene.ana.call("open_fitting_room")).text
    [link] = re.findall(r"http://\S+(/uploads/\S+)", said)
    photos = (jpeg(), jpeg(), jpeg() + b"-")
    first, again, other = [await asyncio.to_thread(asked, scene.service, "PUT", link, body=photo) for photo in photos]
    check((first.status, again.status, other.status) == (CREATED, CREATED, CONFLICT), f"{first}, {again}, {other}")
    check(len(await scene.lies("photos")) == 1, "the photo is not there once")
    check(len(await scene.lies("uploads")) == 2, "it is not written down that the link was used")
    created = await scene.ana.call("create_try_on", human_image="photo:my-photo", cloth_image=garment("olive"))
    check(not created.is_error, created.text)
    check("No pictures." in (await scene.ben.call("list_pictures")).text, "another user sees the photo")


async def wishes_in_line_wait_there_and_results_are_copied_before_anybody_comes_for_them(scene: Scene) -> None:
    before = len(await scene.lies("results"))
    await scene.kling.turn("rules", finished_seconds=600.0)
    named = [(await scene.ana.create(colour)).try_on.task_id for colour in ("maroon", "purple", "gold")]
    check(any(name.startswith("k-") for name in named), "all went out at once")
    await came(lambda: scene.lies("waiting"), "no wish waits on the store")
    await scene.kling.turn("rules", finished_seconds=1.0)
    await scene.kling.turn("clock", advance=600)
    await came(lambda: gone(scene, "waiting"), "what waited was not cleared")

    async def copied() -> bool:
        return len(await scene.lies("results")) >= before + len(named)

    await came(copied, "results that nobody has come for are not copied")
    for name in named:
        image = (await scene.ana.get(name, 60)).try_on.images[0]
        check(await scene.bytes_of(image.saved_to or "") == await scene.bytes_of(image.url), "other bytes")


async def without_the_store_kling_s_links_are_given_and_nothing_is_lost(scene: Scene) -> None:
    made = (await scene.ana.create("plum", wait_seconds=60)).try_on
    await scene.store.away()
    seen = await scene.ana.get(made.task_id)
    check(not seen.is_error and seen.try_on.images[0].url == made.images[0].url, f"Kling's link is gone: {seen.text}")
    meanwhile = await scene.ana.create("lime", wait_seconds=60)
    check(not meanwhile.is_error, f"a wish with a free slot was refused: {meanwhile.text}")
    [image] = meanwhile.try_on.images
    check(image.saved_to is None and image.url.startswith("http"), "a copy is told of that there is not")
    notes = " ".join(meanwhile.try_on.notes)
    check("picture 0 could not be saved: The shelf for pictures" in notes, f"it is not said that none is: {notes}")
    check(urlsplit(scene.store.origin).netloc not in meanwhile.text, "the answer says where the store is")
    await scene.store.back()
    # This one has forgotten everything.
    for name in (made.task_id, meanwhile.try_on.task_id):
        image = (await scene.ana.get(name)).try_on.images[0]
        check(image.saved_to, "it is not copied when the store is back")
        check(await scene.bytes_of(image.saved_to or "") == await scene.bytes_of(image.url), "other bytes")


TRIED = (
    a_result_is_a_link_into_the_store_that_is_signed_for_an_hour,
    a_photo_by_an_upload_link_lies_there_and_is_used,
    wishes_in_line_wait_there_and_results_are_copied_before_anybody_comes_for_them,
    without_the_store_kling_s_links_are_given_and_nothing_is_lost,
)


async def came(looked: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until that is so."""
    until = time.monotonic() + SECONDS
    while not await looked():
        check(time.monotonic() < until, what)
        await asyncio.sleep(0.2)


async def gone(scene: Scene, folder: str) -> bool:
    """Whether nothing lies there."""
    return not await scene.lies(folder)


def faults() -> list[str]:
    """Return what does not work with a real store."""
    return asyncio.run(_faults())


async def _faults() -> list[str]:
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kolors-store-") as name:
        folder = Path(name)
        async with store(folder) as shelf, kling(PLAN, folder, "127.0.0.1:1") as upstream:
            variables = {
                **shelf.variables,
                **tokens_of(folder, "ana", "ben"),
                "KOLORS_SHELF": f"{shelf.variables['KOLORS_SHELF']}?results=keep",
                "KOLORS_LEDGER": f"sqlite:///{folder / 'ledger.sqlite3'}",
                "KOLORS_SLOTS": "1",
                "KLING_API_BASE": upstream.origin,
                "KLING_API_KEY": upstream.api_key,
                "KOLORS_ALLOWED_HOSTS": urlsplit(upstream.origin).netloc,
            }
            with ExitStack() as stack:
                service = stack.enter_context(serving(environment(folder, **variables), folder, really=True))
                async with (
                    shopper(service, "ana") as ana,
                    shopper(service, "ben") as ben,
                    httpx.AsyncClient(trust_env=False, timeout=SECONDS) as world,
                ):
                    scene = Scene(shelf, upstream, service, ana, ben, world)
                    for tried in TRIED:
                        words = tried.__name__.replace("_", " ")
                        try:
                            await tried(scene)
                        except Exception as error:  # noqa: BLE001  (whatever it is, it does not work)
                            found.append(f"object store: {words}: {error!r}")
                        else:
                            print(f"  object store: {words}", flush=True)
    return found
