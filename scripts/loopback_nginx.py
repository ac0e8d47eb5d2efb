"""Runs a real nginx on this machine before replicas of the service, with the settings that `deploy/nginx` has.

It listens on 127.0.0.1 alone, writes to a folder of its own, and ends with Ctrl-C.
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

TEMPLATES = Path(__file__).resolve().parents[1] / "deploy" / "nginx"
CALLS_PER_SECOND = 50
"""Of an address, as the example for TLS has it; the burst is twice that."""
MAX_START_SECONDS = 10.0
SYSTEMS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""Between which ports Linux chooses by itself, for connections and for who asks for any."""
USUALLY_FROM, PORTS = 32_768, 12_000
"""Where those begin elsewhere at the lowest, and among how many below them one is chosen."""


def main() -> None:
    """Write the configuration for the ports that are asked for, and become nginx."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, help="where nginx listens")
    parser.add_argument("replica", type=int, nargs="+", help="port of a replica on this machine")
    parser.add_argument("--calls-per-second", type=int, default=CALLS_PER_SECOND, help="of one address (default: 50)")
    asked = parser.parse_args()
    nginx = find_nginx()
    if nginx is None:
        sys.exit("nginx is not on this machine. On Debian or Ubuntu: apt-get install nginx-light")
    folder = Path(tempfile.mkdtemp(prefix="kolors-nginx-"))
    configuration = write_configuration(
        folder, asked.port, [f"127.0.0.1:{port}" for port in asked.replica], calls_per_second=asked.calls_per_second
    )
    print(f"nginx listens at http://127.0.0.1:{asked.port}; its log is {folder / 'access.log'}.", flush=True)
    os.execv(nginx, command(nginx, configuration))  # noqa: S606  (no shell is wanted)


def find_nginx() -> str | None:
    """Return nginx's program; Debian's stands where only root looks."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def bring_nginx() -> str | None:
    """Return nginx's program; install Debian's first where there is none, and where that can be done."""
    apt_get = shutil.which("apt-get")
    if find_nginx() is None and apt_get is not None and os.geteuid() == 0:
        environment, nothing = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, subprocess.DEVNULL
        for words in (["update"], ["install", "-y", "--no-install-recommends", "nginx-light"]):
            # Where the index cannot be reached, whoever asks sees that there is none.
            subprocess.run([apt_get, "-qq", *words], check=False, env=environment, stdin=nothing, stdout=nothing)
    return find_nginx()


def command(nginx: str, configuration: Path) -> list[str]:
    """Return the command that runs nginx in the foreground with a configuration that is written here."""
    return [
        nginx,
        "-p",
        str(configuration.parent),
        "-e",
        str(configuration.parent / "error.log"),
        "-c",
        str(configuration),
    ]


def check_configuration(nginx: str, configuration: Path) -> subprocess.CompletedProcess[str]:
    """Have nginx read a configuration and open what it names; it listens nowhere."""
    return subprocess.run([*command(nginx, configuration), "-t"], check=False, capture_output=True, text=True)


def write_configuration(
    folder: Path,
    port: int,
    replicas: Sequence[str],
    *,
    calls_per_second: int = CALLS_PER_SECOND,
    templates: Path = TEMPLATES,
) -> Path:
    """Write a whole configuration for this machine alone.

    Args:
        folder: Everything that nginx writes goes there; it must exist.
        port: Where nginx listens, on 127.0.0.1.
        replicas: `host:port` of each.
        calls_per_second: Beyond which one address is refused; tests of many users come from one.
        templates: Where the templates are.

    Returns:
        The file for nginx's option -c.
    """
    values = shared_values(replicas, calls_per_second) | {
        "KOLORS_FOLDER": str(folder),
        "KOLORS_PORT": str(port),
        # Workers of root become somebody who may not write here; elsewhere the word would be a warning.
        "KOLORS_USER": "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else "",
    }
    for name in ("http.conf", "locations.conf", "loopback.conf"):
        write(name, values, folder / name, templates)
    return folder / "loopback.conf"


def shared_values(replicas: Sequence[str], calls_per_second: int = CALLS_PER_SECOND) -> dict[str, str]:
    """Return what `http.conf.template` and `locations.conf.template` need."""
    return {
        "KOLORS_REPLICAS": "\n    ".join(f"server {replica} max_fails=1 fail_timeout=2s;" for replica in replicas),
        "KOLORS_CALLS_PER_SECOND": str(calls_per_second),
        "KOLORS_CALLS_BURST": str(2 * calls_per_second),
    }


def write(name: str, values: Mapping[str, str], target: Path, templates: Path = TEMPLATES) -> None:
    """Fill in a template as nginx's container does: only the names that are given, so nginx's own `$host` stays."""
    template = (templates / f"{name}.template").read_text(encoding="utf-8")
    target.write_text(Template(template).safe_substitute(values), encoding="utf-8")


def free_port() -> int:
    """Return a port of loopback that nothing listens at. The system gives it to nobody by itself, so it stays free."""
    above = int(SYSTEMS_OWN.read_text("ascii").split()[0]) if SYSTEMS_OWN.exists() else USUALLY_FROM
    while True:
        port = random.SystemRandom().randrange(max(1024, above - PORTS), above)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


def wait_for(port: int, running: subprocess.Popen[Any]) -> None:
    """Return once something listens at a port.

    Raises:
        ConnectionError: Nothing does after some seconds, or the process that should has ended.
    """
    end = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < end and running.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ConnectionError(f"Nothing listens at port {port}; the process's status is {running.poll()}.")


if __name__ == "__main__":
    main()
