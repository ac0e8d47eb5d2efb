"""Pillow's operations whose annotations lean on an optional package, given plain ones here."""

from collections.abc import Sequence

from PIL import Image, ImageCms


def resized(image: Image.Image, size: tuple[int, int], *, mode: Image.Resampling | None = None) -> Image.Image:
    """Return `image` at `size`; with Lanczos unless told otherwise, averaging first where it shrinks a lot."""
    if mode is None:
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)  # pyright: ignore[reportUnknownMemberType]
    return image.resize(size, mode)  # pyright: ignore[reportUnknownMemberType]


def resized_part(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    """Return what is in `box` at `size`, with Lanczos; pixels around the box count where the filter reaches them."""
    return image.resize(size, Image.Resampling.LANCZOS, box)  # pyright: ignore[reportUnknownMemberType]


def mapped(image: Image.Image, table: Sequence[float], mode: str | None = None) -> Image.Image:
    """Return `image` with each value replaced by the table's."""
    return image.point(table, mode)  # pyright: ignore[reportUnknownMemberType]


def scaled_values(image: Image.Image, factor: float) -> Image.Image:
    """Return a picture of numbers with each number multiplied."""
    return image.point(lambda value: value * factor)  # pyright: ignore[reportUnknownMemberType, reportUnknownLambdaType]


def srgb() -> ImageCms.ImageCmsProfile:
    """Return the sRGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def lab() -> ImageCms.ImageCmsProfile:
    """Return the Lab profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
