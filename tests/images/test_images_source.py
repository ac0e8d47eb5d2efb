"""What a string is gets decided by its form."""

import base64
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.reference import FilePath, InlineBytes, WebLink, parse
from tests.support.images_support import b64, encoded, heic, jpeg, png, quarters
from tests.support.preparing import refusal_of

JPEG, PNG = jpeg(), png()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://shop.example/a.png?b=c", WebLink("https://shop.example/a.png?b=c")),
        ("HTTP://SHOP.example/a", WebLink("HTTP://SHOP.example/a")),
        (" <https://shop.example/a> ", WebLink("https://shop.example/a")),
        ("\u201chttps://shop.example/a\u201d", WebLink("https://shop.example/a")),
        ("\"'<https://shop.example/a>'\"", WebLink("https://shop.example/a")),
        ("' \u00ab ~/my dress.png \u00bb '", FilePath("~/my dress.png")),
        ("\"~/dress.png'", FilePath("\"~/dress.png'")),
        ("/home/anna/Pictures/dress", FilePath("/home/anna/Pictures/dress")),
        ("/9j/photos/dress", FilePath("/9j/photos/dress")),
        ("/9j/4AAQSkZJRgABAQEAYABgAAD.png", FilePath("/9j/4AAQSkZJRgABAQEAYABgAAD.png")),
        ("iVBORw0KGgo", FilePath("iVBORw0KGgo")),
        ("~/dress.png", FilePath("~/dress.png")),
        ("'~/my dress.png'", FilePath("~/my dress.png")),
        ("C:\\Users\\Anna\\dress.png", FilePath("C:\\Users\\Anna\\dress.png")),
        ("Screenshot 12:30:11.png", FilePath("Screenshot 12:30:11.png")),
        ("photo:1.png", FilePath("photo:1.png")),
        ("file:///home/anna/my%20dress.png", FilePath("/home/anna/my dress.png")),
        ("FILE://LOCALHOST/home/anna/dress.png", FilePath("/home/anna/dress.png")),
        ("file:/home/anna/dress.png", FilePath("/home/anna/dress.png")),
        ("file:///C:/Users/dress.png", FilePath("C:/Users/dress.png")),
        ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", FilePath("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ")),
        ("data:,%89PNG", InlineBytes(b"\x89PNG", "data: URI")),
        ("data:;base64,iVBORw0K%0AGgo%3D", InlineBytes(b"\x89PNG\r\n\x1a\n", "data: URI")),
        ("Data:IMAGE/PNG;x=y;Base64,iVBORw0KGgo", InlineBytes(b"\x89PNG\r\n\x1a\n", "data: URI")),
        ("image/png;base64,iVBORw0KGgo=", InlineBytes(b"\x89PNG\r\n\x1a\n", "base64")),
        ("base64:iVBORw0KGgo=", InlineBytes(b"\x89PNG\r\n\x1a\n", "base64")),
        (";BASE64,iVBORw0K Ggo", InlineBytes(b"\x89PNG\r\n\x1a\n", "base64")),
        (f"data:image/jpeg,{b64(JPEG)}", InlineBytes(JPEG, "data: URI")),
        ("data:image/png;charset=utf-8;base64;odd=1,iVBORw0KGgo=", InlineBytes(b"\x89PNG\r\n\x1a\n", "data: URI")),
    ],
)  # fmt: skip
def test_the_form_decides(written: str, expected: object) -> None:
    assert parse(written) == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "HEIC", "WEBP", "BMP", "TIFF", "AVIF", "GIF"])
def test_bare_base64_of_every_kind_of_picture_is_known(kind: str) -> None:
    small = quarters((160, 120))
    data = heic(small) if kind == "HEIC" else encoded(small.quantize(8) if kind == "GIF" else small, kind)
    for written in (b64(data), base64.urlsafe_b64encode(data).decode().rstrip("="), base64.encodebytes(data).decode()):
        assert parse(written) == InlineBytes(data, "base64")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("", "is empty."),
        ('  "" ', "is empty."),
        ("ftp://shop.example/a.png", 'is a "ftp" link'),
        ("s3://bucket/a.png", 'is a "s3" link'),
        ("blob:https://shop.example/1", 'is a "blob" link'),
        ("javascript:alert(1)", 'is a "javascript" link'),
        ("file://server/share/a.png", "is a file: link to another machine."),
        ("file://[broken/a.png", "is a file: link to another machine."),
        ("data:image/png;base64", "is a data: URI without a comma"),
        ("data:image/png;base64,????", "is base64 that is damaged"),
        ("data:image/png;base64,iVBOR", "is base64 that is damaged"),
        (b64(JPEG)[:5000] + "\u2026", "is base64 that is damaged"),
        (b64(JPEG)[:5001], "is base64 that is damaged"),
        ("a\0b.png", "is neither a link nor a path"),
        ("a\nb.png", "is neither a link nor a path"),
        ("x." * 5000, "is neither a link nor a path"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_is_nothing_is_told_so(written: str, text: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse(written)
    assert str(refusal.value).startswith(text)


def test_base64_of_what_is_no_picture_is_told_what_it_is() -> None:
    assert "is a PDF document." in refusal_of(b"%PDF-1.7" + b" " * 5000)
    jpeg_2000 = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(5000)
    assert "is a JPEG 2000 picture, which cannot be read." in refusal_of(jpeg_2000)


@pytest.mark.parametrize(
    ("opening", "length"), [("data:;base64,", 30_000_001), ("data:;base64,", 27_000_000), ("data:,", 20_000_001)]
)
def test_what_is_too_large_is_told_so(opening: str, length: int) -> None:
    with pytest.raises(RefusalError, match=r"^is larger than 20 MB\."):
        parse(opening + "A" * length)


@settings(max_examples=200)
@given(
    st.text(max_size=60)
    | st.builds(
        "".join,
        st.lists(
            st.sampled_from(
                (
                    "data:",
                    "base64",
                    ";",
                    ",",
                    "%",
                    "%00",
                    "http",
                    "://",
                    "file:",
                    "/",
                    "\\",
                    '"',
                    "'",
                    "=",
                    "/9j/4AAQSkZJRg",
                    "iVBORw0KGgo",
                    "A" * 40,
                    ":",
                    "[",
                    "]",
                    "\n",
                    "~",
                    "..",
                )
            ),
            max_size=12,
        ),
    )
)
def test_any_text_is_a_source_or_one_refusal(text: str) -> None:
    with suppress(RefusalError):
        assert isinstance(parse(text), WebLink | FilePath | InlineBytes)


ESCAPED = st.lists(
    st.sampled_from(["%", "%%%%", "%4", "%41", "%3d", "%zz", "%0A", "=", "=41", "=\n", "\r\n", "_", " ", "\0", "\xe9"])
).map("".join)


@given(ESCAPED)
def test_escapes_are_read_as_the_standard_library_reads_them(text: str) -> None:
    assert parse(f"data:,{text}.") == InlineBytes(unquote_to_bytes(text.encode() + b"."), "data: URI")


def test_escapes_across_slices_are_read_whole() -> None:
    for before in range(4):
        text = "a" * before + "%4a=" * 100_000
        assert parse(f"data:,{text}") == InlineBytes(b"a" * before + b"J=" * 100_000, "data: URI")
