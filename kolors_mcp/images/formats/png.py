"""Reads the structure of a PNG from its signature to its end, checking every checksum, without making pixels of it.

Checksums prove that the bytes are as they were written. That they are a picture is proved by inflating them, in
slices that are thrown away: they must come to exactly the rows the header declares. (PNG, third edition.)
"""

import struct
import zlib

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.content import SLICE, Content, Span, joined
from kolors_mcp.images.formats.exif import orientation
from kolors_mcp.images.formats.icc import embedded_profile, is_srgb
from kolors_mcp.images.formats.png_frame import covers_all, first_frame
from kolors_mcp.images.formats.structure import BrokenError, Parts, Structure, steps
from kolors_mcp.images.limits import MAX_DECODED_PIXELS
from kolors_mcp.images.refusal import RefusalError, cut_off, too_many_pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_GREY, _RGB, _PALETTE = 0, 2, 3
_FILTERS = bytes(range(5))
_USUAL_GAMMA = range(43_000, 48_000)
"""1/2.2 in the format's unit of 1/100000, as programs round it; it is how sRGB is written there."""
_USUAL_CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_CHROMATICITY_TOLERANCE = 500

# What decides about colours, and which way is up; a decoder is shown the first beside the picture itself.
_COLOURS = frozenset((b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP"))
_TELLING = _COLOURS | {b"eXIf"}
_MAX_TELLING_BYTES = 8_000_000


_START = _SIGNATURE + bytes.fromhex("0000000d 49484452 00000190 00000190 10 02 00 00 00 5f4d7dd8")
"""A PNG of 400 x 400 pixels, 16 bits a channel, up to the end of its header; for what makes hostile ones."""


@linear(
    b"\0\0\0\0IDAT\x35\xaf\x06\x1e", b"\0\0\0\0tEXt" + bytes(4), b"\0\0\0\4eXIf" + bytes(8), b"\0\0\0\1iCCP" + bytes(5),
    b"\0\0\0\0acTL" + bytes(4), opening=_START, closing=b"\0\0\0\0IEND\xaeB`\x82",
)  # fmt: skip
def read_structure(content: Content) -> Structure:
    """Return what of a PNG is picture.

    Raises:
        BrokenError: The structure does not hold together, or its rows are not there.
        RefusalError: It declares more than can be opened, or is cut off.
    """
    return _Reader(content).run()


@linear(b"\0\0\0\0IDAT\x35\xaf\x06\x1e", b"\0\0\0\x05fdAT" + bytes(9), opening=_START)
def first_shown(content: Content) -> tuple[Content, Structure] | None:
    """Return what browsers show first of an animation, as a PNG of its own; None if that is the still picture."""
    frame = first_frame(content)
    if frame is None:
        return None
    try:
        return frame, read_structure(frame)
    except (BrokenError, RefusalError):
        return None  # what is damaged is not shown


class _Reader:
    def __init__(self, content: Content) -> None:
        self._content = content
        self._parts = Parts(checked=not content.fixed)
        self._readable: list[Span] = []
        self._told: dict[bytes, bytes] = {}
        self._animated = False
        self._is_still_shown: bool | None = None
        self._has_palette = False
        self._has_data = False
        self._steps = steps()

    def run(self) -> Structure:
        content = self._content
        head = content.read(0, 33)
        if len(head) < 33 or head[:8] != _SIGNATURE or head[8:16] != b"\0\0\0\x0dIHDR":  # noqa: PLR2004  (fixed layout)
            raise BrokenError("no header")
        if zlib.crc32(head[12:29]) != int.from_bytes(head[29:], "big"):
            raise BrokenError("checksum")
        width, height, depth, colour, method, filtering, interlaced = struct.unpack(">IIBBBBB", head[16:29])
        if depth not in _DEPTHS.get(colour, ()) or method or filtering or interlaced > 1 or not (width and height):
            raise BrokenError("header")
        if width * height > MAX_DECODED_PIXELS:
            raise too_many_pixels(width, height, MAX_DECODED_PIXELS)
        self._parts.span(0, head)
        self._readable.append((0, 33))
        # Interlaced rows come in seven passes; a decoder is left to judge those.
        rows = None if interlaced else _Rows(width * _CHANNELS[colour] * depth, height)
        position = 33
        previous = b"IHDR"
        while previous != b"IEND":
            self._steps.take()
            position, previous = self._chunk(position, previous, colour, rows)
        if not self._has_data or (colour == _PALETTE and not self._has_palette):
            raise BrokenError("no picture")
        if rows is not None:
            rows.finish(width, height)
        return Structure(
            media_type="image/png",
            width=width,
            height=height,
            parts=self._parts.parts,
            size=self._parts.size,
            checksum=self._parts.checksum,
            digest=self._parts.digest,
            reencode_reason=self._reencode_reason(colour, depth, interlaced=bool(interlaced)),
            animated=self._animated,
            readable=joined(self._readable),
            turn=self._turn(),
            colour_codes=(codes[0], codes[1]) if len(codes := self._told.get(b"cICP", b"")) == 4 else None,  # noqa: PLR2004
        )

    def _chunk(self, position: int, previous: bytes, colour: int, rows: "_Rows | None") -> tuple[int, bytes]:
        """Check, and keep or drop, the chunk at `position`; return where the next begins, and this one's name."""
        head = self._content.read(position, 8)
        if len(head) < 8:  # noqa: PLR2004  (length and name)
            raise BrokenError("no end")
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        end = position + 12 + length
        if end > self._content.size or not (name.isalpha() and name.isascii()):
            raise BrokenError("a chunk is longer than the file")
        if name[0] & 0x20:  # a small first letter: not needed to show the picture
            self._ancillary(position, end, name)
            return end, name
        if name == b"IDAT":
            if self._has_data and previous != b"IDAT":
                raise BrokenError("the data is interrupted")
            self._has_data = True
        elif name == b"PLTE":
            if self._has_palette or self._has_data or length % 3 or not 3 <= length <= 768:  # noqa: PLR2004  (1 to 256 colours)
                raise BrokenError("palette")
            self._has_palette = True
        elif name != b"IEND" or length:
            raise BrokenError("unknown chunk")
        # A palette beside full colours is only advice to small screens, and data without a byte is nothing at all.
        keep = length > 0 if name == b"IDAT" else name != b"PLTE" or colour == _PALETTE
        if keep:
            self._readable.append((position, end))
            self._parts.span(position, head)
        self._check(position, end, name, rows if name == b"IDAT" else None, keep=keep)
        return end, name

    def _ancillary(self, position: int, end: int, name: bytes) -> None:
        """Note what a chunk says about colours and orientation; none of them is kept."""
        if name == b"acTL" and not self._has_data:  # later it means nothing
            self._animated = True
        if name == b"fcTL" and self._animated and self._is_still_shown is None:
            self._is_still_shown = not (self._has_data and covers_all(self._content, position))
        if name not in _TELLING or end - position > _MAX_TELLING_BYTES or name in self._told:
            return
        data = self._content.read(position + 8, end - position - 8)
        # A text that is damaged is dropped like a sound one; damaged colours are as good as none.
        if zlib.crc32(data[:-4], zlib.crc32(name)) == int.from_bytes(data[-4:], "big"):
            self._told[name] = data[:-4]
            if name in _COLOURS:
                self._readable.append((position, end))

    def _check(self, position: int, end: int, name: bytes, rows: "_Rows | None", *, keep: bool) -> None:
        checksum = zlib.crc32(name)
        for start in range(position + 8, end - 4, SLICE):
            piece = self._content.read(start, min(SLICE, end - 4 - start))
            checksum = zlib.crc32(piece, checksum)
            if keep:
                self._parts.span(start, piece)
            if rows is not None:
                rows.feed(piece)
        stored = self._content.read(end - 4, 4)
        if checksum != int.from_bytes(stored, "big"):
            raise BrokenError("checksum")
        if keep:
            self._parts.span(end - 4, stored)

    def _reencode_reason(self, colour: int, depth: int, *, interlaced: bool) -> str | None:
        told = self._told
        if self._is_still_shown is False:
            return "animation"
        if self._turn() != 1:
            return "orientation"
        if colour not in (_GREY, _RGB) or b"tRNS" in told:
            return "palette" if colour == _PALETTE else "transparency"
        if depth != 8:  # noqa: PLR2004  (bits)
            return "depth"
        if interlaced:
            return "interlacing"
        return None if self._looks_srgb(1 if colour == _GREY else 3) else "colour profile"

    def _turn(self) -> int:
        return orientation(self._told.get(b"eXIf", b""))

    def _looks_srgb(self, channels: int) -> bool:
        """Judge by the chunk that counts most: cICP, then iCCP, then sRGB, then gAMA and cHRM."""
        told = self._told
        if b"cICP" in told:
            return told[b"cICP"][:2] == b"\x01\x0d"
        if b"iCCP" in told:
            return is_srgb(embedded_profile(told[b"iCCP"]), channels=channels)
        if b"sRGB" in told:
            return True
        gamma = int.from_bytes(told.get(b"gAMA", (45455).to_bytes(4, "big")), "big")
        chromaticities = told.get(b"cHRM", b"")
        usual = len(chromaticities) != 32 or all(  # noqa: PLR2004  (eight numbers)
            abs(found - expected) <= _CHROMATICITY_TOLERANCE
            for found, expected in zip(struct.unpack(">8I", chromaticities), _USUAL_CHROMATICITIES, strict=True)
        )
        return gamma in _USUAL_GAMMA and (usual or channels == 1)


class _Rows:
    """Inflates the rows of a picture, looks at each one's filter, and throws them away."""

    def __init__(self, bits: int, height: int) -> None:
        self._stride = 1 + (bits + 7) // 8
        self._expected = self._stride * height
        self._inflater = zlib.decompressobj()
        self._seen = 0

    def feed(self, data: bytes) -> None:
        try:
            while data:
                if self._inflater.eof:
                    raise BrokenError("data behind the picture")
                out = self._inflater.decompress(data, 1 << 20)
                # The first row begins at 0; the first that begins in here, this many bytes on.
                filters = out[-self._seen % self._stride :: self._stride]
                self._seen += len(out)
                if self._seen > self._expected or filters.translate(None, _FILTERS):
                    raise BrokenError("rows")
                data = self._inflater.unconsumed_tail or self._inflater.unused_data
        except zlib.error as error:
            raise BrokenError("data") from error

    def finish(self, width: int, height: int) -> None:
        if self._seen < self._expected:
            raise cut_off(width, height)
        if not self._inflater.eof:
            raise BrokenError("data")
