"""Sample pictures, drawn by `python -m scripts.samples.draw`: a person, and a garment of each kind."""

from pathlib import Path
from typing import Literal

SampleName = Literal["person", "upper", "lower", "dress"]


def sample(name: SampleName) -> Path:
    """Return where a sample picture is: `person`, `upper`, `lower` or `dress`."""
    return Path(__file__).with_name(f"{name}.jpg")
