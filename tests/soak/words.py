"""What an answer says, read from its words as a model reads them."""

import re
from typing import Literal

Kind = Literal["task", "doubt", "nothing", "unasked", "other", "gone"]
"""What an answer says: a task; a doubt by its name; that nothing was created, or nothing by this call while it does not
know of earlier ones; something else; or that none came.
"""

DOUBT = "may exist and be billed"
NOTHING = re.compile(r"[Nn]o task was created|[Nn]othing was (created|sent|billed)|came to nothing")
UNASKED = "This call has created nothing; whether the same was created before is not known."
REFERENCE = re.compile(r"k-[0-9a-f]{24}")


def kind_of_error(text: str) -> Kind:
    """Return what an answer says that is an error."""
    if DOUBT in text:
        return "doubt"
    if NOTHING.search(text):
        return "nothing"
    return "unasked" if UNASKED in text else "other"


def reference_in(text: str) -> str | None:
    """Return the first of our references that an answer names."""
    named = REFERENCE.search(text)
    return named.group() if named else None
