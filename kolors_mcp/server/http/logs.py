"""Logs as lines of JSON: what happened, never what it was about: no picture, no link, no name, no secret.

Of this program's own records the text is logged, which is written for that. Of others' only the pattern is, without
what they put into it, and of an error its kind and where it came up, without its words.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kolors_mcp.wording import plain

OWN = "kolors_mcp"
REQUESTS = f"{OWN}.requests"
"""The logger of one line for each request."""
FIELDS = "fields"
"""The attribute of a record with what stands beside its text."""
_MAX_CHARACTERS = 2_000
_MAX_FRAMES = 12


@dataclass
class Request:
    """One request, as it is told of; whatever learns something of it writes it here."""

    id: str
    """Which the answer carries, too."""
    path: str
    method: str | None = None
    """Of the protocol, if the message was read."""
    tool: str | None = None
    user: str | None = None
    """What tells the user from others, and not who it is."""
    outcome: str | None = None
    status: int | None = None
    more: dict[str, Any] = field(default_factory=dict[str, Any])


REQUEST: ContextVar[Request | None] = ContextVar("REQUEST", default=None)
"""The one that is being answered."""


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        is_own = record.name.partition(".")[0] == OWN
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": plain(record.getMessage() if is_own else str(record.msg), _MAX_CHARACTERS),
        }
        request = REQUEST.get()
        if request is not None:
            line["request_id"] = request.id
        line |= getattr(record, FIELDS, {})
        if record.exc_info is not None and (error := record.exc_info[1]) is not None:
            frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
            line["error"] = type(error).__name__
            line["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, separators=(",", ":"))
