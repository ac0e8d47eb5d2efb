"""Kling's table of business codes: what each means, and what to do about it.

The codes are the vendor's (general error codes page); whether a repeat can help is our reading. The code decides,
never the HTTP status alone: 429 stands for money, for address rules and for speed alike. With one exception: where
something may have been paid for, a status of 500 and more says that Kling failed, whatever its code says.
"""

from dataclasses import dataclass
from typing import NamedTuple

from kolors_mcp import errors
from kolors_mcp.errors import KlingError

MIN_FAILED_STATUS = 500
"""The first of the HTTP statuses that say nothing about what was done before the failure."""
ABOUT_THE_REQUEST = range(1200, 1300)
"""The family of codes in which a field or its value is refused."""


BUSY_CODES = (1302, 1303)
"""What an account says that has no room just now; a documented refusal, which passes."""


class Meaning(NamedTuple):
    """What one code means to us."""

    error: type[KlingError]
    what: str
    remedy: str
    show_detail: bool = False
    """Whether Kling's own message adds something, as with bad parameters."""


_CHECK_KEYS = (
    "Check KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY (not swapped, nothing missing), and that "
    "KLING_API_BASE is the region of the account; `kolors-mcp doctor` checks them."
)
_CHECK_CLOCK = "Set this machine's clock (`kolors-mcp doctor` shows by how much it is off) and try again."
_OWNER = "The account owner must settle this in Kling's console."
_LATER = "Try again in a minute."

MEANINGS: dict[int, Meaning] = {
    1000: Meaning(errors.AuthenticationError, "Kling did not accept the credentials", _CHECK_KEYS),
    1001: Meaning(errors.AuthenticationError, "Kling found no credentials in the request", _CHECK_KEYS),
    1002: Meaning(errors.AuthenticationError, "Kling does not know these credentials", _CHECK_KEYS),
    1003: Meaning(errors.ClockSkewError, "Kling judges the signed token not valid yet", _CHECK_CLOCK),
    1004: Meaning(errors.ClockSkewError, "Kling judges the signed token expired", _CHECK_CLOCK),
    1100: Meaning(errors.AccountBlockedError, "Kling reports this account as abnormal", _OWNER),
    1101: Meaning(errors.AccountBlockedError, "This account is in arrears", _OWNER),
    1102: Meaning(
        errors.OutOfUnitsError,
        "This account's try-on units are used up or expired",
        "The account owner must buy units.",
    ),
    1103: Meaning(
        errors.NotPermittedError,
        "This account has no permission for this API or model",
        "Choose another model_name, or have the account owner enable virtual try-on in Kling's console.",
    ),
    1200: Meaning(
        errors.RequestRefusedError,
        "Kling refused the request's parameters",
        "Change what it names and try again.",
        True,
    ),
    1201: Meaning(errors.RequestRefusedError, "Kling refused a parameter", "Change what it names and try again.", True),
    1202: Meaning(
        errors.NoSuchResourceError,
        "Kling does not know this method",
        "Check that KLING_API_BASE is an API origin of Kling's.",
        True,
    ),
    1203: Meaning(
        errors.NoSuchResourceError,
        "Kling does not know this resource",
        "Check the model_name and that KLING_API_BASE is the region of the account.",
        True,
    ),
    1300: Meaning(
        errors.PolicyRefusedError, "The request is against Kling's platform policy", "Use other pictures.", True
    ),
    1301: Meaning(
        errors.PolicyRefusedError, "The pictures are against Kling's content policy", "Use other pictures.", True
    ),
    1302: Meaning(errors.TooFastError, "Kling asks for fewer requests a second", "Try again in some seconds."),
    1303: Meaning(
        errors.AllSlotsBusyError, "All parallel slots of this account are busy", "Try again in about 30 seconds."
    ),
    1304: Meaning(
        errors.AddressNotAllowedError,
        "This machine's IP address is not allowed to use the account",
        "The account owner must add it to the allow-list in Kling's console.",
    ),
    5000: Meaning(errors.UnavailableError, "Kling has an internal error", _LATER),
    5001: Meaning(errors.UnavailableError, "Kling is under maintenance", "Try again later."),
    5002: Meaning(errors.UnavailableError, "Kling ran into a time-out inside, with a backlog", _LATER),
}


@dataclass(frozen=True)
class Verdict:
    """The parts of an answer that say no."""

    code: int
    message: str | None
    request_id: str | None
    retry_after: float | None = None
    status: int = 200
    """The HTTP status."""

    @property
    def final(self) -> bool:
        """Whether it is a code of the table that says for certain that nothing was created."""
        meaning = MEANINGS.get(self.code)
        return meaning is not None and meaning.error.created is False and self.status < MIN_FAILED_STATUS


def final_refusal(code: int | None) -> KlingError | None:
    """Return what a create that was refused with this code is told; None if it may be sent again as it is.

    That is so after what passes, and after what may be about our reference: it goes out without one then.
    """
    verdict = Verdict(code or 0, None, None)
    if not verdict.final or verdict.code in ABOUT_THE_REQUEST:
        return None
    error = error_for(verdict, creating=True)
    return None if error.retryable else error


def error_for(verdict: Verdict, *, creating: bool) -> KlingError:
    """Make the typed error for a code, also for one that the table does not have.

    Args:
        verdict: What was answered.
        creating: Whether it was said of a create: then whatever is not certain is a doubt, never a refusal.
    """
    meaning = MEANINGS.get(verdict.code)
    if meaning is None:
        what = "Kling answered with a code it does not document"
        meaning = Meaning(errors.UnexpectedAnswerError, what, _LATER, show_detail=True)
    elif creating and meaning.error.created is False and not verdict.final:
        what = f"Kling failed (HTTP {verdict.status}), though with a code of refusal"
        meaning = Meaning(errors.UnexpectedAnswerError, what, _LATER, show_detail=True)
    return meaning.error(
        meaning.what,
        meaning.remedy,
        creating=creating,
        code=verdict.code,
        detail=verdict.message if meaning.show_detail else None,
        # An id helps the vendor's support with what is Kling's own fault.
        request_id=verdict.request_id if meaning.error.created is None else None,
        retry_after=verdict.retry_after,
    )
