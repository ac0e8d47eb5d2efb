"""The doctor's look at the network: proxies, certificates, and what names resolve to."""

import asyncio
from collections.abc import AsyncGenerator
from ipaddress import IPv6Network, ip_address
from urllib.parse import urlsplit

import anyio

from kolors_mcp.cli.finding import Finding, Verdict, broken
from kolors_mcp.egress.allowed import FAKE_IP_RANGES
from kolors_mcp.egress.certificates import trust_source, trusted_certificates
from kolors_mcp.egress.proxies import ENVIRONMENT, FETCH_PROXY, Proxy, proxy_for, read_proxy
from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.images.sources.network import NotPublicError, NotResolvedError, PinnedBackend
from kolors_mcp.kling.connection import HTTPS_PORT
from kolors_mcp.settings import Settings

MAX_LOOK_UP_SECONDS = 5.0
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_DIRECTLY = "reached directly"


async def network_findings(settings: Settings) -> AsyncGenerator[Finding]:
    """Look at the proxy, the certificates and the name server, one after the other."""
    parts = urlsplit(settings.api_base)
    host, port = parts.hostname or "", parts.port or HTTPS_PORT
    is_needed = parts.scheme == "https" and not settings.sandbox
    proxy: Proxy | None = None
    try:
        proxy = proxy_for("https", host, port)
        yield _proxies(settings, proxy if is_needed else None)
    except NotConfiguredError as error:
        yield Finding("FAIL" if is_needed or settings.fetch_proxy == ENVIRONMENT else "warn", "proxy", str(error))
    except Exception as error:  # noqa: BLE001  (the environment can break libraries in ways that cannot be listed)
        yield broken("proxy", error, "look at HTTPS_PROXY, ALL_PROXY and NO_PROXY")
    try:
        await asyncio.to_thread(trusted_certificates)
        source = trust_source()
        yield Finding("ok", "certificates", f"those of {source}" if source else "the usual ones and this system's")
    except NotConfiguredError as error:
        yield Finding("FAIL", "certificates", str(error))
    except Exception as error:  # noqa: BLE001  (the same)
        yield broken("certificates", error, "look at SSL_CERT_FILE and SSL_CERT_DIR")
    try:
        yield await _names(settings, host, proxied=proxy is not None)
    except Exception as error:  # noqa: BLE001  (the same)
        yield broken("name resolution", error, "look at KLING_API_BASE and this machine's name servers")


def _proxies(settings: Settings, proxy: Proxy | None) -> Finding:
    kling = _shown(proxy) if proxy else _DIRECTLY
    match settings.fetch_proxy:
        case None:
            pictures = f"{_DIRECTLY}; set {FETCH_PROXY}={ENVIRONMENT} if they are not" if proxy else _DIRECTLY
        case "env":
            pictures = f"as the environment says ({FETCH_PROXY}={ENVIRONMENT})"
        case value:
            pictures = _shown(read_proxy(value, FETCH_PROXY))
    return Finding("ok", "proxy", f"Kling is {kling}; links to pictures are {pictures}")


def _shown(proxy: Proxy) -> str:
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return f"reached through {proxy.scheme}://{host}:{proxy.port} ({proxy.source})"


async def _names(settings: Settings, host: str, *, proxied: bool) -> Finding:
    """Look up Kling's host by the way on which links to pictures are looked up."""
    if settings.sandbox or _is_written_out(host):
        return Finding("ok", "name resolution", "not needed for Kling")
    answers: list[str] = []

    async def resolver(name: str, port: int) -> list[str]:
        answers.extend(await PinnedBackend(()).resolve(name, port))
        return answers

    try:
        with anyio.fail_after(MAX_LOOK_UP_SECONDS):
            await PinnedBackend(settings.allowed_hosts, resolver).addresses(host, HTTPS_PORT)
    except (NotResolvedError, TimeoutError) as error:
        slow = f" within {MAX_LOOK_UP_SECONDS:.0f} s" if isinstance(error, TimeoutError) else ""
        if proxied:
            return Finding("ok", "name resolution", f"{host} is not resolved here{slow}; the proxy does that")
        remedy = f"look at this machine's network and name servers; behind a proxy set HTTPS_PROXY and {FETCH_PROXY}"
        return Finding("FAIL", "name resolution", f"{host} cannot be resolved{slow}", remedy)
    except NotPublicError as error:
        return _not_public(settings, host, ",".join(error.fake_ranges))
    return Finding("ok", "name resolution", f"{host} is resolved{_kind(answers)}")


def _not_public(settings: Settings, host: str, ranges: str) -> Finding:
    # With a proxy for pictures this machine does not ask for their names.
    verdict: Verdict = "ok" if settings.fetch_proxy else "warn"
    if not ranges:
        remedy = "links to pictures are refused if all names do that; ask who runs this network"
        return Finding(verdict, "name resolution", f"{host} is resolved to an address that is not public", remedy)
    remedy = (
        None if settings.fetch_proxy else f"put {ranges} into KOLORS_ALLOWED_HOSTS, or links to pictures are refused"
    )
    return Finding(verdict, "name resolution", f'{host} is resolved into {ranges} ("fake IP" of a proxy)', remedy)


def _kind(answers: list[str]) -> str:
    addresses = [ip_address(one) for one in answers]
    if any(one in held for one in addresses for held in _NAT64):
        return " over NAT64, as on networks that have IPv6 only; links to pictures work there"
    if any(one in held for one in addresses for held in FAKE_IP_RANGES):
        return ' to "fake IP" of a proxy, which KOLORS_ALLOWED_HOSTS allows'
    return ""


def _is_written_out(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." not in host
    return True
