"""What a reference is: a link, a path, or the picture itself. Its form decides, here and nowhere else."""

import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote

import pybase64

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.sniff import BLANKS, kind_of
from kolors_mcp.images.limits import MAX_FETCHED_BYTES
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.attachments import INSTEAD, SCHEMES
from kolors_mcp.images.sources.paths import MAX_PATH_CHARACTERS
from kolors_mcp.images.sources.photos import photo_name
from kolors_mcp.images.sources.wrapping import unwrapped
from kolors_mcp.pictures import InlinePicture
from kolors_mcp.wording import quoted

_MIN_BASE64_CHARACTERS = 32
_HEAD_CHARACTERS = 400
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{1,30}+):")
_DRIVE = re.compile(r"/[A-Za-z]:[/\\]")
# Schemes that are sometimes written without slashes; any other word before a colon may be part of a file's name.
_FOREIGN = frozenset(("about", "javascript", "mailto", *SCHEMES))
# "//cdn.shop.example/a.jpg", as pages write links; a name without a dot may be another machine's.
_SCHEMELESS = re.compile(r"//(?!wsl\.localhost)(?:[A-Za-z0-9_-]{1,63}\.){1,20}[A-Za-z]{2,63}\.?(?::[0-9]{1,5})?[/?#]")
_ONE_SLASH = re.compile(r"https?:/(?=[A-Za-z0-9])", re.IGNORECASE)
_LINK_INSIDE = re.compile(r"\bhttps?://[^/\s]", re.IGNORECASE)
# A data: URI without its scheme: "image/jpeg;base64,...", "base64,...".
_HEADLESS = re.compile(
    r"(?:image/[A-Za-z0-9.+-]{1,40}+)?+(?:;[A-Za-z0-9=._-]{1,40}+){0,4}?;?+base64[,:]", re.IGNORECASE
)
_HELP = "Give an https link, the path of a file, a data: URI or bare base64."

_MAX_HEADER_CHARACTERS = 4096
"""Characters of a `data:` URI before its comma; a type and a few parameters are below a hundred."""
_SLICE = 64 * 1024
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_STANDARD = bytes.maketrans(b"-_", b"+/")


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


@dataclass(frozen=True)
class KeptPhoto:
    """A photo that the user keeps, by its name."""

    name: str


Source = WebLink | FilePath | InlineBytes | KeptPhoto


@linear(
    *(b"%", b"%41", b"%0", b'"', b"'", b"<", b" ", b"\n", b"a", b"A", b"9", b"/", b"../", b":", b";", b",", b"="),
    *(b"{", b"[", b'{"a":', b"\xc3\xa9", b"\xcc\x81\xcc\xa3", b"\0", b"\\"),
)
def parse(reference: str) -> Source:
    """Return what `reference` is.

    Raises:
        RefusalError: It is nothing that a picture can be had from.
    """
    text = unwrapped(reference)
    if not text:
        raise RefusalError(f"is empty. {_HELP}")
    text = f"https:{text}" if _SCHEMELESS.match(text) else text
    scheme = _SCHEME.match(text)
    name = scheme[1].lower() if scheme else ""
    if name == "data":
        return InlineBytes(_data_uri(text), "data: URI")
    if name in ("http", "https"):
        return WebLink(_link(text))
    if name == "file":
        return FilePath(_file_url(text))
    kept = photo_name(text)
    if kept is not None:  # before a file of that name, which "./" before it names
        return KeptPhoto(kept)
    if scheme and (name in _FOREIGN or text[scheme.end() : scheme.end() + 2] == "//"):
        why = "of a picture that only its chat or page has, which does not reach this server"
        what = (why, INSTEAD) if name in SCHEMES else ("which cannot be read here", _HELP)
        raise RefusalError(f"is a {quoted(name, 20)} link, {what[0]}. {what[1]}")
    start = head.end() if (head := _HEADLESS.match(text)) else 0
    if start or _looks_like_base64(text):
        return InlineBytes(_base64(text, start), "base64")
    return _path(text)


def parse_inline(picture: InlinePicture) -> Source:
    """Return what `parse` returns of its text, whose base64 is not read again.

    Raises:
        RefusalError: As `parse`.
    """
    if not picture.head and kind_of(picture.data[: _HEAD_CHARACTERS // 4 * 3]) is None:
        return parse(picture.text)  # letters and digits that are no picture may be meant as anything
    if len(picture.data) > MAX_FETCHED_BYTES:
        raise RefusalError(_too_large())
    return InlineBytes(picture.data, "data: URI" if picture.head else "base64")


def _path(text: str) -> FilePath:
    if _LINK_INSIDE.search(text[:MAX_PATH_CHARACTERS]):
        raise RefusalError("is a link among other words. Give the link alone.")
    if "\0" in text or "\n" in text or len(text) > MAX_PATH_CHARACTERS:
        raise RefusalError(f"is neither a link nor a path nor the base64 of a picture. {_HELP}")
    return FilePath(text)


def _link(text: str) -> str:
    """Return a link as it was meant: with both its slashes, and without HTML's way to write "&"."""
    return _ONE_SLASH.sub(lambda found: found[0] + "/", text, count=1).replace("&amp;", "&")


def _looks_like_base64(text: str) -> bool:
    """Return whether `text` is base64, by two of three signs: a picture's beginning, its length, its alphabet.

    The alphabet alone would make a mistyped path base64, and the first letters alone ("/9j/") make base64 a path.
    """
    signs = (_begins_as_picture(text), len(text) > MAX_PATH_CHARACTERS)
    return all(signs) or (any(signs) and re.fullmatch(r"[A-Za-z0-9+/_\-=\s]+", text) is not None)


def _begins_as_picture(text: str) -> bool:
    start = re.match(r"[A-Za-z0-9+/_\-\s]*", text[:_HEAD_CHARACTERS])
    head = "".join(start[0].split()) if start and len(text) >= _MIN_BASE64_CHARACTERS else ""
    try:
        decoded = binascii.a2b_base64(head[: len(head) // 4 * 4].encode("ascii").translate(_STANDARD))
    except (binascii.Error, UnicodeEncodeError):
        return False
    return kind_of(decoded) is not None


@linear(b"A", b"A ", b"A\n", b"=", b"-_", b"?", b"\xc3\xa9", b" ")
def _base64(text: str | bytes, start: int = 0) -> bytes:
    """Read base64 from `start` on."""
    if len(text) - start > MAX_FETCHED_BYTES * 3 // 2:
        raise RefusalError(_too_large())
    try:
        data = pybase64.b64decode(text[start:], validate=True)
    except ValueError:
        # The other alphabet, blanks, or padding left out: cleaning costs twenty times as much as decoding.
        try:
            data = pybase64.b64decode(_cleaned(text, start), validate=True)
        except ValueError as error:
            raise RefusalError("is base64 that is damaged or cut off. Encode the picture again.") from error
    if len(data) > MAX_FETCHED_BYTES:
        raise RefusalError(_too_large())
    return data


@linear(b"A", b"A ", b"=", b"-_", b" ")
def _cleaned(text: str | bytes, start: int = 0) -> bytearray:
    """Return base64 in its ordinary alphabet, without blanks, padded. In slices: so there is one copy of it, not three.

    Raises:
        ValueError: A character belongs to neither alphabet (UnicodeEncodeError).
    """
    data = bytearray()
    for at in range(start, len(text), _SLICE):
        piece = text[at : at + _SLICE]
        data += (piece if isinstance(piece, bytes) else piece.encode("ascii")).translate(_STANDARD, BLANKS)
    del data[len(data.rstrip(b"=")) :]
    data += b"=" * (-len(data) % 4)
    return data


@linear(b";", b"%", b"%41", b"%4", b"a", b"\xc3\xa9", b";base64", b" ", opening=b"data:,")
def _data_uri(text: str) -> bytes:
    """Read `data:[type][;parameter]...[;base64],content` (RFC 2397); a picture's base64 is known without the word."""
    comma = text.find(",", 0, _MAX_HEADER_CHARACTERS)
    if comma < 0:
        raise RefusalError("is a data: URI without a comma near its beginning. Write data:image/jpeg;base64,...")
    parameters = [parameter.strip().lower() for parameter in text[len("data:") : comma].split(";")]
    if "base64" not in parameters and not _begins_as_picture(text[comma + 1 : comma + 1 + _HEAD_CHARACTERS]):
        return _unescaped(text, comma + 1)
    if text.find("%", comma) < 0:
        return _base64(text, comma + 1)
    return _base64(_unescaped(text, comma + 1, MAX_FETCHED_BYTES * 3 // 2))


@linear(b"%", b"%41", b"%4", b"%%", b"a", b"\xc3\xa9", b"\xf0\x9f\x91\x97")
def _unescaped(text: str, start: int = 0, most: int = MAX_FETCHED_BYTES) -> bytes:
    """Return the bytes from `start` on: each character is a byte or an escaped one ("%41").

    Characters that no URI has are taken as their UTF-8. In slices, since each lone "%" becomes an object for a moment.
    """
    data = bytearray()
    while start < len(text):
        stop = min(start + _SLICE, len(text))
        if stop < len(text):
            # An escape is not cut in two.
            cut = text.find("%", stop - 2, stop)
            stop = stop if cut < 0 else cut
        data += _without_escapes(text[start:stop].encode("utf-8", "replace"))
        if len(data) > most:
            raise RefusalError(_too_large())
        start = stop
    return bytes(data)


def _without_escapes(piece: bytes) -> bytes:
    """Read escapes by what reads quoted-printable, where "=" stands for "%".

    `unquote_to_bytes` takes six times as long.
    """
    # What begins no escape is written as one. Most of a run of "%" goes by two replacements, which are cheap.
    piece = piece.replace(b"%%", b"%25%").replace(b"%%", b"%25%")
    piece = _NO_ESCAPE.sub(b"%25", piece)
    return binascii.a2b_qp(piece.replace(b"=", b"=3D").replace(b"%", b"="))


@linear(b"/", b"%2f", b"%", b"a", b"../", b"\xcc\x81\xcc\xa3", b"[", b"@", opening=b"file://")
def _file_url(text: str) -> str:
    if len(text) > MAX_PATH_CHARACTERS * 3:  # each character may be escaped
        raise RefusalError(f"is a file: link too long for any path. {_HELP}")
    rest = text[len("file:") :]
    if not rest.startswith("//"):
        return unquote(rest)
    host = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    if host.lower() not in ("", "localhost"):
        raise RefusalError("is a file: link to another machine. Give the path of a file on this one.")
    path = unquote(rest[2 + len(host) :])
    return path[1:] if _DRIVE.match(path) else path  # file:///C:/x is C:/x


def _too_large() -> str:
    return f"is larger than {MAX_FETCHED_BYTES // 1_000_000} MB. Give it as a file, or ask for a smaller version."
