"""The whole surface as a client sees it, in one committed file: `make contract` writes it, a test compares it.

A difference is a decision. An argument or field that is gone, renamed, newly required or narrower breaks what others
have configured; anything else is compatible. Either way it takes a line in the changelog.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from pydantic import BaseModel

from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings

CONTRACT = Path(__file__).parents[1] / "contract.json"


async def surface() -> dict[str, Any]:
    """Return what the server shows of itself, the version left out."""
    async with Client(build_server(Settings())) as client:
        assert client.server_info is not None
        return {
            "name": client.server_info.name,
            "title": client.server_info.title,
            "instructions": client.instructions,
            "tools": [
                tool.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"icons"})
                for tool in (await client.list_tools()).tools
            ],
            "resources": _shown((await client.list_resources()).resources),
            "resource_templates": _shown((await client.list_resource_templates()).resource_templates),
            "prompts": _shown((await client.list_prompts()).prompts),
        }


def _shown(items: Sequence[BaseModel]) -> list[dict[str, Any]]:
    # The size of the page says nothing about what can be relied on.
    return [item.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"size"}) for item in items]


def written(value: dict[str, Any]) -> str:
    """Return the file's text."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file, or say whether it is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the file anew")
    text = written(anyio.run(surface))
    if parser.parse_args().write:
        CONTRACT.write_text(text, encoding="utf-8")
        return 0
    return int(text != CONTRACT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
