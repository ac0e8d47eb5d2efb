"""Services that many tests ask, each on connections of its own."""

from collections.abc import Iterator

import pytest

from tests.support.commands import environment
from tests.support.over_http import Serving, serving
from tests.support.shop import RunningShop, Shop, running_shop


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One on loopback, open, with a simulated Kling."""
    folder = tmp_path_factory.mktemp("service")
    with serving(environment(folder, KOLORS_SANDBOX="1"), folder) as running:
        yield running


@pytest.fixture(scope="session")
def whole_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture
def shop(whole_shop: RunningShop) -> Shop:
    """One with a Kling of its own that has two new shoppers with tokens, and keeps their photos."""
    return Shop(whole_shop)
