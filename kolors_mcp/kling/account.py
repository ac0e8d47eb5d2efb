"""The endpoint of the account: which packs of units it has, and what is left in them."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.kling.exchange import Reply
from kolors_mcp.kling.http import SignedHttp
from kolors_mcp.kling.wire import Answer, Lenient, without_data

PATH = "/account/costs"
PURCHASED_WITHIN_SECONDS = 400 * 24 * 3600
"""How far back is asked: Kling filters packs by the time of purchase, and a pack lives for a year."""
MAX_PACKS = 200
IN_USE = "online"
"""Kling's word for a pack that can be used. Others are `toBeOnline`, `expired` and `runOut` (vendor)."""


@dataclass(frozen=True)
class UnitsLeft:
    """What is left in one pack. Packs are per product and only their names tell which, so nothing is added up."""

    pack: str
    """Its name, in Kling's own words."""
    units: float
    """More than 0. A try-on costs one (vendor)."""


class _Pack(Answer):
    """One pack of `resource_pack_subscribe_infos`."""

    resource_pack_name: str = ""
    status: str = ""
    remaining_quantity: Annotated[float | None, Field(allow_inf_nan=False), Lenient] = None


_PACKS = TypeAdapter(list[_Pack])


async def read_units(http: SignedHttp, clock: Clock, deadline: Deadline | None) -> list[UnitsLeft]:
    """Read what is left; see `KlingClient.units`."""
    now = int(clock.wall())
    window = {"start_time": (now - PURCHASED_WITHIN_SECONDS) * 1000, "end_time": now * 1000}
    packs = await http.read(PATH, window, _packs_of, deadline)
    return [
        UnitsLeft(pack.resource_pack_name, pack.remaining_quantity)
        for pack in packs
        if pack.status == IN_USE and pack.remaining_quantity
    ]


def _packs_of(reply: Reply) -> list[_Pack]:
    data = reply.envelope.data
    try:
        return _PACKS.validate_python(data["resource_pack_subscribe_infos"][:MAX_PACKS])
    except (TypeError, LookupError, ValidationError):
        raise without_data() from None
