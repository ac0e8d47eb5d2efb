"""The page behind an upload link: choose a photo, name it, see that it is kept. Nothing else, and nothing is paid."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Literal

MAX_UPLOAD_BYTES = 10 * 1024 * 1024
"""Of a photo, whichever megabyte is meant."""
State = Literal["open", "late", "used"]
"""How a link stands."""


@cache
def page(state: State, name: str) -> tuple[str, str]:
    """Return the document, and the policy under which it is shown: its own style and script, by their hashes.

    Args:
        state: Whether the link can still be used.
        name: Under which the photo is kept unless the user changes it.
    """
    style, script = _source("page.css"), _source("words.js") + _source("page.js")
    document = _source("page.html")
    facts = json.dumps({"state": state, "name": name, "most": MAX_UPLOAD_BYTES})
    for key, text in {"style": style, "facts": facts, "script": script}.items():
        document = document.replace("{{" + key + "}}", text, 1)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_fingerprint(script)}'",
            f"style-src '{_fingerprint(style)}'",
            "img-src blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return document, policy


def _source(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
