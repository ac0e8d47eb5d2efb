"""Which links may be fetched, judged by their form alone, and how they are put together and shown."""

import re
from urllib.parse import urljoin

import httpx

from kolors_mcp.egress.allowed import AllowedHosts
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.addresses import literal

_PORTS = {"http": 80, "https": 443}
MAX_LINK_CHARACTERS = 16_384
# Longer than any host can be: joining such a link costs more than in proportion to its length.
_ENDLESS_HOST = re.compile(r"(?:[a-z][a-z0-9+.\-]*+:)?//[^/?#]{1024}", re.IGNORECASE)
# Names as DNS has them, underscores included; anything else would be read differently by different programs.
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?\Z", re.IGNORECASE)


def check_link(link: str, allowed_hosts: AllowedHosts) -> httpx.URL:
    """Return the link if its form is one that may be fetched; where it leads is judged when it is dialled.

    Args:
        link: An http or https link, or anything else.
        allowed_hosts: Whose other ports than the usual ones may be fetched from.

    Raises:
        RefusalError: It may not.
    """
    if len(link) > MAX_LINK_CHARACTERS:
        raise RefusalError("is a link too long to be one. Check it.")
    try:
        url = httpx.URL(link)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise RefusalError("is a link that is written wrongly. Check it.") from error
    if url.scheme not in _PORTS:
        raise RefusalError("leads to something other than http or https. Give an https link.")
    if not _HOST.match(host) and literal(host) is None:
        raise RefusalError("is a link without a proper host. Check it.")
    if url.userinfo:
        raise RefusalError("is a link with a name or password in it; those are never sent. Give it without.")
    port = web_port(url)
    if port not in _PORTS.values() and not (allowed_hosts.name(host, port) or allowed_hosts.cover(host)):
        raise RefusalError(
            f"is a link to port {port}; only 80 and 443 are fetched from. A server you trust can be added to "
            "KOLORS_ALLOWED_HOSTS."
        )
    return url


def web_port(url: httpx.URL) -> int:
    """Return the port of a link, also where it is not written."""
    return _PORTS[url.scheme] if url.port is None else url.port


def show_host(url: httpx.URL) -> str:
    """Return the host as people write it, or as it is asked for where that cannot be turned back."""
    try:
        return url.host
    except UnicodeError:
        return url.raw_host.decode("ascii")


def join_link(url: httpx.URL, location: str) -> str:
    """Return where a link found at `url` leads.

    Raises:
        RefusalError: It is no link.
    """
    location = location.strip()
    if len(location) > MAX_LINK_CHARACTERS or _ENDLESS_HOST.match(location):
        raise RefusalError("leads to a link too long to be one. Give the picture's own link.")
    try:
        return urljoin(str(url), location)
    except ValueError as error:
        raise RefusalError("leads to a link that is written wrongly. Give the picture's own link.") from error
