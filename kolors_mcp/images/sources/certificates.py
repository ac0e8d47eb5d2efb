"""Which certificates a picture's server is checked with: the usual ones, or those that `SSL_CERT_FILE` names."""

import ssl
from typing import Any, cast

import httpx

from kolors_mcp.images.refusal import RefusalError


def trusted_certificates() -> ssl.SSLContext:
    """Read the certificates, by the variables that OpenSSL's programs know. Takes tens of milliseconds.

    Raises:
        RefusalError: One of the variables names something else than certificates.
    """
    try:
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError among them
        raise RefusalError(_unreadable()) from error
    # SSLKEYLOGFILE is for looking into one's own traffic; keys to other people's pictures are not written down.
    cast("Any", context).keylog_filename = None
    # What type checkers have of this says that it is always a folder.
    folder = cast("str | None", ssl.get_default_verify_paths().capath)
    if folder is None and context.cert_store_stats()["x509"] == 0:
        # Nothing was loaded, so a folder was named whose files are looked up when they are needed.
        raise RefusalError(_words("SSL_CERT_DIR", "a folder of certificates"))
    return context


def _unreadable() -> str:
    try:
        httpx.create_ssl_context(trust_env=False)
    except OSError:
        return _words("SSLKEYLOGFILE", "a file that can be written to")
    return _words("SSL_CERT_FILE", "a file of certificates")


def _words(variable: str, expected: str) -> str:
    return (
        f"cannot be fetched: {variable} does not name {expected}, and this server needs that for https. "
        "Correct or remove the variable and start the server again, or give the picture as a file."
    )
