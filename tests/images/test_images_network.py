"""No packet leaves for an address that is not public, however it is written, named or reached."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.sources.addresses import is_odd_number, is_public
from tests.support.dialling import refusal_of
from tests.support.images_support import png
from tests.support.network import PUBLIC, Network, redirect, response
from tests.support.one_loop import run

IPV4_BLOCKS = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
IPV6_BLOCKS = (
    "::/96", "::ffff:0:0:0/96", "100::/64", "2001::/32", "2001:db8::/32", "3fff::/20", "5f00::/16",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip


def inside(block: str) -> st.SearchStrategy[str]:
    network = ipaddress.ip_network(block)
    first, last = int(network[0]), int(network[-1])
    kind = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    return st.integers(first, last).map(lambda number: str(kind(number)))


bad_ipv4 = st.sampled_from(IPV4_BLOCKS).flatmap(inside)
CARRIERS = {"64:ff9b::": 0, "::ffff:0:0": 0, "2002::": 80, "64:ff9b:1::": 0, "64:ff9b:1:fffe::": 0}
"""Prefixes behind which an IPv4 address stands, and how many bits follow it."""


def carried(prefix: str, address: str) -> str:
    return str(
        ipaddress.IPv6Address(
            int(ipaddress.IPv6Address(prefix)) + (int(ipaddress.IPv4Address(address)) << CARRIERS[prefix])
        )
    )


bad_ipv6 = st.sampled_from(IPV6_BLOCKS).flatmap(inside) | st.builds(
    carried, st.sampled_from(sorted(CARRIERS)), bad_ipv4
)
bad_address = bad_ipv4 | bad_ipv6


@st.composite
def oddly_written(draw: st.DrawFn) -> str:
    """An IPv4 address as only a resolver reads it: fewer parts, octal, hexadecimal, leading zeros, a dot behind."""
    number = int(ipaddress.IPv4Address(draw(bad_ipv4 | st.just(PUBLIC))))
    parts = draw(st.integers(1, 4))
    values = [number >> 24 & 255, number >> 16 & 255, number >> 8 & 255, number & 255]
    last = sum(value << 8 * (3 - at) for at, value in enumerate(values) if at >= parts - 1)
    pieces = [*values[: parts - 1], last]
    forms = [draw(st.sampled_from(("{:d}", "{:#x}", "{:#X}", "0{:o}", "00{:o}"))) for _ in pieces]
    host = ".".join(form.format(piece) for form, piece in zip(forms, pieces, strict=True))
    if host == str(ipaddress.IPv4Address(number)):
        host = host.replace(".", ".0", 1)  # an ordinary writing after all: make it odd
    return host + draw(st.sampled_from(("", ".")))


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


quick = settings(max_examples=60)


@quick
@given(address=bad_address, scheme=st.sampled_from(("http", "https")))
def test_a_literal_address_that_is_not_public_is_never_dialled(address: str, scheme: str) -> None:
    network = Network()
    assert refusal_of(network, f"{scheme}://{bracketed(address)}/a.png") is not None
    assert network.dialled == []


@quick
@given(host=oddly_written())
def test_an_oddly_written_address_is_neither_resolved_nor_dialled(host: str) -> None:
    network = Network()
    assert refusal_of(network, f"http://{host}/a.png") is not None
    assert network.dialled == []
    assert network.asked == []


@quick
@given(bad=bad_address, good=st.lists(st.just(PUBLIC), max_size=2), data=st.data())
def test_a_name_with_one_bad_answer_is_never_dialled(bad: str, good: list[str], data: st.DataObject) -> None:
    answers = data.draw(st.permutations([bad, *good]))
    network = Network(names={"shop.example": [answers]})
    text = refusal_of(network, "http://shop.example/a.png")
    assert text is not None
    assert network.dialled == []
    assert bad not in text.replace("198.18.0.0/15", "").replace("fc00::/18", "")


@quick
@given(
    bad=bad_address,
    by_name=st.booleans(),
    status=st.sampled_from(("301 Moved", "302 Found", "303 See Other", "307 T", "308 P")),
)
def test_a_redirect_to_a_bad_address_is_never_dialled(bad: str, by_name: bool, status: str) -> None:
    target = "inner.example" if by_name else bracketed(bad)
    network = Network(names={"inner.example": [[bad]]}, scripts={PUBLIC: redirect(f"http://{target}/a.png", status)})
    text = refusal_of(network, "http://shop.example/a.png")
    assert text is not None
    assert network.dialled == [(PUBLIC, 80)]
    assert by_name is False or bad not in text.replace("198.18.0.0/15", "").replace("fc00::/18", "")


@quick
@given(bad=bad_address)
def test_a_name_that_turns_bad_between_question_and_answer_is_never_dialled(bad: str) -> None:
    # The second request to the same host asks again, and is judged again.
    network = Network(
        names={"shop.example": [[PUBLIC], [bad]]}, scripts={PUBLIC: redirect("http://shop.example/b.png")}
    )
    assert refusal_of(network, "http://shop.example/a.png") is not None
    assert network.dialled == [(PUBLIC, 80)]
    assert network.asked == ["shop.example", "shop.example"]


def test_what_was_judged_is_what_is_dialled() -> None:
    # A hostile name server answers the check with a public address and whoever asks again with an inner one.
    network = Network(names={"shop.example": [[PUBLIC], ["127.0.0.1"]]}, scripts={PUBLIC: response(png())})
    assert refusal_of(network, "http://shop.example/a.png") is None
    assert network.dialled == [(PUBLIC, 80)]
    assert network.asked == ["shop.example"]


@quick
@given(bad=bad_address)
def test_a_page_cannot_name_a_picture_at_a_bad_address(bad: str) -> None:
    page = f'<html><meta property="og:image" content="http://{bracketed(bad)}/a.png">'.encode()
    network = Network(scripts={PUBLIC: response(page, kind="text/html")})
    assert refusal_of(network, "http://shop.example/page") is not None
    assert network.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "link",
    [
        "http://10.0.0.7/a.png",
        "http://[::ffff:10.0.0.7]/a.png",
        "http://[64:ff9b::a00:7]/a.png",
        "http://[2002:a00:7::]/a.png",
        "http://[64:ff9b:1::a00:7]/a.png",
        "http://inner.example/a.png",
        "http://shop.example/redirect",
        "http://rebound.example/redirect",
    ],
)
def test_without_the_address_policy_each_of_these_would_be_fetched(link: str) -> None:
    def network() -> Network:
        inner = response(png())
        return Network(
            names={"inner.example": [["10.0.0.7"]], "rebound.example": [[PUBLIC], ["10.0.0.7"]]},
            scripts={
                PUBLIC: redirect("http://rebound.example/b.png" if "rebound" in link else "http://10.0.0.7/a.png"),
                "10.0.0.7": inner,
                # As this Python writes it, which is not always the same.
                str(ipaddress.ip_address("::ffff:a00:7")): inner,
                "64:ff9b::a00:7": inner,
                "2002:a00:7::": inner,
                "64:ff9b:1::a00:7": inner,
            },
        )

    assert refusal_of(network(), link, guard=False) is None
    assert refusal_of(network(), link) is not None


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "017700000001", "127.1", "0x7f000001", "127.0.0.01", "1.2.3.4.5", "0x"]
)
def test_what_a_resolver_would_read_as_a_number_is_known(host: str) -> None:
    assert is_odd_number(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "shop.example", "1.shop.example", "[::1]", "0xshop", "shop.0xg", "3com.com"]
)
def test_ordinary_hosts_are_not_taken_for_odd_numbers(host: str) -> None:
    assert not is_odd_number(host)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        PUBLIC,
        "172.15.0.1",
        "172.32.0.1",
        "2606:4700::6810:84e5",
        "2a00:1450:4001::1",
        "100.128.0.1",
        "198.20.0.1",
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2606:4700::1%eth0", "168.63.129.16", "not an address", ""])
def test_other_addresses_are_not(address: str) -> None:
    assert not is_public(address)


def test_neither_the_address_of_an_inner_name_nor_a_query_is_told() -> None:
    network = Network(names={"inner.example": [["10.1.2.3"]]})
    text = refusal_of(network, "https://inner.example/a.png?token=SECRET")
    assert text is not None
    assert "10.1.2.3" not in text
    assert "SECRET" not in text


@pytest.mark.parametrize(
    ("link", "allowed", "dialled"),
    [
        ("http://intranet.example/a.png", "intranet.example", [("10.0.0.7", 80)]),
        ("http://INTRANET.example:8080/a.png", "intranet.example", [("10.0.0.7", 8080)]),
        ("http://intranet.example:8080/a.png", "intranet.example:8080", [("10.0.0.7", 8080)]),
        ("http://intranet.example:8081/a.png", "intranet.example:8080", []),
        ("http://intranet.example/a.png", "intranet.example:8080", []),
        ("http://other.example/a.png", "intranet.example", []),
        ("http://10.0.0.7:8000/a.png", "10.0.0.7:8000", [("10.0.0.7", 8000)]),
        ("http://[::1]:8000/a.png", "[::1]:8000", [("::1", 8000)]),
        ("http://[::1]/a.png", "[::1]", [("::1", 80)]),
        ("http://[::1]:8001/a.png", "[::1]:8000", []),
        ("http://167772167/a.png", "167772167", []),
    ],
)
def test_only_what_the_setting_names_may_be_private(link: str, allowed: str, dialled: list[tuple[str, int]]) -> None:
    async def attempt() -> Any:
        pictures = Pictures(
            folders=[], allowed_hosts=frozenset({allowed}), resolver=network.resolver, connect=network.connect
        )
        return await pictures.prepare(link, "human_image")

    names = {"intranet.example": [["10.0.0.7"]], "other.example": [["10.0.0.8"]]}
    network = Network(names=names, scripts={"10.0.0.7": response(png()), "::1": response(png())})  # type: ignore[arg-type]
    if dialled:
        assert run(attempt).notes == ()
    else:
        with pytest.raises(PictureRefusedError):
            run(attempt)
    assert network.dialled == dialled


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b::5db8:d822",
        "64:ff9b::93.184.216.34",
        "64:ff9b::808:808",
        "64:ff9b:1::5db8:d822",
        "64:ff9b:1:fffe::808:808",
        "64:ff9b:1:5db8:d8:2200::",
        "2002:5db8:d822::1",
        "2002:808:808:1::1",
        "::ffff:93.184.216.34",
    ],
)
def test_an_address_that_carries_a_public_one_behind_a_standard_prefix_is_judged_by_it(address: str) -> None:
    assert is_public(address)
    network = Network(names={"shop.example": [[address]]}, scripts={address: response(png())})
    assert refusal_of(network, "http://shop.example/a.png") is None


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b::", "64:ff9b::1:5db8:d822",
     "64:ff9b::5db8:d822%eth0", "2001:0:5db8:d822::1",
     # What a translator reads depends on how long its network's prefix is: none of the ways may lead inside.
     "64:ff9b:1::a00:1", "64:ff9b:1:a00:0:100::", "64:ff9b:1:a00:0:100:808:808", "64:ff9b:1:7f:0:1:5db8:d822",
     "64:ff9b:1:c0:a8:100:808:808", "64:ff9b:1:0:a9:fea9:fe08:808", "64:ff9b:1::", "64:ff9b:1:0:ff00::5db8:d822",
     "2002:a00:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:5db8:d822::5efe:a00:1", "2002:5db8:d822::a00:1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:93.184.216.34", "::93.184.216.34"],
)  # fmt: skip
def test_no_other_address_that_carries_one_is_reached(address: str) -> None:
    assert not is_public(address)
