"""What the server shows of itself over HTTP: no tool for files of this machine, and no word about them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolors_mcp.server.http.discretion import say_discreetly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcp.server.context import ServerMiddleware
    from mcp.server.mcpserver.tools import Tool

    from kolors_mcp.settings import Settings

LOCAL_TOOLS = frozenset({"save_try_on"})
"""Tools that write files of this machine."""
INSTRUCTIONS = """\
Dress a person in a garment with Kling's Kolors Virtual Try-On.
1. create_try_on with the person's and the garment's picture (links, data: URIs, base64, photo:NAME, or an earlier \
task_id to go on from). A photo that only the chat has cannot be handed over: call open_fitting_room. It costs money: \
create each try-on once, and only when the user wants it.
2. get_try_on with its task_id until the status is succeed or failed, usually 20 to 60 seconds.
3. Give the user the links whole; view_try_on shows a picture here, compare_try_ons several. Links live 30 days.
If an answer says that a create is in doubt, look with get_try_on or list_try_ons before creating again.
"""
DESCRIPTIONS = {
    "view_try_on": """\
Show a finished picture here, small, at no cost; then give the user its link.

Use it when status is succeed and you or the user want to see the result, at most 768 pixels. With compare true the
person's photo stands to the left of the result, if it is still at hand.""",
    "list_try_ons": """\
Find the user's earlier try-ons, with labels and status, newest first, at no cost; then go on with a task_id.

Use it also when a create is in doubt. Rows are short, older ones without links: get_try_on has links, notes and the
next step, view_try_on the picture. If has_more is true, the next page_num has more.""",
    "list_pictures": """\
List the photos that the user keeps here, at no cost; then give one, as photo:NAME, to create_try_on.

Use it when the user names a photo of their own, or has just handed one over in the fitting room or by its link. Only
names are read, never content; the newest come first.""",
    "get_account": """\
Tell how many try-ons the user has started today and may start, at no cost; then the user decides what to try.

Use it when the user asks what is left, or before several try-ons. What is left on the Kling account is told only where
it is the user's alone; what is unknown is none.""",
}
"""Of tools whose own texts speak of files, or of an account that is the user's."""
ARGUMENTS = {
    "human_image": "The person's photo, one person, front view works best: an http(s) URL, a data: URI, bare base64, "
    "photo:NAME of a photo that the user keeps here, or the task_id of an earlier try-on to go on from. Any common "
    "format; each side at least 300 pixels. A photo in the chat itself does not reach this server: give a link, or "
    "call open_fitting_room.",
    "query": "Optional: words in the names.",
    "limit": "Of no effect here: all kept photos are listed.",
    "label": "Optional: what the user calls this look, 1 to 60 characters; other tools find it by that. Never sent to "
    "Kling. Left out: the garment's page names it.",
}
"""Of arguments, likewise."""


@dataclass(frozen=True)
class Surface:
    """What is different over HTTP."""

    settings: "Settings"
    tools: "list[Tool]"
    page_tools: "Callable[[], list[Tool]]"
    instructions: str
    middleware: "list[ServerMiddleware[Any]]"


def over_http(settings: "Settings", tools: "Iterable[Tool]", page_tools: "Callable[[], list[Tool]]") -> Surface:
    """Return what a server shows over HTTP in place of what it would show on the user's own machine."""
    elsewhere = {"image_dirs": (), "photos_dir": None, "save_dir": None, "chosen_dir": None}
    return Surface(
        settings.model_copy(update=elsewhere),
        list(_shown(tools)),
        lambda: list(_shown(page_tools())),
        INSTRUCTIONS,
        [say_discreetly],
    )


def _shown(tools: "Iterable[Tool]") -> "Iterable[Tool]":
    for tool in tools:
        if tool.name in LOCAL_TOOLS:
            continue
        described: dict[str, dict[str, Any]] = tool.parameters["properties"]
        properties = {
            name: {**about, "description": ARGUMENTS[name]} if name in ARGUMENTS and "description" in about else about
            for name, about in described.items()
        }
        yield tool.model_copy(
            update={
                "description": DESCRIPTIONS.get(tool.name, tool.description),
                "parameters": {**tool.parameters, "properties": properties},
            }
        )
