"""`kolors-mcp doctor`: one line per check, each with a verdict and a remedy. Never shows a secret."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kolors_mcp.cli.serve import credentials_of_process
from kolors_mcp.errors import KlingError, KolorsError, NotConfiguredError, UnreachableError
from kolors_mcp.kling.auth import BACKDATED, LIFETIME
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.server import Upstream
from kolors_mcp.settings import Settings

Verdict = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    verdict: Verdict
    check: str
    text: str
    remedy: str | None = None

    def __str__(self) -> str:
        remedy = f"\n      -> {self.remedy}" if self.remedy else ""
        return f"{self.verdict:<4}  {self.check}: {self.text}{remedy}"


def run() -> int:
    """Print the findings; the exit code is 1 if one of them is a failure."""
    findings = asyncio.run(_examined())
    for finding in findings:
        print(finding)
    return 1 if any(finding.verdict == "FAIL" for finding in findings) else 0


async def _examined() -> list[Finding]:
    try:
        settings = Settings.from_env(os.environ)
    except NotConfiguredError as error:
        return [Finding("FAIL", "settings", str(error))]
    findings = [_credentials(settings)]
    if findings[0].verdict != "FAIL":
        async with _upstream(settings) as upstream:
            client = KlingClient(upstream.api_base, upstream.credentials)
            try:
                findings += await _account(client, upstream)
            finally:
                await client.aclose()
    return [*findings, *_folders(settings)]


@asynccontextmanager
async def _upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    if settings.sandbox:
        from kolors_mcp.cli.sandbox import open_sandbox  # noqa: PLC0415  (only where it is asked for)

        async with open_sandbox() as upstream:
            yield upstream
    else:
        yield Upstream(settings.api_base, credentials_of_process())


def _credentials(settings: Settings) -> Finding:
    if settings.sandbox:
        return Finding("ok", "credentials", "none needed, KOLORS_SANDBOX is set: a simulated Kling answers")
    try:
        credentials = credentials_of_process()()
    except NotConfiguredError as error:
        return Finding("FAIL", "credentials", str(error))
    if credentials is None:
        return Finding(
            "FAIL",
            "credentials",
            "none are set",
            "set KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY; or KOLORS_SANDBOX=1 to try it without",
        )
    kind = "an API key" if credentials.api_key else "an AccessKey and SecretKey pair, signed as a JWT"
    return Finding("ok", "credentials", kind)


async def _account(client: KlingClient, upstream: Upstream) -> list[Finding]:
    """Ask for one try-on and for the units; both are free."""
    refusal: KolorsError | None = None
    try:
        await client.page(1, 1, seconds=10)
    except KolorsError as error:
        refusal = error
    if isinstance(refusal, UnreachableError):
        return [Finding("FAIL", "region", f"{upstream.api_base}: {refusal}")]
    findings = [Finding("ok", "region", f"{upstream.api_base} answers"), _clock(client.observed_skew)]
    if refusal is not None:
        return [*findings, Finding("FAIL", "credentials accepted", f"no: {refusal}")]
    return [*findings, Finding("ok", "credentials accepted", "yes"), await _units(client)]


def _clock(skew: float | None) -> Finding:
    if skew is None:
        return Finding("warn", "clock", "Kling's answer has no readable date, so it could not be compared")
    # A fast clock is forgiven by a few seconds only, a slow one by the token's whole life; the date is in whole seconds.
    behind = "behind" if skew > 0 else "ahead"
    text = f"{abs(skew):.0f} s {behind} of Kling's"
    if -BACKDATED <= skew <= LIFETIME / 2:
        return Finding("ok", "clock", text)
    return Finding("warn", "clock", text, "set this machine's clock; until then tokens are corrected by that much")


async def _units(client: KlingClient) -> Finding:
    try:
        packs = [pack for pack in await client.packs(seconds=10) if pack.status == "online"]
    except KlingError as error:
        return Finding("warn", "units", f"not told: {error}")
    left = sum(pack.remaining_quantity or 0 for pack in packs)
    if left <= 0:
        return Finding("warn", "units", "none left in any pack (Kling's figure can be 12 hours late)", "buy units")
    return Finding("ok", "units", f"{left:g} left in {len(packs)} pack(s) (Kling's figure can be 12 hours late)")


def _folders(settings: Settings) -> Iterator[Finding]:
    readable = [folder for folder in settings.image_dirs if os.access(folder, os.R_OK | os.X_OK)]
    if readable:
        yield Finding("ok", "picture folders", os.pathsep.join(map(str, readable)))
    else:
        yield Finding(
            "warn", "picture folders", "none can be read, so only links and data can be used", "set KOLORS_IMAGE_DIRS"
        )
    if settings.save_dir is None:
        yield Finding("ok", "save folder", "none set: finished pictures are given as links only")
    elif _writable(settings.save_dir):
        yield Finding("ok", "save folder", str(settings.save_dir))
    else:
        yield Finding("FAIL", "save folder", f"{settings.save_dir} cannot be written", "set KOLORS_SAVE_DIR to another")


def _writable(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it in which it can be made, can be written."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
