"""KOLORS_ALLOWED_HOSTS: what each kind of entry opens, what it never opens, and which entries are refused."""

import pytest

from kolors_mcp.egress.allowed import read_entries
from kolors_mcp.errors import NotConfiguredError, PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.settings import Settings
from tests.support.images_support import png
from tests.support.network import PUBLIC, Network, redirect, response
from tests.support.one_loop import run

FAKE = "198.18.0.0/15"


def refusal_of(network: Network, link: str, allowed: str) -> str | None:
    """What is said about a link under this setting; none if it was fetched."""

    async def attempt() -> str | None:
        pictures = Pictures(
            folders=[], allowed_hosts=read_entries(allowed), resolver=network.resolver, connect=network.connect
        )
        try:
            await pictures.prepare(link, "human_image")
        except PictureRefusedError as error:
            return str(error)
        finally:
            await pictures.aclose()
        return None

    return run(attempt)


def leading_to(*addresses: str) -> Network:
    """A network in which `shop.example` and all below it lead to these addresses, where a picture is served."""
    names = {
        name: [addresses]
        for name in ("shop.example", "a.shop.example", "a.shop.example.", "b.a.shop.example", "notshop.example")
    }
    return Network(names=names, scripts=dict.fromkeys(addresses, response(png())))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("198.18.0.5", FAKE),
        ("198.19.255.254", FAKE),
        ("198.18.0.5", "shop.other, 10.0.0.0/8 , 198.18.0.5/32"),
        ("fc00::5", "fc00::/18"),
        ("fd12:3456::1", "FD00::/8"),
        ("10.1.2.3", "10.0.0.0/255.0.0.0"),
        ("64:ff9b::a00:5", "10.0.0.0/8"),
        ("::ffff:10.0.0.5", "10.0.0.0/8"),
    ],
)
def test_a_name_that_resolves_into_a_range_is_fetched(address: str, allowed: str) -> None:
    assert refusal_of(leading_to(address), "http://shop.example/a.png", allowed) is None
    network = leading_to(address)
    assert refusal_of(network, "http://shop.example/a.png", "192.168.0.0/16") is not None
    assert network.dialled == []


def test_the_other_answers_of_a_name_in_a_range_are_judged_as_ever() -> None:
    assert refusal_of(leading_to("198.18.0.5", PUBLIC), "http://shop.example/a.png", FAKE) is None
    network = leading_to("198.18.0.5", "10.0.0.1")
    assert refusal_of(network, "http://shop.example/a.png", FAKE) is not None
    assert network.dialled == []


@pytest.mark.parametrize(
    ("link", "allowed"),
    [
        ("http://198.18.0.5/a.png", FAKE),
        ("http://[fc00::5]/a.png", "fc00::/18"),
        ("http://[::ffff:198.18.0.5]/a.png", FAKE),
        ("http://[64:ff9b::c612:5]/a.png", f"{FAKE},64:ff9b::/96"),
        ("http://0xc6120005/a.png", FAKE),
        ("http://198.18.5/a.png", FAKE),
        ("http://shop.example:8080/a.png", FAKE),
        ("http://localhost/a.png", "127.0.0.0/8"),
        ("http://printer.local/a.png", FAKE),
        ("http://metadata.google.internal/a.png", FAKE),
    ],
)
def test_no_literal_no_other_port_and_no_name_of_the_inside_is_opened_by_a_range(link: str, allowed: str) -> None:
    network = Network(
        names={name: [["198.18.0.5"]] for name in ("shop.example", "printer.local", "metadata.google.internal")}
    )
    assert refusal_of(network, link, allowed) is not None
    assert network.dialled == []


ONLY_BY_NAME = [
    ("127.0.0.1", "127.0.0.0/8"),
    ("127.8.9.1", "0.0.0.0/0"),
    ("169.254.169.254", "169.254.0.0/16"),
    ("169.254.169.254", "128.0.0.0/1"),
    ("0.0.0.0", "0.0.0.0/0"),
    ("224.0.0.1", "224.0.0.0/4"),
    ("255.255.255.255", "0.0.0.0/0"),
    ("100.100.100.200", "100.64.0.0/10"),
    ("168.63.129.16", "168.63.0.0/16"),
    ("::1", "::/0"),
    ("::", "::/0"),
    ("fe80::1", "fe80::/10"),
    ("fe80::1%eth0", "::/0"),
    ("ff02::1", "::/0"),
    ("fd00:ec2::254", "fd00::/8"),
    ("::ffff:127.0.0.1", "::/0, 0.0.0.0/0"),
    ("::ffff:169.254.169.254", "::ffff:0:0/96"),
    ("64:ff9b::7f00:1", "64:ff9b::/96, 0.0.0.0/0"),
    ("64:ff9b::a9fe:a9fe", "64:ff9b::/96"),
    ("64:ff9b:1::7f00:1", "64:ff9b:1::/48"),
    ("64:ff9b:1:7f00:0:100::", "64:ff9b:1::/48"),
    ("2002:7f00:1::1", "2002::/16, 127.0.0.0/8"),
    ("2001:0:5db8:d822::80ff:fffe", "2001::/32"),
    ("fd00::5efe:7f00:1", "fd00::/8"),
    ("fd00:64::7f00:1", "fd00::/8"),
]


@pytest.mark.parametrize(("address", "allowed"), ONLY_BY_NAME)
def test_this_machine_its_neighbours_and_metadata_are_opened_only_by_name(address: str, allowed: str) -> None:
    for entries in (allowed, "*.shop.example", f"*.shop.example,{allowed}"):
        network = leading_to(address)
        assert refusal_of(network, "http://a.shop.example/a.png", entries) is not None, entries
        assert network.dialled == []
    # The control: an entry for this very host opens it.
    network = leading_to(address)
    assert refusal_of(network, "http://a.shop.example/a.png", f"a.shop.example,{allowed}") is None


@pytest.mark.parametrize("allowed", ["64:ff9b::/96", "64:ff9b::/96,198.18.0.0/15", "::/0"])
def test_what_a_translator_would_dial_is_judged_though_its_prefix_lies_in_a_range(allowed: str) -> None:
    network = leading_to("64:ff9b::c0a8:101")
    assert refusal_of(network, "http://shop.example/a.png", allowed) is not None
    assert network.dialled == []


@pytest.mark.parametrize(
    ("host", "allowed", "opened"),
    [
        ("a.shop.example", "*.shop.example", True),
        ("b.a.shop.example", "*.shop.example", True),
        ("A.Shop.EXAMPLE", "*.SHOP.example.", True),
        ("a.shop.example.", "*.shop.example", True),
        ("shop.example", "*.shop.example", False),
        ("notshop.example", "*.shop.example", False),
        ("a.shop.example", "*.a.shop.example", False),
        ("a.shop.example", "shop.example", False),
        ("a.shop.example", "a.shop.example.", True),
        ("a.shop.example", "a.shop.example:8080", False),
    ],
)
def test_a_star_opens_subdomains_and_nothing_else(host: str, allowed: str, opened: bool) -> None:
    network = leading_to("10.0.0.7")
    assert (refusal_of(network, f"http://{host}/a.png", allowed) is None) is opened
    assert network.dialled == ([("10.0.0.7", 80)] if opened else [])


def test_a_star_opens_other_ports_and_names_of_the_inside_but_not_those_of_metadata() -> None:
    network = Network(
        names={name: [["10.0.0.7"]] for name in ("cam.lan.internal", "metadata.google.internal")},
        scripts={"10.0.0.7": response(png())},
    )
    assert refusal_of(network, "http://cam.lan.internal:8080/a.png", "*.internal") is None
    assert refusal_of(network, "http://metadata.google.internal/a.png", "*.internal") is not None
    assert network.dialled == [("10.0.0.7", 8080)]


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("http://198.18.0.9/b.png", FAKE),
        ("http://inner.example/b.png", FAKE),
        ("http://169.254.169.254/latest/", "169.254.0.0/16"),
        ("http://a.shop.example/b.png", "*.shop.example"),
    ],
)
def test_a_redirect_is_judged_like_a_link(target: str, allowed: str) -> None:
    network = Network(
        names={"inner.example": [["10.0.0.1"]], "a.shop.example": [["127.0.0.1"]]}, scripts={PUBLIC: redirect(target)}
    )
    assert refusal_of(network, "http://shop.example/a.png", allowed) is not None
    assert network.dialled == [(PUBLIC, 80)]


def test_a_name_written_in_its_own_letters_is_the_one_that_is_asked_for() -> None:
    network = Network(names={"xn--bcher-kva.example": [["10.0.0.7"]]}, scripts={"10.0.0.7": response(png())})
    assert refusal_of(network, "http://bücher.example/a.png", "BÜCHER.example") is None
    assert network.asked == ["xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("addresses", "ranges"),
    [(["198.18.0.5"], FAKE), (["fc00::5"], "fc00::/18"), (["198.19.0.1", "fc00:0:1::5"], f"{FAKE},fc00::/18")],
)
def test_an_address_of_fake_ip_is_told_with_what_to_set_and_that_helps(addresses: list[str], ranges: str) -> None:
    text = refusal_of(leading_to(*addresses), "http://shop.example/a.png", "")
    assert text is not None
    assert f"Add {ranges} to KOLORS_ALLOWED_HOSTS" in text
    assert refusal_of(leading_to(*addresses), "http://shop.example/a.png", ranges) is None


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["198.18.0.5", "10.0.0.1"], ["198.20.0.1", "127.0.0.1"]])
def test_no_other_address_is_called_fake(addresses: list[str]) -> None:
    text = refusal_of(leading_to(*addresses), "http://shop.example/a.png", "")
    assert text is not None
    assert '"shop.example" does not lead to the public internet' in text
    assert not any(address in text for address in addresses)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", set[str]()),
        (" Shop.Local , ,10.0.0.5:8443,", {"shop.local", "10.0.0.5:8443"}),
        ("shop.local.:80", {"shop.local:80"}),
        ("::1, [::2], [0:0::3]:8000", {"[::1]", "[::2]", "[::3]:8000"}),
        ("*.Corp.Example., *.lan", {"*.corp.example", "*.lan"}),
        ("198.18.0.0/15,fd00::/8", {FAKE, "fd00::/8"}),
        ("localhost, my_host", {"localhost", "my_host"}),
        ("straße.example", {"xn--strae-oqa.example"}),
    ],
)
def test_entries_are_kept_in_one_writing(written: str, read: set[str]) -> None:
    assert Settings.from_env({"KOLORS_ALLOWED_HOSTS": written}).allowed_hosts == read
    assert read_entries(",".join(read)) == read


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("*", "a star stands only in front"),
        ("*.", "no host is written so"),
        ("*.com", "everybody's domain"),
        ("*.COM.", "everybody's domain"),
        ("*.localhost", "everybody's domain"),
        ("*shop.example", "a star stands only in front"),
        ("a.*.example", "a star stands only in front"),
        ("**.shop.example", "a star stands only in front"),
        ("*.shop.example:80", "an entry with a star has no port"),
        ("*.10.0.0.1", "no address is written so"),
        ("198.18.0.1/15", "198.18.0.0/15"),
        ("fd00::1/8", "fd00::/8"),
        ("198.18.0.0/33", "no address range is written so"),
        ("198.18.0.0/", "no address range is written so"),
        ("198.18.0.0/15:443", "a range has no port"),
        ("shop.example/15", "no address range is written so"),
        ("https://shop.example", "give a host"),
        ("https://shop.example/a", "give a host"),
        ("shop.example:0", "a port is a number"),
        ("shop.example:65536", "a port is a number"),
        ("shop.example:http", "a port is a number"),
        ("shop.example:", "a port is a number"),
        ("::1]:80", "in brackets"),
        ("[shop.example]:80", "in brackets"),
        ("shop example", "no host is written so"),
        ("shop.example;other.example", "no host is written so"),
        ("a..example", "no host is written so"),
        ("-\u2025.example", "no host is written so"),
        ("127.1", "no address is written so"),
        ("0x7f.0.0.1", "no address is written so"),
        ("2130706433", "no address is written so"),
    ],
)
def test_an_entry_that_opens_nothing_or_everything_is_refused_by_name(entry: str, reason: str) -> None:
    with pytest.raises(NotConfiguredError) as refusal:
        Settings.from_env({"KOLORS_ALLOWED_HOSTS": f"good.example,{entry}"})
    text = str(refusal.value)
    assert text.startswith("KOLORS_ALLOWED_HOSTS has ")
    assert entry.lower() in text
    assert reason in text


def test_a_password_in_an_entry_is_not_shown() -> None:
    with pytest.raises(NotConfiguredError) as refusal:
        Settings.from_env({"KOLORS_ALLOWED_HOSTS": "https://me:s3cret@shop.example"})
    assert "s3cret" not in str(refusal.value)
