"""The door of this package: from whatever an assistant names to a picture that Kling takes, or one refusal."""

import ssl
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from kolors_mcp.clock import Clock
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.finished import FinishedPictures
from kolors_mcp.images.formats import examine
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.kept import KeptPhotos
from kolors_mcp.images.limits import SENT_SIDE
from kolors_mcp.images.photo_folder import PhotoFolder
from kolors_mcp.images.picture import CheckedPicture, Named, checked
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.fetch import Fetcher, FetchLimits
from kolors_mcp.images.sources.lookups import Resolver
from kolors_mcp.images.sources.nearby import Nearby, find_pictures
from kolors_mcp.images.sources.network import Connect, PinnedBackend, system_connect
from kolors_mcp.images.sources.obtain import Obtained, obtain
from kolors_mcp.images.sources.photos import PhotoStore
from kolors_mcp.images.sources.places import Places
from kolors_mcp.images.worker.messages import Done
from kolors_mcp.images.worker.pool import Decoder, Decoders, Task
from kolors_mcp.pictures import PictureSource
from kolors_mcp.settings import SentSide
from kolors_mcp.threads import Threads

_MAX_READERS = 4
"""Files looked through at once; they take milliseconds."""

_Piece = tuple[Obtained, examine.Looked]


class Pictures:
    """Prepares pictures for Kling; `finished` fetches, shows and keeps its results, `kept` keeps photos.

    Args:
        folders: Where local files may be read; empty: nowhere.
        allowed_hosts: What may be fetched from although not public, as `egress.allowed.read_entries` returns it.
        fetch_proxy: What `KOLORS_FETCH_PROXY` says.
        resolver: From host and port to IP addresses; the system's by default.
        connect: Dials an address that was judged; plain TCP by default.
        ssl_context: Which certificates are trusted; the usual ones by default.
        costs: What a fetch may take.
        clock: Waits between attempts at a download.
        decoder: Decodes pictures; processes of its own by default, started by the first picture that needs one.
        sent_side: Longest side of what is sent, in pixels, or `original`: what Kling takes is sent as it is.
        photos_dir: Where the user's kept photos lie; none: nowhere.
    """

    def __init__(
        self,
        *,
        folders: Sequence[Path],
        allowed_hosts: frozenset[str] = frozenset(),
        fetch_proxy: str | None = None,
        resolver: Resolver | None = None,
        connect: Connect | None = None,
        ssl_context: ssl.SSLContext | None = None,
        costs: FetchLimits | None = None,
        clock: Clock | None = None,
        decoder: Decoder | None = None,
        sent_side: SentSide = SENT_SIDE,
        photos_dir: Path | None = None,
    ) -> None:
        self._folders = tuple(folders)
        costs = costs or FetchLimits()
        places = Places(costs.at_once, costs.per_host)
        backend = PinnedBackend(allowed_hosts, resolver, connect or system_connect, places=places)
        # All fetches go to the one address of a proxy, so that it has as many places as there are.
        proxy_places = Places(costs.at_once, costs.at_once)
        to_proxy = partial(PinnedBackend, resolver=resolver, connect=connect or system_connect, places=proxy_places)
        self._fetcher = Fetcher(
            backend,
            allowed_hosts,
            to_proxy=None if fetch_proxy is None else (fetch_proxy, lambda host: to_proxy([host])),
            ssl_context=ssl_context,
            costs=costs,
        )
        self._decoder: Decoder = decoder or Decoders()
        self._readers, self._walkers = Threads(_MAX_READERS), Threads(1)  # a disk may never answer
        self.finished = FinishedPictures(self._fetcher, self._decoder, self._readers, clock or Clock())
        photos = None if photos_dir is None else PhotoFolder(photos_dir, self._readers)
        self.kept = KeptPhotos(photos, self.redraw)
        self._sent_side = None if sent_side == "original" else sent_side

    def with_photos(self, photos: PhotoStore) -> "Pictures":
        """Return the same with other kept photos: those of one of many users."""
        mine = copy(self)
        mine.kept = KeptPhotos(photos, mine.redraw)
        return mine

    async def prepare(self, source: PictureSource, argument: str) -> CheckedPicture:
        """Return the picture that `source` names or is, made fit.

        Args:
            source: A link, path, `file://` link, `data:` URI or bare base64, or a picture that is here already.
            argument: What it was given as, e.g. `human_image`; refusals begin with it.

        Raises:
            PictureRefusedError: There is no such picture, or it cannot be made fit. Nothing was sent.
        """
        try:
            obtained = await self._obtain(source)
            return await self._made_fit(obtained, argument)
        except RefusalError as error:
            raise PictureRefusedError(f"{argument} {error}") from error

    async def outfit(self, upper: PictureSource, lower: PictureSource) -> CheckedPicture:
        """Return an upper and a lower garment on one white canvas, the upper above, both whole.

        Raises:
            PictureRefusedError: Either cannot be had, or both are the same picture.
        """
        pieces: list[_Piece] = []
        names = ("cloth_image", "lower_cloth_image")
        try:
            for source, name in zip((upper, lower), names, strict=True):
                pieces.append(await self._garment(source, name))
            done = await self._run("outfit", *pieces)
            made = await self._made(done)
            sources = [await self._digest(*piece) for piece in pieces]
        except RefusalError as error:
            raise PictureRefusedError(f"{names[error.picture]} {error}") from error
        finally:
            for obtained, _ in pieces:
                obtained.content.close()
        found = (
            f"{name}: {note}" for (obtained, _), name in zip(pieces, names, strict=True) for note in obtained.notes
        )
        notes = (*found, *made.notes)
        named = Named(
            " and ".join(obtained.label for obtained, _ in pieces),
            " and ".join(obtained.title for obtained, _ in pieces if obtained.title) or None,
        )
        return checked(made.content, made.structure, notes, named, "cloth_image", *sources)

    async def redraw(self, source: PictureSource, argument: str) -> bytes:
        """Return a picture that fits, drawn anew: its pixels alone, whatever else came with them, and however it came.

        Raises:
            PictureRefusedError: As `prepare`.
        """
        try:
            obtained = await self._obtain(source)
            try:
                looked = await self._looked(obtained)
                if looked.structure is not None:
                    looked = replace(looked, structure=replace(looked.structure, reencode_reason="it is to be kept"))
                made = await self._made(await self._run("convert", (obtained, looked)))
            finally:
                obtained.content.close()
        except RefusalError as error:
            raise PictureRefusedError(f"{argument} {error}") from error
        picture = checked(made.content, made.structure, (), _named(obtained), argument)
        return await self._readers.run(lambda: b"".join(picture.blocks()))

    async def nearby(self, query: str, limit: int, left: Callable[[], float]) -> Nearby:
        """Return the newest pictures in the allowed folders, by their names; `left` tells how many seconds are left."""
        return await self._walkers.run(find_pictures, self._folders, query, limit, left)

    async def aclose(self) -> None:
        """End what decodes; each fetch closes its own connection."""
        await self._decoder.aclose()

    @property
    def _bounds(self) -> Bounds:
        return Bounds(sent_side=self._sent_side)

    async def _obtain(self, source: PictureSource) -> Obtained:
        return await obtain(source, self._fetcher, self._folders, self._readers, self.kept.store)

    async def _garment(self, source: PictureSource, argument: str) -> tuple[Obtained, examine.Looked]:
        try:
            obtained = await self._obtain(source)
            try:
                return obtained, await self._looked(obtained)
            except BaseException:
                obtained.content.close()
                raise
        except RefusalError as error:
            raise PictureRefusedError(f"{argument} {error}") from error

    async def _looked(self, obtained: Obtained) -> examine.Looked:
        return obtained.looked or await self._readers.run(examine.look, obtained.content)

    async def _run(self, job: Literal["convert", "outfit"], *pieces: "_Piece") -> Done:
        """Have a picture written anew."""
        tasks = (_task(obtained.content, looked) for obtained, looked in pieces)
        return await self._decoder.run(job, *tasks, bounds=self._bounds)

    async def _made(self, done: Done) -> examine.Made:
        """Look at what was written as at any picture from outside."""
        return await self._readers.run(examine.made_of, done.data, done.notes, self._bounds)

    async def _digest(self, obtained: Obtained, looked: examine.Looked) -> bytes:
        return await self._readers.run(examine.digest_of, obtained.content, looked)

    async def _made_fit(self, obtained: Obtained, argument: str) -> CheckedPicture:
        content, kept_open = obtained.content, False
        try:
            looked = await self._looked(obtained)
            notes = obtained.notes + looked.notes
            fits, done = looked.fits(self._bounds), Done()
            if not fits:
                done = await self._run("convert", (obtained, looked))
                # Nothing came back where nothing smaller could be made of it.
                fits = not done.data
            if fits and looked.structure is not None and looked.structure.travels:
                kept_open = True
                return checked(content, looked.structure, notes, _named(obtained), argument)
            made = await self._made(done)
            source = await self._digest(obtained, looked)
        finally:
            if not kept_open:
                content.close()
        return checked(made.content, made.structure, notes + made.notes, _named(obtained), argument, source)


def _named(obtained: Obtained) -> Named:
    return Named(obtained.label, obtained.title)


def _task(content: Content, looked: examine.Looked) -> Task:
    return Task(content, looked.kind, looked.structure)
