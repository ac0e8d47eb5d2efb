"""What is said where a link could not be fetched: one refusal for whatever went wrong on the way."""

import logging
from collections.abc import Sequence
from http import HTTPStatus

import httpcore

from kolors_mcp.egress.certificates import fault_of
from kolors_mcp.egress.proxies import Proxy, refusal_of
from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.network import NotPublicError, NotResolvedError
from kolors_mcp.images.sources.pace import CrumbsError
from kolors_mcp.images.sources.waits import TooSlowError

_logger = logging.getLogger(__name__)


def failed(error: Exception, host: str, proxy: Proxy | None = None) -> RefusalError:
    """Return what is said about an exchange that ended with `error`; `host` is quoted already."""
    if proxy is not None and (refused := _refused_by_proxy(error, proxy)) is not None:
        return RefusalError(
            f"cannot be fetched from {host}: {refused}. Check that proxy and its variable, or give the picture as a "
            "file.",
            transient=True,
        )
    return _refused_before(error, host) or _failed_after(error, host)


def _refused_by_proxy(error: Exception, proxy: Proxy) -> str | None:
    unreached = isinstance(error, NotResolvedError | httpcore.ConnectError | httpcore.ConnectTimeout)
    if unreached and fault_of(error) is None:
        return f"the proxy of {proxy.source} cannot be reached"
    refusal = refusal_of(proxy, error)
    return None if refusal is None else refusal.what


def _refused_before(error: Exception, host: str) -> RefusalError | None:
    """Return what is said where nothing was asked of the server; None if something may have been."""
    if isinstance(error, NotConfiguredError):
        return RefusalError(f"cannot be fetched: {error} Or give the picture as a file.")
    if isinstance(error, NotResolvedError):
        return RefusalError(
            f"cannot be fetched: the name {host} cannot be resolved. Check the link and this machine's network, or "
            "download the picture and give the file.",
            transient=True,
        )
    if isinstance(error, NotPublicError):
        return RefusalError(f"cannot be fetched: {_not_public(host, error.fake_ranges)}")
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        if (fault := fault_of(error)) is not None:
            return RefusalError(
                f"cannot be fetched from {host}: {fault.what}. {fault.remedy} Or give the picture as a file.",
                transient=True,
            )
        return RefusalError(
            f"cannot be fetched from {host}: it cannot be reached. Check the link, or try again.", transient=True
        )
    return None


def _not_public(host: str, fake_ranges: Sequence[str]) -> str:
    if not fake_ranges:
        return (
            f"{host} does not lead to the public internet. Check the link, or download the picture and give the file; "
            "a server you trust can be added to KOLORS_ALLOWED_HOSTS."
        )
    ranges = ",".join(fake_ranges)
    return (
        f'this network resolves {host} into {ranges}, where proxies with "fake IP" (Clash, Surge, sing-box) put every '
        f"name. Add {ranges} to KOLORS_ALLOWED_HOSTS and start the server again, or download the picture and give the "
        "file."
    )


def _failed_after(error: Exception, host: str) -> RefusalError:
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
