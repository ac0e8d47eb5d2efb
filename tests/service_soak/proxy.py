"""A real nginx on loopback before the replicas, with the settings that `deploy/nginx` has."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.loopback_nginx import bring_nginx, command, write_configuration
from tests.support.commands import environment

from .programs import Program

MISSING = (
    "nginx is not here and cannot be installed. Install it (Debian: apt-get install nginx-light); "
    "`--only single` needs none."
)
CALLS_PER_SECOND = 10_000
"""Of one address, from which all users come here."""


class NoProxyError(RuntimeError):
    """There is no nginx here; the text says what to do."""


def nginx_program() -> str:
    """Return the path of nginx, installing it where that can be done.

    Raises:
        NoProxyError: It is not here, and cannot be.
    """
    found = bring_nginx()
    if found is None:
        raise NoProxyError(MISSING)
    return found


@asynccontextmanager
async def proxy(folder: Path, port: int, replicas: Sequence[int]) -> AsyncGenerator[Program]:
    """Run nginx for the length of the block.

    Args:
        folder: For its files.
        port: Where it listens.
        replicas: The ports of the replicas.
    """
    place = folder / "nginx"
    place.mkdir()
    servers = [f"127.0.0.1:{one}" for one in replicas]
    configuration = write_configuration(place, port, servers, calls_per_second=CALLS_PER_SECOND)
    program = Program("nginx", command(nginx_program(), configuration), environment(folder), folder)
    try:
        await program.start()
        yield program
    finally:
        await program.end()
