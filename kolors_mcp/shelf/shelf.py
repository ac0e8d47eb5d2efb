"""The shelf of the service: a folder on one machine, an object store that many replicas share."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

import anyio
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from kolors_mcp.errors import KolorsError, NotConfiguredError
from kolors_mcp.wording import quoted

if TYPE_CHECKING:
    from obstore import ObjectMeta

logger = logging.getLogger(__name__)

SCHEMES = ("s3://", "gs://", "az://")
MAX_SECONDS = 20.0
"""What one deed may take; several tries of the library's are within it."""
CONNECT_SECONDS, TRY_SECONDS, MAX_RETRIES = 5.0, 15.0, 2
PROBE = "ready"
"""A name under which nothing lies: the answer that there is none shows that the shelf answers."""

T = TypeVar("T")


class ShelfError(KolorsError):
    """The shelf cannot be reached, read or written; the text does not say where it is."""

    retryable = True


class Lying(NamedTuple):
    """Something that lies on a shelf."""

    name: str
    size: int
    """Bytes."""
    modified_at: float
    """Seconds since 1970, by the store's clock."""


class Shelf:
    """Objects by name, each written once and whole. Every method raises `ShelfError` where the shelf fails."""

    def __init__(self, store: ObjectStore) -> None:
        """Take an object store. Use `at` instead."""
        self._store = store

    @classmethod
    def at(cls, place: str) -> Self:
        """Return the shelf at a folder, which is made if it is missing, or at `s3://`, `gs://` or `az://`.

        The credentials of an object store come from the variables that its own programs read, or from the machine.

        Raises:
            NotConfiguredError: Nothing can be kept there.
        """
        try:
            if place.startswith(SCHEMES):
                # Without limits a store that does not answer is asked for minutes. They take the place of all that the
                # variables say of the client, so whoever names a store beside the service by http:// is heard here.
                options = {
                    "timeout": f"{TRY_SECONDS:.0f}s",
                    "connect_timeout": f"{CONNECT_SECONDS:.0f}s",
                    "allow_http": True,
                }
                retries = {"max_retries": MAX_RETRIES, "retry_timeout": timedelta(seconds=MAX_SECONDS)}
                made = cast("Any", from_url)(place, client_options=options, retry_config=retries)
                return cls(cast("ObjectStore", made))
            if "://" in place:
                raise NotConfiguredError(_unusable(place, "it is no folder, and no s3://, gs:// or az://"))
            folder = Path(place).expanduser().absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(LocalStore(folder))
        except (BaseError, OSError, ValueError) as error:
            raise NotConfiguredError(_unusable(place, _first_line(error))) from error

    async def put(self, folder: str, data: bytes, ending: str = "") -> str:
        """Keep bytes under a name that cannot be guessed, and return it; `ending` is its end."""
        name = f"{folder}/{secrets.token_hex(16)}{ending}"
        await self._do("could not be written to", obstore.put_async(self._store, name, data, mode="create"))
        return name

    async def create(self, name: str, data: bytes) -> bool:
        """Keep bytes under a name of the caller's, over nothing; return False where something lies there already."""

        async def put() -> bool:
            try:
                await obstore.put_async(self._store, name, data, mode="create")
            except AlreadyExistsError:
                return False
            return True

        return bool(await self._do("could not be written to", put()))

    async def has(self, name: str) -> bool:
        """Whether something lies under a name."""
        return await self._do("could not be read", obstore.head_async(self._store, name)) is not None

    async def listed(self, folder: str, most: int | None = None) -> list[Lying]:
        """Return what lies in a folder and below it, at most so much of it, in any order."""

        async def found() -> list[Lying]:
            # One of the forms of its answer has no type.
            batches = cast("AsyncIterator[Sequence[ObjectMeta]]", cast("Any", obstore).list(self._store, folder))
            lying: list[Lying] = []
            async for batch in batches:
                lying += (Lying(meta["path"], meta["size"], meta["last_modified"].timestamp()) for meta in batch)
                if most is not None and len(lying) >= most:
                    break
            return lying[:most]

        return await self._do("could not be listed", found()) or []

    async def get(self, name: str, max_bytes: int) -> bytes | None:
        """Return what lies under a name; None if nothing does, or more than `max_bytes`."""

        async def got() -> bytes | None:
            found = await obstore.get_async(self._store, name)
            return None if found.meta["size"] > max_bytes else bytes(await found.bytes_async())

        return await self._do("could not be read", got())

    async def delete(self, names: Sequence[str]) -> None:
        """Remove what lies under these names; what is gone already is no error."""
        for name in names:
            await self._do("could not be cleared", obstore.delete_async(self._store, name))

    async def delete_older(self, folder: str, seconds: float) -> int:
        """Remove what was put into a folder so long ago, by the store's clock and ours; return how much that was."""
        before = datetime.now(UTC).timestamp() - seconds
        names = [lying.name for lying in await self.listed(folder) if lying.modified_at < before]
        await self.delete(names)
        return len(names)

    async def sign(self, method: str, name: str, seconds: float) -> str | None:
        """Return a link with which anybody may `GET` or `PUT` one object for a while; None: a folder signs none."""
        if not isinstance(self._store, S3Store | GCSStore | AzureStore):
            return None
        signing = obstore.sign_async(self._store, cast("Any", method), name, timedelta(seconds=seconds))
        return await self._do("could not sign a link", signing)

    async def ready(self) -> None:
        """Return if the shelf answers."""
        await self._do("does not answer", obstore.head_async(self._store, PROBE))

    async def _do(self, what: str, deed: Awaitable[T]) -> T | None:
        """Do something within its time; None where there is no such object."""
        with anyio.move_on_after(MAX_SECONDS):
            try:
                return await deed
            except FileNotFoundError:
                return None
            except (BaseError, OSError, ValueError) as error:
                # The library's text names the place, which is nobody's business who asks for a try-on.
                logger.warning("the shelf %s: %s", what, _first_line(error))
                raise ShelfError(f"The shelf for pictures {what} ({type(error).__name__}).") from error
        raise ShelfError(f"The shelf for pictures {what}: it did not answer within {MAX_SECONDS:.0f} seconds.")


def _unusable(place: str, why: str) -> str:
    return f"KOLORS_SHELF {quoted(place)} cannot be used ({why}). Give a folder, or s3://, gs:// or az://."


def _first_line(error: Exception) -> str:
    # What follows is for the library's developers.
    return quoted(next(iter(str(error).splitlines()), type(error).__name__), 200)
