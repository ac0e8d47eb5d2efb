"""Which certificates are trusted, by the variables that OpenSSL's programs know, and what is wrong with others.

Without a variable that is the list which comes along (certifi) and the system's own store, where companies put the
authority of a network that looks into connections.
"""

import os
import re
import ssl
import sys
from contextlib import suppress
from typing import NamedTuple

from kolors_mcp.errors import NotConfiguredError

FILE, FOLDERS, KEYS = "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"

_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older ones of these
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # BSD, macOS
)
"""Where systems keep their certificates, for Pythons that were built for another system than they run on."""
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+\Z")
"""How OpenSSL finds a certificate in a folder, once it needs it."""

_EXPIRED, _NOT_YET_VALID, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
"""OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_...)."""


class Fault(NamedTuple):
    """Why an encrypted connection was not made, as parts of sentences, and what to do."""

    what: str
    remedy: str
    lasts: bool = True
    """Whether the next try would meet it too."""


def trusted_certificates(*, write_keys: bool = False) -> ssl.SSLContext:
    """Read the certificates. Takes tens of milliseconds.

    Args:
        write_keys: Whether the keys of connections are written where `SSLKEYLOGFILE` says.

    Raises:
        NotConfiguredError: A variable names what cannot be used; the text names the variable.
    """
    # That of `ssl.create_default_context` but for what it takes from the environment by itself, and without the strict
    # reading of certificates that it asks for since Python 3.13: the authorities of many companies do not pass it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if source := trust_source():
        _load_named(context, source)
    else:
        import certifi  # noqa: PLC0415  (only for https)

        context.load_verify_locations(cafile=certifi.where())
        _load_system(context)
    if write_keys and (keys := os.environ.get(KEYS)):
        try:
            context.keylog_filename = keys
        except (OSError, ValueError) as error:
            raise NotConfiguredError(
                f"{KEYS} names a file that cannot be written ({type(error).__name__}). Nothing was sent. "
                "Unset it for this server."
            ) from error
    return context


def trust_source() -> str | None:
    """Return the variable that says what is trusted; None if the usual certificates and the system's are."""
    return next((name for name in (FILE, FOLDERS) if os.environ.get(name)), None)


def fault_of(error: BaseException | None) -> Fault | None:
    """Return what of TLS kept a connection from being made; None if nothing did."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _certificate_fault(error)
        if isinstance(error, ssl.SSLError):
            # Also what a server says that is just being started again.
            remedy = "Check the address, and any proxy on the way."
            return Fault("no encrypted connection could be made", remedy, lasts=False)
        error = error.__cause__ or error.__context__
    return None


def _certificate_fault(error: ssl.SSLCertVerificationError) -> Fault:
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        which = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return Fault(f"its certificate {which}", "Check this machine's clock.")
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return Fault("its certificate is for another name", "Check the address.")
    source = trust_source()
    remedy = (
        f"If your network looks into connections, add its authority's certificate to what {source} names."
        if source
        else f"If your network looks into connections, let {FILE} name a file with its authority's certificate (PEM)."
    )
    return Fault("its certificate is not trusted on this machine", remedy)


def _load_named(context: ssl.SSLContext, source: str) -> None:
    file, folders = os.environ.get(FILE) or None, os.environ.get(FOLDERS) or None
    found = bool(folders) and any(map(os.path.isdir, (folders or "").split(os.pathsep)))
    if source == FOLDERS and not found:
        # OpenSSL says nothing about a folder that is not there, and no certificate would be valid then.
        raise NotConfiguredError(
            f"{FOLDERS} names no folder. Nothing was sent. Let it name a folder of certificates, or unset it for this "
            "server."
        )
    try:
        context.load_verify_locations(cafile=file, capath=folders if found else None)
    except (OSError, ValueError) as error:  # `ssl.SSLError` is an OSError
        raise NotConfiguredError(
            f"{source} names no certificates that can be read ({type(error).__name__}). Nothing was sent. "
            "Let it name a file in PEM format, or unset it for this server."
        ) from error


def _load_system(context: ssl.SSLContext) -> None:
    """Trust what the system trusts; what of it cannot be read is left out, since the usual certificates are there."""
    if sys.platform == "win32":
        context.load_default_certs()
        return
    paths = ssl.get_default_verify_paths()
    with suppress(OSError):
        if paths.capath and any(map(_HASHED.match, os.listdir(paths.capath))):  # noqa: PTH208  (names are enough)
            # Looked into when a certificate is needed, and so free.
            context.load_verify_locations(capath=paths.capath)
            return
    for file in filter(os.path.isfile, (*filter(None, [paths.cafile]), *_SYSTEM_FILES)):
        with suppress(OSError):
            context.load_verify_locations(cafile=file)
            return
