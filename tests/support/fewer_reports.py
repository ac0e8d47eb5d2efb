"""Keeps the workers of a run from telling that a set-up or a clean-up was quick and said nothing, which nobody reads.

Pytest makes three reports of a test, and to send them and take them in took as long as many a test itself. That of the
test is sent, and any of what failed, was skipped, has an output, or took long enough to be listed.
"""

from typing import Any

import pytest

SHORT_SECONDS = 0.005
"""What took less is not in pytest's lists of durations."""
UNSENT = "unsent"


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        for plugin in session.config.pluginmanager.get_plugins():
            if hasattr(plugin, "sendevent"):
                send_less(plugin)


def send_less(interactor: Any) -> None:
    """Let what speaks for a worker not send what stands for a report that nobody reads."""
    really_send = interactor.sendevent

    def sendevent(name: str, **what: Any) -> None:
        if UNSENT not in what.get("data", ()):
            really_send(name, **what)

    interactor.sendevent = sendevent


@pytest.hookimpl(tryfirst=True)
def pytest_report_to_serializable(
    config: pytest.Config, report: pytest.TestReport | pytest.CollectReport
) -> dict[str, Any] | None:
    nobody_reads_it = (
        hasattr(config, "workerinput")
        and isinstance(report, pytest.TestReport)
        and report.when != "call"
        and report.passed
        and not report.sections
        and report.duration < SHORT_SECONDS
        # Its file is written from all three.
        and not config.getoption("xmlpath", None)
    )
    return {UNSENT: True} if nobody_reads_it else None
