"""Which proxy stands before the internet, by the variables that HTTP programs know, and why one did not serve.

A variable is refused by its name and never by its value, which may hold a password.
"""

import os
import re
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from kolors_mcp.egress.allowed import LAST_PORT, canonical_host, read_host
from kolors_mcp.errors import NotConfiguredError

FETCH_PROXY = "KOLORS_FETCH_PROXY"
ENVIRONMENT = "env"
"""The value of `KOLORS_FETCH_PROXY` by which pictures take the way of Kling's calls."""

_SCHEMES = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks": 1080}
"""What may stand before a proxy, and the port that it has by default. A desktop writes SOCKS without a version."""
_VARIABLES = ("https", "all", "http")
_BEGINNING = re.compile(r"[0-9.*]+\Z")
"""How some write all addresses that begin alike."""
_MOST_CREDENTIAL_BYTES = 255
"""Longest name or password of SOCKS (RFC 1929)."""
_STATUS = re.compile(r"([1-9][0-9]{2})\b")
_WANTS_CREDENTIALS = 407
_CLIENTS_FAULTS = frozenset(range(400, 500)) - {408, 429}
"""Statuses that the same request would get again."""
SOCKS_REFUSED = "refused the connection ({})"
"""How a SOCKS proxy is quoted: with its reason (RFC 1928)."""
PASSING_SOCKS_REFUSALS = frozenset(
    SOCKS_REFUSED.format(reason)
    for reason in (
        "general server failure",
        "network unreachable",
        "host unreachable",
        "connection refused",
        "ttl expired",
    )
)


@dataclass(frozen=True)
class Proxy:
    """A proxy that can be used."""

    source: str
    """The variable that names it."""
    scheme: str
    """`http`, `https` or `socks5`."""
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5; names are resolved by it, as by the others."""
        return self.scheme == "socks5"


def read_proxy(value: str, source: str) -> Proxy:
    """Return the proxy that a variable names.

    Args:
        value: `http://host:port`, `https://...`, `socks5://...` or `host:port`, with `name:password@` or without.
        source: The variable.

    Raises:
        NotConfiguredError: It cannot be used; the text names the variable.
    """
    try:
        return _read_proxy(value.strip(), source)
    except ValueError:
        raise NotConfiguredError(
            f"{source} names a proxy that cannot be used here. Nothing was sent. Let it name an HTTP proxy, as "
            f"http://host:port, or a SOCKS5 proxy, as socks5://host:port (what is no letter or digit in a name or "
            f"password as %XX), or unset {source} for this server."
        ) from None


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """Return the proxy of the environment through which an address is reached; None if there is none.

    Raises:
        NotConfiguredError: One of the variables cannot be used, whether it is needed here or not.
    """
    settings = _settings()
    bypassed = _is_bypassed(settings.pop("no", ""), host, port)
    if bypassed is None:
        return None
    proxies = {name: read_proxy(value, _source(name)) for name, value in settings.items()}
    return None if bypassed else proxies.get(scheme) or proxies.get("all")


def picture_proxy_for(setting: str | None, scheme: str, host: str, port: int) -> Proxy | None:
    """Return the proxy through which a picture is fetched, by what `KOLORS_FETCH_PROXY` says; None if none is.

    Raises:
        NotConfiguredError: It, or a variable of the environment that it points to, cannot be used.
    """
    if setting is None:
        return None
    return proxy_for(scheme, host, port) if setting == ENVIRONMENT else read_proxy(setting, FETCH_PROXY)


class ProxyRefusal(NamedTuple):
    """How a proxy refused a connection."""

    what: str
    """A clause."""
    lasts: bool
    """Whether the next try would be refused too; a proxy that cannot reach the host just now may soon."""


def refusal_of(proxy: Proxy, error: Exception) -> ProxyRefusal | None:
    """Return how a proxy refused a connection; None if the error is nothing that a proxy says.

    Args:
        proxy: Through which it was tried.
        error: What the HTTP library raised.
    """
    if type(error).__name__ != "ProxyError":  # of two libraries, which share no class
        return None
    which, said = f"the proxy of {proxy.source}", str(error)
    if proxy.is_socks:
        return ProxyRefusal(f"{which} {said}", said not in PASSING_SOCKS_REFUSALS)
    # What follows the status are the proxy's words.
    found = _STATUS.match(said)
    if found is None:
        return ProxyRefusal(f"{which} refused the connection", lasts=False)
    status = int(found[1])
    wanted = ", so it wants a name and a password" if status == _WANTS_CREDENTIALS else ""
    return ProxyRefusal(f"{which} answered {status}{wanted}", status in _CLIENTS_FAULTS)


def _read_proxy(value: str, source: str) -> Proxy:
    if not value.isprintable() or " " in value:
        raise ValueError
    parts = urlsplit(value if "://" in value else f"http://{value}")
    # An address behind the host is that of a file with rules (PAC), which would have to be run.
    if (
        parts.scheme not in _SCHEMES
        or not parts.hostname
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
    ):
        raise ValueError
    port = _SCHEMES[parts.scheme] if parts.port is None else parts.port
    if not 0 < port <= LAST_PORT:
        raise ValueError
    host, _ = read_host(parts.hostname)
    credentials = None
    if parts.username or parts.password:
        credentials = unquote(parts.username or "", errors="strict"), unquote(parts.password or "", errors="strict")
        if any(len(part.encode()) > _MOST_CREDENTIAL_BYTES for part in credentials):
            raise ValueError
    return Proxy(source, "socks5" if parts.scheme.startswith("socks") else parts.scheme, host, port, credentials)


def _settings() -> dict[str, str]:
    """Return the proxies for `https`, `all` and `http`, and for whom there is `no` one, as far as any are set.

    Where no variable is, that is what the system's settings say on macOS and Windows.
    """
    from urllib.request import getproxies  # noqa: PLC0415  (takes a while to load)

    found = getproxies()
    return {name: found[name] for name in (*_VARIABLES, "no") if found.get(name, "").strip()}


def _source(name: str) -> str:
    spellings = [variable for variable in os.environ if variable.lower() == f"{name}_proxy"]
    # Where a variable is there in both spellings, the small one counts.
    return max(spellings, default="the system's proxy setting")


def _is_bypassed(no_proxy: str, host: str, port: int) -> bool | None:
    """Return whether a host is reached without a proxy; None if all are.

    Raises:
        NotConfiguredError: An entry is no host.
    """
    entries = no_proxy.replace(",", " ").split()
    if "*" in entries:
        return None
    host = canonical_host(host)
    try:
        covered = [_covers(entry.lower(), host, port) for entry in entries]
    except ValueError:
        raise NotConfiguredError(
            "NO_PROXY has an entry that is no host. Nothing was sent. Correct it, or unset it for this server."
        ) from None
    return any(covered)


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "<local>":  # Windows' word for names without a dot
        return "." not in host and ":" not in host
    entry = entry.rpartition("://")[2]
    if "/" in entry:
        try:
            return ip_address(host) in ip_network(entry, strict=False)
        except ValueError:
            ip_network(entry, strict=False)  # is it the entry that is none?
            return False
    if _BEGINNING.match(entry):
        return host == entry or host.startswith(f"{entry.rstrip('*.')}.")
    named, given = read_host(entry.lstrip("*").lstrip("."))
    return (host == named or host.endswith(f".{named}")) and given in (None, port)
