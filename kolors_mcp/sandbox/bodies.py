"""Takes in the body of a request, up to a number of bytes: what is announced or comes beyond is not kept."""

import asyncio

from starlette.requests import Request

_SECONDS = 60.0
"""Longest that a body may take; the largest needs a second on loopback."""
_SECONDS_PASSED_BY = 2.0
_MAX_SKIPPED_BYTES = 96 * 1024 * 1024
"""Of a body too large so much is taken in and dropped, for so long, that its sender reads why; then it is cut off."""


class BodyTooLargeError(Exception):
    """There is more than was allowed; nothing of it was kept."""


async def read_whole(request: Request, most: int) -> bytes:
    """Return the body.

    Raises:
        BodyTooLargeError: It is larger than `most` bytes, or did not come in time.
        ClientDisconnect: The caller left meanwhile.
    """
    announced = request.headers.get("content-length", "0")
    kept = not announced.isdigit() or int(announced[:20]) <= most
    blocks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SECONDS if kept else _SECONDS_PASSED_BY):
            async for block in request.stream():
                size += len(block)
                if size > most:
                    kept = False
                    blocks.clear()
                if size > _MAX_SKIPPED_BYTES:
                    break
                if kept:
                    blocks.append(block)
    except TimeoutError:
        kept = False
    if not kept:
        raise BodyTooLargeError
    return b"".join(blocks)
