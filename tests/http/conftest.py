"""A service that many tests ask, each on connections of its own."""

from collections.abc import Iterator

import pytest

from tests.support.commands import environment
from tests.support.over_http import Serving, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One on loopback, open, with a simulated Kling."""
    folder = tmp_path_factory.mktemp("service")
    with serving(environment(folder, KOLORS_SANDBOX="1"), folder) as running:
        yield running
