"""How far a decoder has to search in a JPEG whose structure is broken, told before it searches.

The usual decoder passes over fill byte by byte: 19 MB of it kept one busy for seconds, of a picture that is none.
"""

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.structure import steps

_SOS, _WITHOUT_LENGTH = 0xDA, frozenset((0x01, *range(0xD0, 0xDA)))


@linear(b"\0", b"\xff", b"\xff\xff\0", b"\xff\xfe\0\2", b"\xff\xfe\0\0", b"\xff\xd0", opening=b"\xff\xd8\xff\xfe\0\1")
def check_opening(content: Content) -> None:
    """Follow the markers up to the first scan as a decoder does, over whatever stands between segments.

    Raises:
        RefusalError: That takes more steps than any picture has pieces; each byte of fill is one.
    """
    budget = steps()
    position = 2
    while len(head := content.read(position, 4)) > 1:
        budget.take()
        if head[0] != 0xFF or head[1] in (0x00, 0xFF):  # noqa: PLR2004  (every marker begins with this byte)
            position += 1
        elif head[1] == _SOS:
            return
        elif head[1] in _WITHOUT_LENGTH:
            position += 2
        else:
            position += 2 + max(int.from_bytes(head[2:], "big"), 2)
