"""Which internet addresses may be dialled: public ones, by a table of our own.

The standard library's `is_global` lets through addresses that carry a private one inside (NAT64, 6to4, Teredo,
`::127.0.0.1`) and obsolete private ranges. So IPv6 is an allow-list here, and IPv4 a complete deny-list. Ranges are
those of the IANA special-purpose registries. An address whose standard prefix says that it carries an IPv4 address is
judged by that one; where a public IPv6 range can carry one in the rest of an address, that one is judged too.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache

from kolors_mcp.egress.allowed import RECENT, ends_in_number

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

_CARRIED_AT = {
    # How IPv4 addresses are handed to sockets of IPv6 (RFC 4291).
    ipaddress.IPv6Network("::ffff:0:0/96"): 96,
    # Behind it every IPv4 address is reached on networks that have IPv6 only (RFC 6052); their name servers answer so.
    ipaddress.IPv6Network("64:ff9b::/96"): 96,
    # 6to4 (RFC 3056): packets go to this IPv4 address, wrapped.
    ipaddress.IPv6Network("2002::/16"): 16,
}
"""At which bit an IPv4 address begins in addresses with a standard prefix."""
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""For translators of one network (RFC 8215). How much of it is the prefix is that network's affair, so every reading
is judged. Networks' own prefixes lie elsewhere; see `_carried`."""
_LOCAL_NAT64_BITS = (48, 56, 64, 88)
_LEADING_NOWHERE = (ipaddress.IPv4Network("0.0.0.0/8"), ipaddress.IPv4Network("240.0.0.0/4"))
"""What bits read at the wrong place mostly look like; no translator delivers to these."""

_IPV6_ALLOWED = ipaddress.IPv6Network("2000::/3")
"""All that is handed out as global unicast; mapped, loopback, local and multicast addresses lie outside."""
_IPV6_REFUSED = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID, ...
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # a test network that was given back
        "3fff::/20",  # documentation
    )
)

_TEREDO = ipaddress.IPv6Network("2001::/32")
"""Its last 32 bits are an IPv4 address, inverted (RFC 4380)."""
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

_ONLY_BY_NAME_IPV4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the clouds' metadata service
        "100.100.100.200/32",  # metadata services of clouds on other addresses
        "168.63.129.16/32",
        "192.0.0.192/32",
    )
)
_NEVER_IPV4 = (ipaddress.IPv4Network("0.0.0.0/8"), ipaddress.IPv4Network("224.0.0.0/3"))
"""This machine, for many systems; multicast and broadcast."""
_ONLY_BY_NAME_IPV6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "::/127",  # unspecified, loopback
        "fe80::/10",  # link-local
        "ff00::/8",  # multicast
        "fd00:ec2::/32",  # metadata services of clouds
        "fd20:ce::254/128",
    )
)

_METADATA_LABELS = frozenset(("metadata", "instance-data", "instance-metadata", "rancher-metadata"))
"""First labels under which clouds tell their machines who they are, credentials included, whatever follows."""
_METADATA_NAMES = frozenset(("api.metadata.cloud.ibm.com", "kubernetes.default.svc"))
_INSIDE_DOMAINS = ("internal", "localhost", "local", "localdomain", "home.arpa", "svc.cluster.local")
"""Domains that exist only inside (RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of `internal`)."""


def is_public(address: str) -> bool:
    """Return whether the IP address, written as a resolver answers it, may be dialled."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in block for block in _IPV4_REFUSED)
    # A zone ("%eth0") only makes sense on a local network.
    if parsed.scope_id is not None:
        return False
    carried = behind_prefix(address)
    if carried is None:
        return _is_public_ipv6(parsed)
    return is_public(carried) and (parsed not in _IPV6_ALLOWED or _is_public_ipv6(parsed))


def _is_public_ipv6(address: ipaddress.IPv6Address) -> bool:
    number = int(address)
    return (
        address in _IPV6_ALLOWED
        and not any(address in block for block in _IPV6_REFUSED)
        and number >> 32 & 0xFFFF_FFFF & ~_ISATAP_KINDS != _ISATAP
        and not any(inside in block for inside in _carried(number) for block in _IPV4_INSIDE)
    )


@lru_cache(maxsize=RECENT)
def behind_prefix(address: str) -> str | None:
    """Return the IPv4 address that an address stands for by its standard prefix, if it has such a one."""
    parsed = ipaddress.ip_address(address)
    if not isinstance(parsed, ipaddress.IPv6Address) or parsed.scope_id is not None:
        return None
    if parsed in _LOCAL_NAT64:
        # The first that a host can have, if no other reading would lead the translator inside.
        harmless = all(
            is_public(str(reading)) or any(reading in block for block in _LEADING_NOWHERE)
            for reading in _local_readings(int(parsed))
        )
        return next(filter(is_public, map(str, _carried(int(parsed), _LOCAL_NAT64_BITS))), None) if harmless else None
    at = next((at for block, at in _CARRIED_AT.items() if parsed in block), None)
    return None if at is None else str(ipaddress.IPv4Address(int(parsed) >> 128 - 32 - at & 0xFFFF_FFFF))


def is_only_by_name(address: str) -> bool:
    """Return whether only an entry for this very host opens the address: a range does not, nor does `*.host`.

    So it is with this machine, its neighbours, all at once, and with who tells machines their credentials.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return any(parsed in block for block in (*_ONLY_BY_NAME_IPV4, *_NEVER_IPV4))
    number = int(parsed)
    carried = behind_prefix(address) if parsed not in _LOCAL_NAT64 else None
    return (
        any(ipaddress.IPv6Address(number) in block for block in _ONLY_BY_NAME_IPV6)
        or (carried is not None and is_only_by_name(carried))
        or any(inside in block for inside in _perhaps_carried(number) for block in _ONLY_BY_NAME_IPV4)
    )


def _perhaps_carried(number: int) -> Iterator[ipaddress.IPv4Address]:
    """Yield what an address may carry besides by its prefix: for a translator of some network, or for a tunnel."""
    address = ipaddress.IPv6Address(number)
    yield from _carried(number)
    if address in _LOCAL_NAT64:
        yield from _local_readings(number)
    elif address in _TEREDO:
        yield ipaddress.IPv4Address(~number & 0xFFFF_FFFF)
    elif number >> 32 & 0xFFFF_FFFF & ~_ISATAP_KINDS == _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFF_FFFF)


def _local_readings(address: int) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses for each length that the prefix may have, whatever follows them."""
    joined = _without_middle(address)
    for start in _LOCAL_NAT64_BITS:
        yield ipaddress.IPv4Address(joined >> 120 - 32 - start & 0xFFFF_FFFF)


def _carried(address: int, starts: Sequence[int] = _TRANSLATED_BITS) -> Iterator[ipaddress.IPv4Address]:
    """Yield each IPv4 address that an IPv6 address would stand for behind a translator (RFC 6052)."""
    if address >> 56 & 0xFF:  # bits 64 to 71 are zero there
        return
    joined = _without_middle(address)
    for start in starts:
        bits_behind = 120 - 32 - start
        if joined & (1 << bits_behind) - 1 == 0:
            yield ipaddress.IPv4Address(joined >> bits_behind & 0xFFFF_FFFF)


def _without_middle(address: int) -> int:
    """Return the 120 bits of an address that may carry another: bits 64 to 71 are left out."""
    return address >> 64 << 56 | address & (1 << 56) - 1


def is_inside_name(host: str) -> bool:
    """Return whether a name is one of the local network's own, or a cloud's for its machines, whatever it resolves to.

    A name without a dot is: no web server of the internet has one.
    """
    name = host.lower().rstrip(".")
    if literal(name) is not None:
        return False
    return "." not in name or is_metadata_name(name) or any(name.endswith("." + domain) for domain in _INSIDE_DOMAINS)


def is_metadata_name(host: str) -> bool:
    """Return whether a name is one under which clouds tell their machines who they are."""
    name = host.lower().rstrip(".")
    return name.partition(".")[0] in _METADATA_LABELS or name in _METADATA_NAMES


@lru_cache(maxsize=RECENT)
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
    return literal(host) is None and ends_in_number(host)
