"""What the sandbox plays on request: each fault is a small object that is given one request to spoil."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Protocol, cast

from pydantic import ConfigDict, Field

from kolors_mcp.sandbox.answers import Answer, Outcome, Vanish
from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.codes import Refusal
from kolors_mcp.sandbox.numbers import Code, HeaderValue, HttpStatus, Seconds

Kind = Literal["create", "read", "list", "costs", "result"]
"""Which requests: POST of a try-on, GET of one, GET of the list, GET of the account's costs, GET of a picture."""

When = Literal["before_body", "before_acceptance", "after_acceptance"]
"""The moment of a fault. Accepted means: the work is done, for a create the task exists and counts."""


class Exchange(Protocol):
    """One request, as a fault sees it."""

    clock: SandboxClock
    failure: str | None
    """Set before `answer`: the task of this create fails in the end, with this reason."""

    async def read_body(self) -> bytes:
        """Take in the request's body."""
        ...

    async def answer(self) -> Answer:
        """Do what was asked, and return what would be answered. After this a create is accepted."""
        ...


@dataclass(frozen=True)
class Fault(ABC):
    """One way in which a request goes wrong."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    @abstractmethod
    async def play(self, exchange: Exchange) -> Outcome:
        """Answer the request, or not."""


async def _until(when: When, exchange: Exchange) -> None:
    if when != "before_body":
        await exchange.read_body()
    if when == "after_acceptance":
        await exchange.answer()


@dataclass(frozen=True)
class Refuse(Fault):
    """Answer with a code; `accepted`: although the work was done. A code of no table needs its `status`."""

    code: Code
    message: str | None = None
    status: HttpStatus | None = None
    accepted: bool = False
    retry_after: HeaderValue | None = None

    async def play(self, exchange: Exchange) -> Outcome:
        """Answer with the envelope of the code."""
        await _until("after_acceptance" if self.accepted else "before_acceptance", exchange)
        refusal = Refusal(self.code, self.message, status=self.status)
        headers = () if self.retry_after is None else (("retry-after", self.retry_after),)
        return Answer.of_json(refusal.status, refusal.envelope(), headers)


@dataclass(frozen=True)
class FailLate(Fault):
    """Accept the create; its task fails in the end with this `task_status_msg`."""

    message: str = "Failure to pass the risk control system"

    async def play(self, exchange: Exchange) -> Outcome:
        """Accept it and answer as if nothing were wrong."""
        exchange.failure = self.message
        return await exchange.answer()


@dataclass(frozen=True)
class Slow(Fault):
    """Wait `seconds` by the sandbox's clock; then answer, or play another fault.

    The work goes on although the caller has left meanwhile, as it does at a real service.
    """

    seconds: Seconds
    when: When = "before_acceptance"
    then: Fault | None = None

    async def play(self, exchange: Exchange) -> Outcome:
        """Wait, then go on."""
        await _until(self.when, exchange)
        await exchange.clock.reach(exchange.clock.now() + self.seconds)
        return await (exchange.answer() if self.then is None else self.then.play(exchange))


@dataclass(frozen=True)
class Drip(Fault):
    """Answer in pieces of `size` bytes with `pause` seconds of the sandbox's clock between them."""

    pause: Seconds
    size: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1

    async def play(self, exchange: Exchange) -> Outcome:
        """Answer as asked, slowly."""
        return replace(await exchange.answer(), drip=(self.size, self.pause))


@dataclass(frozen=True)
class Disconnect(Fault):
    """Answer nothing: reset the connection, or close it in good order (`fin`)."""

    when: When = "before_acceptance"
    fin: bool = False

    async def play(self, exchange: Exchange) -> Outcome:
        """Drop the connection at the moment asked for."""
        await _until(self.when, exchange)
        return Vanish(fin=self.fin)


@dataclass(frozen=True)
class Cut(Fault):
    """Do what was asked, but send only `share` of the body.

    The headers promise all of it and the connection closes early; with `short_length` they promise what comes,
    so that HTTP is whole and only the content is cut.
    """

    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    short_length: bool = False

    async def play(self, exchange: Exchange) -> Outcome:
        """Answer as asked, in part."""
        answer = await exchange.answer()
        kept = int(len(answer.body) * self.share)
        return replace(answer, body=answer.body[:kept]) if self.short_length else replace(answer, cut_after=kept)


@dataclass(frozen=True)
class Raw(Fault):
    """Answer with exactly this; as it is, the HTML page of a gateway that gave up."""

    status: HttpStatus = 502
    body: str = "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
    media_type: HeaderValue = "text/html"
    accepted: bool = False

    async def play(self, exchange: Exchange) -> Outcome:
        """Answer with the text."""
        await _until("after_acceptance" if self.accepted else "before_acceptance", exchange)
        return Answer(self.status, self.body.encode("utf-8", "surrogatepass"), self.media_type)


@dataclass(frozen=True)
class Redirect(Fault):
    """Send the caller to another address."""

    location: HeaderValue
    status: Literal[301, 302, 303, 307, 308] = 302
    accepted: bool = False

    async def play(self, exchange: Exchange) -> Outcome:
        """Answer with the address."""
        await _until("after_acceptance" if self.accepted else "before_acceptance", exchange)
        return Answer(self.status, b"", "text/plain", (("location", self.location),))


@dataclass(frozen=True)
class Altered(Fault):
    """Do what was asked and change the envelope on its way out."""

    async def play(self, exchange: Exchange) -> Outcome:
        """Answer as asked, but for the change."""
        answer = await exchange.answer()
        envelope = answer.envelope()
        self.alter(envelope)
        return Answer.of_json(answer.status, envelope, answer.headers)

    @abstractmethod
    def alter(self, envelope: dict[str, Any]) -> None:
        """Change the envelope in place."""


@dataclass(frozen=True)
class CodeAsText(Altered):
    """Write the `code` as a string."""

    def alter(self, envelope: dict[str, Any]) -> None:
        """Change the code's type."""
        envelope["code"] = str(envelope["code"])


@dataclass(frozen=True)
class NoData(Altered):
    """Leave `data` out."""

    def alter(self, envelope: dict[str, Any]) -> None:
        """Drop the data."""
        envelope.pop("data", None)


@dataclass(frozen=True)
class StatusWord(Altered):
    """Call the status something else: `succeeded`, or a word that no page has."""

    word: str = "succeeded"

    def alter(self, envelope: dict[str, Any]) -> None:
        """Change the word of one task, or of each in a list."""
        data: Any = envelope.get("data") or []
        for task in cast("list[dict[str, Any]]", data if isinstance(data, list) else [data]):
            task["task_status"] = self.word


@dataclass(frozen=True)
class NoPictures(Altered):
    """Say `succeed`, and name no picture."""

    def alter(self, envelope: dict[str, Any]) -> None:
        """Empty the result."""
        data = envelope.get("data")
        if isinstance(data, dict):
            cast("dict[str, Any]", data).update(task_status="succeed", task_result={"images": []})
