"""What is installed is named by version and hash, and the licences of all that the server runs with can be listed."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LISTS = (
    "constraints.txt",
    "constraints-service.txt",
    "constraints-test.txt",
    "constraints-dev.txt",
    "constraints-deploy.txt",
)
LICENCES = ROOT / "scripts" / "licences.py"
# What makes wheels and installs them is listed with what the server runs with, and is no part of it.
INSTALLERS = {"editables", "hatchling", "pathspec", "pip", "pluggy", "tomlkit", "trove-classifiers"}


def pins(name: str) -> dict[Requirement, list[str]]:
    """The pins of a list, each with its hashes."""
    lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    split = [re.split(r"\s+--hash=", line.strip()) for line in lines if line and not line.startswith("#")]
    return {Requirement(first): hashes for first, *hashes in split}


@pytest.mark.parametrize("name", LISTS)
def test_every_pin_names_one_version_and_the_hash_of_each_file(name: str) -> None:
    assert pins(name)
    for requirement, hashes in pins(name).items():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), requirement


def test_the_lists_agree_on_the_version_of_a_package_that_several_name() -> None:
    # One list may name two versions for two Pythons.
    versions: dict[str, set[frozenset[str]]] = {}
    for name in LISTS:
        found: dict[str, set[str]] = {}
        for requirement in pins(name):
            found.setdefault(requirement.name, set()).add(str(requirement.specifier))
        for package, named in found.items():
            versions.setdefault(package, set()).add(frozenset(named))
    assert [package for package, named in versions.items() if len(named) > 1] == []


@pytest.mark.parametrize("name", LISTS[:3])
def test_what_the_tests_run_with_has_the_pinned_versions(name: str) -> None:
    needed = [requirement for requirement in pins(name) if not requirement.marker or requirement.marker.evaluate()]
    assert {requirement.name: f"=={metadata.version(requirement.name)}" for requirement in needed} == {
        requirement.name: str(requirement.specifier) for requirement in needed
    }


def held(command: str) -> bool:
    """Whether an installation takes only files that are known by hash, or nothing but this project from its folder."""
    words = command.split()
    by_hash = "--require-hashes" in words and "-r" in words
    alone = {"--no-deps", "--no-build-isolation"} <= set(words) and words[-2:] == ["--editable", "."]
    return by_hash or alone


def test_make_installs_only_what_is_named_by_hash_and_the_project_itself() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS"}}
    command = ["make", "--dry-run", "--always-make", ".venv/deploy.stamp"]
    shown = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
    installations = [line for line in shown.replace("\\\n", " ").splitlines() if " install " in line]
    assert len(installations) == len(LISTS) + 1
    assert [line for line in installations if not held(line)] == []
    # Nothing else installs either: what makes the environment names no package.
    assert "pip install" not in (ROOT / "scripts" / "make_venv.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r constraints.txt",
        "pip install --require-hashes pip",
        "pip install --no-deps --editable .",
        "pip install --no-build-isolation --editable .",
        "pip install --no-deps --no-build-isolation ruff",
    ],
)
def test_an_installation_that_leaves_a_gap_would_be_seen(command: str) -> None:
    assert not held(command)


def list_licences(first_on_the_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if first_on_the_path is not None:
        environment["PYTHONPATH"] = str(first_on_the_path)
    return subprocess.run(
        [sys.executable, LICENCES],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_licence_of_every_package_that_the_server_runs_with_is_listed() -> None:
    done = list_licences()
    assert done.returncode == 0, done.stderr
    table, note = done.stdout.split("\n\n")
    rows = [re.split(r"\s{2,}", line) for line in table.splitlines()]
    assert all(version == metadata.version(name) and licence for name, version, licence in rows)
    listed = {name for name, _, _ in rows}
    pinned = {
        canonicalize_name(requirement.name)
        for requirement in pins("constraints.txt") | pins("constraints-service.txt")
        if not requirement.marker or requirement.marker.evaluate()
    }
    assert listed == pinned - INSTALLERS
    assert all(word in note for word in ("pillow-heif", "libheif", "libde265", "LGPL-3.0", "x265", "GPL-2.0"))


def test_a_package_that_states_no_licence_is_named_and_fails_the_listing(tmp_path: Path) -> None:
    folder = tmp_path / "sniffio-1.3.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: sniffio\nVersion: 1.3.1\n", encoding="utf-8")
    done = list_licences(tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == "No licence is stated by: sniffio."
