"""The endpoint of the account: which packs of units it has, what is left in them, and what that means for try-ons."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.kling.exchange import Reply
from kolors_mcp.kling.http import SignedHttp
from kolors_mcp.kling.refusals import Verdict, error_for
from kolors_mcp.kling.wire import Answer, Lenient, Moment, without_data

PATH = "/account/costs"
PURCHASED_WITHIN_SECONDS = 400 * 24 * 3600
"""How far back is asked: Kling filters packs by the time of purchase, and a pack lives for a year."""
MAX_PACKS = 200
IN_USE = "online"
"""Kling's word for a pack that can be used."""
NOT_IN_USE = frozenset({"toBeOnline", "expired", "runOut"})
"""Its words for those that cannot (vendor). Whatever else it says tells nothing."""
_TRY_ON = re.compile(r"try[\s_-]?on|\u8bd5\u7a7f|\u6362\u88c5|\u8bd5\u8863", re.IGNORECASE)
"""Packs are per product, and only their names tell which; Kling's are in English or Chinese."""


@dataclass(frozen=True)
class Pack:
    """What the account has bought at once: units of one product, for a year."""

    name: str
    """In Kling's own words."""
    status: str
    """`online` if it can be used."""
    units_left: float | None
    """None where Kling's figure is none. A try-on costs one (vendor)."""
    units_total: float | None
    expires_at: datetime | None

    @property
    def is_for_try_ons(self) -> bool:
        """Whether its name says that try-ons are paid with it."""
        return _TRY_ON.search(self.name) is not None

    @property
    def is_usable(self) -> bool:
        """Whether it can be used now, as far as Kling says."""
        return self.status == IN_USE and self.units_left != 0

    @property
    def is_unclear(self) -> bool:
        """Whether it may be one that can be used, though Kling does not say so in a word that is known."""
        return self.status not in {IN_USE, *NOT_IN_USE} and self.units_left != 0


def units_left(packs: Sequence[Pack]) -> float | None:
    """Return how many units are left for try-ons; None where the packs do not tell.

    They do not where none has a name of try-ons, where a pack that can be used has no figure, or where it is not clear
    whether one can be used. What is left in an
    expired pack, or in one that has not begun, cannot be used and is not counted.
    """
    ours = [pack for pack in packs if pack.is_for_try_ons]
    left = [pack.units_left for pack in ours if pack.is_usable]
    known = [units for units in left if units is not None]
    told = len(known) == len(left) and not any(pack.is_unclear for pack in ours)
    return sum(known) if ours and told else None


class _Pack(Answer):
    """One pack of `resource_pack_subscribe_infos`."""

    resource_pack_name: str = ""
    status: str = ""
    remaining_quantity: Annotated[float | None, Field(ge=0, allow_inf_nan=False), Lenient] = None
    total_quantity: Annotated[float | None, Field(ge=0, allow_inf_nan=False), Lenient] = None
    invalid_time: Annotated[Moment, Lenient] = None


_PACKS = TypeAdapter(list[_Pack])


async def read_packs(http: SignedHttp, clock: Clock, deadline: Deadline | None) -> list[Pack]:
    """Read the account's packs; see `KlingClient.packs`."""
    now = int(clock.wall())
    window = {"start_time": (now - PURCHASED_WITHIN_SECONDS) * 1000, "end_time": now * 1000}
    return [
        Pack(
            pack.resource_pack_name,
            pack.status,
            pack.remaining_quantity,
            pack.total_quantity,
            pack.invalid_time,
        )
        for pack in await http.read("account", PATH, window, _packs_of, deadline)
    ]


class _Told(Answer):
    """What the data of this endpoint begins with: a second envelope, which may say no where the outer one does not."""

    code: Annotated[int, Lenient] = 0
    msg: Annotated[str | None, Lenient] = None


def _packs_of(reply: Reply) -> list[_Pack]:
    data = reply.envelope.data
    try:
        told = _Told.model_validate(data)
        if told.code:
            verdict = Verdict(told.code, told.msg, reply.envelope.request_id, status=reply.status)
            raise error_for(verdict, creating=False)
        return _PACKS.validate_python(data["resource_pack_subscribe_infos"][:MAX_PACKS])
    except (TypeError, LookupError, ValidationError):
        raise without_data() from None
