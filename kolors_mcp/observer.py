"""What an operator may want counted and timed. Nothing in it tells of a user, a picture or a task."""

from typing import Literal

Operation = Literal["create", "probe", "read", "list", "account"]
"""What Kling is asked: to make a task, whether it knows references, for one task, for a page of them, for the packs."""
Outcome = Literal["created", "joined", "refused", "unsent", "unconfirmed", "limited"]
"""How a wish for a try-on ended: Kling made a task; the same one was there before; Kling said no; nothing was sent to
its end; what became of it is not known; a limit of this service kept it from being made."""


class Observer:
    """Takes note of nothing. What wants to know something overrides it; a method returns at once and never raises."""

    def kling_answered(
        self,
        operation: Operation,
        seconds: float,
        *,
        status: int | None = None,
        code: str | None = None,
        error: str | None = None,
    ) -> None:
        """Take note of one request to Kling.

        Args:
            operation: What was asked.
            seconds: From its beginning to the end of the answer.
            status: Of HTTP, if there was an answer.
            code: Of Kling's table, if it refused; `other` for one that is not in it.
            error: What kind of error it ended with, if there was no answer.
        """

    def create_ended(self, outcome: Outcome, code: int | None = None) -> None:
        """Take note of how a wish ended, and with which code of Kling's table, if it refused."""

    def line_seen(self, waiting: int, busy: int) -> None:
        """Take note of how many wishes of the account wait, over all replicas, and how many slots are taken."""

    def waited_in_line(self, seconds: float) -> None:
        """Take note of how long a wish was in line until it got its slot."""

    def units_read(self, units: float) -> None:
        """Take note of how many units are left for try-ons."""


UNOBSERVED = Observer()
