"""Why nothing of a request to Kling left this machine, and what to do about it."""

import socket
from typing import NamedTuple

import httpx

from kolors_mcp.egress.certificates import fault_of
from kolors_mcp.egress.proxies import ProxyRefusal

CHECK = "Check the network and KLING_API_BASE, then try again."


class Obstacle(NamedTuple):
    """What kept a request from leaving."""

    reason: str
    """A clause, or a name."""
    remedy: str = CHECK
    """Sentences."""
    lasts: bool = False
    """Whether the next try would meet it too."""


class ProxyRefusedError(httpx.ProxyError):
    """The proxy before Kling cannot be reached, or let nothing through."""

    def __init__(self, refusal: ProxyRefusal, request: httpx.Request) -> None:
        """Keep what the proxy said."""
        super().__init__(refusal.what, request=request)
        self.refusal = refusal


def obstacle_of(error: Exception) -> Obstacle:
    """Return what kept a request from leaving.

    Args:
        error: What the HTTP library raised.
    """
    if isinstance(error, ProxyRefusedError):
        refusal = error.refusal
        return Obstacle(refusal.what, "Nothing was sent. Check that proxy and its variable.", refusal.lasts)
    if (fault := fault_of(error)) is not None:
        return Obstacle(fault.what, f"Nothing was sent. {fault.remedy}", fault.lasts)
    if isinstance(error, UnicodeError) or _is_unresolved(error):
        return Obstacle("its name cannot be resolved", f"Nothing was sent. {CHECK}")
    return Obstacle(type(error).__name__)


def _is_unresolved(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False
