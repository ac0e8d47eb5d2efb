"""The entries of `KOLORS_ALLOWED_HOSTS`: how they are written, and what each of them opens.

A host that is named opens itself wherever it is. `*.host` opens its subdomains, and a range the names that resolve into
it: neither opens loopback, link-local or multicast addresses, which is judged where names are resolved.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from kolors_mcp.wording import quoted

FAKE_IP_RANGES: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("198.18.0.0/15"), IPv6Network("fc00::/18"))
"""Where proxies on the network's way (Clash, Surge, sing-box, V2Ray) resolve every name to, by their defaults."""

LAST_PORT = 65535
RECENT = 64
"""Hosts and addresses of which it is remembered how they are read: a fetch asks the same some ten times."""
_LABEL = r"[a-z0-9_-]{1,63}"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
# How the resolvers of systems read numbers: each part decimal, octal or hexadecimal.
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)
_PRIVATE_DOMAINS = frozenset(("corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private", "test"))
"""Top-level domains that do not exist on the internet (RFC 6761, RFC 6762 appendix G, ICANN's `internal`). Under any
other one anyone can register a name and let it lead into this network."""


class AllowedHosts:
    """What the entries open, asked about one host or address at a time.

    Args:
        entries: As `read_entries` returns them.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._hosts: set[tuple[str, int | None]] = set()
        self._domains: list[str] = []
        self._ranges: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            if entry.startswith("*."):
                self._domains.append(entry[1:])
            elif "/" in entry:
                self._ranges.append(ip_network(entry))
            else:
                self._hosts.add(_host_and_port(entry))

    def name(self, host: str, port: int) -> bool:
        """Return whether an entry names this very host, at this port or at any."""
        host = canonical_host(host)
        return (host, None) in self._hosts or (host, port) in self._hosts

    def cover(self, host: str) -> bool:
        """Return whether the host is a subdomain of an entry `*.host`."""
        host = canonical_host(host)
        return any(host.endswith(domain) and len(host) > len(domain) for domain in self._domains)

    def hold(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether the address lies in a range."""
        return any(address in held for held in self._ranges)


@lru_cache(maxsize=RECENT)
def canonical_host(host: str) -> str:
    """Return a host as entries have it: lower case, no brackets, no dot behind, an address in its shortest writing."""
    host = host.lower().strip("[]").rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def read_entries(value: str) -> frozenset[str]:
    """Return the entries of a comma-separated list, each in one writing.

    Raises:
        ValueError: One of them opens nothing, or more than can be meant; the text names it and says why.
    """
    return frozenset(_read_entry(part.strip().lower()) for part in value.split(",") if part.strip())


def _read_entry(entry: str) -> str:
    # A password is never shown.
    shown = "an entry with a name or password" if "@" in entry else quoted(entry, 100)
    try:
        return _read_kind(entry)(entry)
    except ValueError as error:
        raise ValueError(f"has {shown}: {error}") from None


def _read_kind(entry: str) -> Callable[[str], str]:
    if "://" in entry or "@" in entry:
        raise ValueError("give a host, without scheme, name and path")
    return _read_range if "/" in entry else _read_domain if "*" in entry else _read_host


def read_host(text: str) -> tuple[str, int | None]:
    """Return the host that `host`, `host:port` or an address names, as it is asked for, and its port if there is one.

    Raises:
        ValueError: None is written so; the text says why.
    """
    host, port = _host_and_port(text)
    return host if _address(host) is not None else _read_name(host), port


def _read_host(entry: str) -> str:
    host, port = read_host(entry)
    written = f"[{host}]" if ":" in host else host
    return written if port is None else f"{written}:{port}"


def _read_range(entry: str) -> str:
    address, _, length = entry.partition("/")
    try:
        held = ip_network(entry, strict=False)
    except ValueError:
        hint = "a range has no port and opens 80 and 443" if ":" in length else "no address range is written so"
        raise ValueError(hint) from None
    if held.network_address != ip_address(address):
        raise ValueError(f"the range of that length which holds this address is {held}")
    return str(held)


def _read_domain(entry: str) -> str:
    domain = entry.removeprefix("*.")
    if entry == domain or "*" in domain:
        raise ValueError('a star stands only in front, followed by a dot, as in "*.shop.example"')
    if ":" in domain:
        raise ValueError("an entry with a star has no port")
    domain = _read_name(domain.rstrip("."))
    if "." not in domain and domain not in _PRIVATE_DOMAINS:
        raise ValueError("that is everybody's domain; name your own below it")
    return f"*.{domain}"


def _read_name(host: str) -> str:
    if not host.isascii():
        import idna  # noqa: PLC0415  (seldom needed, and links are written with it too)

        try:
            host = idna.encode(host).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise ValueError("no host is written so") from None
    if not _NAME.match(host):
        raise ValueError("no host is written so")
    if ends_in_number(host):
        raise ValueError("no address is written so; give four numbers from 0 to 255")
    return host


def ends_in_number(host: str) -> bool:
    """Whether the last part of a host is a number, as `2130706433`, `0x7f.1` or `127.1` have it; no domain is one."""
    return _NUMBER.match(host.rstrip(".").rpartition(".")[2]) is not None


def _host_and_port(entry: str) -> tuple[str, int | None]:
    if _address(entry) is not None:  # an IPv6 address without brackets, too
        return canonical_host(entry), None
    host, colon, port = entry.rpartition(":")
    if entry.endswith("]") or not colon:
        host, port = entry, ""
    elif not (port.isascii() and port.isdigit() and len(port) <= len(str(LAST_PORT)) and 0 < int(port) <= LAST_PORT):
        raise ValueError(f"a port is a number from 1 to {LAST_PORT}")
    if host.startswith("[") != (isinstance(_address(host.strip("[]")), IPv6Address)) or host.count("[") > 1:
        raise ValueError("an IPv6 address with a port stands in brackets, and nothing else does")
    return canonical_host(host), int(port) if port else None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
