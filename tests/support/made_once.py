"""What hundreds of tests would make anew and alike: tools from functions, checks of schemas, the usual certificates."""

import json
import os
import ssl
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp.server.mcpserver.tools import Tool

from kolors_mcp.server.tool import TryOnTool

OF_ITS_OWN = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
"""Variables with which certificates are not the usual ones, or are used unlike them."""


def make_once(patch: pytest.MonkeyPatch) -> None:
    """Keep what was made of the same function and texts, and what was found sound; each server has its own copies."""
    made: dict[str, Tool] = {}
    sound: set[str] = set()
    usual: list[ssl.SSLContext] = []
    really_of, really_check = TryOnTool.of, Draft202012Validator.check_schema
    really_trust = httpx.create_ssl_context

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

    # Reading the usual certificates takes tens of milliseconds; a test that adds some of its own names them.
    def create_ssl_context(*more: Any, **options: Any) -> ssl.SSLContext:
        if more or options or any(os.environ.get(name) for name in OF_ITS_OWN):
            return really_trust(*more, **options)
        if not usual:
            usual.append(really_trust())
        return usual[0]

    patch.setattr(TryOnTool, "of", of)
    patch.setattr(httpx, "create_ssl_context", create_ssl_context)
    patch.setattr(Draft202012Validator, "check_schema", check_schema)
