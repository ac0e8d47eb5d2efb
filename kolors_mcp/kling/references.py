"""Whether a refusal is about our reference (`external_task_id`), and whether this Kling knows the field at all.

What a second create with a known reference does is not documented: Kling may refuse it, in any language and without
naming the field. A gateway that repeats a request can therefore turn a paid create into a refusal. So a refusal that
may be of this kind is a doubt, which is looked for, and never a reason to send the create again.
"""

import re
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kolors_mcp import errors
from kolors_mcp.bounds import linear
from kolors_mcp.clock import Clock
from kolors_mcp.kling.body import Body
from kolors_mcp.kling.exchange import Reply
from kolors_mcp.kling.refusals import ABOUT_THE_REQUEST, Verdict
from kolors_mcp.models import REFERENCE_PREFIX, new_reference
from kolors_mcp.wording import plain

MAX_QUESTION_SECONDS = 10.0
"""For the question whether Kling knows references."""
REMEMBERED_SECONDS = 3600.0
"""How long the answer that it does not is believed."""
MAX_READ_CHARACTERS = 2_000
"""Of a message; what follows is not looked at."""

_REFERENCE = re.compile(REFERENCE_PREFIX + "[0-9a-f]+")
_NOT_LETTERS = re.compile(r"[\W_]+")
_FIELD = "externaltaskid"
# Not documented, so any word of the kind will do.
_TAKEN = re.compile(
    r"exist|already|unique|duplicat|repeat|conflict|taken|used|occupied|idempoten|in use"
    r"|已|重复|重複|存在|唯一|冲突|衝突|占用|佔用|使用|既に|중복|이미"
)
# Said of a field or of a resource, not of an id that is taken.
_ABSENT = re.compile(r"(?:n.t|not?|never|cannot|without) +(?:be +)?(?:exist\w*|used)|(?:并)?不存在|未使用")
_ANOTHER = re.compile(
    r"human|cloth|garment|picture|image|photo|pixel|resolution|ratio|base ?64|model|callback|url|prompt"
    r"|图|圖|模型|回调|画像"
)


Ask = Callable[[Body, float], Awaitable[Reply]]
"""Sends a create and returns what is answered; raises `KlingError`."""


@dataclass(frozen=True)
class _Unknown:
    """Whose Kling refuses `external_task_id`, in which words it did, and until when that is believed."""

    account: str | None
    refused: Verdict
    until: float


class References:
    """What is known about how one Kling takes references. It is known for the account in use, and for a while."""

    def __init__(self, ask: Ask, account: Callable[[], str | None], clock: Clock) -> None:
        """Take for granted, until Kling says otherwise, that references are known."""
        self._ask = ask
        self._account = account
        self._clock = clock
        self._unknown: _Unknown | None = None

    async def are_unknown(self) -> bool:
        """Whether Kling has said of late that it knows none; after a while it is asked again, for nothing."""
        known = self._unknown
        if known is None or known.account != self._account():
            return False
        if self._clock.monotonic() < known.until:
            return True
        self._unknown = None
        return await self._asked_in_vain(known.refused)

    async def require_certain(self, refused: Verdict, reference: str, *, again: bool) -> None:
        """Return where a refusal certainly is one of the request. Never a reason to send the create again.

        Args:
            refused: What was said of the create.
            reference: What was sent with it.
            again: Whether Kling has had the same reference before, and said that it came to nothing.

        Raises:
            ReferenceRefusedError: It only says that this Kling knows no references.
            ConnectionLostError: It may say that Kling has this create already.
        """
        if not refused.final or not may_be_about(refused, reference, again=again):
            return
        if (
            names_the_reference(refused.message, reference)
            and not says_taken(refused.message)
            and await self._asked_in_vain(refused)
        ):
            raise errors.ReferenceRefusedError(
                "This Kling does not know external_task_id, the reference that comes with a create",
                "The same call can be repeated now: it goes out without the reference.",
                creating=True,
                code=refused.code,
                detail=refused.message,
            )
        # Only this server makes such references: a task that has this one already is this very create.
        happened = "Kling refused the create in words that may mean that it has it already"
        raise errors.ConnectionLostError(happened, "Look for it.", code=refused.code, detail=refused.message)

    async def _asked_in_vain(self, refused: Verdict) -> bool:
        """Ask whether Kling knows references in a way that cannot be paid for: with a new one, and no pictures."""
        reference = new_reference()
        try:
            reply = await self._ask(Body({"external_task_id": reference}), MAX_QUESTION_SECONDS)
        except errors.KlingError:
            return False
        if reply.verdict is None or not says_unknown(reply.verdict, refused, reference):
            return False
        self._unknown = _Unknown(self._account(), refused, self._clock.monotonic() + REMEMBERED_SECONDS)
        return True


def names_the_reference(message: str | None, reference: str) -> bool:
    """Whether Kling's words name the field, in any spelling, or the reference itself."""
    return _FIELD in _letters_of(message) or reference.lower() in _folded(message)


@linear(b"already ", b"not ", b"not exist ", b"n't ", "不存在".encode(), b"without be ", b"cannot  ")
def says_taken(message: str | None) -> bool:
    """Whether Kling's words say that something is there already."""
    return _TAKEN.search(_ABSENT.sub(" ", _folded(message))) is not None


def may_be_about(verdict: Verdict, reference: str, *, again: bool) -> bool:
    """Whether a refusal may mean that Kling has this create already.

    Args:
        verdict: What Kling answered.
        reference: What was sent with the create.
        again: Whether Kling has had the same reference before, and said that it came to nothing.
    """
    if verdict.code not in ABOUT_THE_REQUEST:
        return False
    if names_the_reference(verdict.message, reference):
        return True
    if _names_another_field(verdict.message):
        return False
    # Words in a script that is not read here may say anything.
    return again or says_taken(verdict.message) or not _folded(verdict.message).isascii()


def says_unknown(asked: Verdict, refused: Verdict, reference: str) -> bool:
    """Whether an answer shows that Kling does not know the field.

    Args:
        asked: What it said to a request that had a reference of its own, never used before, and no pictures.
        refused: What it had said to the create.
        reference: Of the request without pictures.
    """
    if not asked.final or asked.code not in ABOUT_THE_REQUEST or not names_the_reference(asked.message, reference):
        return False
    # A Kling that knows the field misses the pictures. One that lists all that is wrong repeats its words as well.
    return not _names_another_field(asked.message) or _letters_of(refused.message) in _letters_of(asked.message)


@linear(b"human ", b"base 64 ", b"base ", "图".encode())
def _names_another_field(message: str | None) -> bool:
    return _ANOTHER.search(_folded(message)) is not None


@linear(b"external_task_id ", b"_", b"k-", b"k-0a1 ")
def _letters_of(message: str | None) -> str:
    """Return the words without what is between them, and without references."""
    return _NOT_LETTERS.sub("", _REFERENCE.sub("", _folded(message)))


@linear("ﷺ".encode(), "\u0131".encode(), b"a")
def _folded(message: str | None) -> str:
    """Return the beginning of what Kling says, in small letters; hidden characters say nothing."""
    return unicodedata.normalize("NFKC", plain(message or "", MAX_READ_CHARACTERS)).lower()
