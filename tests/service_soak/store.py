"""A real S3-compatible store: moto's server, in an environment of its own with every package known by its hash."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx

from scripts.loopback_nginx import free_port
from tests.support.commands import environment

from .programs import Program

BUCKET = "shelf"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PLACE = Path(tempfile.gettempdir()) / "kolors-mcp-store"
"""Where the environment is; some 120 MB, so not inside the project."""


def python_of_store() -> Path:
    """Return the Python of the environment, making it if it is not there."""
    python, stamp = PLACE / "bin" / "python", PLACE / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != REQUIREMENTS.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        install += ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
        subprocess.run([python, *install], check=True, stdin=subprocess.DEVNULL)
        stamp.write_bytes(REQUIREMENTS.read_bytes())
    return python


class Store:
    """A store that listens."""

    def __init__(self, origin: str, program: Program) -> None:
        self._origin = origin
        self._program = program

    @property
    def origin(self) -> str:
        """Where it listens."""
        return self._origin

    async def away(self) -> None:
        """End it, with all that it has."""
        await self._program.kill()

    async def back(self) -> None:
        """Start it with an empty bucket."""
        await self._program.start()
        await self._program.up(f"{self._origin}/moto-api/data.json")
        await self.make()

    @property
    def variables(self) -> Mapping[str, str]:
        """What the service needs to use it."""
        return {
            "KOLORS_SHELF": f"s3://{BUCKET}/kolors",
            "AWS_ENDPOINT_URL": self._origin,
            "AWS_ENDPOINT": self._origin,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "soak",
            "AWS_SECRET_ACCESS_KEY": "soak",
            "AWS_REGION": "us-east-1",
        }

    async def make(self) -> None:
        """Make the bucket; whoever may read it without a key can list it in the end."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            (await client.put(f"{self._origin}/{BUCKET}", headers={"x-amz-acl": "public-read"})).raise_for_status()

    async def left(self) -> list[str]:
        """Return the names of what lies on it."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.get(f"{self._origin}/{BUCKET}?list-type=2")
        answer.raise_for_status()
        listing = ET.fromstring(answer.content)  # noqa: S314  (the store is ours)
        names = listing.iter("{http://s3.amazonaws.com/doc/2006-03-01/}Key")
        return [name.text or "" for name in names]


@asynccontextmanager
async def store(folder: Path) -> AsyncGenerator[Store]:
    """Run the store for the length of the block."""
    port = free_port()
    command = [str(python_of_store()), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    program = Program("store", command, environment(folder), folder)
    running = Store(f"http://127.0.0.1:{port}", program)
    try:
        await running.back()
        yield running
    finally:
        await program.kill()
