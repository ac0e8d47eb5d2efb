"""Handlers of the protocol's requests beyond tool calls: lists, resources, prompts, completion, subscriptions."""

import asyncio
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcp.server.caching import CacheHint
from mcp.server.context import HandlerResult
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.subscriptions import ListenHandler
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp_types import (
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    GetPromptRequestParams,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    Tool,
    UnsubscribeRequestParams,
)

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.memory import Latest
from kolors_mcp.server import sdk
from kolors_mcp.server.bus import Bus
from kolors_mcp.server.encodable import EncodableStream
from kolors_mcp.server.lifting import LIFTED
from kolors_mcp.server.request import RequestContext, ToolContext
from kolors_mcp.server.service import Service
from kolors_mcp.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcp.server.lowlevel.server import RequestHandler, Server
    from mcp.server.mcpserver.tools import Tool as SdkTool

    from kolors_mcp.server.caller import Caller
    from kolors_mcp.server.updates import Updates

_LISTS_TTL_MS = 3_600_000
"""How long a host may keep the lists that only a new version changes."""
_RESOURCES_TTL_MS = 2_000
"""The same for the list of resources, which grows with each try-on."""
_MAX_ANNOUNCED = 1_000
"""Latest try-ons that are remembered as announced, so that each lengthens the clients' list of resources once."""
_SUBSCRIPTIONS = "kolors-mcp subscriptions"


class TryOnServer(MCPServer[Service]):
    """The server. Lists are written when they are asked for, so that they cost nothing at the start."""

    def __init__(
        self,
        *,
        clock: Clock,
        caller: "Callable[[], Caller]",
        page_tools: "Callable[[], Iterable[SdkTool]]",
        **options: Any,
    ) -> None:
        """Take what `MCPServer` takes.

        Args:
            clock: By which watched try-ons are looked at.
            caller: Says whose a call is, during the call.
            page_tools: Makes the tools for the fitting room's page, once they are asked for.
            **options: As `MCPServer`.
        """
        same_for_all = CacheHint(ttl_ms=_LISTS_TTL_MS, scope="public")
        self._clock, self._page_tools = clock, page_tools
        self._bus = Bus(caller)
        self._sending: set[asyncio.Task[None]] = set()
        self._announced: Latest[tuple[str, bool], bool] = Latest(_MAX_ANNOUNCED)
        super().__init__(
            subscriptions=self._bus,
            cache_hints={
                "tools/list": CacheHint(ttl_ms=_LISTS_TTL_MS, scope="private"),  # it depends on what the host can show
                "resources/list": CacheHint(ttl_ms=_RESOURCES_TTL_MS, scope="private"),
                "prompts/list": same_for_all,
                "resources/templates/list": same_for_all,
            },
            **options,
        )
        server = sdk.protocol_server(self)
        self._sdk_listen = _sdk_handler(server, "subscriptions/listen")
        self._sdk_read = _sdk_handler(server, "resources/read")
        server.add_request_handler("tools/list", PaginatedRequestParams, self._list_tools)
        server.add_request_handler("resources/list", PaginatedRequestParams, self._list_resources)
        server.add_request_handler("resources/templates/list", PaginatedRequestParams, self._list_templates)
        server.add_request_handler("resources/read", ReadResourceRequestParams, self._read)
        server.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)
        server.add_request_handler("prompts/list", PaginatedRequestParams, self._list_prompts)
        server.add_request_handler("prompts/get", GetPromptRequestParams, self._prompt)
        server.add_request_handler("completion/complete", CompleteRequestParams, self._complete)

    async def serve(self, incoming: Any, outgoing: Any) -> None:
        """Speak with one client, over a pair of streams as the SDK's transports make them, until its messages end."""
        server = sdk.protocol_server(self)
        await server.run(incoming, EncodableStream(outgoing), server.create_initialization_options())

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: ToolContext | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool, as the SDK does, and tell the clients that listen that the list of resources has grown."""
        if not sdk.has_tool(self, name):
            self._load_page_tools()
        if not sdk.has_tool(self, name):
            known = [tool.name for tool in await self.list_tools() if not _is_for_app_only(tool)]
            raise ToolError(f"Error: there is no tool {quoted(name, 100)}; there are {', '.join(known)}.")
        if (lifted := LIFTED.get()) is not None:
            arguments = lifted.put_back(arguments)
        result = await super().call_tool(name, arguments, context)
        answer = result.structured_content if isinstance(result, CallToolResult) else None
        if answer and "reference" in answer:
            known = (answer["task_id"], answer["status"] == "succeed")
            if not self._announced.get(known):
                self._announced.keep(known, True)
                await self._bus.publish(ResourcesListChanged())
        return result

    @cached_property
    def _updates(self) -> "Updates":
        from kolors_mcp.server.updates import Updates  # noqa: PLC0415  (as `_load_modules`)

        return Updates(self._bus, self._clock)

    def end_subscriptions(self) -> None:
        """End the streams of those who listen, in the protocol's own way; they may listen again elsewhere."""
        if isinstance(self._sdk_listen, ListenHandler):
            self._sdk_listen.close()

    async def _list_tools(self, ctx: RequestContext, _params: PaginatedRequestParams) -> HandlerResult:
        """List the tools; those for a page of an app only where there can be one, lest a model finds them."""
        from mcp.server.apps import client_supports_apps  # noqa: PLC0415  (beside its use)

        shown = client_supports_apps(ctx)
        if shown:
            self._load_page_tools()
        return ListToolsResult(tools=[tool for tool in await self.list_tools() if shown or not _is_for_app_only(tool)])

    def _load_page_tools(self) -> None:
        sdk.add_tools(self, self._page_tools())
        self._page_tools = tuple

    async def _list_resources(self, ctx: RequestContext, _params: PaginatedRequestParams) -> HandlerResult:
        found = await _load_modules().resources.list_resources(ctx.lifespan_context)
        return ListResourcesResult(resources=[*await self._constants(), *found])

    async def _constants(self) -> list[Resource]:
        """Return the resources that only a new version changes, with their sizes."""
        found: list[Resource] = []
        for resource in await self.list_resources():
            contents = await self.read_resource(resource.uri)
            assert not isinstance(contents, InputRequiredResult)
            size = sum(
                len(part.content.encode() if isinstance(part.content, str) else part.content) for part in contents
            )
            found.append(resource.model_copy(update={"size": size}))
        return found

    async def _is_constant(self, uri: str) -> bool:
        return uri in {resource.uri for resource in await self.list_resources()}

    async def _list_templates(self, _ctx: RequestContext, _params: PaginatedRequestParams) -> HandlerResult:
        found = [*await self.list_resource_templates(), *_load_modules().resources.list_templates()]
        return ListResourceTemplatesResult(resource_templates=found)

    async def _read(self, ctx: RequestContext, params: ReadResourceRequestParams) -> HandlerResult:
        if await self._is_constant(params.uri):
            read = await self._sdk_read(ctx, params)
            assert isinstance(read, ReadResourceResult)
            return read.model_copy(update={"ttl_ms": _LISTS_TTL_MS, "cache_scope": "public"})
        return await _load_modules().resources.read_resource(ctx.lifespan_context, params.uri)

    async def _listen(self, ctx: RequestContext, params: SubscriptionsListenRequestParams) -> HandlerResult:
        with self._updates.watched(ctx.lifespan_context, params.notifications.resource_subscriptions or ()):
            return await self._sdk_listen(ctx, params)

    async def _subscribe(self, ctx: RequestContext, params: SubscribeRequestParams) -> HandlerResult:
        """Subscribe in the manner of the protocols before 2026: until unsubscribed, or the connection ends."""
        uri, session, connection = params.uri, ctx.session, sdk.connection_of(ctx)
        held: dict[str, ExitStack] = connection.state.setdefault(_SUBSCRIPTIONS, {})
        if uri in held:
            return EmptyResult()

        def deliver(event: ServerEvent) -> None:
            if event == ResourceUpdated(uri):
                sending = asyncio.create_task(session.send_resource_updated(uri))
                self._sending.add(sending)
                sending.add_done_callback(self._sending.discard)

        held[uri] = subscription = ExitStack()
        subscription.callback(self._bus.subscribe(deliver))
        subscription.enter_context(self._updates.watched(ctx.lifespan_context, [uri]))
        connection.exit_stack.callback(subscription.close)
        return EmptyResult()

    async def _unsubscribe(self, ctx: RequestContext, params: UnsubscribeRequestParams) -> HandlerResult:
        held: dict[str, ExitStack] = sdk.connection_of(ctx).state.get(_SUBSCRIPTIONS, {})
        if params.uri in held:
            held.pop(params.uri).close()
        return EmptyResult()

    async def _list_prompts(self, _ctx: RequestContext, _params: PaginatedRequestParams) -> HandlerResult:
        return ListPromptsResult(prompts=_load_modules().prompts.list_prompts())

    async def _prompt(self, _ctx: RequestContext, params: GetPromptRequestParams) -> HandlerResult:
        return _load_modules().prompts.render_prompt(params.name, params.arguments or {})

    async def _complete(self, ctx: RequestContext, params: CompleteRequestParams) -> HandlerResult:
        return CompleteResult(completion=await _load_modules().completion.complete(ctx.lifespan_context, params))


def _sdk_handler(server: "Server[Service]", method: str) -> "RequestHandler[Service, Any]":
    """Return how the SDK itself answers a method, before that is replaced."""
    entry = server.get_request_handler(method)
    assert entry is not None
    return entry.handler


def _is_for_app_only(tool: Tool) -> bool:
    ui = (tool.meta or {}).get("ui", {})
    return ui.get("visibility") == ["app"]


def _load_modules():  # noqa: ANN202  (this package, with three of its modules loaded)
    # Loaded by the first question about them: at the start a host asks for the tools, and waits.
    import kolors_mcp.server.completion  # noqa: PLC0415
    import kolors_mcp.server.prompts  # noqa: PLC0415
    import kolors_mcp.server.resources  # noqa: PLC0415

    return kolors_mcp.server
