"""What a reference is: a link, a path, or the picture itself. Its form decides, here and nowhere else."""

import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pybase64

from kolors_mcp.images.limits import MAX_FETCHED_BYTES
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sniff import kind_of
from kolors_mcp.wording import quoted

_LONGEST_PATH = 4096
_SHORTEST_BASE64 = 32
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")
_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\xab\xbb", "<>")
# Schemes that are sometimes written without slashes; any other word before a colon may be part of a file's name.
_FOREIGN = frozenset(("about", "attachment", "blob", "cid", "content", "javascript", "mailto", "sandbox"))
_HELP = "Give an https link, the path of a file, a data: URI or bare base64."

_STANDARD = bytes.maketrans(b"-_", b"+/")
_BLANKS = b" \t\r\n\f\v"


@dataclass(frozen=True)
class WebLink:
    """A picture, or a page with one, on the web."""

    url: str


@dataclass(frozen=True)
class FilePath:
    """A picture in a file, as it was written; nothing has been looked up."""

    path: str


@dataclass(frozen=True)
class InlineBytes:
    """The picture itself."""

    data: bytes
    label: str


Source = WebLink | FilePath | InlineBytes


def parse(reference: str) -> Source:
    """Return what `reference` is.

    Raises:
        RefusalError: It is nothing that a picture can be had from.
    """
    text = _unwrapped(reference)
    if not text:
        raise RefusalError(f"is empty. {_HELP}")
    scheme = _SCHEME.match(text)
    name = scheme[1].lower() if scheme else ""
    if name == "data":
        return InlineBytes(_data_uri(text), "data: URI")
    if name in ("http", "https"):
        return WebLink(text)
    if name == "file":
        return FilePath(_file_url(text))
    if scheme and (name in _FOREIGN or text[scheme.end() : scheme.end() + 2] == "//"):
        raise RefusalError(f"is a {quoted(name, 20)} link, which cannot be read here. {_HELP}")
    if _looks_like_base64(text):
        return InlineBytes(_base64(text), "base64")
    if "\0" in text or "\n" in text or len(text) > _LONGEST_PATH:
        raise RefusalError(f"is neither a link nor a path nor the base64 of a picture. {_HELP}")
    return FilePath(text)


def _unwrapped(reference: str) -> str:
    """Strip blanks and quotation marks around a reference, however they are nested."""
    text = reference.strip()
    while len(text) > 1 and text[0] + text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _looks_like_base64(text: str) -> bool:
    """Return whether `text` is base64 that begins with a picture.

    The alphabet alone would make a mistyped path base64, and the first letters alone ("/9j/") make base64 a path.
    """
    if len(text) < _SHORTEST_BASE64:
        return False
    start = re.match(r"[A-Za-z0-9+/_\-\s]*", text[:400])
    head = "".join(start[0].split()) if start else ""
    try:
        decoded = binascii.a2b_base64(head[: len(head) // 4 * 4].encode("ascii").translate(_STANDARD))
    except (binascii.Error, UnicodeEncodeError):
        return False
    if kind_of(decoded) is None:
        return False
    # Longer than any path can be, it must be base64 with something wrong in it, and is told so.
    return len(text) > _LONGEST_PATH or re.fullmatch(r"[A-Za-z0-9+/_\-=\s]+", text) is not None


def _base64(text: str) -> bytes:
    if len(text) > MAX_FETCHED_BYTES * 3 // 2:
        raise RefusalError(_too_large())
    try:
        data = pybase64.b64decode(text, validate=True)
    except ValueError:
        # The other alphabet, blanks, or padding left out: cleaning costs twenty times as much as decoding.
        try:
            raw = text.encode("ascii").translate(_STANDARD, _BLANKS).rstrip(b"=")
            data = pybase64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
        except ValueError as error:
            raise RefusalError("is base64 that is damaged or cut off. Encode the picture again.") from error
    if len(data) > MAX_FETCHED_BYTES:
        raise RefusalError(_too_large())
    return data


def _data_uri(text: str) -> bytes:
    """Read `data:[type][;parameter]...[;base64],content` (RFC 2397)."""
    header, comma, body = text[len("data:") :].partition(",")
    if not comma:
        raise RefusalError("is a data: URI without a comma, so without content. Write data:image/jpeg;base64,...")
    parameters = [parameter.strip().lower() for parameter in header.split(";")]
    if "base64" in parameters:
        return _base64(unquote(body) if "%" in body else body)
    if len(body) > MAX_FETCHED_BYTES * 3:
        raise RefusalError(_too_large())
    # Each character is a byte or an escaped one; characters that no URI has are taken as their UTF-8.
    data = unquote_to_bytes(body.encode("utf-8", "replace"))
    if len(data) > MAX_FETCHED_BYTES:
        raise RefusalError(_too_large())
    return data


def _file_url(text: str) -> str:
    rest = text[len("file:") :]
    if not rest.startswith("//"):
        return unquote(rest)
    try:
        host = urlsplit(text).netloc
    except ValueError:
        host = "?"
    if host.lower() not in ("", "localhost"):
        raise RefusalError("is a file: link to another machine. Give the path of a file on this one.")
    path = unquote(rest[2 + len(host) :])
    # file:///C:/x is C:/x
    return path[1:] if re.match(r"/[A-Za-z]:[/\\]", path) else path


def _too_large() -> str:
    return f"is larger than {MAX_FETCHED_BYTES // 1_000_000} MB. Give it as a file, or ask for a smaller version."
