"""The extension `io.modelcontextprotocol/ui`: the page as a resource, made when somebody reads it."""

from mcp.server.apps import APP_MIME_TYPE, Apps, ResourceCsp, ResourcePermissions
from mcp.server.mcpserver.resources import FunctionResource

from kolors_mcp.settings import Settings

URI = "ui://kolors-mcp/fitting-room.html"
"""Where hosts read the page."""


def fitting_room(settings: Settings) -> Apps:
    """Return the extension that serves the page; nothing is read before a host asks for it."""

    def read() -> str:
        from kolors_mcp.server.fitting_room.page import page  # noqa: PLC0415  (read on first use, not at every start)

        return page(sandbox=settings.sandbox)

    # Nothing is loaded from elsewhere, so every list of origins is empty. The camera is asked for by a button.
    nowhere = ResourceCsp(connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[])
    camera = ResourcePermissions(camera={})
    apps = Apps()
    apps.add_resource(
        FunctionResource(
            uri=URI,
            name="fitting_room",
            title="Fitting room",
            description="A page on which people choose photos, start a Kling try-on and compare the result.",
            mime_type=APP_MIME_TYPE,
            meta={
                "ui": {
                    "csp": nowhere.model_dump(by_alias=True),
                    "permissions": camera.model_dump(by_alias=True, exclude_none=True),
                    "prefersBorder": True,
                }
            },
            fn=read,
        )
    )
    return apps
