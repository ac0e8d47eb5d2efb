"""What the fitting room, the resources and the prompts add to a start: prints the milliseconds.

What the four tools need anyway is loaded before the clock starts.
"""

import gc
import sys
import time
import types
from importlib import import_module
from pathlib import Path

import kolors_mcp

gc.disable()  # as a start does

# The package itself would import what is to be timed.
server = types.ModuleType("kolors_mcp.server")
server.__path__ = [str(Path(kolors_mcp.__file__).parent / "server")]
sys.modules[server.__name__] = server

for name in ("caching", "extension", "mcpserver.resources", "subscriptions"):
    import_module(f"mcp.server.{name}")
tools = import_module("kolors_mcp.server.tools").all_tools([])
settings = import_module("kolors_mcp.settings").Settings(sandbox=True)

begin = time.perf_counter()
import_module("kolors_mcp.server.handlers")
binding = import_module("kolors_mcp.server.fitting_room.binding")
binding.with_fitting_room(tools, [])
binding.FittingRoom(settings, {}).resources()
print((time.perf_counter() - begin) * 1000)
