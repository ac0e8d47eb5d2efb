"""What hundreds of tests would make anew and alike: a tool from its function, and the check of a tool's own schema."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.server.mcpserver.tools import Tool

from kolors_mcp.server.tool import TryOnTool


def make_once(patch: pytest.MonkeyPatch) -> None:
    """Keep what was made of the same function and texts, and what was found sound; each server has its own copies."""
    made: dict[str, Tool] = {}
    sound: set[str] = set()
    really_of, really_check = TryOnTool.of, Draft202012Validator.check_schema

    def of(fn: Any, **more: Any) -> Tool:
        key = f"{fn!r} {more!r}"
        if key not in made:
            made[key] = really_of(fn, **more)
        return made[key].model_copy()

    def check_schema(schema: Any, *more: Any, **options: Any) -> None:
        key = json.dumps(schema, sort_keys=True)
        if key not in sound:
            really_check(schema, *more, **options)
            sound.add(key)

    patch.setattr(TryOnTool, "of", of)
    patch.setattr(Draft202012Validator, "check_schema", check_schema)
