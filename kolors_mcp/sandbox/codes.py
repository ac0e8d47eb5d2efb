"""Kling's envelope and its table of error codes."""

import uuid
from typing import Any

TABLE: dict[int, tuple[int, str]] = {
    1000: (401, "Authentication failed"),
    1001: (401, "Authorization is empty"),
    1002: (401, "Authorization is invalid"),
    1003: (401, "Authorization is not yet valid"),
    1004: (401, "Authorization has expired"),
    1100: (429, "Account exception"),
    1101: (429, "Account in arrears"),
    1102: (429, "Resource pack depleted or expired"),
    1103: (403, "Unauthorized access to requested resource"),
    1200: (400, "Invalid request parameters"),
    1201: (400, "Invalid parameters, such as incorrect key or illegal value"),
    1202: (404, "The requested method is invalid"),
    1203: (404, "The requested resource does not exist"),
    1300: (400, "Trigger strategy of the platform"),
    1301: (400, "Trigger the content security policy of the platform"),
    1302: (429, "The API request is too fast"),
    1303: (429, "Concurrency or QPS exceeds the prepaid resource package limit"),
    1304: (429, "Trigger the platform's IP whitelisting policy"),
    5000: (500, "Server internal error"),
    5001: (503, "Server temporarily unavailable, usually due to maintenance"),
    5002: (504, "Server internal timeout, usually due to a backlog"),
}
"""Code to HTTP status and message (the vendor's table of codes)."""


class Refusal(Exception):  # noqa: N818  (it is an answer of the simulated service, not an error of ours)
    """A request that is answered with a code of the table.

    Args:
        code: The business code.
        message: Replaces the table's message.
        status: Replaces the table's HTTP status.
    """

    def __init__(self, code: int, message: str | None = None, *, status: int | None = None) -> None:
        table_status, table_message = TABLE.get(code, (500, "Unknown error"))
        self.code = code
        self.message = table_message if message is None else message
        self.status = table_status if status is None else status
        super().__init__(f"{code}: {self.message}")

    def envelope(self) -> dict[str, Any]:
        """Return the answer's JSON; it has no `data`."""
        return {"code": self.code, "message": self.message, "request_id": str(uuid.uuid4())}


def success(data: Any) -> dict[str, Any]:
    """Return the envelope of an answer that worked."""
    return {"code": 0, "message": "SUCCEED", "request_id": str(uuid.uuid4()), "data": data}
