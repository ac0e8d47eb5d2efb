"""`kolors-mcp doctor`: one line per check, each with a verdict and a remedy. Never shows a secret."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

from kolors_mcp import errors
from kolors_mcp.cli.finding import Finding, Verdict, broken
from kolors_mcp.cli.folders import MAX_RESULT_BYTES, why_not_writable
from kolors_mcp.cli.network_checks import network_findings
from kolors_mcp.cli.serve import credentials_of_process
from kolors_mcp.cli.state_folder import default_url
from kolors_mcp.cli.terminal import EXIT_INTERRUPTED, interruptible, print_line
from kolors_mcp.clock import Clock
from kolors_mcp.kling.account import units_left
from kolors_mcp.kling.auth import BACKDATED_SECONDS
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.server import Upstream
from kolors_mcp.settings import Settings
from kolors_mcp.wording import quoted

MAX_REQUEST_SECONDS = 10.0
"""For one question to Kling, retries included."""
MAX_BEHIND_SECONDS = 60.0
"""How far behind Kling's this clock may be without a warning; tokens of a slower clock live shorter."""
NEEDED_CHECKS = ("proxy", "certificates")
"""Checks of the network without which Kling cannot be asked; a name that is not resolved Kling's own line tells too."""


def run(clock: Clock | None = None) -> int:
    """Print each finding as it is made; the exit code is 1 if one of them is a failure."""
    try:
        with interruptible():
            verdicts = asyncio.run(_examined(clock))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    failures, warnings = verdicts.count("FAIL"), verdicts.count("warn")
    if failures or warnings:
        print_line(f"\n{_counted(failures, 'failure')}, {_counted(warnings, 'warning')}.")
    else:
        print_line("\nEverything is in order.")
    return 1 if failures else 0


async def _examined(clock: Clock | None) -> list[Verdict]:
    verdicts: list[Verdict] = []
    async with aclosing(_findings(clock)) as findings:
        async for finding in findings:
            print_line(str(finding))
            verdicts.append(finding.verdict)
    return verdicts


async def _findings(clock: Clock | None) -> AsyncGenerator[Finding]:
    try:
        settings = Settings.from_env(os.environ)
    except errors.KolorsError as error:
        yield Finding("FAIL", "settings", str(error))
        return
    # The environment can break the libraries below in more ways than can be listed; the doctor is there to say where.
    except Exception as error:  # noqa: BLE001
        yield broken("settings", error, "look at HOME and TMPDIR, and at the working folder")
        return
    credentials = _credentials(settings)
    yield credentials
    is_usable = credentials.verdict != "FAIL"
    async with aclosing(network_findings(settings)) as findings:
        async for finding in findings:
            is_usable = is_usable and not (finding.verdict == "FAIL" and finding.check in NEEDED_CHECKS)
            yield finding
    if is_usable:
        try:
            async with _upstream(settings) as upstream, aclosing(_account(upstream, clock or Clock())) as account:
                async for finding in account:
                    yield finding
        except Exception as error:  # noqa: BLE001  (the same)
            yield broken("region", error, "look at HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR")
    for check in (_picture_folders, _save_folder):
        try:
            yield check(settings)
        except Exception as error:  # noqa: BLE001  (the same)
            yield broken("folders", error, "look at KOLORS_IMAGE_DIRS and KOLORS_SAVE_DIR")
    try:
        yield await _ledger(settings, clock or Clock())
    except Exception as error:  # noqa: BLE001  (the same)
        yield broken("ledger", error, "look at KOLORS_LEDGER, HOME and XDG_STATE_HOME")


@asynccontextmanager
async def _upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    if settings.sandbox:
        from kolors_mcp.cli.sandbox import open_sandbox  # noqa: PLC0415  (only where it is asked for)

        async with open_sandbox(settings.allowed_hosts) as upstream:
            yield upstream
    else:
        yield Upstream(settings.api_base, credentials_of_process())


def _credentials(settings: Settings) -> Finding:
    if settings.sandbox:
        return Finding("ok", "credentials", "none needed: KOLORS_SANDBOX is set, so a simulated Kling answers")
    try:
        credentials = credentials_of_process()()
    except errors.NotConfiguredError as error:
        return Finding("FAIL", "credentials", str(error))
    if credentials is None:
        return Finding(
            "FAIL",
            "credentials",
            "none are set",
            "set KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY; or KOLORS_SANDBOX=1 to try it without",
        )
    kind = "an API key" if credentials.api_key else "an AccessKey and SecretKey pair, which signs tokens"
    return Finding("ok", "credentials", kind)


async def _account(upstream: Upstream, clock: Clock) -> AsyncGenerator[Finding]:
    """Ask for one try-on and for the units; both are free."""
    try:
        client = KlingClient(upstream.api_base, upstream.credentials, clock=clock)
    except errors.NotConfiguredError as error:
        yield Finding("FAIL", "network", str(error))
        return
    try:
        refusal: errors.KolorsError | None = None
        try:
            await client.page(1, 1, deadline=clock.deadline(MAX_REQUEST_SECONDS))
        except (errors.UnreachableError, errors.ConnectionLostError, errors.UnexpectedAnswerError) as error:
            yield Finding("FAIL", "region", f"{upstream.api_base}: {error}")
            return
        except errors.KolorsError as error:
            refusal = error
        yield Finding("ok", "region", f"{upstream.api_base} answers")
        yield _clock(client.observed_skew)
        if refusal is None:
            yield Finding("ok", "account", "Kling accepts the credentials")
            yield await _units(client, clock)
        else:
            yield Finding("FAIL" if isinstance(refusal, errors.RefusedError) else "warn", "account", str(refusal))
    finally:
        await client.aclose()


def _clock(skew: float | None) -> Finding:
    if skew is None:
        return Finding("warn", "clock", "Kling's answer has no readable date, so it could not be compared")
    # A fast clock is forgiven by a few seconds only; the date is in whole seconds.
    text = f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} Kling's"
    if -BACKDATED_SECONDS <= skew <= MAX_BEHIND_SECONDS:
        return Finding("ok", "clock", text)
    return Finding("warn", "clock", text, "set this machine's clock: Kling judges signed tokens by it")


async def _units(client: KlingClient, clock: Clock) -> Finding:
    try:
        packs = await client.packs(clock.deadline(MAX_REQUEST_SECONDS))
    except errors.KlingError as error:
        return Finding("warn", "units", f"not told: {error}")
    late = "(Kling's figures can be 12 hours late)"
    usable = [pack for pack in packs if pack.is_usable or pack.is_unclear]
    if not usable:
        return Finding("warn", "units", f"none left in any pack {late}", "the account owner must buy units")
    left = ", ".join(
        f"{'an unknown number' if pack.units_left is None else format(pack.units_left, 'g')} in {quoted(pack.name, 60)}"
        for pack in usable
    )
    if units_left(packs) == 0:
        return Finding("warn", "units", f"none for try-ons, but {left} {late}", "the account owner must buy units")
    return Finding("ok", "units", f"{left} {late}")


def _picture_folders(settings: Settings) -> Finding:
    readable = [folder for folder in settings.image_dirs if os.access(folder, os.R_OK | os.X_OK)]
    if readable:
        return Finding("ok", "picture folders", os.pathsep.join(map(str, readable)))
    return Finding(
        "warn", "picture folders", "none can be read, so only links and data can be used", "set KOLORS_IMAGE_DIRS"
    )


def _save_folder(settings: Settings) -> Finding:
    folder = settings.save_dir
    if folder is None:
        return Finding("ok", "save folder", "none set: finished pictures are given as links only")
    reason = why_not_writable(folder, MAX_RESULT_BYTES)
    if reason is None:
        return Finding("ok", "save folder", str(folder))
    return Finding("FAIL", "save folder", f"{folder} cannot be written ({reason})", "set KOLORS_SAVE_DIR to another")


async def _ledger(settings: Settings, clock: Clock) -> Finding:
    if settings.sandbox:
        return Finding("ok", "ledger", "none needed: what the sandbox makes is forgotten with it")
    from kolors_mcp.ledger.ledger import Ledger  # noqa: PLC0415  (the database, only where it is looked at)

    try:
        url = settings.ledger or default_url(os.environ)
        # Without an account: rows of an older layout go to the first account that opens them, and this one only looks.
        await (await Ledger.open(url, clock=clock, account=lambda: None)).aclose()
    except errors.KolorsError as error:
        return Finding("FAIL", "ledger", f"no try-on can be created: {error}")
    kind, _, rest = url.partition("://")
    # Behind postgresql:// there may be a password.
    return Finding("ok", "ledger", rest.removeprefix("/") if kind == "sqlite" else f"a {kind.split('+')[0]} database")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
