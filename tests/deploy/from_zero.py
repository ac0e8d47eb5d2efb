"""Runs the commands of docs/service.md as they stand there, in a fresh clone, until a client has its try-on.

Changed are only ports, which may be taken, and the key of the account, for which the simulated Kling's stands.
PostgreSQL is Debian's, with a folder of its own; where nobody is root or there is no apt, that part is not run.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
from mcp import Client

from kolors_mcp.models import TryOn
from scripts.loopback_nginx import free_port
from tests.support.in_memory import PICTURES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
OK = 200
INSTALL_SECONDS, START_SECONDS, END_SECONDS = 600, 60, 30
SUDO = """#!/bin/sh
if [ "$1" = -u ]; then user=$2; shift 2; exec runuser -u "$user" -- "$@"; fi
exec "$@"
"""
"""For a machine on which one is root already."""


def commands_under(heading: str) -> list[str]:
    """Return the commands that stand under a heading."""
    section = PAGE[PAGE.index(f"### {heading}\n") :]
    return section.split("```sh\n")[1].split("```")[0].splitlines()


def faults() -> list[str]:
    """Return what does not work as the page says."""
    with tempfile.TemporaryDirectory(prefix="kolors-zero-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        clone = _cloned(folder)
        found = _one_machine(folder, clone)
        if found is None and can_have_postgresql():
            found = _three_replicas(folder, clone)
        return [] if found is None else [found]


def can_have_postgresql() -> bool:
    """Whether the second part can be run here."""
    return os.name == "posix" and os.geteuid() == 0 and bool(shutil.which("apt-get") and shutil.which("runuser"))


def _one_machine(folder: Path, clone: Path) -> str | None:
    install, choose, serve = commands_under("One machine")
    done = subprocess.run(
        ["/bin/sh", "-ec", install],
        cwd=clone,
        env=_environment(folder),
        check=False,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode:
        return f"from zero: {install}: {done.stderr[-2000:]}"
    port = free_port()
    with _running([choose, f"{serve} --port {port}"], clone, _environment(folder), folder / "one.log"):
        return _try_on_at(port, folder / "one.log") or _say(
            "three commands led to a try-on, in the sandbox, with SQLite"
        )


def _three_replicas(folder: Path, clone: Path) -> str | None:
    lines = commands_under("PostgreSQL, three replicas and nginx")
    text = "\n".join(lines)
    ports = {old: free_port() for old in ("8001", "8002", "8003", "8080")}
    for old, new in ports.items():
        text = re.sub(rf"\b{old}\b", str(new), text)
    environment = _environment(folder)
    # Installed before there is a folder that belongs to PostgreSQL's user, which comes with it.
    subprocess.run(["/bin/sh", "-ec", lines[0]], env=environment, check=True, stdout=subprocess.DEVNULL)
    with _postgresql(folder) as database, _simulated_kling(folder, clone, environment) as kling:
        text = text.replace("@127.0.0.1/", f"@127.0.0.1:{database['PGPORT']}/").replace("KLING_API_KEY=your-key", kling)
        if kling not in text or database["PGPORT"] not in text:
            return "from zero: the page has another place for the key or the database than is looked for here"
        with _running(text.splitlines()[1:], clone, environment | database, folder / "three.log"):
            front = ports["8080"]
            found = _try_on_at(front, folder / "three.log")
            return found or _say("five commands led to one through nginx, with three replicas and PostgreSQL")


def _try_on_at(port: int, log: Path) -> str | None:
    """Make a try-on as a client; return what went wrong."""
    try:
        # Three answers in a row: behind nginx each comes from another replica.
        for _ in range(3):
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        status = anyio.run(_made_at, f"http://127.0.0.1:{port}/mcp")
    except Exception as error:  # noqa: BLE001  (whatever it is, it does not work)
        return f"from zero: {error!r}\n{log.read_text(encoding='utf-8')[-3000:]}"
    return None if status == "succeed" else f"from zero: the try-on is {status}"


async def _made_at(url: str) -> str:
    async with Client(url) as client:
        answer = await client.call_tool("create_try_on", PICTURES)
        task_id = TryOn.model_validate(answer.structured_content).task_id
        answer = await client.call_tool("get_try_on", {"task_id": task_id, "wait_seconds": 40})
        return TryOn.model_validate(answer.structured_content).status


def _wait_until_ready(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == OK:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"{url} was not ready in {START_SECONDS} seconds")
        time.sleep(0.2)


@contextmanager
def _running(lines: list[str], cwd: Path, environment: Mapping[str, str], log: Path) -> Generator[None]:
    """Run commands in one shell, the last of which does not end by itself; end all that they have started."""
    with log.open("w", encoding="utf-8") as written:
        shell = subprocess.Popen(
            ["/bin/sh", "-ec", "\n".join(lines)],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(END_SECONDS)


@contextmanager
def _postgresql(folder: Path) -> Generator[dict[str, str]]:
    """A PostgreSQL of Debian's in a folder of its own; gives the variables with which its own programs find it."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    data, port = folder / "postgresql", free_port()
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    authentication = ["--auth-local=peer", "--auth-host=scram-sha-256"]
    subprocess.run(
        [*as_postgres, programs / "initdb", "-D", data, *authentication],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1"
    control = [*as_postgres, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", data / "log", "-o", options, "start"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    try:
        yield {"PGPORT": str(port), "PGHOST": str(data)}
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _simulated_kling(folder: Path, clone: Path, environment: Mapping[str, str]) -> Generator[str]:
    """The sandbox alone; gives the variables that it says to use it with."""
    log = folder / "kling.log"
    with _running([".venv/bin/kolors-mcp sandbox --port 0"], clone, environment, log):
        end = time.monotonic() + START_SECONDS
        while len(found := re.findall(r"^  (\w+=\S+)$", log.read_text(encoding="utf-8"), re.MULTILINE)) < 3:
            if time.monotonic() > end:
                raise TimeoutError(f"the simulated Kling did not start: {log.read_text(encoding='utf-8')}")
            time.sleep(0.1)
        yield " ".join(found)


def _cloned(folder: Path) -> Path:
    listed = subprocess.run(
        [shutil.which("git") or "git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            target = folder / "clone" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return folder / "clone"


def _environment(folder: Path) -> dict[str, str]:
    """Return the variables of a machine on which nothing of this project is set."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    if shutil.which("sudo") is None or os.geteuid() == 0:
        (tools / "sudo").write_text(SUDO, encoding="utf-8")
        (tools / "sudo").chmod(0o755)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    dropped = ("KOLORS_", "KLING_", "PYTHON", "VIRTUAL_", "MAKE", "MFLAGS", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    path = os.pathsep.join([str(tools), os.environ["PATH"], "/usr/sbin"])
    return kept | {
        "HOME": str(home),
        "PATH": path,
        "DEBIAN_FRONTEND": "noninteractive",
        "PIP_CONFIG_FILE": _pip_config(),
    }


def _pip_config() -> str:
    """Return where pip's own configuration of this user is, for the home is another one."""
    places = (Path.home() / ".config" / "pip" / "pip.conf", Path.home() / ".pip" / "pip.conf", Path("/etc/pip.conf"))
    given = os.environ.get("PIP_CONFIG_FILE")
    return given or next((str(place) for place in places if place.exists()), os.devnull)


def _say(words: str) -> None:
    print(f"  from zero: {words}", flush=True)
