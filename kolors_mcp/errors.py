"""The one error hierarchy: each error knows what happened, whether anything was created, and what to do next."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self

from kolors_mcp.wording import quoted


class KolorsError(Exception):
    """Base of everything this package raises on purpose; its text is written for an assistant and its user.

    `retryable` says whether the same request can succeed later without any change.
    """

    retryable: ClassVar[bool] = False


class NotConfiguredError(KolorsError):
    """A setting is missing or wrong; the text names the variable."""


class NotReadyError(KolorsError):
    """What a call needs was not loaded in the time that it has."""

    retryable = True


class ArgumentError(KolorsError):
    """An argument, or a combination of arguments, that nothing can be done with."""


class MayNotCreateError(KolorsError):
    """The caller may look, but not start what costs money. Nothing was sent."""


class AmbiguousLabelError(ArgumentError):
    """A label that several try-ons have; the text lists them."""


class PictureRefusedError(KolorsError):
    """A picture that could not be had or cannot be used. Nothing was sent to Kling."""


class ResultUnavailableError(KolorsError):
    """A finished picture that cannot be shown: not finished yet, no such index, link expired."""


class LedgerError(KolorsError):
    """The ledger cannot be opened, read or written. Without it nothing that costs money is started."""


class DailyLimitError(KolorsError):
    """The user has made as many paid try-ons today as KOLORS_DAILY_LIMIT allows."""

    def __init__(self, limit: int, resets_at: datetime) -> None:
        """Say the limit, and when the next day begins (UTC)."""
        self.limit = limit
        self.resets_at = resets_at.isoformat().replace("+00:00", "Z")
        super().__init__(
            f"Today's limit of {limit} paid try-ons is reached (KOLORS_DAILY_LIMIT). No task was created. "
            f"It resets at {self.resets_at}; create again after that."
        )


class KlingError(KolorsError):
    """Something between us and Kling: a refusal, a fault, or a doubt.

    `created` is False where nothing was created, None where that is not known.
    """

    created: ClassVar[bool | None] = False

    def __init__(
        self,
        what: str,
        remedy: str,
        *,
        creating: bool = False,
        code: int | None = None,
        detail: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Compose the text: what happened (code, Kling's words), whether a task was created, what to do."""
        known = [
            f"code {code}" if code is not None else None,
            f"Kling says {quoted(detail)}" if detail else None,
            f"request id {quoted(request_id, 64)}" if request_id else None,
        ]
        facts = "; ".join(fact for fact in known if fact)
        outcome = "No task was created." if creating and self.created is False else None
        self.happened = f"{what} ({facts})." if facts else f"{what}."
        super().__init__(_sentences((self.happened, outcome, remedy)))
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after

    def anew(self) -> Self:
        """Return the same error to be raised for another caller: without the traceback, and what that keeps alive."""
        return self._saying(str(self))

    def of_task(self, task_id: str) -> Self:
        """Return the same error about a task that could not be looked at: with its id, and what that means for it."""
        return self._saying(
            f"{self} That changes nothing about the try-on, which goes on at Kling: call get_try_on with task_id "
            f"{quoted(task_id, 80)} again later, and do not create it again."
        )

    def _saying(self, text: str) -> Self:
        made = type(self).__new__(type(self), text)
        vars(made).update(vars(self))
        return made


class RefusedError(KlingError):
    """Kling answered with a code of its table that refuses: it did not do what was asked."""


class AuthenticationError(RefusedError):
    """1000, 1001, 1002: Kling does not accept the credentials."""


class ClockSkewError(RefusedError):
    """1003, 1004: Kling judges the signed token not valid yet, or expired, though it was signed anew."""


class AccountBlockedError(RefusedError):
    """1100, 1101: the account is abnormal or in arrears."""


class OutOfUnitsError(RefusedError):
    """1102: the account's try-on pack is used up or expired."""


class NotPermittedError(RefusedError):
    """1103: the account has no permission for this API or model."""


class RequestRefusedError(RefusedError):
    """1200, 1201: a parameter that Kling does not accept."""


class ReferenceRefusedError(RequestRefusedError):
    """1200 to 1203: this Kling does not know `external_task_id`; without it the same request may do."""


class NoSuchResourceError(RefusedError):
    """1202, 1203: a method or resource that does not exist."""


class PolicyRefusedError(RefusedError):
    """1300, 1301: the pictures are against the platform's or the content policy."""


class TooFastError(RefusedError):
    """1302: more requests a second than the account may make."""

    retryable = True


class AllSlotsBusyError(RefusedError):
    """1303: as many tasks run already as the account may run at once."""

    retryable = True


class AddressNotAllowedError(RefusedError):
    """1304: this machine's IP address is not on the account's list."""


class TaskNotFoundError(KlingError):
    """Kling does not know the id, or does not know it yet."""

    @classmethod
    def of(cls, name: str, code: int | None = None) -> Self:
        """Return what is said of an id that Kling does not know, or of a label that no try-on has."""
        return cls(
            f"Kling knows no try-on {quoted(name, 80)}",
            "If it was created a moment ago, call get_try_on again in some seconds. Otherwise look for it with "
            "list_try_ons: ids and labels belong to one account and region, and results are kept for 30 days.",
            code=code,
        )


class UnreachableError(KlingError):
    """No connection to Kling came about, or a create broke before its last byte: nothing was accepted."""

    retryable = True


class WayRefusedError(UnreachableError):
    """A certificate is not accepted, or a proxy lets nothing through: the next try would meet the same."""

    retryable = False


class TurnLostError(UnreachableError):
    """This process was out of action for so long that others may have sent the same create; it did not."""


class KeysChangedError(UnreachableError):
    """The keys are those of another account by now than the one that the create was written down for."""


class UnavailableError(KlingError):
    """5000, 5001, 5002: Kling failed inside. What was asked may have been done all the same."""

    created = None
    retryable = True


class ConnectionLostError(KlingError):
    """The request left, and no answer came back."""

    created = None
    retryable = True


class UnexpectedAnswerError(KlingError):
    """An answer that is not what the vendor's page describes."""

    created = None
    retryable = True
    status: int = 200
    """With which HTTP status it came."""


class UnconfirmedCreateError(KlingError):
    """A create was sent and its outcome is not known: the task may exist and be billed."""

    created = None

    def __init__(self, reference: str, cause: str) -> None:
        """Name the reference under which the task can be looked for, and why there is a doubt."""
        super().__init__(
            "Kling did not confirm the start",
            f"{cause} The task may exist and be billed: call get_try_on with task_id {quoted(reference)}, "
            "or list_try_ons, before creating again.",
        )
        self.reference = reference


ABOUT_THE_TASK = (TaskNotFoundError, UnconfirmedCreateError, RequestRefusedError, NoSuchResourceError)
"""What tells something about the task that was asked for; all others only tell why it could not be looked at."""


def _sentences(parts: Iterable[str | None]) -> str:
    return " ".join(part for part in parts if part)
