"""A TIFF in strips is decoded some strips at a time; what comes of it is what its decoder makes of the whole."""

import io
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels import flatten
from kolors_mcp.images.pixels.tiff_rows import TiffRows
from tests.support.images_support import InProcess, b64, quarters

pytestmark = pytest.mark.anyio

SIZE = 331, 320
RAW, LZW, DEFLATE, PACKED, JPEG = None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "raw": ("RGB", {"compression": RAW, "tiffinfo": {278: 7}}),
    "raw, large tags": ("RGB", {"compression": RAW, "tiffinfo": {278: 7}, "big_tiff": True}),
    "LZW": ("RGB", {"compression": LZW, "tiffinfo": {278: 16, 317: 2}}),
    "deflated, clear": ("RGBA", {"compression": DEFLATE, "tiffinfo": {278: 1}}),
    "packed bits, CMYK": ("CMYK", {"compression": PACKED, "tiffinfo": {278: 33}}),
    "JPEG inside": ("RGB", {"compression": JPEG, "tiffinfo": {278: 16}}),
    "palette": ("P", {"compression": LZW, "tiffinfo": {278: 5}}),
    "16 bits": ("I;16", {"compression": DEFLATE, "tiffinfo": {278: 5}}),
}


def tiff(mode: str, options: dict[str, Any]) -> bytes:
    image = Image.effect_noise(SIZE, 80) if mode == "I;16" else quarters(SIZE)
    out = io.BytesIO()
    image.convert(mode).save(out, "TIFF", **options)
    return out.getvalue()


async def prepared(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    picture = await Pictures(folders=[], decoder=InProcess()).prepare(b64(data), "human_image")
    return b"".join(picture.blocks()), picture.notes


@pytest.mark.parametrize("kind", KINDS)
async def test_strips_in_bands_are_the_strips_of_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "BAND_PIXELS", 10_000)
    data, read = tiff(*KINDS[kind]), TiffRows.reads
    answers: list[bool] = []

    def noted(image: TiffImagePlugin.TiffImageFile, file_bytes: int) -> bool:
        answers.append(read(image, file_bytes))
        return answers[-1]

    def never(_image: TiffImagePlugin.TiffImageFile, _file_bytes: int) -> bool:
        return False

    monkeypatch.setattr(TiffRows, "reads", noted)
    in_bands = await prepared(data)
    monkeypatch.setattr(TiffRows, "reads", never)
    assert in_bands == await prepared(data)
    assert answers == [True]


def test_strips_that_are_the_same_bytes_again_are_not_read_one_by_one() -> None:
    with TiffImagePlugin.TiffImageFile(io.BytesIO(tiff("RGB", {"compression": LZW, "tiffinfo": {278: 1}}))) as image:
        sizes = image.tag_v2[279]
        assert TiffRows.reads(image, sum(sizes))
        assert not TiffRows.reads(image, sum(sizes) - 1)
