"""The doctor's lines about the network: proxy, certificates, and what names resolve to."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.cli import doctor
from kolors_mcp.cli import main as kolors_mcp

NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
SECRET = "s3cret-of-the-proxy"

Examine = Callable[..., str]


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Runs the doctor with these variables, where each name leads to these addresses and nobody listens."""

    def examined(*addresses: str, **variables: str) -> str:
        for name in (*NAMES, *(name.lower() for name in NAMES), "KOLORS_SANDBOX", "KOLORS_FETCH_PROXY"):
            monkeypatch.delenv(name, raising=False)

        def getaddrinfo(host: Any, port: Any, *_: object, **__: object) -> list[tuple[Any, ...]]:
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")
            return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(doctor, "MAX_REQUEST_SECONDS", 0)
        sound = {
            "KLING_API_KEY": "key",
            "KLING_API_BASE": "https://kling.example",
            "KOLORS_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        }
        for name, value in (sound | variables).items():
            monkeypatch.setenv(name, value)
        kolors_mcp(["doctor"])
        shown = capsys.readouterr()
        assert shown.err == ""
        assert SECRET not in shown.out
        assert "Traceback" not in shown.out
        return shown.out

    return examined


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "Kling is reached directly; links to pictures are reached directly"),
        (
            {"ALL_PROXY": f"socks5h://me:{SECRET}@proxy.example"},
            "Kling is reached through socks5://proxy.example:1080 (ALL_PROXY); links to pictures are reached directly",
        ),
        (
            {"https_proxy": f"http://me:{SECRET}@[::1]:3128", "KOLORS_FETCH_PROXY": "ENV"},
            "Kling is reached through http://[::1]:3128 (https_proxy); links to pictures are as the environment says",
        ),
        (
            {"KOLORS_FETCH_PROXY": f"https://me:{SECRET}@proxy.example"},
            "links to pictures are reached through https://proxy.example:443 (KOLORS_FETCH_PROXY)",
        ),
        ({"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": ".example"}, "Kling is reached directly"),
    ],
)
def test_the_proxies_are_shown_without_their_passwords(examine: Examine, variables: dict[str, str], line: str) -> None:
    found = next(one for one in examine("93.184.216.34", **variables).splitlines() if one.startswith("ok    proxy "))
    assert line in found


def test_a_bad_proxy_for_pictures_is_refused_by_name(examine: Examine) -> None:
    output = examine("93.184.216.34", KOLORS_FETCH_PROXY=f"ftp://me:{SECRET}@proxy.example")
    assert output.startswith("FAIL  settings          KOLORS_FETCH_PROXY names a proxy that cannot be used here.")
    output = examine("93.184.216.34", KLING_API_BASE="http://127.0.0.1:1", HTTPS_PROXY=f"ftp://{SECRET}")
    assert "\nwarn  proxy             HTTPS_PROXY names a proxy that cannot be used here." in output
    assert "FAIL  region " in output, "a server on this machine is asked without a proxy"


def test_the_certificates_are_named_by_where_they_come_from(examine: Examine, tmp_path: Path) -> None:
    import certifi  # noqa: PLC0415  (only here)

    assert "\nok    certificates      the usual ones and this system's\n" in examine("93.184.216.34")
    output = examine("93.184.216.34", SSL_CERT_FILE=certifi.where())
    assert "\nok    certificates      those of SSL_CERT_FILE\n" in output
    (tmp_path / "empty.pem").write_bytes(b"")
    output = examine("93.184.216.34", SSL_CERT_FILE=str(tmp_path / "empty.pem"))
    assert "\nFAIL  certificates      SSL_CERT_FILE names no certificates that can be read" in output
    assert "region" not in output


@pytest.mark.parametrize(
    ("addresses", "variables", "lines"),
    [
        (["93.184.216.34"], {}, ["ok    name resolution   kling.example is resolved\n"]),
        (
            ["198.18.0.5"],
            {},
            [
                'warn  name resolution   kling.example is resolved into 198.18.0.0/15 ("fake IP"',
                "put 198.18.0.0/15 into",
            ],
        ),
        (
            ["198.18.0.5", "fc00::5"],
            {},
            ["put 198.18.0.0/15,fc00::/18 into KOLORS_ALLOWED_HOSTS, or links to pictures are refused"],
        ),
        (
            ["198.18.0.5"],
            {"KOLORS_ALLOWED_HOSTS": "198.18.0.0/15"},
            ['ok    name resolution   kling.example is resolved to "fake IP" of a proxy, which KOLORS_ALLOWED_HOSTS'],
        ),
        (
            ["198.18.0.5"],
            {"KOLORS_FETCH_PROXY": "http://127.0.0.1:7890"},
            ["ok    name resolution   kling.example is resolved into 198.18.0.0/15"],
        ),
        (["64:ff9b::5db8:d822"], {}, ["ok    name resolution   kling.example is resolved over NAT64"]),
        (["64:ff9b:1::5db8:d822"], {}, ["ok    name resolution   kling.example is resolved over NAT64"]),
        (["10.0.0.1"], {}, ["warn  name resolution   kling.example is resolved to an address that is not public"]),
        (
            [],
            {},
            ["FAIL  name resolution   kling.example cannot be resolved", "set HTTPS_PROXY and KOLORS_FETCH_PROXY"],
        ),
        (
            [],
            {"HTTPS_PROXY": "http://127.0.0.1:1"},
            ["ok    name resolution   kling.example is not resolved here; the proxy does that"],
        ),
        ([], {"KLING_API_BASE": "https://127.0.0.1:1"}, ["ok    name resolution   not needed for Kling"]),
        ([], {"KLING_API_BASE": "https://[::1]:1"}, ["ok    name resolution   not needed for Kling"]),
    ],
)
def test_what_names_resolve_to_is_told_with_what_to_set(
    examine: Examine, addresses: list[str], variables: dict[str, str], lines: list[str]
) -> None:
    output = examine(*addresses, **variables)
    for line in lines:
        assert line in output
