"""What decoding a picture may take: told before it begins, kept low while it runs, and bounded by the system."""

import struct
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from kolors_mcp.errors import PictureRefusedError
from tests.support.decoding import Place, high_water
from tests.support.hostile_pictures import zeros
from tests.support.images_support import BMP_BOMB, opened, riff

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.pictures.aclose()


LOSSLESS = b"/" + struct.pack("<I", 8_999 | 8_999 << 14) + bytes(20)
TOO_LARGE = {
    "WebP": (riff(b"VP8L" + struct.pack("<I", len(LOSSLESS)) + LOSSLESS), "9000 x 9000", 20),
    "BMP": (
        b"BM" + BMP_BOMB.replace(struct.pack("<i", 60_000), struct.pack("<i", 9_400)) + bytes(50),
        "9400 x 9400",
        57,
    ),
}


async def test_what_would_take_too_much_memory_is_refused_before_it_is_decoded(
    place: Place, subtests: pytest.Subtests
) -> None:
    for kind, (data, size, most) in TOO_LARGE.items():
        with subtests.test(kind):
            with pytest.raises(PictureRefusedError) as refusal:
                await place.prepare(data)
            assert str(refusal.value) == (
                f"human_image declares {size} pixels; at most {most} megapixels of its kind can be opened. "
                "Ask for a smaller version."
            )
            assert high_water(place.pid) < 60_000_000


async def test_a_large_clear_picture_is_flattened_and_shrunk_row_by_row(place: Place) -> None:
    data = zeros(3_200, 3_200, colour=6, samples=4)
    assert len(data) < 100_000
    sent = opened(await place.prepare(data))
    assert sent.size == (2_048, 2_048)
    assert sent.convert("RGB").getpixel((1_000, 1_000)) == (255, 255, 255)
    # The picture as it will be, the rows in hand, and the process itself; the whole would be another 41 MB.
    assert high_water(place.pid) < 4 * 2_048**2 + 75_000_000


MEMORY = """
from kolors_mcp.images.worker import boundaries
from kolors_mcp.images.worker.messages import Given, Request
for bounded in (False, True):
    if bounded:
        boundaries.set_for(Request("verify", (Given("WebP", 100, handed=True),)))
    try:
        print(len(bytes(500_000_000)))  # taken from the system, and not touched
    except MemoryError:
        print("no memory")
"""


def test_a_decoder_cannot_take_more_memory_than_a_picture_may() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["500000000", "no memory"]
