"""The domain: make a try-on, look at it, wait for it, list them. Knows neither MCP nor HTTP."""

from kolors_mcp.try_ons.domain import TryOns
from kolors_mcp.try_ons.wish import Patience, Say, Wish

__all__ = ["Patience", "Say", "TryOns", "Wish"]
