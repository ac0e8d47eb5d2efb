"""Folders with pictures in them, some of which may be read, and what is said about a path there."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from tests.support.images_support import InProcess, png
from tests.support.one_loop import run


class Tree:
    """An allowed folder beside a forbidden one, a picture in each."""

    def __init__(self, root: Path) -> None:
        self.allowed, self.forbidden = root / "allowed", root / "forbidden"
        for folder in (self.allowed, self.allowed / "inner", self.allowed / ".hidden", self.forbidden):
            folder.mkdir()
            (folder / "dress.png").write_bytes(png())

    def read(self, written: str | Path, folders: Sequence[Path] | None = None) -> str:
        """The label of the picture, or what is said about the path."""

        async def attempt() -> str:
            picture = await Pictures(folders=folders or [self.allowed], decoder=InProcess()).prepare(
                str(written), "human_image"
            )
            picture.close()
            return picture.label

        try:
            return run(attempt)
        except PictureRefusedError as error:
            return str(error)


posix = pytest.mark.skipif(os.name != "posix", reason="needs links, pipes and /proc as POSIX has them")
