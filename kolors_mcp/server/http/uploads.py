"""Takes photos by upload links, with `PUT` or from a page for a person's browser, straight to where they are kept.

So a photo of a person passes no model. It is drawn anew like every kept photo; what came is never written anywhere.
"""

import hashlib
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from kolors_mcp.clock import Clock
from kolors_mcp.errors import KolorsError, PictureRefusedError
from kolors_mcp.images.sources.photos import is_photo_name
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.pictures import LoadedPicture
from kolors_mcp.server.http.bodies import Bodies, Words
from kolors_mcp.server.http.bounds import Bounds
from kolors_mcp.server.http.discretion import discreet
from kolors_mcp.server.http.refusals import refusal
from kolors_mcp.server.http.upload_links import UPLOADS_PATH, NoLinkError, UploadLink, UploadLinks
from kolors_mcp.server.http.upload_page import MAX_UPLOAD_BYTES, State, page
from kolors_mcp.server.http.user_photos import UserPhotos
from kolors_mcp.shelf.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.server.http.draining import Draining

logger = logging.getLogger(__name__)

USED_FOLDER = "uploads"
"""Where on the shelf it is written down which links were used."""
KEPT_ENDING = ".kept"
"""Of the object that says what was handed over by a used link, and under which name it is kept."""
MAX_KEPT_BYTES = 1_000
USED_SECONDS = 24 * 60 * 60.0
"""After which that can be forgotten: the links themselves are long late."""
TIDY_SECONDS = 60 * 60.0
"""Between two rounds in which it is."""
MAX_KEEPING_SECONDS = 40.0
"""For drawing a photo anew and putting it on the shelf."""
BUSY_SECONDS = 5.0
_LINK = "kolors_mcp.upload_link"
"""Where in a request's scope stands what its link allows."""
_WORDS = Words(
    too_large=f"The photo is larger than {MAX_UPLOAD_BYTES // 1024 // 1024} MB, and was not kept. Take a smaller one.",
    crowded="Too many photos are on their way just now, and this one was not kept. Try again in a few seconds.",
    late="The photo did not arrive in time, and was not kept. Try again, or choose a smaller version.",
)
_GONE: dict[State, str] = {
    "late": "The time of this link is over. Ask for a new one: the assistant gives it with open_fitting_room.",
    "used": "This link was used already, and works once. Ask for a new one with open_fitting_room.",
}


async def forget_used(shelf: Shelf, clock: Clock) -> None:
    """Forget, again and again, which links were used that are long late."""
    while True:
        try:
            await shelf.delete_older(USED_FOLDER, USED_SECONDS)
        except KolorsError as error:
            logger.info("what is old stays on the shelf for now: %s", error)
        await clock.tick(TIDY_SECONDS)


class Uploads:
    """An ASGI application at `UPLOADS_PATH/{token}`."""

    def __init__(
        self,
        links: UploadLinks,
        shelf: Shelf,
        photos: UserPhotos,
        pictures: "Callable[[float], Awaitable[Pictures]]",
        draining: "Draining",
        *,
        bounds: Bounds,
        clock: Clock,
    ) -> None:
        """Take nothing yet.

        Args:
            links: Which there are.
            shelf: Knows which were used.
            photos: Where they are kept.
            pictures: Returns what draws them anew, within so many seconds.
            draining: Whether the service is ending.
            bounds: How long a photo may be on its way, and how many at once.
            clock: Times that.
        """
        self._links = links
        self._shelf = shelf
        self._photos = photos
        self._pictures = pictures
        self._clock = clock
        bounds = replace(bounds, body_bytes=MAX_UPLOAD_BYTES, bodies_bytes=3 * MAX_UPLOAD_BYTES)
        self._read = Bodies(self._keep, bounds, draining.ending, clock, words=_WORDS, complaint=lambda _photo: None)
        self._counted = draining.counted(self._answer, bounds.requests)

    @property
    def route(self) -> Route:
        """Where they arrive."""
        return Route(f"{UPLOADS_PATH}/{{token}}", self)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        await self._counted(scope, receive, send)

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            answer = await self._answer_of(scope)
        except KolorsError as error:
            logger.info("a link cannot be looked up: %s", error)
            answer = refusal(503, "This cannot be done just now. Try again.", retry_seconds=BUSY_SECONDS)
        await (answer or self._read)(scope, receive, send)

    async def _answer_of(self, scope: "Scope") -> "Response | None":
        """Return the answer to a request whose body does not matter; None if there is a photo to be read."""
        try:
            link = self._links.read(scope["path_params"]["token"])
        except NoLinkError:
            return refusal(404, "There is nothing here.")
        if scope["method"] not in ("GET", "HEAD", "PUT"):
            words = "Send the photo with PUT, or open the link in a browser."
            return refusal(405, words, allow="GET, HEAD, PUT")
        state: State = "late" if link.is_late else "used" if await self._shelf.has(_place_of(link)) else "open"
        if scope["method"] != "PUT":
            document, policy = page(state, link.name)
            return HTMLResponse(document, 200 if state == "open" else 410, _page_headers(policy))
        if state == "late":
            return _gone(state)
        # One that was used is read all the same: it may be the same photo, whose answer was lost on its way.
        scope[_LINK] = link
        return None

    async def _keep(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        request = Request(scope, receive)
        await (await self._kept(request))(scope, receive, send)

    async def _kept(self, request: Request) -> "Response":
        link: UploadLink = request.scope[_LINK]
        name = request.query_params.get("name") or link.name
        if not is_photo_name(name):
            return refusal(422, "A name has 1 to 60 of a-z, A-Z, 0-9, _ and -. The photo was not kept.")
        data = await request.body()
        mark = hashlib.sha256(name.encode() + b"\0" + data).hexdigest()
        photo = LoadedPicture(data, "uploaded photo")
        try:
            async with self._used(link) as is_first:
                if not is_first:
                    return await self._repeated(link, mark)
                kept = await self._put(link, name, photo)
            await self._note_kept(link, mark, kept)
            return _kept_as(kept)
        except PictureRefusedError as error:
            said = discreet(str(error))
            return refusal(422, f"{said[:1].upper()}{said[1:]}")
        except (KolorsError, TimeoutError) as error:
            logger.info("a photo cannot be kept: %s", type(error).__name__)
            return refusal(503, "The photo cannot be kept just now. Try again.", retry_seconds=BUSY_SECONDS)

    async def _put(self, link: UploadLink, name: str, photo: LoadedPicture) -> str:
        """Keep a photo among those of the link's user, and return its name."""
        with self._clock.deadline(MAX_KEEPING_SECONDS).scope():
            pictures = (await self._pictures(MAX_KEEPING_SECONDS)).with_photos(self._photos.of_mark(link.mark))
            return await pictures.kept.keep(photo, name)
        raise TimeoutError

    async def _repeated(self, link: UploadLink, mark: str) -> "Response":
        """Answer a use of a link that was used: the same photo under the same name gets the answer that it had.

        A proxy repeats a `PUT` by itself when a replica dies, and a person presses the button again.
        """
        noted = await self._shelf.get(_place_of(link) + KEPT_ENDING, MAX_KEPT_BYTES)
        before, _, kept = (noted or b"").decode().partition(" ")
        return _kept_as(kept) if before == mark else _gone("used")

    async def _note_kept(self, link: UploadLink, mark: str, kept: str) -> None:
        try:
            await self._shelf.create(_place_of(link) + KEPT_ENDING, f"{mark} {kept}".encode())
        except KolorsError as error:
            # The photo is there; a repetition of this is then told that the link was used.
            logger.info("what a link was used for is not written down: %s", error)

    @asynccontextmanager
    async def _used(self, link: UploadLink) -> "AsyncGenerator[bool]":
        """Use a link for the length of the block: it stays used unless the block fails.

        Gives whether it is the first time; it is written down before anything is kept, so that of two requests at
        once, on whichever replicas, one is the first.
        """
        is_first = await self._shelf.create(_place_of(link), b"-")
        try:
            yield is_first
        except BaseException:
            if is_first:
                with anyio.CancelScope(shield=True):
                    await self._shelf.delete([_place_of(link)])
            raise


def _kept_as(name: str) -> "Response":
    return JSONResponse({"path": PHOTO_SCHEME + name}, 201, {"cache-control": "no-store"})


def _gone(state: State) -> "Response":
    return refusal(409 if state == "used" else 410, _GONE[state])


def _place_of(link: UploadLink) -> str:
    return f"{USED_FOLDER}/{link.id}"


def _page_headers(policy: str) -> dict[str, str]:
    return {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
