"""Writes the lists of pinned packages, with the hash of every file of each, for every Python and platform.

uv resolves for all of them at once, and says in a marker where a package is not needed. A list names only what the
lists before it do not have, so that installing one after the other installs everything once.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ["service", "postgres", "otel"]
LISTS: dict[str, tuple[list[str], list[str], str]] = {
    "constraints.txt": (["install"], [], "What kolors-mcp runs with, and what installs it."),
    "constraints-service.txt": (["install"], EXTRAS, "What the HTTP service needs besides constraints.txt."),
    "constraints-test.txt": (["install", "test"], EXTRAS, "What the tests need besides the two lists above it."),
    "constraints-dev.txt": (["install", "dev"], EXTRAS, "What linting, building and locking need besides the tests."),
    "constraints-deploy.txt": (
        ["install", "dev", "deploy"],
        EXTRAS,
        "What checks the files in deploy/, besides all other lists.",
    ),
}
"""The dependency groups and extras that each list adds to the project's own dependencies, and its first line."""
NOTE = """\
# For Python 3.11 and newer on Linux, macOS and Windows; install it with `pip install --require-hashes -r`.
# Written by `make lock`; to renew it, run that, then `make test check`. Do not edit by hand.
"""

Entries = dict[str, str]
"""The text of each pin with its marker and hashes, by its first line."""


def main() -> None:
    """Resolve everything that pyproject.toml asks for, newest versions first, and write the lists."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--keep", action="store_true", help="keep the versions that the lists have, where they still fit"
    )
    keep: bool = parser.parse_args().keep
    written: Entries = {}
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder, "everything.txt")
        old = [ROOT / name for name in LISTS if keep and (ROOT / name).exists()]
        everything.write_text(_resolve(*list(LISTS.values())[-1][:2], old), encoding="utf-8")
        for name, (groups, extras, title) in LISTS.items():
            entries = _entries(_resolve(groups, extras, [everything]))
            new = {line: text for line, text in entries.items() if written.get(line) != text}
            (ROOT / name).write_text(f"# {title}\n{NOTE}{''.join(new.values())}", encoding="utf-8")
            written |= new
            print(f"{name} pins {len(new)} packages.")


def _resolve(groups: list[str], extras: list[str], constraints: list[Path]) -> str:
    """Have uv resolve the project with these groups and extras; return its list.

    Its own settings and old pins play no part.
    """
    command = ["pip", "compile", "--quiet", "--no-config", "--universal", "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--python-version", _oldest_python()]
    command += [argument for group in groups for argument in ("--group", group)]
    command += [argument for extra in extras for argument in ("--extra", extra)]
    command += [argument for path in constraints for argument in ("--constraint", str(path))]
    if index := _index_of_pip():
        command += ["--default-index", index]
    done = subprocess.run(
        [sys.executable, "-m", "uv", *command, "pyproject.toml"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def _oldest_python() -> str:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["requires-python"]).removeprefix(">=")


def _index_of_pip() -> str | None:
    """Return the package index that pip is configured for; None means the one that both tools take by themselves."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    settings = dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)
    # In the order in which pip obeys them.
    named = (settings.get(key) for key in (":env:.index-url", "install.index-url", "global.index-url"))
    return next((value.strip("'\"") for value in named if value), None)


def _entries(text: str) -> Entries:
    """Split a list at the lines that begin a pin; hashes are indented."""
    entries: Entries = {}
    first = ""
    for line in text.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            first = line
        entries[first] = entries.get(first, "") + line
    return entries


if __name__ == "__main__":
    main()
