"""A refusal at the door: a status, and one plain sentence that says what to do."""

from math import ceil

from starlette.responses import PlainTextResponse


def refusal(status: int, words: str, *, retry_seconds: float | None = None) -> PlainTextResponse:
    """Return an answer that refuses a request.

    The connection stays: what still comes of the request is read for a while and dropped, because the answer could be
    lost where a connection ends under a client that sends.

    Args:
        status: Of HTTP.
        words: What the caller can do.
        retry_seconds: After which the same request may be taken.
    """
    headers = {"cache-control": "no-store"}
    if retry_seconds is not None:
        headers["retry-after"] = str(max(1, ceil(retry_seconds)))
    return PlainTextResponse(words + "\n", status, headers)
