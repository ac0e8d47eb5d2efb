"""Which internet addresses may be dialled: public ones, by a table of our own.

The standard library's `is_global` lets through addresses that carry a private one inside (NAT64, 6to4, Teredo,
`::127.0.0.1`) and obsolete private ranges. So IPv6 is an allow-list here, and IPv4 a complete deny-list. Ranges are
those of the IANA special-purpose registries. Where a public IPv6 range can carry an IPv4 address in the rest of an
address, that one is judged too.
"""

import ipaddress
import re
from collections.abc import Iterator

_IPV4_REFUSED = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the clouds' metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnelling
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "168.63.129.16/32",  # a cloud's own virtual machine services, on a public-looking address
    )
)

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Behind it every IPv4 address is reached on networks that have IPv6 only (RFC 6052); their name servers answer so.
The translator dials the last 32 bits, so these are judged. Networks' own prefixes lie elsewhere; see `_carried`."""

_IPV6_ALLOWED = ipaddress.IPv6Network("2000::/3")
"""All that is handed out as global unicast; mapped, loopback, local and multicast addresses lie outside."""
_IPV6_REFUSED = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID, ...
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # a test network that was given back
        "3fff::/20",  # documentation
    )
)

_ISATAP = 0x5EFE
"""The upper half of an interface's 64 bits in ISATAP (RFC 5214), less the two bits that tell its kind; the lower half
is an IPv4 address, which a tunnel of the local network dials."""
_ISATAP_KINDS = 0x0300_0000

_IPV4_INSIDE = tuple(
    ipaddress.IPv4Network(block)
    for block in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
)
"""What a network's own translator must not be asked for. Zero and the other special ranges are left out: a plain
`2001:db8::1` would carry 0.0.0.1."""
_TRANSLATED_BITS = (32, 40, 48, 56, 64, 88)
"""Where an IPv4 address may begin behind a network's own NAT64 prefix (RFC 6052), bits 64 to 71 left out."""

_METADATA_LABELS = frozenset(("metadata", "instance-data", "instance-metadata", "rancher-metadata"))
"""First labels under which clouds tell their machines who they are, credentials included, whatever follows."""
_METADATA_NAMES = frozenset(("api.metadata.cloud.ibm.com", "kubernetes.default.svc"))
_INSIDE_DOMAINS = ("internal", "localhost", "local", "localdomain", "home.arpa", "svc.cluster.local")
"""Domains that exist only inside (RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of `internal`)."""

# How the system's resolver reads numbers: with one to four parts, each decimal, octal or hexadecimal.
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)


def is_public(address: str) -> bool:
    """Return whether the IP address, written as a resolver answers it, may be dialled."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in block for block in _IPV4_REFUSED)
    if (translated := behind_translator(address)) is not None:
        return is_public(translated)
    # A zone ("%eth0") only makes sense on a local network.
    return (
        parsed.scope_id is None
        and parsed in _IPV6_ALLOWED
        and not any(parsed in block for block in _IPV6_REFUSED)
        and int(parsed) >> 32 & 0xFFFF_FFFF & ~_ISATAP_KINDS != _ISATAP
        and not any(carried in block for carried in _carried(int(parsed)) for block in _IPV4_INSIDE)
    )


def behind_translator(address: str) -> str | None:
    """Return the IPv4 address that an address stands for on networks with IPv6 only, if it is such a one."""
    parsed = ipaddress.ip_address(address)
    if not isinstance(parsed, ipaddress.IPv6Address) or parsed.scope_id is not None or parsed not in _NAT64:
        return None
    return str(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF))


def _carried(address: int) -> Iterator[ipaddress.IPv4Address]:
    """Yield each IPv4 address that an IPv6 address would stand for behind a translator (RFC 6052)."""
    if address >> 56 & 0xFF:  # bits 64 to 71 are zero there
        return
    joined = address >> 64 << 56 | address & (1 << 56) - 1
    for start in _TRANSLATED_BITS:
        bits_behind = 120 - 32 - start
        if joined & (1 << bits_behind) - 1 == 0:
            yield ipaddress.IPv4Address(joined >> bits_behind & 0xFFFF_FFFF)


def is_inside_name(host: str) -> bool:
    """Return whether a name is one of the local network's own, or a cloud's for its machines, whatever it resolves to.

    A name without a dot is: no web server of the internet has one.
    """
    name = host.lower().rstrip(".")
    if literal(name) is not None:
        return False
    first, dot, _ = name.partition(".")
    return (
        not dot
        or first in _METADATA_LABELS
        or name in _METADATA_NAMES
        or any(name.endswith("." + domain) for domain in _INSIDE_DOMAINS)
    )


def literal(host: str) -> str | None:
    """Return the address if `host` is one in its ordinary writing, else none."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def is_odd_number(host: str) -> bool:
    """Return whether `host` is no ordinary address but ends in a number, as `2130706433`, `0x7f.1` or `127.1` do.

    No name on the internet ends so; resolvers take it for an IPv4 address, each in its way.
    """
    if literal(host) is not None:
        return False
    return _NUMBER.match(host.rstrip(".").rpartition(".")[2]) is not None
