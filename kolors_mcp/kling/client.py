"""The client of one account at Kling: create a try-on, read one, read a page, and what is left on the account."""

from collections.abc import Callable

import httpx

from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.kling.account import Pack, read_packs
from kolors_mcp.kling.exchange import Commit
from kolors_mcp.kling.http import SignedHttp
from kolors_mcp.kling.task import Task
from kolors_mcp.kling.try_on import TryOnEndpoint
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.observer import UNOBSERVED, Observer
from kolors_mcp.settings import Credentials


class KlingClient:
    """Speaks with one Kling region for one account.

    Every method raises `NotConfiguredError` without credentials and otherwise only `KlingError`s.
    """

    def __init__(
        self,
        api_base: str,
        credentials: Callable[[], Credentials | None],
        *,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        """Prepare the connections; nothing is connected before the first request.

        Args:
            api_base: Origin of the API, such as `https://api-singapore.klingai.com`.
            credentials: Asked at every request, so that rotated keys are taken up.
            clock: Time, sleep and jitter.
            transport: What carries the requests; for tests.
            observer: Hears of each request.

        Raises:
            NotConfiguredError: The origin, or what the environment says of proxies and certificates, cannot be used.
        """
        self._clock = clock or Clock()
        self._http = SignedHttp(api_base, credentials, self._clock, transport, observer)
        self._try_on = TryOnEndpoint(self._http, self._clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def account(self) -> str | None:
        """Return what tells the account in use, at this origin, from others, and shows no key; None without keys."""
        return self._http.account()

    def time(self) -> float | None:
        """Return what Kling's clock shows, by the latest answer that said so; None before there was one."""
        return self._http.time()

    @property
    def observed_skew(self) -> float | None:
        """Seconds by which Kling's clock was ahead of ours at its latest answer; None if it did not say."""
        return self._http.observed_skew

    def require_credentials(self) -> None:
        """Raise `NotConfiguredError` if a request could not even be signed: before any work is done for it."""
        self._http.authorization.header()

    async def create(
        self,
        request: CreateRequest,
        *,
        again: bool = False,
        commit: Commit | None = None,
        account: str | None = None,
    ) -> Task:
        """Start a try-on. It costs money and is sent once.

        Args:
            request: What to send.
            again: Whether Kling has had the same reference before, and said that it came to nothing.
            commit: Is waited for just before the last piece of the request leaves. What it raises comes out of here;
                then that piece never leaves, and nothing was created.
            account: For which it was written down, as `account` told it; None: for the one in use.

        Raises:
            NotConfiguredError: There are no credentials; nothing was sent.
            RefusedError: Kling refused; nothing was created.
            ReferenceRefusedError: Kling knows no references; the same request can be sent again, and goes without one.
            UnreachableError: Nothing left this machine, or not all of it; nothing was created. `KeysChangedError`: the
                keys are of another account by now.
            PictureRefusedError: A picture's file changed while it was sent; Kling never got a whole request.
            UnconfirmedCreateError: The request left and the outcome is not known.
        """
        return await self._try_on.create(request, again=again, commit=commit, account=account)

    async def read(self, task_id: str, deadline: Deadline | None = None) -> Task:
        """Read one task by Kling's id or by the `external_task_id` it was created with.

        Raises:
            TaskNotFoundError: Kling does not know the id, which soon after a create proves nothing.
        """
        return await self._try_on.read(task_id, deadline)

    async def page(self, page_num: int, page_size: int, deadline: Deadline | None = None) -> list[Task]:
        """Read one page of the account's tasks: number 1 to 1000, size 1 to 500 (vendor)."""
        return await self._try_on.page(page_num, page_size, deadline)

    async def packs(self, deadline: Deadline | None = None) -> list[Pack]:
        """Read the account's packs of units; free, at most once a second, up to 12 h late (vendor)."""
        return await read_packs(self._http, self._clock, deadline)
