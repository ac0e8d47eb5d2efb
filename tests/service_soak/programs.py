"""Programs that a run starts: each with a log of its own, ended with the run whatever happens."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx

READY_SECONDS = 90.0
"""What comes up takes some seconds; a busy machine takes more."""
END_SECONDS = 33.0
"""A replica ends within 30 s of being told to."""
LAST_WORDS = 1500
"""Characters of a log that are quoted."""
ROOT = Path(__file__).resolve().parents[2]


class NotUpError(RuntimeError):
    """A program did not come up; the text is the end of its log."""


class Program:
    """A process that is started anew as often as it is wanted."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._is_frozen = False

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    @property
    def last_words(self) -> str:
        """The end of what it printed."""
        return self.log.read_text("utf-8", "replace")[-LAST_WORDS:] if self.log.exists() else ""

    async def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=ROOT,
                # An interrupt from the keyboard ends the run, and the run ends this.
                start_new_session=True,
            )

    async def up(self, url: str, *, status: int = 200) -> None:
        """Wait until an address is answered so.

        Raises:
            NotUpError: The process ended, or it took too long.
        """
        until = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while self.pid is not None and time.monotonic() < until:
                with suppress(httpx.TransportError):
                    if (await client.get(url)).status_code == status:
                        return
                await asyncio.sleep(0.1)
        raise NotUpError(f"{self.name} is not up: {self.last_words}")

    async def ended(self) -> int:
        """Wait until the process has ended; return how."""
        assert self._process is not None
        return await self._process.wait()

    def freeze(self) -> None:
        """Stop the process, as under a closed lid or a paused virtual machine."""
        self._is_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._is_frozen = False
        self._signal(signal.SIGCONT)

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still."""
        return self._is_frozen

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._is_frozen = False
            await self._process.wait()

    async def end(self) -> bool:
        """Tell it to end; return whether it did so in time."""
        if self.pid is None:
            return True
        if self._is_frozen:
            self.thaw()
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.ended()
        except TimeoutError:
            await self.kill()
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
