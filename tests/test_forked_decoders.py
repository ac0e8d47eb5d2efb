"""A forked process that decodes is to a test what a started one is: in what it is given, may take, and how it ends."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.worker import process
from kolors_mcp.images.worker.pool import Decoders
from kolors_mcp.images.worker.process import Process
from tests.support.commands import environment, ran
from tests.support.decoding import WEBP, gone
from tests.support.forked_decoders import DECODERS, ForkedDecoder, ForkedProcess, decoder_server
from tests.support.images_support import b64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux only")


@pytest.fixture(autouse=True)
def where_they_are_forked() -> None:
    if decoder_server() is None:
        pytest.skip("not where coverage is measured, or the system is too old")


TELL = """
import json, os, resource, signal, stat, sys, threading
import kolors_mcp.images.worker.__main__

def kind(number):
    found = os.fstat(number)
    return stat.S_IFMT(found.st_mode), os.path.samestat(found, os.stat(os.devnull)), os.get_inheritable(number)

said = json.dumps({
    "arguments": sys.argv, "path": sys.path, "module": __name__, "folder": os.getcwd(), "executable": sys.executable,
    "environment": dict(os.environ), "flags": list(sys.flags), "threads": threading.active_count(),
    "streams": [[s.name, s.mode, s.encoding, s.errors, s.line_buffering] for s in (sys.stdin, sys.stdout, sys.stderr)],
    "descriptors": [kind(number) for number in (0, 1, 2)], "open": len(os.listdir("/proc/self/fd")),
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT_" in name},
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "blocked": list(signal.pthread_sigmask(0, [])), "timer": signal.getitimer(signal.ITIMER_REAL),
    "umask": os.umask(0o77), "modules": sorted(sys.modules),
}).encode()
while said:
    said = said[os.write(0, said):]
"""


def told(start: type[Process]) -> dict[str, Any]:
    """What a module finds that is run in the place of the one that decodes."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            running = begun(start, theirs.fileno())
        with ours.makefile("rb") as said:
            found = json.loads(said.read())
    running.wait()
    assert running.poll() is not None
    return found


def begun(start: type[Process], stream: int) -> "subprocess.Popen[bytes]":
    """One without anybody who speaks with it."""
    return start()._popen(stream, subprocess.DEVNULL)  # pyright: ignore[reportPrivateUsage]  (all else needs an answer)


def test_a_forked_decoder_finds_what_a_started_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "telling.py").write_text(TELL, encoding="utf-8")
    monkeypatch.setattr(process, "MODULE", "telling")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("HOME", "/caf\u00e9 \udcff")
    monkeypatch.setenv("KLING_API_KEY", "made-up-key")
    real, forked = told(Process), told(ForkedProcess)
    more = set(forked.pop("modules")) - set(real.pop("modules"))
    # Of the product and its libraries it has loaded no module more: one that it forgot would be missed.
    assert {name.partition(".")[0] for name in more} <= {"tests", *sys.stdlib_module_names}
    assert {name: value for name, value in forked.items() if value != real[name]} == {}
    assert forked == real
    assert real["path"][0] == str(tmp_path)
    assert real["environment"]["HOME"] == "/caf\u00e9 \udcff"
    assert "KLING_API_KEY" not in real["environment"]


ALIKE = ("Sig", "Shd", "Cap", "Threads", "Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp")
"""How lines begin in which the system says the same of processes that do the same."""


@pytest.mark.anyio
async def test_at_its_work_a_forked_decoder_is_bounded_as_a_started_one_and_makes_the_same() -> None:
    seen: list[object] = []
    memory: list[int] = []
    for start in (Process, ForkedProcess):
        decoders = Decoders(start=start)
        pictures = Pictures(folders=[], decoder=decoders)
        made = b"".join((await pictures.prepare(b64(WEBP), "human_image")).blocks())
        number = decoders.idle[0].pid
        assert number is not None
        place = Path(f"/proc/{number}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text(encoding="ascii").splitlines())
        limits = (place / "limits").read_text(encoding="ascii")
        files = {str(entry.readlink()).partition(":")[0] for entry in (place / "fd").iterdir()}
        seen.append((made, limits, files, {name: said for name, said in status.items() if name.startswith(ALIKE)}))
        memory.append(int(status["VmData"].split()[0]))
        await pictures.aclose()
        assert gone(number)
    assert seen[1] == seen[0]
    # In kilobytes, what is bounded by the limit for memory, and was there before any picture.
    assert abs(memory[1] - memory[0]) < 2_000


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE"])
def test_a_variable_that_is_read_at_the_start_makes_a_decoder_a_started_one(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        forked = begun(ForkedProcess, theirs.fileno())
        monkeypatch.setenv(name, "/nowhere")
        real = begun(ForkedProcess, theirs.fileno())
    # They end, since nobody can speak with them any more.
    for running in (forked, real):
        running.wait()
    assert isinstance(forked, ForkedDecoder)
    assert not isinstance(real, ForkedDecoder)


DECODE = """
import os, anyio
from pathlib import Path
from kolors_mcp.images.pictures import Pictures

async def main():
    pictures = Pictures(folders=[])
    await pictures.prepare("data:;base64," + Path("picture").read_text(), "human_image")
    status = Path(f"/proc/{pictures._decoder.idle[0].pid}/status").read_text()
    print(os.getpid(), next(line.split()[1] for line in status.splitlines() if line.startswith("PPid")))
    await pictures.aclose()

anyio.run(main)
"""


def test_a_forked_program_has_its_pictures_decoded_by_forks_and_a_real_one_by_what_it_starts(tmp_path: Path) -> None:
    script = tmp_path / "decode.py"
    script.write_text(DECODE, encoding="utf-8")
    (tmp_path / "picture").write_text(b64(WEBP), encoding="ascii")
    # As the SDK's client starts a program: it passes on few variables.
    env = environment(tmp_path)
    env.pop(DECODERS, None)
    parents: dict[bool, list[str]] = {}
    for really in (False, True, False):
        done = ran(script, env=env, cwd=tmp_path, really=really)
        assert done.stderr == ""
        program, parent = done.stdout.split()
        assert (parent == program) == really
        parents.setdefault(really, []).append(parent)
    assert parents[False][0] == parents[False][1], "the one that all share"
