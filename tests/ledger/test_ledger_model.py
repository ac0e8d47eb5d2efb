"""Whatever is asked of the ledger in whatever order, it says what a few lines of plain Python say."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType] (it has no types)
)

from kolors_mcp.ledger.ledger import Ledger
from tests.support.ledger_machine import LedgerMachine
from tests.support.ledger_rows import DAY
from tests.support.postgres import Postgres


def run(machine: type[LedgerMachine], examples: int) -> None:
    """Play `examples` games; the time of one depends on the disk, so there is no deadline."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_in_memory_the_ledger_is_the_list_it_claims_to_be() -> None:
    run(LedgerMachine, 6)


def test_in_a_file_the_ledger_is_the_list_it_claims_to_be(tmp_path: Path) -> None:
    class InAFile(LedgerMachine):
        def new_place(self) -> str:
            return f"sqlite:///{tmp_path / str(len(list(tmp_path.iterdir())))}/ledger.sqlite3"

    run(InAFile, 3)


def test_on_a_server_the_ledger_is_the_list_it_claims_to_be(postgres_server: Postgres) -> None:
    class OnAServer(LedgerMachine):
        def new_place(self) -> str:
            return postgres_server.empty()

    run(OnAServer, 3)


def test_what_chance_seldom_plays_is_the_same_too() -> None:
    machine = LedgerMachine()
    machine.begin()
    try:
        reference = machine.wish("ann", "f-1", None, fresh=False, limited=False)
        machine.created(reference, "succeed", None)
        machine.time_passes(0.5)
        machine.created(reference, "succeed", 0.0)
        machine.it_says_the_same()
        running = machine.wish("bob", "f-1", None, fresh=False, limited=False)
        machine.created(running, "processing", None)
        machine.time_passes(35 * DAY)
        machine.time_passes(0.5)
        machine.wish("bob", "f-1", None, fresh=False, limited=False)
        machine.it_says_the_same()
    finally:
        machine.teardown()


def test_the_comparison_finds_a_ledger_that_forgets_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(_ledger: Ledger, _reference: str) -> None:
        """Write nothing down."""

    monkeypatch.setattr(Ledger, "unconfirmed", forgetful)
    machine = LedgerMachine()
    machine.begin()
    try:
        reference = machine.wish("ann", "f-1", None, fresh=False, limited=False)
        machine.it_says_the_same()
        machine.unconfirmed(reference)
        with pytest.raises(AssertionError):
            machine.it_says_the_same()
    finally:
        machine.teardown()
