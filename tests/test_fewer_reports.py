"""Workers tell all of their tests that somebody may read, and no more."""

from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from tests.support.fewer_reports import pytest_report_to_serializable, pytest_sessionstart

When = Literal["setup", "call", "teardown"]
Outcome = Literal["passed", "failed", "skipped"]


class Interactor:
    """Speaks for a worker, as xdist's does."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def sendevent(self, name: str, **what: Any) -> None:
        self.sent.append((name, what))


def sent(*reports: pytest.TestReport, file: str | None = None) -> list[tuple[str, str, str]]:
    """What a worker sends when it has these to tell."""
    interactor = Interactor()
    config = cast(
        "pytest.Config",
        SimpleNamespace(
            workerinput={},
            pluginmanager=SimpleNamespace(get_plugins=lambda: [object(), interactor]),
            getoption={"xmlpath": file}.get,
        ),
    )
    pytest_sessionstart(cast("pytest.Session", SimpleNamespace(config=config)))
    interactor.sendevent("logstart", nodeid="a test")
    for report in reports:
        data = pytest_report_to_serializable(config, report) or {"when": report.when, "outcome": report.outcome}
        interactor.sendevent("testreport", data=data | {"worker_id": "gw0"})
    first, *others = interactor.sent
    assert first == ("logstart", {"nodeid": "a test"})
    return [(name, what["data"]["when"], what["data"]["outcome"]) for name, what in others]


def report(when: When, outcome: Outcome = "passed", *, seconds: float = 0.001, output: str = "") -> pytest.TestReport:
    sections = [("Captured stdout", output)] if output else []
    return pytest.TestReport("a test", ("test.py", 1, "a test"), {}, outcome, None, when, sections, seconds)


def test_of_a_quick_test_only_its_own_report_is_sent() -> None:
    assert sent(report("setup"), report("call"), report("teardown")) == [("testreport", "call", "passed")]


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_a_set_up_and_a_clean_up_are_told_that_failed_were_skipped_took_long_or_said_something(when: When) -> None:
    told = [
        report(when, "failed"),
        report(when, "skipped"),
        report(when, seconds=0.006),
        report(when, output="said"),
    ]
    assert sent(*told) == [("testreport", when, one.outcome) for one in told]


def test_a_file_of_all_results_has_all_three() -> None:
    three = (report("setup"), report("call"), report("teardown"))
    assert sent(*three, file="results.xml") == [("testreport", one.when, "passed") for one in three]
