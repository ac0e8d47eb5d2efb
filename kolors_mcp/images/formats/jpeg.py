"""Reads the structure of a JPEG from its first marker to its last, without decoding it.

The marker and table rules are those of ITU-T T.81, annex B; what is accepted is what the usual decoder accepts.
"""

import re
from dataclasses import dataclass, field

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.content import Content, Span, joined
from kolors_mcp.images.formats.exif import orientation
from kolors_mcp.images.formats.icc import MAX_SEGMENTS, is_srgb, joined_segments
from kolors_mcp.images.formats.jpeg_tables import Frame, Scan, Tables, read_frame, read_scan
from kolors_mcp.images.formats.structure import BrokenError, Parts, Structure, steps
from kolors_mcp.images.limits import MAX_SCANS
from kolors_mcp.images.refusal import cut_off

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2

# Inside a scan 0xFF is followed by 0x00 (a stuffed byte) or D0 to D7 (a restart); anything else ends the scan.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_GOES_ON = frozenset((0x00, *range(0xD0, 0xD8)))

_JFIF_PAYLOAD, _ADOBE_PAYLOAD = 14, 12
_PLAIN_JFIF = b"\x00\x00\x01\x00\x01\x00\x00"
"""What follows the version in a header that says nothing more: square pixels, no thumbnail."""
_MAX_PARTS = 1_000
"""Most parts of a JPEG that travels as it is, since each is read on its own. Cameras and programs make fewer than ten:
only metadata between tables and scans parts them."""


@linear(
    b"\xff", b"\xff\xff\xfe\0\2", b"\xff\xe1\0\x08Exif\0\0", b"\xff\xe2\0\x0eICC_PROFILE\0", b"\xff\xe0\0\x07JFIF\0",
    b"\xff\xee\0\x07Adobe", b"\xff\xdd\0\4\0\0", b"\xff\xdb\0\x43" + bytes(65), b"\xff\xc4\0\x13" + bytes(17),
    opening=b"\xff\xd8",
)  # fmt: skip
def read_structure(content: Content) -> Structure:
    """Return what of a JPEG is picture.

    Raises:
        BrokenError: The structure does not hold together.
        RefusalError: It declares more picture than it brings.
    """
    return _Reader(content).run()


@linear(b"\xff\xda", b"\xff", b"\xda")
def count_scans(content: Content) -> int:
    """Return at most how many scans a JPEG has, however broken it is."""
    count, carried = 0, b""
    for _, piece in content.slices(0):
        data = carried + bytes(piece)
        count += data.count(b"\xff\xda")
        carried = b"\xff" if data[-1:] == b"\xff" else b""
    return count


@dataclass
class _Colours:
    """What the markers say about how the components are colours."""

    jfif: bool = False
    adobe: int | None = None
    icc: list[bytes] = field(default_factory=list[bytes])
    exifs: int = 0
    turn: int = 1


class _Reader:
    def __init__(self, content: Content) -> None:
        self._content = content
        self._parts = Parts(checked=not content.fixed)
        self._readable: list[Span] = [(0, 2)]
        self._steps = steps()
        self._tables = Tables(self._steps)
        self._colours = _Colours()
        self._frame: Frame | None = None
        self._scans: list[Scan] = []
        self._sound: dict[bytes, Scan] = {}  # by their headers, which stay sound: tables are only added
        self._scan_bytes = 0

    def run(self) -> Structure:
        if self._content.read(0, 2) != b"\xff\xd8":
            raise BrokenError("no start marker")
        self._parts.span(0, b"\xff\xd8")
        position = 2
        while True:
            self._steps.take()
            position, code = self._marker(position)
            if code == _EOI:
                return self._finish(position)
            position = self._segment(position, code)

    def _marker(self, position: int) -> tuple[int, int]:
        """Return where a marker begins, its fill bytes skipped, and its code."""
        head = self._content.read(position, 2)
        if head == b"\xff\xff":
            position = self._end_of_fill(position)
            head = self._content.read(position, 2)
        if len(head) < 2 or head[0] != 0xFF:  # noqa: PLR2004  (every marker begins with this byte)
            raise BrokenError("no marker where one should be")
        return position, head[1]

    def _end_of_fill(self, start: int) -> int:
        """Return where the last of the 0xFF bytes from `start` on stands; there may be megabytes of them."""
        for offset, piece in self._content.slices(start):
            others = len(bytes(piece).lstrip(b"\xff"))
            if others:
                return offset + len(piece) - others - 1
        raise BrokenError("nothing but fill bytes")

    def _segment(self, position: int, code: int) -> int:
        """Keep or drop the segment at `position`; return where the next one begins."""
        if not (_BASELINE <= code <= _PROGRESSIVE or code in (_DHT, _SOS, _DQT, _DRI, _COM) or _APP0 <= code <= _APP15):
            # Also the rarer ways of coding: arithmetic, lossless, hierarchical, a height that comes later.
            raise BrokenError(f"marker {code:02X}")
        head = self._content.read(position + 2, 2)
        length = int.from_bytes(head, "big")
        end = position + 2 + length
        if len(head) < 2 or length < 2 or end > self._content.size:  # noqa: PLR2004  (the length counts itself)
            raise BrokenError("a segment is longer than the file")
        if code == _COM or code >= _APP0:
            self._metadata(position, code, length - 2)
            return end
        segment = self._content.read(position, 2 + length)
        payload = segment[4:]
        self._parts.span(position, segment)
        self._readable.append((position, end))
        if code == _DQT:
            self._tables.add_quantization(payload)
        elif code == _DHT:
            self._tables.add_huffman(payload)
        elif code == _DRI:
            if len(payload) != 2:  # noqa: PLR2004  (one 16-bit number)
                raise BrokenError("restart interval")
        elif code == _SOS:
            return self._scan(end, payload)
        else:
            if self._frame is not None:
                raise BrokenError("two frames")
            self._frame = read_frame(payload, progressive=code == _PROGRESSIVE)
        return end

    def _metadata(self, position: int, code: int, length: int) -> None:
        """Note what a segment says about orientation and colour; keep only what the colours depend on.

        A decoder is shown no EXIF: the usual one joins all of them, and reads what every entry points to.
        """
        if code not in (_APP0, _APP1, _APP2, _APP14) or self._scans:
            return
        segment = self._content.read(position, 4 + length)
        payload, colours = segment[4:], self._colours
        if code == _APP0 and payload[:5] == b"JFIF\x00" and length >= _JFIF_PAYLOAD and not colours.jfif:
            colours.jfif = True
            self._readable.append((position, position + 4 + length))
            if length == _JFIF_PAYLOAD and payload[7:] == _PLAIN_JFIF:
                self._parts.span(position, segment)
            else:  # a resolution in dots per inch, or a thumbnail
                self._parts.literal(b"\xff\xe0\x00\x10" + payload[:7] + _PLAIN_JFIF)
        elif code == _APP1 and payload[:6] == b"Exif\x00\x00":
            colours.exifs += 1
            if colours.exifs == 1:
                colours.turn = orientation(payload)
        elif code == _APP2 and payload[:12] == b"ICC_PROFILE\x00":
            if len(colours.icc) <= MAX_SEGMENTS:  # one too many is kept, so that it shows
                colours.icc.append(payload[12:])
                self._readable.append((position, position + 4 + length))
        elif code == _APP14 and payload[:5] == b"Adobe" and length >= _ADOBE_PAYLOAD and colours.adobe is None:
            colours.adobe = payload[11]
            self._readable.append((position, position + 4 + length))
            if length == _ADOBE_PAYLOAD:
                self._parts.span(position, segment)
            else:
                self._parts.literal(b"\xff\xee\x00\x0e" + payload[:_ADOBE_PAYLOAD])

    def _scan(self, start: int, payload: bytes) -> int:
        """Check a scan's header and pass over its data; return where the marker behind it begins."""
        if self._frame is None:
            raise BrokenError("a scan before the frame")
        scan = self._sound[payload] = self._sound.get(payload) or read_scan(payload, self._frame, self._tables)
        self._scans.append(scan)
        end = self._end_of_scan(start)
        self._readable.append((start, end))
        self._scan_bytes += end - start
        return end

    def _end_of_scan(self, start: int) -> int:
        open_end = False  # whether the byte before this slice was an 0xFF whose meaning this slice tells
        for offset, piece in self._content.slices(start):
            if open_end:
                if piece[0] not in _GOES_ON:
                    return offset - 1
                self._parts.span(offset - 1, b"\xff")
            found = _END_OF_SCAN.search(piece)
            if found is not None:
                self._parts.span(offset, piece[: found.start()])
                return offset + found.start()
            open_end = piece[-1] == 0xFF  # noqa: PLR2004  (a marker's first byte)
            self._parts.span(offset, piece[:-1] if open_end else piece)
        raise BrokenError("the scan has no end")

    def _finish(self, position: int) -> Structure:
        frame, scans = self._frame, self._scans
        if frame is None or not scans:
            raise BrokenError("no picture")
        if {index for scan in scans if scan.first for index in scan.components} != set(range(len(frame.components))):
            raise BrokenError("a component is missing")
        if not frame.progressive and sum(len(scan.components) for scan in scans) != len(frame.components):
            raise BrokenError("a component twice")
        # A block takes a bit for its mean and, unless that comes later, one to say that nothing follows.
        if self._scan_bytes * 8 < frame.blocks * (1 if frame.progressive else 2):
            raise cut_off(frame.width, frame.height)
        self._parts.span(position, b"\xff\xd9")
        return Structure(
            media_type="image/jpeg",
            width=frame.width,
            height=frame.height,
            parts=self._parts.parts,
            size=self._parts.size,
            checksum=self._parts.checksum,
            digest=self._parts.digest,
            reencode_reason=self._reencode_reason(frame),
            scans=len(scans),
            progressive=frame.progressive,
            readable=joined((*self._readable, (position, position + 2))),
            turn=self._colours.turn,
        )

    def _reencode_reason(self, frame: Frame) -> str | None:
        colours, components = self._colours, frame.components
        if colours.turn != 1 or colours.exifs > 1:
            return "orientation"
        if len(components) not in (1, 3):
            return "colour space"
        if len(components) == 3:  # noqa: PLR2004  (red, green, blue in one form or another)
            ids = tuple(component.identifier for component in components)
            # Without a word about it decoders take these ids for luminance and colour differences; other ids
            # they guess from, each in its way.
            ordinary = colours.jfif or colours.adobe == 1 or ids == (1, 2, 3)
            if not ordinary or colours.adobe not in (None, 1) or ids == (0x52, 0x47, 0x42):
                return "colour transform"
        if not frame.usual_sampling:
            return "sampling"
        if colours.icc and not is_srgb(joined_segments(colours.icc), channels=len(components)):
            return "colour profile"
        many = {"scans": len(self._scans) > MAX_SCANS, "pieces": len(self._parts.parts) > _MAX_PARTS}
        return next((name for name, too_many in many.items() if too_many), None)
