"""Lists name, version and licence of every package that the installed server runs with."""

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "kolors-mcp"
UNSTATED = "not stated"
MAX_NAME_CHARACTERS = 40
"""Characters of a licence's name; some packages put the licence's whole text there."""
HEIC = """\
The wheels of pillow-heif carry more than its own BSD-3-Clause code: libheif and libde265 (LGPL-3.0), which read HEIC,
and x265 (GPL-2.0), which writes it and is never called here. A person who passes these wheels on passes on these
libraries too; their texts and sources are named in the wheel's LICENSES_bundled.txt."""


def main() -> None:
    """Print one line per package; end with status 1 if one states no licence."""
    rows = [(name, metadata.version(name), licence(metadata.metadata(name))) for name in sorted(run_time_packages())]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, version, stated in rows:
        print(f"{name:{widths[0]}}  {version:{widths[1]}}  {stated}")
    print(f"\n{HEIC}")
    if silent := [name for name, _, stated in rows if stated == UNSTATED]:
        sys.exit(f"No licence is stated by: {', '.join(silent)}.")


def run_time_packages() -> set[str]:
    """Return what the installed server needs, and what that needs; of its own extras, what is installed."""
    found: set[str] = set()
    extras = tuple(metadata.metadata(PACKAGE).get_all("Provides-Extra") or ())
    queue = [(PACKAGE, ("", *extras))]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while queue:
        package, asked_for = queue.pop()
        if (package, asked_for) in seen:
            continue
        seen.add((package, asked_for))
        for needed in map(Requirement, metadata.requires(package) or ()):
            marker = needed.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in asked_for):
                continue
            name = canonicalize_name(needed.name)
            if marker and "extra" in str(marker) and not _installed(name):
                continue
            found.add(name)
            queue.append((name, ("", *sorted(needed.extras))))
    return found


def licence(package: metadata.PackageMetadata) -> str:
    """Return the licence that a package states: its expression, else its classifiers, else its text's first line."""
    if "License-Expression" in package:
        return package["License-Expression"]
    classifiers = [text for text in package.get_all("Classifier") or () if text.startswith("License :: ")]
    if names := [text.rsplit(" :: ", 1)[-1] for text in classifiers if text.count(" :: ") > 1]:
        return ", ".join(names)
    lines = package["License"].strip().splitlines() if "License" in package else []
    return lines[0].strip()[:MAX_NAME_CHARACTERS] if lines else UNSTATED


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
