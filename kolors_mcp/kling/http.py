"""Signed requests to one Kling: signed again where a token was refused, and reads repeated while there is time."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio
import httpx

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.kling.auth import Authorization, skew_of
from kolors_mcp.kling.body import Body
from kolors_mcp.kling.connection import open_connections
from kolors_mcp.kling.exchange import Commit, Reply, exchange
from kolors_mcp.kling.refusals import MEANINGS, error_for
from kolors_mcp.observer import UNOBSERVED, Observer, Operation
from kolors_mcp.settings import Credentials

DEFAULT_READ_SECONDS = 20.0
"""The time of a read, retries included, where the caller sets no deadline."""
READ_RETRY = Backoff(initial_seconds=0.5, max_seconds=8.0)
MIN_RATE_WAIT_SECONDS = 1.0
"""The shortest wait after code 1302 (vendor: at least 1 s)."""
MAX_RETRY_AFTER_SECONDS = 30.0
"""The part of a `Retry-After` that is waited for."""
MAX_UNREADABLE_TRIES = 4
"""Tries of a read whose answers say success and cannot be read: waiting longer would not make them readable."""
FIRST_ERROR_STATUS = 400
"""HTTP statuses from here on tell of an outage; it is ridden out as long as there is time."""
MAX_READS = 16
"""Reads under way; with more, the pool spends its time on looking through its connections."""

AUTHENTICATION_CODES = range(1000, 1005)

T = TypeVar("T")


class SignedHttp:
    """The connections to one Kling, and the account whose keys sign what goes over them.

    Reads share one pool of connections; each POST gets a connection of its own.
    """

    def __init__(
        self,
        api_base: str,
        credentials: Callable[[], Credentials | None],
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        """Prepare the pool; nothing is connected yet. The arguments and errors are those of `KlingClient`."""
        self._clock = clock
        self._observer = observer
        self.authorization = Authorization(credentials, clock)
        self.observed_skew: float | None = None
        """Seconds by which Kling's clock was ahead of ours at its latest answer."""
        self._told: tuple[float, float] | None = None
        """Kling's time at its latest answer, and our monotonic time then."""
        self._reads = anyio.Semaphore(MAX_READS)
        self.connections = open_connections(api_base, transport, self._note_clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.connections.aclose()

    def account(self) -> str | None:
        """Return what tells the account in use, at this origin, from others, and shows no key; None without keys."""
        url = self.connections.origin
        return self.authorization.account(f"{url.scheme}://{url.netloc.decode()}")

    def time(self) -> float | None:
        """Return what Kling's clock shows, by the latest answer that said so; None before there was one."""
        return None if self._told is None else self._told[0] + self._clock.monotonic() - self._told[1]

    async def post(
        self,
        path: str,
        body: Body,
        seconds: float,
        commit: Commit | None = None,
        *,
        account: str | None = None,
        operation: Operation = "create",
    ) -> Reply:
        """Send a create. It is sent a second time only where Kling refused the token, so that nothing was created.

        Args:
            path: Of the endpoint.
            body: What to send; it can be gone through twice.
            seconds: How long each of the two may take.
            commit: Is waited for before the last piece of each leaves, as `exchange` says.
            account: For which it is; None: for the one in use.
            operation: What it is for.

        Raises:
            NotConfiguredError: There are no credentials; nothing was sent.
            KeysChangedError: The keys in use are of another account; nothing was sent.
            KlingError: As `exchange` says.
        """
        account = account or self.account()
        if account != self.account():
            happened = "The keys of the Kling account were changed while this create waited"
            raise errors.KeysChangedError(happened, "Create it again.", creating=True)
        reply = await self._exchange(operation, path, self._clock.deadline(seconds), body=body, commit=commit)
        final = reply.verdict is not None and reply.verdict.final
        # What is written down for one account is not sent to another, though the keys change meanwhile.
        if final and self._worth_signing_again(reply) and account == self.account():
            reply = await self._exchange(operation, path, self._clock.deadline(seconds), body=body, commit=commit)
        return reply

    async def read(
        self,
        operation: Operation,
        path: str,
        query: Mapping[str, int],
        parse: Callable[[Reply], T],
        deadline: Deadline | None,
    ) -> T:
        """Read with retries: full jitter, Kling's own `Retry-After` within reason, never beyond the deadline.

        Args:
            operation: What is read.
            path: Of it.
            query: What follows the question mark.
            parse: Makes the result from an answer without a refusal; may raise `KlingError`.
            deadline: None: `DEFAULT_READ_SECONDS` from now.

        Raises:
            NotConfiguredError: There are no credentials; nothing was sent.
            KlingError: The last try's.
        """
        deadline = deadline or self._clock.deadline(DEFAULT_READ_SECONDS)
        given = deadline.left()
        signed_again = False
        attempt = 0
        while True:
            try:
                with deadline.scope():
                    async with self._reads:
                        reply = await self._exchange(operation, path, self._clock.deadline(None), query=query)
                    if not signed_again and self._worth_signing_again(reply):
                        signed_again = True
                        continue
                    if reply.verdict is not None:
                        raise error_for(reply.verdict, creating=False)
                    return parse(reply)
                raise errors.ConnectionLostError(f"Kling did not answer within {given:.0f} seconds", "Try again.")
            except errors.KlingError as error:
                wait = self._wait_after(error, attempt)
                unreadable = isinstance(error, errors.UnexpectedAnswerError) and error.status < FIRST_ERROR_STATUS
                unreadable = unreadable and attempt + 1 >= MAX_UNREADABLE_TRIES
                if unreadable or not error.retryable or deadline.left() <= wait:
                    raise
            attempt += 1
            await self._clock.sleep(wait)

    async def _exchange(
        self,
        operation: Operation,
        path: str,
        deadline: Deadline,
        *,
        query: Mapping[str, int] | None = None,
        body: Body | None = None,
        commit: Commit | None = None,
    ) -> Reply:
        authorization, began = self.authorization.header(), self._clock.monotonic()
        method = "GET" if body is None else "POST"
        try:
            reply = await exchange(
                self.connections, method, path, authorization, deadline, query=query, body=body, commit=commit
            )
        except errors.KolorsError as error:
            status = error.status if isinstance(error, errors.UnexpectedAnswerError) else None
            seconds, kind = self._clock.monotonic() - began, type(error).__name__
            self._observer.kling_answered(operation, seconds, status=status, error=kind)
            raise
        # What is not in the table may be any number; each would be a series of its own where figures are kept.
        code = reply.verdict and (str(reply.verdict.code) if reply.verdict.code in MEANINGS else "other")
        self._observer.kling_answered(operation, self._clock.monotonic() - began, status=reply.status, code=code)
        return reply

    def _wait_after(self, error: errors.KlingError, attempt: int) -> float:
        at_least = MIN_RATE_WAIT_SECONDS if isinstance(error, errors.TooFastError) else 0.0
        if error.retry_after is not None:
            at_least = max(at_least, min(error.retry_after, MAX_RETRY_AFTER_SECONDS))
        return READ_RETRY.seconds(attempt, self._clock, at_least=at_least)

    def _worth_signing_again(self, reply: Reply) -> bool:
        return (
            reply.verdict is not None
            and reply.verdict.code in AUTHENTICATION_CODES
            and self.authorization.renew_after(reply.verdict.code, reply.date)
        )

    def _note_clock(self, response: httpx.Response) -> None:
        self.observed_skew = skew_of(response.headers.get("date"), self._clock)
        if self.observed_skew is not None:
            self._told = self._clock.wall() + self.observed_skew, self._clock.monotonic()
