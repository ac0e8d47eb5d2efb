"""The folders with pictures that the tests of files share."""

from pathlib import Path

import pytest

from tests.support.image_tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)
