"""A refusal at the door: a status, and one plain sentence that says what to do."""

from math import ceil

from starlette.responses import PlainTextResponse


def refusal(status: int, words: str, *, retry_seconds: float | None = None, close: bool = False) -> PlainTextResponse:
    """Return an answer that refuses a request.

    Args:
        status: Of HTTP.
        words: What the caller can do.
        retry_seconds: After which the same request may be taken.
        close: Whether the connection ends with it, because the request is not read to its end.
    """
    headers = {"cache-control": "no-store"}
    if retry_seconds is not None:
        headers["retry-after"] = str(max(1, ceil(retry_seconds)))
    if close:
        headers["connection"] = "close"
    return PlainTextResponse(words + "\n", status, headers)
