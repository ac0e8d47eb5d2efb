"""The fuzzers themselves: short runs are clean, and what gets past is found, made small and can be fed again."""

import random

import pytest

from kolors_mcp.images.formats import examine
from tests.fuzz.__main__ import KINDS
from tests.fuzz.found import Input, Tally, run

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("name", "steps"), [("pictures", 200), ("pages", 40), ("answers", 2)])
async def test_a_short_seeded_run_is_clean(name: str, steps: int) -> None:
    tally = await run(KINDS[name], 20_260_101, steps=range(steps))
    assert [str(finding) for finding in tally.findings] == []
    assert tally.steps == steps
    assert len(tally.words) > 1


@pytest.mark.parametrize("name", KINDS)
def test_a_step_makes_the_same_input_again(name: str) -> None:
    made: list[Input] = [KINDS[name].make(random.Random("7/3")) for _ in range(2)]  # noqa: S311  (chance, not secrets)
    assert made[0] == made[1]


async def test_an_escape_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(examine, "look", careless)
    tally: Tally = await run(KINDS["pictures"], 1, steps=range(1))
    [finding] = tally.findings
    assert "ZeroDivisionError" in str(finding)
    assert 'make fuzz ARGS="--seed 1 --only pictures --step 0"' in str(finding)
    assert len(finding.smallest.data) < len(KINDS["pictures"].make(random.Random("1/0")).data)  # noqa: S311  (as above)
