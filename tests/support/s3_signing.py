"""Signatures of links into an S3-compatible store, made anew from AWS's description of them and by no library.

A store in a test takes any link, so this says whether a real one would: it makes the same of what the link asks for.
"""

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, unquote, urlsplit


def queried(url: str) -> dict[str, str]:
    """Return what stands in the query of a link."""
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def signature_of(method: str, url: str, secret: str) -> str:
    """Return the signature that a link has to carry (Signature Version 4, in the query, of its host alone)."""
    parts, asked = urlsplit(url), queried(url)
    asked.pop("X-Amz-Signature", None)
    scope = asked["X-Amz-Credential"].split("/")[1:]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(asked.items()))
    lines = [method, quote(unquote(parts.path)), query, f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD"]
    request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for word in scope:
        key = hmac.digest(key, word.encode(), "sha256")
    signed = "\n".join(("AWS4-HMAC-SHA256", asked["X-Amz-Date"], "/".join(scope), request))
    return hmac.digest(key, signed.encode(), "sha256").hex()


def is_signed(method: str, url: str, secret: str) -> bool:
    """Whether a link carries its signature."""
    return queried(url).get("X-Amz-Signature") == signature_of(method, url, secret)
