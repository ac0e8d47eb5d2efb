"""Finished pictures: fetched from Kling's servers or from where they were kept, shown small, and kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from kolors_mcp.clock import Backoff, Clock
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import write
from kolors_mcp.images.formats import examine
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.fetch import Fetcher
from kolors_mcp.images.worker.messages import Done
from kolors_mcp.images.worker.pool import Decoder, Task
from kolors_mcp.threads import Threads

MAX_DOWNLOADS = 3
"""Attempts at a finished picture: it is paid for."""
RESULT_RETRY = Backoff(initial_seconds=0.5, max_seconds=2.0, jitter=(0.5, 1.0))


class FinishedPictures:
    """Fetches, shows and keeps what Kling has made.

    Args:
        fetcher: Follows links.
        decoder: Decodes pictures.
        readers: For looking through bytes and files.
        clock: Waits between attempts at a download.
    """

    def __init__(self, fetcher: Fetcher, decoder: Decoder, readers: Threads, clock: Clock) -> None:
        self._fetcher = fetcher
        self._decoder = decoder
        self._readers = readers
        self._clock = clock

    async def download(self, url: str) -> bytes:
        """Return a finished picture whole, as it was served.

        Raises:
            PictureRefusedError: It could not be had, after a few attempts.
        """
        attempt = 0
        while True:
            try:
                fetched = await self._fetcher.fetch(url, pages=False, may_be_slow=True)
                data = bytes(fetched.data)
                await self._verify(data)
            except RefusalError as error:
                attempt += 1
                if attempt == MAX_DOWNLOADS or not error.transient:
                    raise PictureRefusedError(f"The finished picture {error}") from error
                await self._clock.sleep(RESULT_RETRY.seconds(attempt - 1, self._clock))
            else:
                return data

    async def saved(self, file: Path) -> bytes:
        """Return a kept picture.

        Raises:
            OSError: It cannot be read, or is no ordinary file, or larger than any picture.
            PictureRefusedError: It is damaged, or no picture any more.
        """
        try:
            data = await self._readers.run(write.read, file)
            await self._verify(data)
            return data  # noqa: TRY300  (the two lines before it are what may fail)
        except RefusalError as error:
            raise PictureRefusedError(f"The saved picture {error}") from error

    async def preview(self, data: bytes) -> bytes:
        """Return a small baseline JPEG of a picture: at most 768 pixels and 150,000 bytes.

        Raises:
            PictureRefusedError: The bytes are no picture.
        """
        try:
            return bytes((await self._shown("preview", data)).data)
        except RefusalError as error:
            raise PictureRefusedError(f"The finished picture {error}") from error

    async def side_by_side(self, left: bytes, right: bytes) -> bytes:
        """Return two pictures beside each other, as small as a preview.

        Raises:
            PictureRefusedError: Either is no picture.
        """
        try:
            return bytes((await self._shown("side_by_side", left, right)).data)
        except RefusalError as error:
            raise PictureRefusedError(f"The finished picture {error}") from error

    async def sheet(self, pictures: Sequence[bytes], captions: Sequence[str]) -> bytes:
        """Return pictures on one sheet, each above its caption: at most 1200 pixels and 150,000 bytes of JPEG.

        Args:
            pictures: Two to ten.
            captions: Of each; where its font has no such letters, the first word alone is written.

        Raises:
            PictureRefusedError: One is no picture.
        """
        try:
            return bytes((await self._shown("sheet", *pictures, captions=tuple(captions))).data)
        except RefusalError as error:
            raise PictureRefusedError(f"The finished picture {error}") from error

    async def for_host(self, data: bytes) -> tuple[bytes, bool]:
        """Return a finished picture as a JPEG that hosts take: as it is, or at most 2048 pixels and 700,000 bytes.

        Raises:
            PictureRefusedError: The bytes are no picture.
        """
        try:
            if examine.host_takes(data):
                return data, False
            made = await self._shown("for_host", data)
            return bytes(made.data), made.shrunk
        except RefusalError as error:
            raise PictureRefusedError(f"The finished picture {error}") from error

    async def keep(self, data: bytes, folder: Path, stem: str) -> Path:
        """Write a picture to `folder` under a name that begins with `stem`, over nothing and not twice; return where.

        Raises:
            PictureRefusedError: The folder cannot be written to, or the bytes are no picture.
        """
        return await self._readers.run(write.keep, data, folder, stem)

    async def _shown(
        self,
        job: Literal["preview", "side_by_side", "sheet", "for_host"],
        *pictures: bytes,
        captions: tuple[str, ...] = (),
    ) -> Done:
        tasks = (Task(MemoryContent(data), examine.kind_known(data)) for data in pictures)
        return await self._decoder.run(job, *tasks, captions=captions)

    async def _verify(self, data: bytes) -> None:
        content = MemoryContent(data)
        unknown = await self._readers.run(examine.whole, content)
        if unknown is not None:
            await self._decoder.run("verify", Task(content, unknown.kind, unknown.structure))
