"""The whole surface as a client sees it, in two committed files: `make contract` writes them, a test compares them.

One is what the server shows on its user's own machine, the other what it shows over HTTP.

A difference is a decision. An argument or field that is gone, renamed, newly required or narrower breaks what others
have configured; anything else is compatible. Either way it takes a line in the changelog.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from pydantic import BaseModel

from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings

CONTRACT = Path(__file__).parents[1] / "contract.json"
CONTRACT_HTTP = CONTRACT.with_name("contract_http.json")


async def surface(*, over_http: bool = False) -> dict[str, Any]:
    """Return what the server shows of itself, the version left out."""
    async with Client(build_server(Settings(), over_http=over_http)) as client:
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
    """Write the files, or say whether they are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files anew")
    write, wrong = parser.parse_args().write, 0
    for path, over_http in ((CONTRACT, False), (CONTRACT_HTTP, True)):
        text = written(anyio.run(partial(surface, over_http=over_http)))
        if write:
            path.write_text(text, encoding="utf-8")
        wrong += text != path.read_text(encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
