"""No browser is opened but by the user's word, which they give by their host's own means, if it has any."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import mcp_types
import pytest
from mcp import Client
from mcp_types import ElicitRequestURLParams, ElicitResult

from kolors_mcp.cli.browser import browser_of, open_link
from kolors_mcp.server import LocalRoom, build_server
from kolors_mcp.server.fitting_room import elsewhere
from kolors_mcp.settings import Settings
from tests.support.in_memory import text_of
from tests.support.making import Era

# The web server closes connections by the loop's time.
pytestmark = [pytest.mark.anyio, pytest.mark.process]


@dataclass
class User:
    """What somebody answers, what they were asked, and what their browser was made to open."""

    answer: ElicitResult
    asked: list[Any] = field(default_factory=list[Any])
    opened: list[str] = field(default_factory=list[str])
    has_browser: bool = True

    async def ask(self, context: Any, params: Any) -> ElicitResult:
        del context
        self.asked.append(params)
        return self.answer

    def open(self, link: str) -> bool:
        self.opened.append(link)
        return self.has_browser


@asynccontextmanager
async def host(user: User, era: Era, *, can_ask: bool = True) -> AsyncGenerator[Client]:
    server = build_server(Settings(), local_room=LocalRoom(user.open))
    async with Client(server, mode=era, elicitation_callback=user.ask if can_ask else None) as client:
        yield client


@pytest.fixture
def asks_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that shows questions, and opens no links itself."""
    monkeypatch.setattr(mcp_types, "UrlElicitationCapability", lambda: None)


@pytest.mark.usefixtures("asks_only_itself")
@pytest.mark.parametrize(
    ("answer", "opened"),
    [
        (ElicitResult(action="accept", content={"open": True}), True),
        (ElicitResult(action="accept", content={"open": False}), False),
        (ElicitResult(action="accept", content={}), False),
        (ElicitResult(action="decline"), False),
        (ElicitResult(action="cancel"), False),
    ],
)
async def test_a_browser_is_opened_only_where_the_user_says_so(answer: ElicitResult, opened: bool, era: Era) -> None:
    user = User(answer)
    async with host(user, era) as client:
        text = text_of(await client.call_tool("open_fitting_room", {}))
    assert len(user.asked) == 1
    assert "nothing is paid without a click" in user.asked[0].message
    assert [link in text for link in user.opened] == ([True] if opened else [])
    assert ("is open in the user's browser" in text) is opened
    assert "http://127.0.0.1:" in text, "the link is told in any case"


async def test_a_host_that_opens_links_itself_is_given_the_link(era: Era) -> None:
    for answer, opened in ((ElicitResult(action="accept"), True), (ElicitResult(action="decline"), False)):
        user = User(answer)
        async with host(user, era) as client:
            text = text_of(await client.call_tool("open_fitting_room", {}))
        [asked] = user.asked
        assert isinstance(asked, ElicitRequestURLParams)
        assert asked.url in text
        assert ("is open in the user's browser" in text) is opened
        assert user.opened == [], "the host has done it"


@pytest.mark.usefixtures("asks_only_itself")
async def test_a_host_that_cannot_ask_gets_the_link_alone(era: Era) -> None:
    user = User(ElicitResult(action="accept", content={"open": True}))
    async with host(user, era, can_ask=False) as client:
        text = text_of(await client.call_tool("open_fitting_room", {}))
    assert "Give the user this link to the fitting room: http://127.0.0.1:" in text
    assert (user.asked, user.opened) == ([], [])


@pytest.mark.usefixtures("asks_only_itself")
async def test_a_browser_that_does_not_open_and_a_user_who_does_not_answer_leave_the_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = User(ElicitResult(action="accept", content={"open": True}), has_browser=False)
    async with host(user, "legacy") as client:
        assert "Give the user this link" in text_of(await client.call_tool("open_fitting_room", {}))
        assert len(user.opened) == 1
        monkeypatch.setattr(elsewhere, "MAX_ASKING_SECONDS", 0)
        assert "Give the user this link" in text_of(await client.call_tool("open_fitting_room", {}))
        assert len(user.opened) == 1


@pytest.mark.parametrize(
    ("environment", "platform", "there"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":10", "SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22"}, "linux", False),
        ({}, "darwin", True),
        ({}, "win32", True),
        ({"SSH_TTY": "/dev/ttys1"}, "darwin", False),
    ],
)
def test_a_browser_is_there_only_with_a_screen_of_the_users(
    environment: dict[str, str], platform: str, there: bool
) -> None:
    assert browser_of(environment, platform) is (open_link if there else None)


def test_a_browser_of_the_terminal_is_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    import webbrowser  # noqa: PLC0415  (only here)

    started: list[str] = []

    class Graphical(webbrowser.BaseBrowser):
        def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: ARG002  (as it is called)
            started.append(url)
            return True

    for browser, opened in ((webbrowser.GenericBrowser("true"), False), (Graphical(), True)):
        monkeypatch.setattr(webbrowser, "get", lambda browser=browser: browser)
        assert open_link("http://127.0.0.1:1/room") is opened
    assert started == ["http://127.0.0.1:1/room"]
