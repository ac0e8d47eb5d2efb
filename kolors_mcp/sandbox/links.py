"""Signed links to results: good for 30 days, and worth nothing once a character is changed."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

_SIGNATURE_DIGITS = 32
"""128 bits, which cannot be guessed; links are as long as Kling's."""
RESULT_DAYS = 30
"""Results are cleared after 30 days (vendor's page)."""


class LinkSigner:
    """Makes and checks the links of one sandbox."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def path(self, task_id: str, index: int, finished_at: float) -> str:
        """Return path and query of a result that was finished at `finished_at` (s)."""
        expires = int(finished_at) + RESULT_DAYS * 86400
        return f"/results/{task_id}/{index}.png?signature={self._signature(task_id, index, expires)}&expires={expires}"

    def check(self, task_id: str, index: int, query: Mapping[str, str], now: float) -> int:
        """Return 200, 403 (signature missing or wrong) or 404 (expired) for a request."""
        try:
            expires = int(query.get("expires", ""))
        except ValueError:
            return 403
        good = hmac.compare_digest(self._signature(task_id, index, expires), query.get("signature", ""))
        if not good or set(query) != {"signature", "expires"}:
            return 403
        return 404 if now >= expires else 200

    def named_by(self, url: str, origin: str, now: float) -> str | None:
        """Return the id of the task whose result `url` is, if it is a good link of this sandbox."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != origin:
            return None
        steps = parts.path.split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match steps:
            case ["", "results", task_id, "0.png"] if self.check(task_id, 0, query, now) == 200:  # noqa: PLR2004  (HTTP)
                return task_id
            case _:
                return None

    def _signature(self, task_id: str, index: int, expires: int) -> str:
        whole = hmac.new(self._key, f"{task_id}/{index}/{expires}".encode(), hashlib.sha256).hexdigest()
        return whole[:_SIGNATURE_DIGITS]
