"""What bytes are, judged by their beginning and never by a name or a header."""

import struct
from typing import Literal

from kolors_mcp.bounds import linear

Kind = Literal["JPEG", "PNG", "WebP", "HEIC", "AVIF", "GIF", "BMP", "TIFF"]

HEAD_BYTES = 4096
"""Bytes that are enough to tell; what stands behind them is never looked at."""

_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 mif2".split())
_AVIF_BRANDS = frozenset(b"avif avis".split())

# What people give by mistake, so that the refusal can say what it is.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x01\x00", "an icon file"),
    (b"\x00\x00\x02\x00", "an icon file"),
    (b"\xff\x0a", "a JPEG XL picture, which cannot be read"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture, which cannot be read"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture, which cannot be read"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture, which cannot be read"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"-----BEGIN", "a text file"),
)
_RAW = "a camera's raw file, which cannot be read here; export it as a JPEG"
_RAW_SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIU\x00", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\x00MRM")
_TIFF_ORDERS = {b"II*\x00": "<", b"MM\x00*": ">"}
_SUBFILE_TYPE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 330, 50_706
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANKS = b" \t\n\r\f\v"
_BEFORE_MARKUP = ((b"<!--", b"-->"), (b"<?xml", b">"))
"""What may stand before the first element, and how each ends."""
_ELEMENTS = (b"html", b"head", b"body", b"svg", b"meta", b"title", b"link", b"script", b"style", b"base")

_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
"""Sizes of the second header; "BM" alone begins many a text."""


@linear(b"\0\0\0\0", b"mif1", b"avif", opening=b"\0\0\xff\xffftypxxxx")
def kind_of(head: bytes) -> Kind | None:
    """Return which kind of picture begins with `head`, or None if it is none that can be read."""
    if _is_raw(head):
        return None
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return _iso_kind(head) if head[4:8] == b"ftyp" else None


@linear(b"<!---->", b"<!--", b"-->", b"<?xml>", b"<?xml", b">", b" ", b"<!doctype", b"<html", opening=b"\xef\xbb\xbf")
def is_page(head: bytes) -> bool:
    """Return whether `head` begins a web page."""
    return _first_element(head) not in (None, b"svg")


@linear(b"<!---->", b"<!--", b"<?xml>", b"<svg", b" ", b"{", b"[")
def description_of(head: bytes) -> str:
    """Return in a few words what `head` begins, if it is no picture that can be read."""
    for signature, words in _OTHERS:
        if head.startswith(signature):
            return words
    if _is_raw(head):
        return _RAW
    if head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "a video"
    element = _first_element(head)
    if element is not None:
        return "an SVG drawing, which cannot be read" if element == b"svg" else "a web page"
    if head[:1] in (b"{", b"["):
        return "a text file"
    return "no picture of a kind that can be read"


def _first_element(head: bytes) -> bytes | None:
    """Return the name of the first element of markup, a document type's being `html`; None if there is no such.

    Everything before it is passed over once, piece by piece: nothing is ever looked for again from an earlier place.
    """
    text = head[:HEAD_BYTES].lower()
    position = _past_blanks(text, len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0)
    while (
        closing := next((end for start, end in _BEFORE_MARKUP if text.startswith(start, position)), None)
    ) is not None:
        # Neither opening contains its own end, so that looking from here on finds the first end behind it.
        found = text.find(closing, position + 4)
        if found < 0:
            return None
        position = _past_blanks(text, found + len(closing))
    if text.startswith(b"<!doctype", position):
        name = _past_blanks(text, position + 9)
        named = next((one for one in (b"html", b"svg") if text.startswith(one, name)), None)
        return named if name > position + 9 else None
    if text.startswith(b"<", position):
        return next((name for name in _ELEMENTS if text.startswith(name, position + 1)), None)
    return None


@linear(b"\0\xfe\0\4\0\0\0\1\0\0\0\0", opening=b"MM\0*\0\0\0\x08\xff\xff")
def _is_raw(head: bytes) -> bool:
    """Return whether `head` begins what a camera's sensor saw: its pixels are no picture yet, its thumbnail is none.

    Most of them are TIFFs; their first directory says that it is only a small version of what stands elsewhere, or that
    the file is a DNG (Adobe's specification, tag DNGVersion).
    """
    if head.startswith(_RAW_SIGNATURES) or head[4:12] == b"ftypcrx " or (head[:4] == b"II*\0" and head[8:10] == b"CR"):
        return True
    order = _TIFF_ORDERS.get(head[:4])
    if order is None or len(head) < 10:  # noqa: PLR2004  (the header, and how many entries follow)
        return False
    (start,) = struct.unpack_from(order + "I", head, 4)
    entries = head[start + 2 : HEAD_BYTES]
    count = struct.unpack(order + "H", head[start : start + 2])[0] if len(head[start : start + 2]) == 2 else 0  # noqa: PLR2004
    places = range(0, 12 * min(count, len(entries) // 12), 12)
    found = dict(struct.unpack_from(order + "H6xI", entries, place) for place in places)
    return _DNG_VERSION in found or (found.get(_SUBFILE_TYPE) == 1 and _SUB_DIRECTORIES in found)


def _past_blanks(text: bytes, position: int) -> int:
    """Return the place of the first byte from `position` on that is not blank."""
    while position < len(text) and text[position] in BLANKS:
        position += 1
    return position


def _iso_kind(head: bytes) -> Kind | None:
    """Tell HEIC from AVIF by the brands of the file type box; the first that is known decides."""
    length = min(int.from_bytes(head[:4], "big"), len(head), HEAD_BYTES)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    if brands[0] in _AVIF_BRANDS or (brands[0] in (b"mif1", b"msf1", b"miaf") and _AVIF_BRANDS.intersection(brands)):
        return "AVIF"
    return "HEIC" if _HEIF_BRANDS.intersection(brands) else None
