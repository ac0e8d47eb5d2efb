"""The endpoint of Kolors Virtual Try-On: create a task, read one, read a page of the account's."""

from urllib.parse import quote

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.kling import try_on_replies
from kolors_mcp.kling.body import Body
from kolors_mcp.kling.exchange import Commit, Reply
from kolors_mcp.kling.http import SignedHttp
from kolors_mcp.kling.references import References
from kolors_mcp.kling.refusals import error_for
from kolors_mcp.kling.task import Task
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.models import is_id

PATH = "/v1/images/kolors-virtual-try-on"
"""Create, list, and with `/{id}` read one. The page's `/v1images/...` in its single query is a misprint."""
MAX_CREATE_SECONDS = 150.0
"""The time of a create: up to 27 MB go up, and Kling reads them."""


class TryOnEndpoint:
    """What can be asked of it, as `KlingClient` promises it."""

    def __init__(self, http: SignedHttp, clock: Clock) -> None:
        """Ask nothing yet."""
        self._http = http
        self._references = References(self._ask, http.account, clock)

    async def create(
        self,
        request: CreateRequest,
        *,
        again: bool = False,
        commit: Commit | None = None,
        account: str | None = None,
    ) -> Task:
        """Start a try-on; see `KlingClient.create`."""
        reference = request.external_task_id
        sent = request
        if reference is not None and await self._references.are_unknown():
            sent = _without_reference(request)
        try:
            reply = await self._http.post(PATH, sent.body(), MAX_CREATE_SECONDS, commit, account=account)
            if reply.verdict is not None and sent.external_task_id is not None:
                await self._references.require_certain(reply.verdict, sent.external_task_id, again=again)
            if reply.verdict is not None:
                raise error_for(reply.verdict, creating=True)
            return try_on_replies.task(reply).to_task()
        except errors.KlingError as error:
            if error.created is not None:
                raise
            cause = error.happened
            if reference is not None and sent.external_task_id is None:
                cause += " This Kling takes no reference of ours, so only list_try_ons can show it."
            raise errors.UnconfirmedCreateError(reference or "", cause) from error

    async def read(self, task_id: str, deadline: Deadline | None) -> Task:
        """Read one task; see `KlingClient.read`."""
        try:
            path = f"{PATH}/{_path_segment(task_id)}"
            task = await self._http.read(
                "read", path, {}, lambda reply: try_on_replies.task_asked_for(reply, task_id), deadline
            )
        except errors.NoSuchResourceError as error:
            raise errors.TaskNotFoundError.of(task_id, error.code) from error
        if task.says_not_found:
            raise errors.TaskNotFoundError.of(task_id)
        return task.to_task()

    async def page(self, page_num: int, page_size: int, deadline: Deadline | None) -> list[Task]:
        """Read one page; see `KlingClient.page`."""
        query = {"pageNum": page_num, "pageSize": page_size}
        rows = await self._http.read(
            "list", PATH, query, lambda reply: try_on_replies.tasks(reply, page_size), deadline
        )
        return [row.to_task() for row in rows]

    async def _ask(self, body: Body, seconds: float) -> Reply:
        return await self._http.post(PATH, body, seconds, operation="probe")


def _path_segment(task_id: str) -> str:
    if not is_id(task_id):
        raise errors.ArgumentError("task_id is not an id. Take it from create_try_on or list_try_ons.")
    return quote(task_id, safe="")


def _without_reference(request: CreateRequest) -> CreateRequest:
    return CreateRequest(request.human_image, request.cloth_image, request.model_name, request.callback_url)
