"""Hostile input by kind: pictures, web pages, servers that drip, text in a picture's place, answers of Kling's."""

import gzip
import json
import struct
import zlib

OK = b"HTTP/1.1 200 OK\r\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *, colour: int = 2, data: bytes | None = None, before: bytes = b"") -> bytes:
    channels = {0: 1, 2: 3, 6: 4}[colour]
    if data is None:
        packing = zlib.compressobj(1)
        row = b"\0" + bytes(width * channels)
        data = _chunk(b"IDAT", b"".join(packing.compress(row) for _ in range(height)) + packing.flush())
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + data + _chunk(b"IEND", b"")


def _cut(width: int, height: int, count: int) -> bytes:
    """Make a PNG with so many empty data chunks."""
    return _png(width, height, data=_chunk(b"IDAT", zlib.compress((b"\0" + bytes(width * 3)) * height))
                + _chunk(b"IDAT", b"") * count)  # fmt: skip


def _segments(photo: bytes, count: int) -> bytes:
    return photo[:2] + b"\xff\xfe\0\2" * count + photo[2:]


def pictures(photo: bytes) -> dict[str, bytes]:
    """Bytes that come as a picture, by file, by link and in the argument itself."""
    return {
        "40 comments, then nothing": b"<!---->" * 40 + b"x",
        "100,000 openings of comments": b"<!--" * 100_000,
        "PNG with 48,000 empty data chunks": _cut(400, 400, 48_000),
        "PNG with 800,000 empty data chunks": _cut(400, 400, 800_000),
        "PNG with a million chunks": _png(400, 400, before=_chunk(b"tEXt", b"") * 1_000_000),
        "JPEG with 3,000,000 segments": _segments(photo, 3_000_000),
        "PNG of 81 megapixels with alpha": _png(9000, 9000, colour=6),
        "PNG of 49 megapixels with alpha": _png(7000, 7000, colour=6),
        "PNG of 144 megapixels": _png(12_000, 12_000, colour=0),
        "WebP that declares 268 megapixels": b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\xff\x00\x00\x00\x00",
    }


def bombs() -> dict[str, bytes]:
    """Pictures whose few bytes become many, for several calls at once."""
    return {
        "PNG of 49 megapixels with alpha": _png(7000, 7000, colour=6),
        "PNG of 88 megapixels": _png(9400, 9400),
        "PNG of 12 megapixels with alpha": _png(3400, 3400, colour=6),
    }


PAGES = {
    "openings of tags, 300 KB": b"<!doctype html>" + b"<a " * 100_000,
    "openings of comments, 2 MB": b"<!doctype html>" + b"<!--" * 500_000,
    "ends of tags, 2 MB": b"<!doctype html>" + b"</a" * 660_000,
    "marked sections": b"<!doctype html><![<![<![<!",
    "JSON nests": b'<!doctype html><script type="application/ld+json">' + b"[" * 400_000 + b"</script>",
    "attributes": b"<!doctype html><meta " + b'a="b" ' * 300_000 + b">",
}
"""Web pages behind a link."""

DRIPS: dict[str, tuple[bytes, bytes, float]] = {
    "chunks of one byte, as fast as it goes": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 5000, 0),
    "a byte every 50 ms": (OK + b"Content-Length: 9999999\r\n\r\n", b"x", 0.05),
    "a header byte by byte": (OK + b"X-A: ", b"b", 0.05),
    "headers without end": (OK, b"X-A: b\r\n" * 500, 0),
    "a body without end": (OK + b"\r\n", bytes(65_536), 0),
    "103 again and again": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100, 0),
    "chunk extensions without end": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a=b;" * 5000, 0),
}
"""What a web server sends first, what it repeats, and how long it waits between."""

ARGUMENTS = {
    "data: of 8,000,000 percent signs": "data:image/png," + "%" * 8_000_000,
    "data: of 4,000,000 escapes": "data:image/png," + "%41" * 4_000_000,
    "data: with 5 MB before its comma": "data:" + ";" * 5_000_000 + ",",
    "2,000,000 quotation marks": '"' * 2_000_000,
    "base64 of 20 MB with blanks": "/9j/" + "AAAA \n" * 3_300_000,
    "a path of a million parts": "../" * 1_000_000,
    "base64 of 19 MB": "/9j/" + "AAAA" * 6_300_000,
    "a line of 64 MB": "/9j/" + "AAAA" * 16_000_000,
    "8 MB that are no base64": "\u4e2d" * 1_300_000,
    "a link of 5 MB": "http://" + "a." * 2_500_000,
}
"""Text in the place of a picture."""

TASK = {"task_id": "842", "task_status": "succeed", "created_at": 1_800_000_000_000, "updated_at": 1_800_000_000_000}


def envelope(data: str) -> bytes:
    """Wrap JSON as Kling does."""
    return b'{"code":0,"message":"SUCCEED","request_id":"r","data":%b}' % data.encode()


def _images(count: int, length: int) -> bytes:
    images = [{"index": 0, "url": f"https://cdn.example/{number}?{'a' * length}"} for number in range(count)]
    return envelope(json.dumps({**TASK, "task_result": {"images": images}}))


def kling_answers() -> dict[str, tuple[str, bytes, bytes]]:
    """Make Kling's answers: which call gets them, further headers, and the body."""
    row = json.dumps(TASK)
    bomb = gzip.compress(bytes(256 << 20), 1)
    return {
        "an id with half a character (get)": ("get", b"", envelope('{"task_id":"842\\ud800"}')),
        "an id with half a character (list)": ("list", b"", envelope('[{"task_id":"842\\ud800"}]')),
        "an id of a megabyte": ("get", b"", envelope(json.dumps({"task_id": "8" * 1_000_000}))),
        "15 MB of empty lists": ("get", b"", envelope("[" + "[]," * 5_000_000 + "0]")),
        "1.9 MB of empty lists": ("get", b"", envelope("[" + "[]," * 630_000 + "0]")),
        "a nest of 900,000": ("get", b"", envelope("[" * 900_000)),
        "10,000 pictures": ("get", b"", _images(10_000, 100)),
        "4,000 pictures with long links": ("get", b"", _images(4_000, 3_900)),
        "130,000 rows": ("list", b"", envelope("[" + ",".join([row] * 130_000) + "]")),
        "gzip of 256 MB": ("get", b"Content-Encoding: gzip\r\n", bomb),
        "gzip in gzip of 256 MB": ("get", b"Content-Encoding: gzip, gzip\r\n", gzip.compress(bomb)),
    }
