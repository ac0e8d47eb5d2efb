"""What is said where a link could not be fetched: one refusal for whatever went wrong on the way."""

import logging
import ssl
from http import HTTPStatus

import httpcore

from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.network import NotPublicError
from kolors_mcp.images.sources.pace import CrumbsError
from kolors_mcp.images.sources.waits import TooSlowError

_logger = logging.getLogger(__name__)


def failed(error: Exception, host: str) -> RefusalError:
    """Return what is said about an exchange that ended with `error`; `host` is quoted already."""
    if isinstance(error, NotPublicError):
        return RefusalError(
            f"cannot be fetched: {host} does not lead to the public internet. Check the link, or download the "
            "picture and give the file; a server you trust can be added to KOLORS_ALLOWED_HOSTS."
        )
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        reason = "its certificate is not valid" if _is_certificate_problem(error) else "it cannot be reached"
        return RefusalError(f"cannot be fetched from {host}: {reason}. Check the link, or try again.", transient=True)
    if isinstance(error, CrumbsError):
        return RefusalError(
            f"cannot be fetched: {host} sends it in too many small pieces. Download it and give the file."
        )
    if isinstance(error, TooSlowError):
        return RefusalError(
            f"is delivered too slowly by {host}. Try again, or download it and give the file.", transient=True
        )
    if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError | httpcore.TimeoutException | OSError):
        return RefusalError(
            f"could not be fetched whole: {host} broke off or answered against the rules. Try again, "
            "or download it and give the file.",
            transient=True,
        )
    # The libraries do not say all that they raise. Whichever it is, only a picture was asked for.
    _logger.warning("Fetching from %s ended with %s.", host, type(error).__name__)
    return RefusalError(
        f"cannot be fetched from {host}, which answers in an unusual way; nothing was sent to Kling. "
        "Check the link, or download the picture and give the file."
    )


def refused_by_status(status: int, host: str) -> RefusalError:
    """Return what is said about an answer other than 200; `host` is quoted already."""
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return RefusalError(f"is not there: {host} answered {status}. Check the link.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        return RefusalError(f"is not given out: {host} answered {status}. Download it in a browser and give the file.")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RefusalError(f"cannot be fetched now: {host} answered {status}. Try again later.", transient=True)
    return RefusalError(
        f"cannot be fetched: {host} answered {status}. Check the link, or download it and give the file."
    )


def _is_certificate_problem(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
