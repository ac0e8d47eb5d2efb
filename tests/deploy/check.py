"""Checks the files in `deploy` with the tools made for each kind, and each tool with a copy that has a word misspelt.

nginx is really run: what its settings are for is tried in `nginx_settings.py`. Without it that part is not run, which
the end says.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trustme

from kolors_mcp.server.http.bounds import FOR_SERVICE
from scripts import loopback_nginx
from tests.deploy import from_zero, nginx_settings, object_store

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SECONDS = 120
NGINX = loopback_nginx.find_nginx()


@dataclass(frozen=True)
class Check:
    """What one tool says of some files, and a slip that it has to see in one of them."""

    files: str
    """A pattern below `deploy`."""
    said_of: Callable[[Path, list[Path]], str]
    """Returns the tool's complaint about these files of a copy of `deploy`; empty if it has none."""
    right: str
    wrong: str


def complaint(command: list[str | Path]) -> str:
    """Run a tool; return what it says if it is not content."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    said = (done.stdout + done.stderr).strip()
    return said or f"status {done.returncode}" if done.returncode else ""


def program(name: str) -> Path:
    """Return a tool of this environment."""
    return Path(sys.executable).parent / name


def said_by_hadolint(_deploy: Path, files: list[Path]) -> str:
    """The container file: its syntax, and what is known to go wrong."""
    return complaint([program("hadolint"), *files])


def said_by_kubernetes(_deploy: Path, files: list[Path]) -> str:
    """The manifests against Kubernetes' own schemas; strict, so that a key that it does not know is a fault."""
    return complaint([program("kubernetes-validate"), "--strict", *files])


def said_by_compose(_deploy: Path, files: list[Path]) -> str:
    """The compose file against its specification's schema; and whether nginx gets all that its templates ask for."""
    said = complaint([program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files])
    given = set(re.findall(r"^      (KOLORS_\w+):", files[0].read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for path in DEPLOY.glob("nginx/*") for name in re.findall(r"\$\{(\w+)\}", path.read_text("utf-8"))}
    lacking = sorted(named - given - {"KOLORS_FOLDER", "KOLORS_PORT", "KOLORS_USER"})
    return said or (f"the templates of nginx need {', '.join(lacking)} too" if lacking else "")


def said_of_bounds(deploy: Path, files: list[Path]) -> str:
    """Whether proxies let through as much as the service takes, and let go of a connection before the service does."""
    most, idle = FOR_SERVICE.body_bytes >> 20, FOR_SERVICE.idle_seconds
    whole = "\n".join(path.read_text(encoding="utf-8") for path in [*files, deploy / "kubernetes" / "ingress.yaml"])
    if set(re.findall(r"(?:client_max_body_size|proxy-body-size:) (\w+)", whole)) != {f"{most}m"}:
        return f"a proxy has another limit for bodies than the service, which is {most}m"
    return "" if all(int(seconds) < idle for seconds in re.findall(r"keepalive_timeout (\d+)s", whole)) else "idle"


def said_by_nginx(deploy: Path, _files: list[Path]) -> str:
    """Both configurations, read by a real nginx: the one for this machine, and the one with TLS."""
    assert NGINX is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        templates = deploy / "nginx"
        plain = loopback_nginx.write_configuration(folder, 8080, ["127.0.0.1:8001"], templates=templates)
        done = loopback_nginx.check_configuration(NGINX, plain)
        if done.returncode:
            return done.stderr
        certificate = trustme.CA().issue_cert("try-on.shop.example")
        certificate.cert_chain_pems[0].write_to_path(folder / "fullchain.pem")
        certificate.private_key_pem.write_to_path(folder / "privkey.pem")
        values = {
            "KOLORS_SERVER_NAME": "try-on.shop.example",
            "KOLORS_CERTIFICATE": str(folder / "fullchain.pem"),
            "KOLORS_CERTIFICATE_KEY": str(folder / "privkey.pem"),
            "KOLORS_ACCESS_LOG": str(folder / "access.log"),
            "KOLORS_ERROR_LOG": str(folder / "error.log"),
            "KOLORS_LOCATIONS": str(folder / "locations.conf"),
        }
        loopback_nginx.write("tls.conf", values, folder / "tls.conf", templates)
        own_server = re.compile(r"    server \{.*?\n    \}\n", re.DOTALL)
        whole = own_server.sub(f"    include {folder / 'tls.conf'};\n", plain.read_text(encoding="utf-8"))
        (folder / "whole.conf").write_text(whole, encoding="utf-8")
        done = loopback_nginx.check_configuration(NGINX, folder / "whole.conf")
        return done.stderr if done.returncode else ""


CHECKS = {
    "hadolint": Check("Dockerfile", said_by_hadolint, "\nENTRYPOINT ", "\nENTRYPONT "),
    "kubernetes-validate": Check("kubernetes/**/*.yaml", said_by_kubernetes, " livenessProbe:", " livenesProbe:"),
    "check-jsonschema": Check("compose.yaml", said_by_compose, " healthcheck:", " healthchek:"),
    "bounds": Check("nginx/*.template", said_of_bounds, "client_max_body_size 30m", "client_max_body_size 40m"),
    "nginx -t": Check("nginx/*.template", said_by_nginx, " proxy_buffering ", " proxy_bufering "),
}


def faults_of(name: str, check: Check) -> list[str]:
    """Return what is wrong with the files, or with the check."""
    files = sorted(DEPLOY.glob(check.files))
    if not files:
        return [f"{name}: there is no deploy/{check.files}"]
    if said := check.said_of(DEPLOY, files):
        return [f"{name}: {said}"]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(DEPLOY, Path(folder) / "deploy")
        copies = sorted(copy.glob(check.files))
        changed = 0
        for path in copies:
            text = path.read_text(encoding="utf-8")
            changed += check.right in text
            path.write_text(text.replace(check.right, check.wrong), encoding="utf-8")
        if not changed:
            return [f"{name}: {check.right.strip()} stands nowhere, so the slip in it was not tried"]
        if not check.said_of(copy, copies):
            return [f"{name}: {check.wrong.strip()} was not noticed"]
    print(f"  {name}: {len(files)} files are right; {check.wrong.strip()!r} was noticed")
    return []


def main() -> int:
    """Check everything; return the exit code."""
    print("Checking the files in deploy/.", flush=True)
    asked = {name: check for name, check in CHECKS.items() if NGINX or name != "nginx -t"}
    faults = [fault for name, check in asked.items() for fault in faults_of(name, check)]
    if NGINX:
        faults += nginx_settings.faults_of(NGINX)
    faults += object_store.faults()
    faults += from_zero.faults()
    print("\n".join(faults) or "Everything is as it has to be.", flush=True)
    if not NGINX:
        print("\033[1;31mNOT RUN: nginx, because it is not on this machine (apt-get install nginx-light).\033[0m")
    if not from_zero.can_have_postgresql():
        print("\033[1;31mNOT RUN: the commands for PostgreSQL, which need root and apt.\033[0m")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
