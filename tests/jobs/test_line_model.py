"""In whatever order wishes, deaths, pauses and refusals come: a wish is paid once, in its turn, or not at all."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType] (it has no types)
)

from tests.support.line_machine import Wishes
from tests.support.postgres import Postgres


def run(machine: type[Wishes], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_in_a_file_each_wish_is_paid_once_whatever_befalls_its_replicas() -> None:
    run(Wishes, 3)


def test_on_a_server_each_wish_is_paid_once_whatever_befalls_its_replicas(postgres_server: Postgres) -> None:
    class OnAServer(Wishes):
        def new_ledger(self) -> str:
            return postgres_server.empty()

    run(OnAServer, 2)
