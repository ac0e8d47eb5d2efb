"""What libraries say of damaged pictures stays in the process that decodes: standard error has our own log alone."""

import json
import struct
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.sniff import kind_of
from kolors_mcp.images.pixels.decode import decode
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import HANG_SECONDS
from tests.support.decoding import Place
from tests.support.images_support import b64, encoded, jpeg, p3_profile, quarters
from tests.support.making import jpeg as garment
from tests.support.odd_pictures import RGB, tiff
from tests.support.over_stdio import begin, by_hand, hear, server_environment

SIZE = (320, 304)
GRAIN = Image.effect_noise(SIZE, 90)


def damaged(data: bytes, at: int) -> bytes:
    # Ones are no code of either packing; of zeros, some noise can be read without a word.
    return data[:at] + b"\xff" * 50 + data[at + 50 :]


def with_tag_beyond_the_end() -> bytes:
    """A TIFF of which one tag says that its numbers stand far behind the end."""
    data = bytearray(tiff(quarters(SIZE), RGB))
    at = next(at for at in range(10, 200, 12) if struct.unpack_from("<H", data, at) == (339,))
    struct.pack_into("<HHII", data, at, 339, 3, 9000, 0xFFFFFF)
    return bytes(data)


def with_broken_exif() -> bytes:
    """A JPEG that has to be decoded, with a directory of tags that ends in the middle of one."""
    tags = struct.pack("<HHII", 0x0112, 3, 1, 1) + struct.pack("<HHII", 0x010F, 2, 0xFFFF, 0xFFFF)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 5) + tags
    return jpeg(quarters(SIZE), exif=block, icc_profile=p3_profile())


NOISY = {
    "libtiff, of a fax": damaged(encoded(GRAIN.convert("1"), "TIFF", compression="group4"), 3000),
    "libtiff, of rows that are not there": damaged(encoded(GRAIN, "TIFF", compression="tiff_lzw"), 2000),
    "Pillow, of tags": with_tag_beyond_the_end(),
    "Pillow, of EXIF": with_broken_exif(),
}


@pytest.mark.anyio
async def test_the_process_that_decodes_lets_nothing_of_it_through(capfd: pytest.CaptureFixture[str]) -> None:
    place = Place()
    for data in NOISY.values():
        with suppress(PictureRefusedError):
            await place.prepare(data)
    await place.pictures.aclose()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NOISY)
def test_the_libraries_do_say_something_of_each(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = NOISY[name]
    kind = kind_of(data)
    assert kind is not None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with suppress(RefusalError):
            decode(MemoryContent(data), kind, None)
    said = [str(warning.message) for warning in warned] if name.startswith("Pillow") else [capfd.readouterr().err]
    assert any(said)


def test_the_standard_error_of_a_server_that_was_given_them_is_empty(fast_kling: SandboxKling, tmp_path: Path) -> None:
    (tmp_path / "fax.tiff").write_bytes(NOISY["libtiff, of a fax"])
    env = server_environment(fast_kling, tmp_path, KLING_API_KEY=fast_kling.api_key)
    with by_hand(env) as process:
        begin(process, {"human_image": str(tmp_path / "fax.tiff"), "cloth_image": b64(garment())})
        answer = hear(process.stdout, 2)
        _, errors = process.communicate(timeout=HANG_SECONDS)
    assert not answer["result"].get("isError"), json.dumps(answer)
    assert errors == b""
