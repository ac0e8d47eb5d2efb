"""The extension `io.modelcontextprotocol/ui`: the page as a resource, made when somebody reads it."""

from collections.abc import Sequence

from mcp.server.extension import Extension, ResourceBinding
from mcp.server.mcpserver.resources import FunctionResource

from kolors_mcp.settings import Settings

URI = "ui://kolors-mcp/fitting-room.html"
"""Where hosts read the page."""
MEDIA_TYPE = "text/html;profile=mcp-app"
"""The only kind of page that hosts show (MCP Apps, 2026-01-26)."""


class FittingRoom(Extension):
    """Serves the page. The SDK's own `Apps` would do the same and costs every start a few milliseconds more."""

    identifier = "io.modelcontextprotocol/ui"

    def __init__(self, settings: Settings) -> None:
        """Read nothing yet; `settings` say whether a simulation answers."""
        self._sandbox = settings.sandbox

    def resources(self) -> Sequence[ResourceBinding]:
        """Return the page, with what it asks of a host: no origin at all, the camera, and a frame around it."""
        nowhere: dict[str, list[str]] = {
            name: [] for name in ("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains")
        }
        page = FunctionResource(
            uri=URI,
            name="fitting_room",
            title="Fitting room",
            description="A page on which people choose photos, start a Kling try-on and compare the result.",
            mime_type=MEDIA_TYPE,
            meta={"ui": {"csp": nowhere, "permissions": {"camera": {}}, "prefersBorder": True}},
            fn=self._page,
        )
        return (ResourceBinding(page),)

    def _page(self) -> str:
        from kolors_mcp.server.fitting_room.page import page  # noqa: PLC0415  (read on first use, not at every start)

        return page(sandbox=self._sandbox)
