"""The fitting room: an MCP App in which people choose photos, start a try-on and look at it, beside the conversation.

`FittingRoom` gives the page to the server; `with_fitting_room` binds the tools to it and adds its own two.
docs/decisions/0006-fitting-room.md says why it is as it is.
"""

from kolors_mcp.server.fitting_room.extension import URI, FittingRoom
from kolors_mcp.server.fitting_room.tools import with_fitting_room

__all__ = ["URI", "FittingRoom", "with_fitting_room"]
