"""Draws the sample pictures anew, where the sandbox has them: `python -m scripts.samples.draw [FOLDER]`."""

import sys
from pathlib import Path

from kolors_mcp.sandbox.samples import sample
from scripts.samples.garments import dress, lower, upper
from scripts.samples.person import person

DRAWINGS = {"person": person, "upper": upper, "lower": lower, "dress": dress}
"""Name of each sample, and the function that draws it."""
_QUALITY = 90


def draw(folder: Path) -> None:
    """Write every sample picture into a folder, as JPEG."""
    for name, drawing in DRAWINGS.items():
        drawing().save(folder / f"{name}.jpg", quality=_QUALITY, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else sample("person").parent)
