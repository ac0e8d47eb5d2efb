"""Why nothing of a request to Kling left this machine, and what to do about it."""

import socket

import httpx

from kolors_mcp.egress.certificates import fault_of

CHECK = "Check the network and KLING_API_BASE, then try again."


def reason_and_remedy(error: Exception) -> tuple[str, str]:
    """Return what kept a request from leaving, as a clause, and what to do, as sentences.

    Args:
        error: What the HTTP library raised.
    """
    if isinstance(error, httpx.ProxyError):
        return str(error), "Nothing was sent. Check that proxy and its variable."
    if (fault := fault_of(error)) is not None:
        return fault.what, f"Nothing was sent. {fault.remedy}"
    if isinstance(error, UnicodeError) or _is_unresolved(error):
        return "its name cannot be resolved", f"Nothing was sent. {CHECK}"
    return type(error).__name__, CHECK


def _is_unresolved(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False
