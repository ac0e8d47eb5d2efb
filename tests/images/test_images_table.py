"""Every kind of picture from every kind of source, with what is said about it or why it is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import limits
from kolors_mcp.images.picture import CheckedPicture
from kolors_mcp.images.pictures import Pictures
from tests.support.images_support import (
    QUARTERS,
    SIZE,
    InProcess,
    assert_nothing_but_picture,
    b64,
    chunk,
    corners,
    distance,
    exif,
    grain,
    jpeg,
    opened,
    p3_profile,
    png,
    turned,
    with_segment,
)
from tests.support.images_table import Good, bad, good, large, turned_photos
from tests.support.odd_table import odd, odd_bad


@pytest.fixture
async def pictures(tmp_path: Path) -> Pictures:
    return Pictures(folders=[tmp_path], decoder=InProcess())


@pytest.mark.anyio
@pytest.mark.parametrize("table", [good, large, turned_photos, odd])
async def test_a_picture_is_made_fit_and_every_change_is_told(
    table: Callable[[], list[Good]], tmp_path: Path, pictures: Pictures, subtests: pytest.Subtests
) -> None:
    for case in table():
        with subtests.test(case.name):
            (tmp_path / "photo").write_bytes(case.data)
            picture = await pictures.prepare(str(tmp_path / "photo"), "human_image")
            sent = b"".join(picture.blocks())
            picture.close()
            check(case, picture, sent)


def check(case: Good, picture: CheckedPicture, sent: bytes) -> None:
    assert picture.notes == case.notes
    assert (picture.media_type, picture.size, (picture.width, picture.height)) == (
        case.media_type,
        len(sent),
        case.size,
    )
    image = opened(sent)
    assert image.size == case.size
    assert distance(corners(image), case.expected) <= case.within
    assert b"SECRET" not in sent
    assert_nothing_but_picture(sent, image)
    if case.untouched:
        assert sent == case.data
    elif not case.notes:
        # Only metadata went: the pixels are the very same.
        assert image.tobytes() == opened(case.data).tobytes()
        assert len(sent) < len(case.data)


@pytest.mark.anyio
async def test_what_is_no_usable_picture_is_refused_in_our_words(
    tmp_path: Path, pictures: Pictures, subtests: pytest.Subtests
) -> None:
    for name, (data, text) in (bad() | odd_bad()).items():
        with subtests.test(name):
            (tmp_path / "photo.png").write_bytes(data)
            with pytest.raises(PictureRefusedError) as refusal:
                await pictures.prepare(str(tmp_path / "photo.png"), "human_image")
            assert str(refusal.value) == text


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["a plain JPEG", "a PNG that is half clear", "a HEIC", "a JPEG of orientation 6"])
async def test_the_same_picture_comes_out_of_every_source(name: str, tmp_path: Path, pictures: Pictures) -> None:
    case = next(case for case in good() + turned_photos() if case.name == name)
    path = tmp_path / "my photo.bin"
    path.write_bytes(case.data)
    bare = b64(case.data)
    percent = "".join(f"%{byte:02x}" for byte in case.data)
    references = [
        str(path),
        f'"{path}"',
        f"  '{path}' \n",
        "my photo.bin",
        path.as_uri(),
        f"file://localhost{path}".replace(" ", "%20"),
        f"data:image/jpeg;base64,{bare}",
        f"DATA:image/x-odd;Charset=utf-8;name=a.png;BASE64,{bare}",
        f"data:,{percent}",
        f"data:application/octet-stream,{percent}",
        bare,
        bare.rstrip("="),
        bare.replace("+", "-").replace("/", "_"),
        "\n".join(bare[at : at + 76] for at in range(0, len(bare), 76)) + "\r\n",
    ]
    digests: set[bytes] = set()
    for reference in references:
        picture = await pictures.prepare(reference, "human_image")
        assert picture.notes == case.notes
        digests.add(picture.digest)
        picture.close()
    assert len(digests) == 1


@pytest.mark.anyio
async def test_a_picture_over_ten_megabytes_is_compressed_before_it_is_shrunk(tmp_path: Path) -> None:
    (tmp_path / "large.jpg").write_bytes(jpeg(grain((2200, 1600), 90), quality=100))
    assert (tmp_path / "large.jpg").stat().st_size > 10_000_000
    pictures = Pictures(folders=[tmp_path], decoder=InProcess(), sent_side="original")
    picture = await pictures.prepare(str(tmp_path / "large.jpg"), "human_image")
    assert (picture.width, picture.height) == (2200, 1600)
    assert picture.notes == ("compressed more, to stay within 10 MB",)
    assert 1_000_000 < picture.size <= 10_000_000


@pytest.mark.anyio
async def test_what_cannot_be_compressed_enough_is_shrunk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: Pictures
) -> None:
    monkeypatch.setattr(limits, "MAX_BYTES", 500_000)
    (tmp_path / "noise.jpg").write_bytes(jpeg(grain((1200, 1000), 120), quality=92))
    picture = await pictures.prepare(str(tmp_path / "noise.jpg"), "cloth_image")
    assert picture.notes[0] == "compressed more, to stay within 10 MB"
    assert picture.notes[1] == f"sent at {picture.width} x {picture.height}, from 1200 x 1000"
    assert 300_000 < picture.size <= 500_000
    assert_nothing_but_picture(b"".join(picture.blocks()))


@pytest.mark.anyio
async def test_a_wide_gamut_phone_photo_says_what_was_done(pictures: Pictures) -> None:
    data = jpeg(turned(6), exif=exif(6), icc_profile=p3_profile())
    picture = await pictures.prepare(b64(data), "human_image")
    assert picture.notes == (
        "turned by 90 degrees as the photo's tag says",
        'colours converted to sRGB from the profile "unnamed"',
    )


@pytest.mark.anyio
async def test_blocks_are_whole_groups_of_three_bytes_and_can_be_read_again(tmp_path: Path, pictures: Pictures) -> None:
    data = jpeg(grain((1500, 1200), 80), quality=98)
    (tmp_path / "large.jpg").write_bytes(with_segment(data, 0xFE, b"x" * 1000))
    for reference in (str(tmp_path / "large.jpg"), b64(data)):
        picture = await pictures.prepare(reference, "human_image")
        blocks = [bytes(block) for block in picture.blocks()]
        assert b"".join(blocks) == data
        assert len(blocks) > 2
        assert all(len(block) % 3 == 0 for block in blocks[:-1])
        assert b"".join(picture.blocks()) == data
        picture.close()


def test_the_makers_of_test_pictures_make_what_they_say() -> None:
    assert opened(png(turned(6))).size == SIZE[::-1]
    assert distance(corners(opened(png(turned(3)))), QUARTERS) > 100
    assert chunk(b"IEND", b"") == png()[-12:]
    assert b"SECRET" in jpeg(exif=exif(1))
    with pytest.raises(AssertionError):
        assert_nothing_but_picture(jpeg(exif=exif(1)))
