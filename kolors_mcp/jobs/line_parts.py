"""What the creates in line have in common: the ledger, the shelf on which their pictures wait, and how they ended."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.jobs.memory import Latest
from kolors_mcp.jobs.parcel import FOLDER, MAX_PARCEL_BYTES, packed, seal_of, unpacked
from kolors_mcp.jobs.send import Parts
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.claims import Claimed
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.wakes import Wakes
from kolors_mcp.shelf.shelf import Shelf

if TYPE_CHECKING:
    from kolors_mcp.ledger.line import LedgerLine


@dataclass(frozen=True)
class LineSettings:
    """What turns the line on."""

    terms: Terms
    shelf: Shelf
    wakes: Wakes
    close_seconds: float = 10.0
    """In which what is being sent may end, when the process is stopped."""


@dataclass(frozen=True)
class LineParts:
    """Shared by all creates in line."""

    parts: Parts
    shelf: Shelf
    closing: asyncio.Event
    """Set when this process is being stopped: what left is finished, nothing more leaves."""
    endings: Latest[str, errors.KlingError]
    """By reference, with what the latest ones ended that came to no task, for the calls that wait for them."""

    async def line(self) -> "LedgerLine":
        """Return the account's line in the open ledger."""
        line = (await self.parts.store.ledger()).line
        assert line is not None
        return line

    def folder_of(self, line: "LedgerLine") -> str:
        """Return where pictures of this ledger's creates lie, apart from those of others that use the same shelf."""
        return f"{FOLDER}/{line.mark}"

    async def put_aside(self, request: CreateRequest) -> str:
        """Lay the pictures of a create on the shelf, and return their name there.

        Raises:
            ShelfError: They cannot be.
            PictureRefusedError: The file behind one changed since it was checked.
        """
        parcel = await asyncio.to_thread(packed, request.human_image, request.cloth_image)
        return await self.shelf.put(self.folder_of(await self.line()), parcel, seal_of(parcel))

    async def taken(self, claimed: Claimed) -> CreateRequest | None:
        """Return what is sent of a create whose pictures lie on the shelf; None if they do not, or have changed.

        Raises:
            ShelfError: They cannot be had.
        """
        name = claimed.shelved or ""
        parcel = await self.shelf.get(name, MAX_PARCEL_BYTES) if name else None
        if parcel is None or not name.endswith(seal_of(parcel)):
            return None
        human, cloth = unpacked(parcel)
        return CreateRequest(human, cloth, claimed.job.model_name, claimed.callback_url, claimed.job.reference)
