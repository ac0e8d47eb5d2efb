"""The ledger of the tests of jobs."""

from pathlib import Path

import pytest

from tests.support.asking import place_of


@pytest.fixture(params=["memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place of a new ledger: in memory, unless a test has one of the marks in `asking`, which say when."""
    return place_of(request, tmp_path)
