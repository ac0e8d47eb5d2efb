"""Writes constraints.txt: one version of every package, right for every Python and platform that is supported.

pip resolves for the machine it runs on. So what other platforms add (pywin32, say) is found in the metadata of the
resolved packages, resolved for that platform, and pinned as well.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = "3.11"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# Marker values of each platform, and the wheel tag under which pip looks for what only that platform needs.
PLATFORMS = {
    "manylinux_2_28_x86_64": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macosx_11_0_arm64": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "win_amd64": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
HEADER = """\
# One tested version of every package, for Python 3.11 and newer on Linux, macOS and Windows.
# Written by `make lock`; to renew it, run that, then `make test check`. Do not edit by hand.
"""

Packages = dict[str, dict[str, Any]]
"""The metadata of each resolved package, by its canonical name."""


def main() -> None:
    """Resolve everything that pyproject.toml asks for and write the result."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    # Nothing names these two: pip itself, and what hatchling asks for when an editable install is made.
    direct = ["pip", "editables", *project["build-system"]["requires"], *project["project"]["dependencies"]]
    direct += _group(project["dependency-groups"], "dev")
    packages = _resolve(direct)
    while added := _only_elsewhere(direct, packages):
        for platform, requirements in added.items():
            packages |= _resolve(requirements, packages, platform)
    pins = [f"{name}=={metadata['version']}\n" for name, metadata in sorted(packages.items())]
    (ROOT / "constraints.txt").write_text(HEADER + "".join(pins), encoding="utf-8")
    print(f"constraints.txt pins {len(pins)} packages.")


def _group(groups: dict[str, list[Any]], name: str) -> list[str]:
    """Return the requirements of a dependency group, those of the groups it includes among them."""
    return [
        requirement
        for item in groups[name]
        for requirement in ([item] if isinstance(item, str) else _group(groups, item["include-group"]))
    ]


def _resolve(requirements: list[str], pinned: Packages | None = None, platform: str | None = None) -> Packages:
    """Ask pip which packages it would install for the oldest Python, without installing any."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        pins = [f"{name}=={metadata['version']}\n" for name, metadata in (pinned or {}).items()]
        constraints.write_text("".join(pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", "-", "--only-binary", ":all:", "--python-version", OLDEST_PYTHON, "--target", folder]
        command += ["--constraint", str(constraints), *(["--platform", platform] if platform else []), *requirements]
        report = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = [item["metadata"] for item in json.loads(report.stdout)["install"]]
    return {canonicalize_name(metadata["name"]): metadata for metadata in found}


def _only_elsewhere(direct: list[str], packages: Packages) -> dict[str, list[str]]:
    """Return what some supported Python or platform needs but `packages` lacks, by that platform."""
    absent: dict[str, list[str]] = {}
    environments = [
        (platform, {**values, "python_version": python, "python_full_version": f"{python}.0"})
        for platform, values in PLATFORMS.items()
        for python in PYTHONS
    ]
    for platform, environment in environments:
        queue = [Requirement(text) for text in direct]
        seen: set[str] = set()
        while queue:
            requirement = queue.pop()
            if str(requirement) in seen or not _applies(requirement, environment, {""}):
                continue
            seen.add(str(requirement))
            metadata = packages.get(canonicalize_name(requirement.name))
            if metadata is None:
                bare = f"{requirement.name}{requirement.specifier}"
                absent.setdefault(platform, []).append(bare)
                continue
            needed = [Requirement(text) for text in metadata.get("requires_dist", [])]
            for further in needed:
                if _applies(further, environment, {"", *requirement.extras}):
                    further.marker = None
                    queue.append(further)
    return absent


def _applies(requirement: Requirement, environment: dict[str, str], extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras)


if __name__ == "__main__":
    main()
