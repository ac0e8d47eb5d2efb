"""A forked program is to a test what the real one is: in what it is given, in what it says, and in how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import environment, kolors, python, ran

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux only")

TELL = """
import json, logging, os, signal, sys, threading
print(json.dumps({
    "arguments": sys.argv, "path": sys.path[0], "module": __name__, "folder": os.getcwd(),
    "environment": {**os.environ, "_": ""}, "input": sys.stdin.read(),
    "streams": [[s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through,
                 type(s.buffer).__name__] for s in
                (sys.stdin, sys.stdout, sys.stderr)], "same": sys.stdout is sys.__stdout__,
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "pipe": signal.getsignal(signal.SIGPIPE), "child": signal.getsignal(signal.SIGCHLD),
    "log": [logging.root.level, len(logging.root.handlers)],
    "threads": threading.active_count(), "open": len(os.listdir("/proc/self/fd")), "leads": os.getsid(0) == os.getpid(),
}))
sys.stderr.write("said\\n")
sys.exit(len(sys.argv))
"""


def told(interpreter: str, script: Path) -> tuple[dict[str, Any], str, int]:
    """What a program finds when it starts; what it complains of; how it ends."""
    done = subprocess.run(
        [interpreter, script, "", "two words", "caf\u00e9 \udcff"],
        input="in\r\nput",
        env=environment(script.parent, ODD="a=b\n\udcff", EMPTY=""),
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    return json.loads(done.stdout), done.stderr, done.returncode


def test_a_forked_program_finds_and_says_what_the_real_one_does(tmp_path: Path) -> None:
    script = tmp_path / "tell.py"
    script.write_text(TELL, encoding="utf-8")
    real, forked = told(sys.executable, script), told(python(), script)
    # One pipe more: by its end the fork server knows that the program has ended.
    assert forked[0].pop("open") == real[0].pop("open") + 1
    assert {name: value for name, value in forked[0].items() if value != real[0][name]} == {}
    assert forked == real
    assert real[0]["arguments"][2:] == ["two words", "caf\u00e9 \udcff"]
    assert real[1:] == ("said\n", 4)


def test_the_package_is_loaded_already_and_runs_as_the_command_does(tmp_path: Path) -> None:
    script = tmp_path / "loaded.py"
    script.write_text("import os, sys\nprint(os.getppid(), 'kolors_mcp.cli.serve' in sys.modules)\n", encoding="utf-8")
    one, other = (ran(script, env=environment(tmp_path), cwd=tmp_path).stdout.split() for _ in range(2))
    assert one == other
    assert one[1] == "True"
    # Whoever has threads may hold a lock that nobody in the fork would ever give back.
    assert [path.name for path in Path(f"/proc/{one[0]}/task").iterdir()] == [one[0]]
    assert ran(script, env=environment(tmp_path), cwd=tmp_path, really=True).stdout.split()[1] == "False"
    real, forked = (kolors("nonsense", env=environment(tmp_path), cwd=tmp_path, really=real) for real in (True, False))
    assert (forked.returncode, forked.stdout, forked.stderr) == (real.returncode, real.stdout, real.stderr)
    assert "invalid choice: 'nonsense'" in real.stderr


@pytest.mark.parametrize("more", [{"PYTHONUTF8": "0"}, {"LC_ALL": "POSIX"}])
def test_a_variable_that_is_read_at_the_start_makes_it_a_real_one(tmp_path: Path, more: dict[str, str]) -> None:
    script = tmp_path / "loaded.py"
    script.write_text("import sys\nprint('kolors_mcp' in sys.modules)\n", encoding="utf-8")
    assert ran(script, env=environment(tmp_path, **more), cwd=tmp_path).stdout == "False\n"


def test_an_option_of_the_interpreter_makes_it_a_real_one(tmp_path: Path) -> None:
    done = ran("-W", "error", "-c", "import sys; print(sys.warnoptions)", env=environment(tmp_path), cwd=tmp_path)
    assert done.stdout == "['error']\n"


ENDING = """
import atexit, json, os, threading

class Last:
    def __del__(self, write=os.write):
        write(1, b"what it made is taken apart\\n")

def work():
    threading.main_thread().join()
    print("threads are waited for", flush=True)

last = Last()
atexit.register(lambda: print(json.dumps("then come the last calls"), flush=True))
threading.Thread(target=work).start()
"""


@pytest.mark.parametrize("really", [True, False])
def test_a_forked_program_ends_as_the_real_one_does(tmp_path: Path, really: bool) -> None:
    script = tmp_path / "ending.py"
    script.write_text(ENDING, encoding="utf-8")
    done = ran(script, env=environment(tmp_path), cwd=tmp_path, really=really)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "threads are waited for",
        '"then come the last calls"',
        "what it made is taken apart",
    ]


def waiting(tmp_path: Path, program: str) -> "subprocess.Popen[bytes]":
    """A program that has said its number, and waits."""
    script = tmp_path / "wait.py"
    script.write_text(
        f"import os, signal, sys\n{program}\nprint(os.getpid(), flush=True)\nsys.stdin.read()\n", encoding="utf-8"
    )
    return subprocess.Popen(
        [python(), script],
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_an_interrupt_reaches_the_program_and_not_its_stand_in(tmp_path: Path) -> None:
    answered = "signal.signal(signal.SIGINT, lambda *_: (os.write(1, b'interrupted\\n'), signal.raise_signal(15)))"
    with waiting(tmp_path, answered) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"interrupted\n"
        assert process.wait() == -signal.SIGTERM, "it ends by the signal by which the program does"
        assert process.communicate() == (b"", b"")


def test_whoever_kills_the_stand_in_kills_the_program_and_sees_it_by_the_end_of_its_output(tmp_path: Path) -> None:
    with waiting(tmp_path, "[signal.signal(number, signal.SIG_IGN) for number in (1, 2, 15)]") as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        os.kill(number, 0)
        process.kill()
        # Its input stays open: nothing but its death closes its output.
        assert process.stdout.read() == b""
        assert process.wait() == -signal.SIGKILL
    while Path(f"/proc/{number}").exists():
        os.sched_yield()
