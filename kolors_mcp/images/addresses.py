"""Which internet addresses may be dialled: public ones, by a table of our own.

The standard library's `is_global` lets through addresses that carry a private one inside (NAT64, 6to4, Teredo,
`::127.0.0.1`) and obsolete private ranges. So IPv6 is an allow-list here, and IPv4 a complete deny-list. Ranges are
those of the IANA special-purpose registries.
"""

import ipaddress
import re

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

_IPV6_ALLOWED = ipaddress.IPv6Network("2000::/3")
"""All that is handed out as global unicast; mapped, NAT64, loopback, local and multicast addresses lie outside."""
_IPV6_REFUSED = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID, ...
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

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
    # A zone ("%eth0") only makes sense on a local network.
    return parsed.scope_id is None and parsed in _IPV6_ALLOWED and not any(parsed in block for block in _IPV6_REFUSED)


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
