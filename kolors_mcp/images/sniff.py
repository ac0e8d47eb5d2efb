"""What bytes are, judged by their beginning and never by a name or a header."""

import re
from typing import Literal

Kind = Literal["JPEG", "PNG", "WebP", "HEIC", "AVIF", "GIF", "BMP", "TIFF"]

HEAD = 4096
"""Bytes that are enough to tell."""

_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 mif2".split())
_AVIF_BRANDS = frozenset(b"avif avis".split())

# What people give by mistake, so that the refusal can say what it is.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x01\x00", "an icon file"),
    (b"\xff\x0a", "a JPEG XL picture, which cannot be read"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture, which cannot be read"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture, which cannot be read"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"-----BEGIN", "a text file"),
)
_MARKUP = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head|body|svg)",
    re.DOTALL | re.IGNORECASE,
)


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


def kind_of(head: bytes) -> Kind | None:
    """Return which kind of picture begins with `head`, or none if none that can be read."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return _iso_kind(head) if head[4:8] == b"ftyp" else None


def is_page(head: bytes) -> bool:
    """Return whether `head` begins a web page."""
    found = _MARKUP.match(head)
    return found is not None and found[1].lower() != b"svg"


def description_of(head: bytes) -> str:
    """Return in a few words what `head` begins, if it is no picture that can be read."""
    for signature, words in _OTHERS:
        if head.startswith(signature):
            return words
    if head[4:8] == b"ftyp":
        return "a video"
    found = _MARKUP.match(head)
    if found is not None:
        return "an SVG drawing, which cannot be read" if found[1].lower() == b"svg" else "a web page"
    if head[:1] in (b"{", b"["):
        return "a text file"
    return "no picture of a kind that can be read"


def _iso_kind(head: bytes) -> Kind | None:
    """Tell HEIC from AVIF by the brands of the file type box; the first that is known decides."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    if brands[0] in _AVIF_BRANDS or (brands[0] in (b"mif1", b"msf1", b"miaf") and _AVIF_BRANDS.intersection(brands)):
        return "AVIF"
    return "HEIC" if _HEIF_BRANDS.intersection(brands) else None
