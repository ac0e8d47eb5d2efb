"""The fitting room in the user's own browser: the same process, its own door, and nobody else gets in."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from mcp import Client

from kolors_mcp.server import LocalRoom, build_server
from kolors_mcp.server.loopback.guard import TOKEN_HEADER
from kolors_mcp.server.loopback.room import ROOM_IDLE_SECONDS
from tests.support.images_support import b64
from tests.support.making import api_key, jpeg
from tests.support.wishing import Assistant, World, garment

# The web server closes connections by the loop's time.
pytestmark = [pytest.mark.anyio, pytest.mark.process]

VIEWS = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"extensions": VIEWS},
    "clientInfo": {"name": "the page", "version": "1"},
}


@asynccontextmanager
async def host(world: World, **settings: Any) -> AsyncGenerator[Assistant]:
    """A host that shows no views, with a server of its own on this machine."""
    settings = {"photos_dir": world.folder / "photos", **settings}
    server = build_server(
        world.settings(**settings), lambda: api_key(world.kling), clock=world.time.clock(), local_room=LocalRoom()
    )
    async with Client(server) as client:
        yield Assistant(client)


async def link_from(assistant: Assistant) -> str:
    said = await assistant.call("open_fitting_room")
    found = re.search(r"http://127\.0\.0\.1:\d+/room\?key=[\w-]{40,}", said.text)
    assert found is not None, said.text
    return found[0]


@dataclass
class Page:
    """The room's page as the browser runs it: what it may send, and the calls that it makes."""

    web: httpx.AsyncClient
    headers: dict[str, str]
    sent: int = 0
    session: dict[str, str] = field(default_factory=dict[str, str])

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.sent += 1
        message = {"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params}
        answer = await self.web.post("/mcp", json=message, headers=self.headers | self.session)
        assert answer.status_code == 200, answer.text
        if "mcp-session-id" in answer.headers:
            self.session = {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        return answer.json()["result"]

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return await self.ask("tools/call", name=tool, arguments=arguments)


@asynccontextmanager
async def browser(link: str) -> AsyncGenerator[Page]:
    """The page behind a link, opened, and shaking hands with its server."""
    origin = link.partition("/room")[0]
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as web:
        page = await web.get(link)
        token = re.findall(f'{TOKEN_HEADER}" content="([^"]{{40,}})"', page.text)
        assert token, page.text
        headers = {TOKEN_HEADER: token[0], "accept": "application/json, text/event-stream", "origin": origin}
        made = Page(web, headers)
        await made.ask("initialize", **HELLO)
        yield made


async def test_a_photo_that_is_dropped_there_is_worn_by_the_next_call_of_the_same_process(world: World) -> None:
    async with host(world) as assistant, browser(await link_from(assistant)) as page:
        listed = {tool["name"] for tool in (await page.ask("tools/list"))["tools"]}
        assert {"start_try_on", "keep_photo", "remove_photo"} <= listed
        kept = await page.call("keep_photo", image="data:image/jpeg;base64," + b64(jpeg()), name="anna")
        assert kept["structuredContent"]["path"] == "photo:anna"
        assert '"photo:anna"' in (await assistant.call("list_pictures", query="photo:")).text
        said = await assistant.call("create_try_on", human_image="photo:anna", cloth_image=garment("crimson"))
        assert not said.is_error, said.text
        # Both ways lead to one account and one ledger: what was started here is joined there.
        arguments = {"human_image": "photo:anna", "cloth_image": garment("crimson")}
        joined = (await page.call("start_try_on", **arguments))["structuredContent"]
        assert (joined["task_id"], joined["reused"]) == (said.try_on.task_id, True)
        started = (await page.call("start_try_on", **arguments, new_render=True))["structuredContent"]
        assert started["task_id"] in (await assistant.list()).text
        assert world.kling.tasks_created == 2
        assert "is open beside" in str((await page.call("open_fitting_room"))["content"]), "the page gets no link"


async def test_the_page_has_all_its_parts_and_a_policy_for_each(world: World) -> None:
    async with host(world) as assistant:
        link, same = await asyncio.gather(link_from(assistant), link_from(assistant))
        assert link == same == await link_from(assistant), "one room, however often it is asked for"
        async with httpx.AsyncClient(base_url=link.partition("/room")[0], trust_env=False) as web:
            page = await web.get(link)
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "script-src 'self';" in policy
            for name in ("window.js", "window.css", "bridge.js", "files.js", "gate.js"):
                assert (await web.get(f"/{name}")).status_code == 200, name
            at_localhost = {"host": f"localhost:{web.base_url.port}"}
            assert (await web.get("/sandbox.html", headers=at_localhost)).status_code == 200
            for name in ("", "window.html", "host.html", "room.py", "..%2froom.py", "official.js"):
                answer = await web.get(f"/{name}")
                assert answer.status_code == 404, name
                assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_foreign_pages_ports_keys_and_hosts_get_nothing(world: World) -> None:
    async with host(world) as assistant, host(world) as neighbour:
        link, other = await link_from(assistant), await link_from(neighbour)
        async with browser(link) as page, browser(other) as beside:
            port, other_port = page.web.base_url.port, beside.web.base_url.port
            assert port != other_port
            own = page.headers
            key = link.partition("key=")[2]
            for changed, status in (
                ({"origin": "http://evil.example"}, 403),
                ({"origin": "null"}, 403),
                ({"origin": f"http://localhost:{port}"}, 403),
                ({"origin": f"http://127.0.0.1:{other_port}"}, 403),
                ({"host": f"localhost:{port}"}, 421),
                ({"host": "rebound.example"}, 421),
                ({"host": f"127.0.0.1:{other_port}"}, 421),
                ({TOKEN_HEADER: beside.headers[TOKEN_HEADER]}, 403),
                ({TOKEN_HEADER: ""}, 403),
                ({"sec-fetch-site": "cross-site"}, 403),
                ({"sec-fetch-site": "same-site"}, 403),
                ({}, 200),
            ):
                message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
                answer = await page.web.post("/mcp", json=message, headers={**own, **changed})
                assert answer.status_code == status, changed
                if TOKEN_HEADER not in changed and "sec-fetch-site" not in changed:
                    shown = await page.web.get(f"/room?key={key}", headers=changed)
                    assert shown.status_code == status, changed
                    assert (own[TOKEN_HEADER] in shown.text) is (status == 200)
            for wrong in ("", key[:-1], other.partition("key=")[2]):
                refused = await page.web.get(f"/room?key={wrong}")
                assert refused.status_code == 404
                assert "not valid any more" in refused.text
                assert own[TOKEN_HEADER] not in refused.text


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_a_page_that_knocks_in_another_protocol_gets_nothing_and_fills_no_log(
    world: World, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    asking = {"upgrade": protocol, "connection": "Upgrade", "sec-websocket-version": "13"}
    async with host(world) as assistant:
        address = (await link_from(assistant)).partition("/room")[0]
        async with httpx.AsyncClient(trust_env=False) as web:
            for path, changed, status in (
                ("/mcp", {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}, 403),
                ("/room", {"origin": "http://evil.example"}, 403),
                ("/room", {"host": "rebound.example"}, 421),
            ):
                answer = await web.get(f"{address}{path}", headers=asking | changed)
                assert answer.status_code == status
                assert "upgrade" not in answer.headers
    assert caplog.messages == []


async def test_it_ends_with_the_process_and_when_nobody_comes(world: World) -> None:
    async with host(world) as assistant:
        first = await link_from(assistant)
        async with browser(first) as page:
            old = page.headers
        await world.time.sleep(ROOM_IDLE_SECONDS - 1)
        async with browser(first):
            pass
        await world.time.sleep(ROOM_IDLE_SECONDS - 1)
        assert await link_from(assistant) == first, "it was used meanwhile"
        await world.time.sleep(ROOM_IDLE_SECONDS + 1)
        second = await link_from(assistant)
        assert second != first
        async with httpx.AsyncClient(trust_env=False) as web:
            with pytest.raises(httpx.ConnectError):
                await web.get(first)
            address = second.partition("/room")[0]
            stale = await web.post(f"{address}/mcp", json={}, headers={TOKEN_HEADER: old[TOKEN_HEADER]})
            assert stale.status_code == 403
    async with httpx.AsyncClient(trust_env=False) as web:
        with pytest.raises(httpx.ConnectError):
            await web.get(second)


async def test_a_server_that_may_show_none_says_how_to_do_without(world: World) -> None:
    async with world.server() as assistant:
        said = await assistant.call("open_fitting_room")
        assert "shows no views" in said.text
        assert "http" not in said.text
