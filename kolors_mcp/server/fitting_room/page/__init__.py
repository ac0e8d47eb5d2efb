"""Joins the page: markup, style and scripts become one document that needs nothing else."""

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files

from kolors_mcp.images import limits
from kolors_mcp.server.resources import SHRUNK_KEY

SCRIPTS = (
    *("english", "chinese", "language", "host", "words", "photos", "camera", "choose"),
    *("stage", "wall", "tries", "money", "several", "panel", "actions", "kept", "room"),
)
"""In this order they are one module, so each may use what stands before it."""
STYLES = ("room", "kept")

MAX_GARMENTS = 6
"""Garments that one click tries on, each paid."""
MAX_SIDE_BY_SIDE = 6
"""Results that are shown beside each other."""


@cache
def page(*, sandbox: bool, samples: tuple[tuple[str, str], ...] = (), over_http: bool = False) -> str:
    """Return the fitting room as one HTML document.

    Its own policy allows exactly this style and this script, by their hashes: no inline handler, no `eval`, and
    nothing from elsewhere runs, however lenient the host's policy is.

    Args:
        sandbox: Whether a simulated Kling answers, so that the page says so and names no price.
        samples: Photos to try with, where there are some: names (`person`, `upper`, `lower`, `dress`) and paths.
        over_http: Whether kept photos lie on another machine than the user's, so that the page says where.
    """
    style = "\n".join(_packed(_source(f"{name}.css")) for name in STYLES)
    for loose, tight in ((" {", "{"), ("{ ", "{"), ("; ", ";"), (" }", "}"), (": ", ":"), (", ", ","), (";}", "}")):
        style = style.replace(loose, tight)
    script = "\n".join(_packed(_source(f"{name}.js")) for name in SCRIPTS)
    facts = {
        "sandbox": sandbox,
        "minSide": limits.MIN_SIDE,
        "maxFileBytes": limits.MAX_FILE_BYTES,
        "maxSentBytes": limits.MAX_FETCHED_BYTES,
        "shrunk": SHRUNK_KEY,
        "samples": dict(samples),
        "mostGarments": MAX_GARMENTS,
        "mostCompared": MAX_SIDE_BY_SIDE,
    }
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_fingerprint(script)}'",
            f"style-src '{_fingerprint(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = {"policy": policy, "style": style, "facts": json.dumps(facts), "script": script}
    document = _packed(_source("room.html"))
    if over_http:
        document = document.replace('data-text="keep_about"', 'data-text="keep_about_service"', 1)
    for name, text in parts.items():
        document = document.replace("{{" + name + "}}", text, 1)
    return document


def _source(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """Leave out what only readers of the source need: indentation, blank lines, and comments."""
    bare = re.sub(r"^\s*(//[^\n]*|/\*.*?\*/)$", "", text, flags=re.DOTALL | re.MULTILINE)
    bare = re.sub(r"(?<=[;,{}]) // [^\n\"'`]*$", "", bare, flags=re.MULTILINE)
    return "\n".join(line.strip() for line in bare.splitlines() if line.strip())


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
