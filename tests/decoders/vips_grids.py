"""Prints what libvips makes of the pictures in a folder, as mean colours of a grid over each. It has its own Python."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyvips


def main() -> None:
    """Print a JSON object: by file name the size and the grid, or null where libvips cannot read it."""
    found = {}
    for file in sorted(Path(sys.argv[1]).iterdir()):
        try:
            found[file.name] = seen(file)
        except (pyvips.Error, subprocess.CalledProcessError):
            found[file.name] = None
    sys.stdout.write(json.dumps(found))


def seen(file: Path) -> dict:
    """Return the size and the grid, 48 by 36 or turned."""
    with tempfile.TemporaryDirectory() as folder:
        if file.read_bytes()[4:11] == b"ftyphei":
            # That libvips has no decoder for it. What this program writes is upright, whatever its tag says.
            made = Path(folder) / "made.png"
            subprocess.run(["heif-convert", file, made], check=True, capture_output=True)  # noqa: S607  (that of this system)
            image = pyvips.Image.new_from_file(str(made))
        else:
            image = pyvips.Image.new_from_file(str(file)).autorot()
        image = srgb(image)
        columns, rows = (48, 36) if image.width >= image.height else (36, 48)
        small = image.shrink(image.width / columns, image.height / rows)
        return {"size": [image.width, image.height], "grid": list(bytes(small.write_to_memory()))}


def srgb(image: pyvips.Image) -> pyvips.Image:
    """Return three channels of eight bits, on white."""
    options = {"intent": "relative", "black_point_compensation": True}
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, **options)
    elif image.interpretation == "cmyk":
        image = image.icc_transform("srgb", input_profile="cmyk", **options)
    else:
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=[255] * (image.bands - 1), max_alpha=255)
    image = image.cast("uchar")
    return image.bandjoin([image, image]) if image.bands == 1 else image[0:3]


main()
