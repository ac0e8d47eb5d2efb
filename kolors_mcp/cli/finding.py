"""What one check of `kolors-mcp doctor` found."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    verdict: Verdict
    check: str
    text: str
    remedy: str | None = None

    def __str__(self) -> str:
        remedy = f"\n{'':<24}-> {self.remedy}" if self.remedy else ""
        return f"{self.verdict:<4}  {self.check:<16}  {self.text}{remedy}"


def broken(check: str, error: Exception, remedy: str) -> Finding:
    """Return that a check itself failed."""
    # Only the kind: the text of a foreign error may hold a proxy's password.
    return Finding("FAIL", check, f"could not be checked ({type(error).__name__})", remedy)
