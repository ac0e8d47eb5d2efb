"""Copies: how much one create holds at its worst moment, over the bytes of its two pictures."""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.pipes import environment, upstream
from benchmarks.workload import KINDS, SIZES, data_of, pictures, wish_of
from kolors_mcp.clock import Clock
from kolors_mcp.server.service import Service, Upstream
from kolors_mcp.settings import Credentials, Settings
from kolors_mcp.try_ons.request import TryOnRequest

MEASURED = ("1 MB", "9.5 MB")


def main() -> dict[str, Any]:
    """Print the rows; the creates run in this process, where allocations can be seen."""
    with pictures() as folder, upstream(0, folder) as port:
        return asyncio.run(measured(port, folder))


async def measured(port: int, folder: Path) -> dict[str, Any]:
    """Trace one create of each kind and size."""
    settings = Settings.from_env({**environment(port, folder), "KOLORS_LEDGER": "sqlite://"})
    credentials = Credentials(api_key=SecretStr("bench"))

    @asynccontextmanager
    async def kling() -> AsyncGenerator[Upstream]:
        yield Upstream(settings.api_base, lambda: credentials)

    service = Service(settings, kling, Clock())
    rows: dict[str, Any] = {}
    try:
        print("\nCopies: most bytes held by one create, over the bytes of its pictures (what came with the call apart)")
        for kind in KINDS:
            for size in SIZES:
                first, wish = (TryOnRequest(**wish_of(kind, size, port, folder)) for _ in range(2))
                await (await service.try_ons()).create(first)
                if size not in MEASURED:
                    continue
                tracemalloc.start()
                await (await service.try_ons()).create(wish)
                _now, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                copies = peak / sum(map(len, data_of(size, folder)))
                rows[f"{kind} {size}"] = {"peak_bytes": peak, "copies": copies}
                print(f"  {kind:<7}{size:<7}{peak / 1e6:>7.1f} MB  x{copies:.2f}")
    finally:
        await service.aclose()
    return rows


if __name__ == "__main__":
    main()
