"""The surface is what was decided."""

import pytest

from tests.support.contract import CONTRACT, surface, written


@pytest.mark.anyio
async def test_the_surface_is_the_committed_contract() -> None:
    assert written(await surface()) == CONTRACT.read_text(encoding="utf-8"), "a decision? then run `make contract`"
