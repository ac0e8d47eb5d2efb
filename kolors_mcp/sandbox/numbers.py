"""The ranges of what the control endpoint takes: wide, but nothing that could break the sandbox."""

from typing import Annotated

from pydantic import Field

Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""A duration, up to 30 years."""
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""How many."""
Code = Annotated[int, Field(ge=-999_999_999, le=999_999_999)]
"""A business code, of the vendor's table or of none."""
HttpStatus = Annotated[int, Field(ge=200, le=599)]
"""The status of a final answer."""
HeaderValue = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$", max_length=8000)]
"""What a header can carry: visible ASCII, with blanks inside only."""
