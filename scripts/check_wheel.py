"""Builds sdist and wheel, looks into them, and runs the tests against the installed wheel, far from this folder.

The tests come out of the sdist, whose own copy of the package is removed first: only the wheel can answer.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "kolors_mcp"
INDISPENSABLE = {f"{PACKAGE}/py.typed", f"{PACKAGE}/__main__.py"}
SAMPLES = 4
"""The least number of pictures in it: a person, an upper and a lower garment, a dress."""


def main() -> None:
    """Build, look, install, test; end with a message and status 1 at the first thing that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coverage", action="store_true", help="measure branch coverage, and hold it to its threshold")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kolors-wheel-") as name:
        folder = Path(name)
        _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), cwd=ROOT, quiet=True)
        (wheel,) = (folder / "dist").glob("*.whl")
        (sdist,) = (folder / "dist").glob("*.tar.gz")
        _check_contents(wheel)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        outside = folder / sdist.name.removesuffix(".tar.gz")
        shutil.rmtree(outside / PACKAGE)
        scripts = _install(wheel, folder / "venv", outside)
        where = "import kolors_mcp, sysconfig; print(kolors_mcp.__file__, sysconfig.get_path('purelib'), sep='\\n')"
        answer = subprocess.run(
            [scripts / "python", "-c", where],
            cwd=outside,
            env=_environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        loaded, site_packages = map(Path, answer.stdout.splitlines())
        if not loaded.is_relative_to(site_packages):
            sys.exit(f"The tests would run against {loaded}, not against the wheel in {site_packages}.")
        print(f"Testing the wheel in {site_packages}", flush=True)
        if not asked.coverage:
            _run(scripts / "pytest", *asked.pytest, cwd=outside)
            return
        # Coverage is measured here, where every line that users get is run, and nothing but those.
        _run(scripts / "coverage", "run", "-m", "pytest", *asked.pytest, cwd=outside)
        _run(scripts / "coverage", "combine", "--quiet", cwd=outside)
        _run(scripts / "coverage", "report", cwd=outside)


def _check_contents(wheel: Path) -> None:
    """Compare the wheel with the files under version control (and new ones): all of the package, nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    listing = ("git", "ls-files", "--cached", "--others", "--exclude-standard", PACKAGE)
    listed = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    expected = {name for name in listed if (ROOT / name).is_file()} | INDISPENSABLE
    faults = [f"lacks {name}" for name in sorted(expected - names)]
    faults += [f"has {name}, which is no file of the package" for name in sorted(names - metadata - expected)]
    if not any(name.endswith("/licenses/LICENSE") for name in metadata):
        faults.append("lacks the licence")
    pictures = [name for name in names if name.endswith((".jpg", ".jpeg", ".png"))]
    if len(pictures) < SAMPLES:
        faults.append(f"has {len(pictures)} sample pictures; there are at least {SAMPLES}")
    if faults:
        sys.exit(f"{wheel.name}:\n" + "\n".join(f"  {fault}" for fault in faults))
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1024:.0f} KB")


def _install(wheel: Path, venv: Path, outside: Path) -> Path:
    """Make a virtual environment with the wheel and the test tools in it; return its folder of commands."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(venv)}))
    pip = (sys.executable, "-m", "pip", "--python", str(scripts / "python"))
    install = (*pip, "install", "--quiet", "--no-input")
    for name in ("constraints.txt", "constraints-service.txt", "constraints-test.txt"):
        _run(*install, "--require-hashes", "-r", str(ROOT / name), cwd=outside)
    _run(*install, "--no-deps", str(wheel), cwd=outside)
    # The lists came from pyproject.toml; what a user gets is asked for by the wheel's own metadata.
    _run(*pip, "check", cwd=outside)
    return scripts


def _environment() -> dict[str, str]:
    """Return this environment without what could lead back to the source folder."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE_", "VIRTUAL_"))
    }
    # As in the Makefile, and as easily lifted.
    return {"PIP_ONLY_BINARY": ":all:", **kept}


def _run(*command: str | Path, cwd: Path | None = None, quiet: bool = False) -> None:
    done = subprocess.run(command, cwd=cwd, env=_environment(), check=False, capture_output=quiet, text=True)
    if done.returncode:
        if quiet:
            print(done.stdout, done.stderr, sep="\n")
        sys.exit(f"Status {done.returncode}: {' '.join(map(str, command))}")


if __name__ == "__main__":
    main()
