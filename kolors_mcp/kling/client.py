"""The client of Kling's try-on API: create one, read one, read a page, and what is left on the account."""

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

import anyio
import httpx

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.kling import replies
from kolors_mcp.kling.auth import Authorization, skew_of
from kolors_mcp.kling.body import Body
from kolors_mcp.kling.connection import open_connections
from kolors_mcp.kling.exchange import Reply, exchange
from kolors_mcp.kling.references import References
from kolors_mcp.kling.refusals import error_for
from kolors_mcp.kling.task import Task
from kolors_mcp.kling.wire import COSTS_PATH, TRY_ON_PATH, CreateRequest, ResourcePack
from kolors_mcp.models import is_id
from kolors_mcp.settings import Credentials

CREATE_SECONDS = 150.0
"""Longest a create may take: up to 27 MB go up, and Kling reads them."""
READ_SECONDS = 20.0
"""Longest a read may take, retries included, where the caller sets no other deadline."""
RETRY = Backoff(initial_seconds=0.5, max_seconds=8.0)
UNREADABLE_TRIES = 4
"""Times that a read is tried whose answers are none though they call themselves success: the caller is told soon."""
FAILING = 400
"""HTTP statuses from here on; an outage is ridden out as long as there is time."""
READS_AT_ONCE = 16
"""Reads under way; with more, the pool spends its time on looking through its connections."""
RATE_WAIT = 1.0
"""Seconds of the least wait after 1302 (vendor: at least 1 s)."""
LONGEST_RETRY_AFTER = 30.0
COSTS_WINDOW = 400 * 24 * 3600
"""Seconds: the costs query filters by the time of purchase, so it has to look far back."""

AUTHENTICATION_CODES = range(1000, 1005)

T = TypeVar("T")


class KlingClient:
    """Speaks with one Kling region for one account, over one pool of connections; each create has one of its own.

    Every method raises `NotConfiguredError` without credentials and otherwise only `KlingError`s.
    """

    def __init__(
        self,
        api_base: str,
        credentials: Callable[[], Credentials | None],
        *,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepare the pool; nothing is connected before the first request.

        Args:
            api_base: Origin of the API, such as `https://api-singapore.klingai.com`.
            credentials: Asked at every request, so that rotated keys are taken up.
            clock: Time, sleep and jitter.
            transport: What carries the requests; for tests.

        Raises:
            NotConfiguredError: The origin, or what the environment says of proxies and certificates, cannot be used.
        """
        self._clock = clock or Clock()
        self.authorization = Authorization(credentials, self._clock)
        self._references = References(self._post_signed, self.account, self._clock)
        self.observed_skew: float | None = None
        """Seconds by which Kling's clock was ahead of ours at its latest answer."""
        self._told: tuple[float, float] | None = None
        """Kling's time at its latest answer, and our monotonic time then."""
        self._reads = anyio.Semaphore(READS_AT_ONCE)
        self._connections = open_connections(api_base, transport, self._note_clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    def account(self) -> str | None:
        """Return what tells the account in use, at this origin, from others, and shows no key; None without keys."""
        url = self._connections.kept.base_url
        return self.authorization.account(f"{url.scheme}://{url.netloc.decode()}")

    def time(self) -> float | None:
        """Return what Kling's clock shows, by the latest answer that said so; None before there was one."""
        return None if self._told is None else self._told[0] + self._clock.monotonic() - self._told[1]

    def require_credentials(self) -> None:
        """Raise `NotConfiguredError` if a request could not even be signed: before any work is done for it."""
        self.authorization.header()

    async def create(self, request: CreateRequest, *, again: bool = False) -> Task:
        """Start a try-on. It costs money and is sent once.

        Args:
            request: What to send.
            again: Whether Kling has had the same reference before, and said that it came to nothing.

        Raises:
            NotConfiguredError: There are no credentials; nothing was sent.
            RefusedError: Kling refused; nothing was created.
            ReferenceRefusedError: Kling knows no references; the same request can be sent again, and goes without one.
            UnreachableError: Nothing left this machine, or not all of it; nothing was created.
            PictureRefusedError: A picture's file changed while it was sent; Kling never got a whole request.
            UnconfirmedCreateError: The request left and the outcome is not known.
        """
        reference = request.external_task_id
        sent = request
        if reference is not None and await self._references.are_unknown():
            sent = _without_reference(request)
        try:
            reply = await self._post_signed(sent.body())
            if reply.verdict is not None and sent.external_task_id is not None:
                await self._references.require_certain(reply.verdict, sent.external_task_id, again=again)
            if reply.verdict is not None:
                raise error_for(reply.verdict, creating=True)
            return replies.task(reply).to_task()
        except errors.KlingError as error:
            if error.created is not None:
                raise
            cause = error.happened
            if reference is not None and sent.external_task_id is None:
                cause += " This Kling takes no reference of ours, so only list_try_ons can show it."
            raise errors.UnconfirmedCreateError(reference or "", cause) from error

    async def read(self, task_id: str, deadline: Deadline | None = None) -> Task:
        """Read one task by Kling's id or by the `external_task_id` it was created with.

        Raises:
            TaskNotFoundError: Kling does not know the id, which soon after a create proves nothing.
        """
        try:
            path = f"{TRY_ON_PATH}/{_path_segment(task_id)}"
            task = await self._read(path, {}, lambda reply: replies.task_asked_for(reply, task_id), deadline)
        except errors.NoSuchResourceError as error:
            raise replies.unknown_task(task_id, error.code) from error
        if replies.says_not_found(task):
            raise replies.unknown_task(task_id, None)
        return task.to_task()

    async def page(self, page_num: int, page_size: int, deadline: Deadline | None = None) -> list[Task]:
        """Read one page of the account's tasks: number 1 to 1000, size 1 to 500 (vendor)."""
        query = {"pageNum": page_num, "pageSize": page_size}
        rows = await self._read(TRY_ON_PATH, query, lambda reply: replies.tasks(reply, page_size), deadline)
        return [row.to_task() for row in rows]

    async def packs(self, deadline: Deadline | None = None) -> list[ResourcePack]:
        """Read the account's packs of units; free, at most once a second, up to 12 h late (vendor)."""
        now = int(self._clock.wall())
        window = {"start_time": (now - COSTS_WINDOW) * 1000, "end_time": now * 1000}
        return await self._read(COSTS_PATH, window, replies.packs, deadline)

    async def _post_signed(self, body: Body, seconds: float | None = None) -> Reply:
        seconds = CREATE_SECONDS if seconds is None else seconds
        account = self.account()
        reply = await self._exchange("POST", TRY_ON_PATH, self._clock.deadline(seconds), body=body)
        final = reply.verdict is not None and reply.verdict.final
        # What is written down for one account is not sent to another, though the keys change meanwhile.
        if final and self._worth_signing_again(reply) and account == self.account():
            reply = await self._exchange("POST", TRY_ON_PATH, self._clock.deadline(seconds), body=body)
        return reply

    async def _exchange(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        *,
        query: Mapping[str, int] | None = None,
        body: Body | None = None,
    ) -> Reply:
        authorization = self.authorization.header()
        http = self._connections.kept if body is None else self._connections.fresh
        return await exchange(http, method, path, authorization, deadline, query=query, body=body)

    async def _read(
        self, path: str, query: Mapping[str, int], parse: Callable[[Reply], T], deadline: Deadline | None
    ) -> T:
        """Read with retries: full jitter, Kling's own `Retry-After` within reason, never beyond the deadline."""
        deadline = deadline or self._clock.deadline(READ_SECONDS)
        given = deadline.left()
        signed_again = False
        attempt = 0
        while True:
            try:
                with deadline.scope():
                    async with self._reads:
                        reply = await self._exchange("GET", path, self._clock.deadline(None), query=query)
                    if not signed_again and self._worth_signing_again(reply):
                        signed_again = True
                        continue
                    if reply.verdict is not None:
                        raise error_for(reply.verdict, creating=False)
                    return parse(reply)
                raise errors.ConnectionLostError(f"Kling did not answer within {given:.0f} seconds", "Try again.")
            except errors.KlingError as error:
                wait = self._wait_after(error, attempt)
                unreadable = isinstance(error, errors.UnexpectedAnswerError) and error.status < FAILING
                unreadable = unreadable and attempt + 1 >= UNREADABLE_TRIES
                if unreadable or not error.retryable or deadline.left() <= wait:
                    raise
            attempt += 1
            await self._clock.sleep(wait)

    def _wait_after(self, error: errors.KlingError, attempt: int) -> float:
        least = RATE_WAIT if isinstance(error, errors.TooFastError) else 0.0
        if error.retry_after is not None:
            least = max(least, min(error.retry_after, LONGEST_RETRY_AFTER))
        return RETRY.seconds(attempt, self._clock, at_least=least)

    def _worth_signing_again(self, reply: Reply) -> bool:
        return (
            reply.verdict is not None
            and reply.verdict.code in AUTHENTICATION_CODES
            and self.authorization.renew_after(reply.verdict.code, reply.date)
        )

    async def _note_clock(self, response: httpx.Response) -> None:
        self.observed_skew = skew_of(response.headers.get("date"), self._clock)
        if self.observed_skew is not None:
            self._told = self._clock.wall() + self.observed_skew, self._clock.monotonic()


def _path_segment(task_id: str) -> str:
    if not is_id(task_id):
        raise errors.ArgumentError("task_id is not an id. Take it from create_try_on or list_try_ons.")
    return quote(task_id, safe="")


def _without_reference(request: CreateRequest) -> CreateRequest:
    return CreateRequest(request.human_image, request.cloth_image, request.model_name, request.callback_url)
