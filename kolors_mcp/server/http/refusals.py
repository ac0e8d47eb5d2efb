"""A refusal at the door: a status, and one plain sentence that says what to do."""

import json
from math import ceil
from typing import TYPE_CHECKING

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

JSON_TYPE = "application/json"
_OURS = 500
"""From which status on it is not the request that is at fault."""


class Refusal(PlainTextResponse):
    """Plain text; to a client of MCP, which takes JSON, an error of JSON-RPC: what else comes it shows to nobody."""

    def __init__(self, status: int, words: str, headers: dict[str, str]) -> None:
        """Refuse with these words."""
        super().__init__(words + "\n", status, headers)
        self._words = words

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer in the form that the request takes."""
        if JSON_TYPE in Headers(scope=scope).get("accept", ""):
            code = INTERNAL_ERROR if self.status_code >= _OURS else INVALID_REQUEST
            # Which message it was is not known: its body was not read.
            answer = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": self._words}}
            self.body = json.dumps(answer, ensure_ascii=False).encode()
            self.headers["content-type"] = JSON_TYPE
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def refusal(status: int, words: str, *, retry_seconds: float | None = None, **headers: str) -> Refusal:
    """Return an answer that refuses a request.

    The connection stays: what still comes of the request is read for a while and dropped, because the answer could be
    lost where a connection ends under a client that sends.

    Args:
        status: Of HTTP.
        words: What the caller can do.
        retry_seconds: After which the same request may be taken.
        headers: Others, with `_` for `-`.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if retry_seconds is not None:
        named["retry-after"] = str(max(1, ceil(retry_seconds)))
    return Refusal(status, words, {**named, "cache-control": "no-store"})
