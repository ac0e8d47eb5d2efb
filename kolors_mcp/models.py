"""What the layers hand to each other: ids, a try-on, and a page of them."""

import re
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kolors_mcp.bounds import linear

RESULT_LIFETIME = timedelta(days=30)
"""How long Kling keeps a result (vendor)."""
MAX_LABEL_CHARACTERS = 60
"""Characters of what people call a try-on."""
MAX_ID_CHARACTERS = 200
"""Characters of an id; the vendor's have some twenty."""

_ID = re.compile(rf"(?!\.+\Z)[A-Za-z0-9._~=-]{{1,{MAX_ID_CHARACTERS}}}")


@linear(b"8", b".", b"~=", "é".encode())
def is_id(text: str) -> bool:
    """Whether it can be a task's id, Kling's or ours: letters, digits and `._~=-`, and nothing that stands for none."""
    return _ID.fullmatch(text) is not None and text not in ("null", "0")


REFERENCE_PREFIX = "k-"
"""How our references begin; Kling's own ids are digits."""
_REFERENCE = re.compile(REFERENCE_PREFIX + "[0-9a-f]{24}")


def new_reference() -> str:
    """Return a reference for a create, never used before: our id of the request, `external_task_id` to Kling."""
    return REFERENCE_PREFIX + secrets.token_hex(12)


@linear(b"k-", b"0", b"f")
def is_reference(text: str) -> bool:
    """Whether it is a reference of ours, and not Kling's id of a task."""
    return _REFERENCE.fullmatch(text) is not None


MIN_KLING_ID_DIGITS = 12
"""Digits from which on a name has the form of Kling's ids, which have 18 and more."""


@linear(b"8", b"k-", "٣".encode())
def looks_like_an_id(text: str) -> bool:
    """Whether a name has the form of Kling's ids or of our references, so that it is never taken for a label."""
    is_number = text.isascii() and text.isdecimal()
    return is_reference(text) or (is_number and MIN_KLING_ID_DIGITS <= len(text) <= MAX_ID_CHARACTERS)


Model = Literal["kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5"]
"""The vendor's model names (the page's enum); `v1` is Kling's default."""

V1: Model = "kolors-virtual-try-on-v1"
V1_5: Model = "kolors-virtual-try-on-v1-5"

Status = Literal["submitted", "processing", "succeed", "failed"]
"""The vendor's status words. Newer pages write `succeeded`; it is shown as `succeed`."""

FINAL: tuple[Status, ...] = ("succeed", "failed")
"""Those that stay."""


class Answer(BaseModel):
    """Base of everything that is handed to a caller: immutable, nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ResultImage(Answer):
    """One finished picture of a try-on."""

    index: Annotated[int, Field(description="Number of the picture within its try-on, from 0.")]
    url: Annotated[str, Field(description="Signed link to the picture, to be used whole.")]
    expires_at: Annotated[
        datetime | None,
        Field(description="When Kling removes it, 30 days after the result (UTC). None in the sandbox."),
    ] = None
    expired: Annotated[bool, Field(description="True: the link is dead; do not give it on.")] = False
    saved_to: Annotated[str | None, Field(description="Where a copy of it was saved.")] = None
    resource_uri: Annotated[str | None, Field(description="The picture as a resource of this server.")] = None


class TryOn(Answer):
    """A person dressed in a garment: one task at Kling, and what came of it."""

    task_id: Annotated[str, Field(description="Kling's id of the task; all other tools take it.")]
    reference: Annotated[str | None, Field(description="Our own id of the request (k-...), taken for task_id too.")] = (
        None
    )
    label: Annotated[
        str | None, Field(description="What people call this look, taken for task_id too if only one has it.")
    ] = None
    status: Annotated[
        Status, Field(description="submitted or processing: not finished. succeed: see images. failed: final.")
    ]
    status_message: Annotated[str | None, Field(description="Why it failed, in Kling's words, or what is odd.")] = None
    created_at: Annotated[datetime | None, Field(description="When Kling accepted the task (UTC).")] = None
    updated_at: Annotated[datetime | None, Field(description="When the status last changed (UTC).")] = None
    model_name: Annotated[str | None, Field(description="The model that was asked for; none: Kling's default.")] = None
    images: Annotated[
        tuple[ResultImage, ...], Field(description="The finished pictures; empty until status is succeed.")
    ] = ()
    reused: Annotated[bool, Field(description="True: the same request was made before; nothing new was paid.")] = False
    notes: Annotated[tuple[str, ...], Field(description="What was done to the pictures, a line each.")] = ()
    sandbox: Annotated[bool, Field(description="True: a simulated Kling answered; no cost, no real picture.")] = False
    next_step: Annotated[str | None, Field(description="What to do now.")] = None

    @property
    def finished(self) -> bool:
        """Whether the status will not change any more."""
        return self.status in FINAL


class SavedPicture(Answer):
    """A finished picture that was saved on this machine, and how long its link lives."""

    task_id: Annotated[str, Field(description="Kling's id of the task.")]
    label: Annotated[str | None, Field(description="What people call this look.")] = None
    index: Annotated[int, Field(description="Number of the picture within its try-on, from 0.")]
    saved_to: Annotated[str, Field(description="Where the whole picture lies now.")]
    url: Annotated[str, Field(description="Its signed link, whole.")]
    expires_at: Annotated[datetime | None, Field(description="When Kling removes the picture behind the link.")] = None
    expired: Annotated[bool, Field(description="True: the link is dead; only the saved picture is left.")] = False
    sandbox: Annotated[bool, Field(description="True: simulated, no real picture.")] = False


class Pack(Answer):
    """Units that the account has bought at once."""

    name: Annotated[str, Field(description="In Kling's words; only this says for which product.")]
    units_left: Annotated[float | None, Field(description="None: Kling does not say.")] = None
    units_total: float | None = None
    expires_at: datetime | None = None
    status: Annotated[str, Field(description="online: can be used. Others: toBeOnline, expired, runOut.")]


class Account(Answer):
    """What is left on the account, and what today's try-ons have used."""

    units_left: Annotated[
        float | None,
        Field(description="For try-ons, in packs that can be used now. None: unknown."),
    ] = None
    packs: Annotated[tuple[Pack, ...], Field(description="All packs, those of other products too.")] = ()
    creates_today: Annotated[
        int | None, Field(description="Paid try-ons from here since midnight (UTC). None: unknown.")
    ] = None
    daily_limit: Annotated[int | None, Field(description="Most of them a day; none: no limit.")] = None
    slots: Annotated[int | None, Field(description="Try-ons that may run at once. None: unknown.")] = None
    price_usd: Annotated[float | None, Field(description="Of one try-on, as others report it.")] = None
    as_of: Annotated[datetime | None, Field(description="When Kling was asked (UTC).")] = None
    sandbox: Annotated[bool, Field(description="True: simulated, nothing is paid.")] = False
    notes: Annotated[tuple[str, ...], Field(description="What is unknown and why.")] = ()


class TryOnPage(Answer):
    """One page of an account's try-ons, newest first as Kling lists them."""

    page_num: Annotated[int, Field(description="Number of this page, from 1.")]
    page_size: Annotated[int, Field(description="Most try-ons on a page.")]
    has_more: Annotated[bool, Field(description="True if this page is full, so that the next may hold more.")]
    try_ons: Annotated[
        tuple[TryOn, ...],
        Field(
            description="The try-ons of this page, short: without notes, next_step and resource_uri, and what is empty "
            "or false is left out. get_try_on has all."
        ),
    ]
