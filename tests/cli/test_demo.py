"""`kolors-mcp demo` as a newcomer runs it: a real process that starts a real server."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kolors_mcp import cli
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.samples import sample
from tests.support.commands import HANG_SECONDS, account_of, environment, kolors, python, started
from tests.support.in_process import Run, running_here
from tests.support.making import jpeg

LABELS = {"server", "person", "garment", "with", "progress", "task", "note", "link", "saved"}

MODELS = """
import atexit, json, os, sys

def note(event="", arguments=()):
    types = sys.modules.get("mcp_types")
    if types is None or event and not (event == "open" and str(arguments[0]).startswith(os.environ["OUT"])):
        return
    from pydantic import BaseModel
    class Later(BaseModel):
        number: int
    models = [model for model in vars(types).values() if isinstance(model, type) and issubclass(model, BaseModel)]
    built = sum(model.__pydantic_complete__ for model in models)
    with open(os.environ["NOTES"], "a") as notes:
        print(json.dumps([sys.argv[1:], len(models), built, Later.__pydantic_complete__]), file=notes)

atexit.register(note)
sys.addaudithook(note)
"""
"""Has each process write down, when it saves the picture or ends, how many models of the protocol have been built.

A server that takes long to end is ended by the demo's client, and says nothing then.
"""
PERCENT = re.compile(rb"progress +(\d+)% \|")


def shown(output: str) -> dict[str, list[str]]:
    """What was printed, by label; anything else is a failure."""
    lines: dict[str, list[str]] = {}
    for line in output.splitlines():
        label, _, text = line.partition(" ")
        assert label in LABELS, line
        lines.setdefault(label, []).append(text.strip())
    return lines


def saved_picture(lines: dict[str, list[str]], folder: Path) -> Path:
    (name,) = lines["saved"]
    assert Path(name).parent == folder
    with Image.open(name) as picture:
        picture.load()
        assert min(picture.size) >= 300
    return Path(name)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, with its server in memory: for what does not depend on processes."""
    return running_here(tmp_path, monkeypatch, capsys)


def test_the_demo_ends_with_a_link_and_a_saved_picture_and_builds_only_the_models_that_it_uses(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(MODELS)
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    env = environment(tmp_path, PYTHONPATH=paths, NOTES=str(tmp_path / "notes"), OUT=str(tmp_path / "out"))
    done = kolors("demo", "--save-dir", tmp_path / "out", env=env, cwd=tmp_path, really=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    output, _, farewell = done.stdout.partition("\n\n")
    assert farewell == "The link ends with the demo, because the sandbox does. The saved picture stays.\n"
    lines = shown(output)
    assert lines["server"] == ["sandbox: simulated, free, no account"]
    assert (lines["person"], lines["garment"]) == ([str(sample("person"))], [str(sample("upper"))])
    # What a waiting person sees, in order and with the seconds; how often they look is the machine's affair.
    said = " ".join(lines["progress"])
    assert re.search(r"preparing the pictures \(\d+ s\).*Kling says (submitted|processing) \(\d+ s\)", said)
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/results/{lines['task'][0]}/0\.png\?.+", lines["link"][0])
    assert saved_picture(lines, tmp_path / "out").stat().st_size > 10_000
    noted = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    assert {(arguments or ["serve"])[0] for arguments, *_ in noted} == {"demo", "serve"}
    for _, models, built, is_later_one_built in noted:
        assert models > 100
        assert built < models / 4
        assert is_later_one_built


def test_ones_own_pictures_may_lie_outside_the_usual_folders(
    fast_kling: SandboxKling, tmp_path: Path, here: Run
) -> None:
    folders = [tmp_path / name for name in ("people", "wardrobe", ".hidden")]
    for folder, name in zip(folders, ("person", "upper", "lower"), strict=True):
        folder.mkdir()
        shutil.copy(sample(name), folder / f"{name}.jpg")
    done = here(
        *("demo", "--real", "--human", "people/person.jpg", "--cloth", folders[1] / "upper.jpg"),
        *("--lower-cloth", "~/.hidden/lower.jpg", "--save-dir", "out"),
        env=environment(tmp_path, **account_of(fast_kling), KOLORS_IMAGE_DIRS=str(tmp_path / "elsewhere")),
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = shown(done.stdout.split("\n", 1)[1])
    assert lines["person"] == [str(folders[0] / "person.jpg")]
    assert lines["with"] == [str(folders[2] / "lower.jpg")]
    assert any("one white canvas" in note for note in lines["note"])
    saved_picture(lines, tmp_path / "out")
    (create,) = [request for request in fast_kling.requests if request.method == "POST"]
    assert create.json["model_name"] == "kolors-virtual-try-on-v1-5"


def test_a_real_try_on_says_what_it_costs_before_anything_else(
    fast_kling: SandboxKling, tmp_path: Path, here: Run
) -> None:
    done = here(
        *("demo", "--real", "--save-dir", tmp_path / "out"),
        # The account is meant, whatever the environment says of a sandbox.
        env=environment(tmp_path, **account_of(fast_kling), KOLORS_SANDBOX="1"),
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    price, rest = done.stdout.split("\n", 1)
    assert price == "This makes a real try-on: about 0.07 US dollars, one unit of the account's try-on pack."
    lines = shown(rest)
    assert lines["server"] == ["your Kling account"]
    assert lines["link"][0].startswith(fast_kling.origin)
    assert fast_kling.tasks_created == 1
    saved_picture(lines, tmp_path / "out")


def test_a_real_try_on_without_credentials_says_which_variables_to_set(tmp_path: Path, here: Run) -> None:
    done = here("demo", "--real", "--save-dir", tmp_path / "out", env=environment(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    for name in ("KLING_API_KEY", "KLING_ACCESS_KEY", "KLING_SECRET_KEY", "KOLORS_SANDBOX=1"):
        assert name in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_picture_that_is_too_small_ends_it_with_the_measured_size(tmp_path: Path) -> None:
    (tmp_path / "small.jpg").write_bytes(jpeg(280, 410))
    done = kolors("demo", "--cloth", "small.jpg", env=environment(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert "cloth_image is 280 x 410 pixels; each side must be at least 300." in done.stderr
    assert "saved" not in shown(done.stdout)
    assert not (tmp_path / "kolors-pictures").exists()


def test_a_try_on_that_fails_at_kling_ends_it_with_the_reason(
    fast_kling: SandboxKling, tmp_path: Path, here: Run
) -> None:
    fast_kling.faults.next_create(faults.FailLate("there is no human in the picture"))
    done = here("demo", "--real", env=environment(tmp_path, **account_of(fast_kling)))
    assert done.returncode == 1
    assert done.stderr == "The try-on ended as failed: there is no human in the picture\n"
    assert not (tmp_path / "kolors-pictures").exists()


def test_a_refusal_of_klings_ends_it_with_what_to_do(fast_kling: SandboxKling, tmp_path: Path, here: Run) -> None:
    fast_kling.rules.units = 0
    done = here("demo", "--real", env=environment(tmp_path, **account_of(fast_kling)))
    assert done.returncode == 1
    assert "units are used up or expired (code 1102). No task was created." in done.stderr


def test_a_picture_that_cannot_be_saved_ends_it_although_the_link_is_there(
    kling_today: SandboxKling, tmp_path: Path
) -> None:
    kling_today.rules.finished_seconds = 10_000
    arguments = ("demo", "--real", "--save-dir", str(tmp_path / "out"))
    with started(*arguments, env=environment(tmp_path, **account_of(kling_today)), cwd=tmp_path) as demo:
        # Asked for: so it was accepted, and its time has begun.
        kling_today.wait_for_request(
            lambda request: request.method == "GET" and kling_today.tasks_created == 1, timeout=100
        )
        (tmp_path / "out").write_bytes(b"in the way, since a moment ago")
        kling_today.clock.advance(10_000)
        output, complaint = demo.communicate(timeout=100)
    assert demo.returncode == 1
    assert complaint == "The picture could not be saved; the notes above say why.\n"
    lines = shown(output.split("\n", 1)[1])
    assert any("could not be saved" in note for note in lines["note"])
    assert lines["link"][0].startswith(kling_today.origin)


def test_a_setting_that_cannot_be_used_ends_it_by_name(tmp_path: Path, here: Run) -> None:
    done = here("demo", env=environment(tmp_path, KOLORS_LOG_LEVEL="chatty"))
    assert done.returncode == 1
    assert done.stderr.startswith('KOLORS_LOG_LEVEL is "CHATTY"; it takes')


@pytest.mark.skipif(sys.platform == "win32", reason="Windows starts no scripts")
def test_a_server_that_dies_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dying = tmp_path / "python"
    dying.write_text('#!/bin/sh\necho "$@" >called\nexit 3\n', encoding="utf-8")
    dying.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(dying))
    monkeypatch.setattr(os, "environ", environment(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo"]) == 1
    assert (tmp_path / "called").read_text("utf-8") == "-m kolors_mcp\n"
    assert capsys.readouterr().err == "The server ended before it answered. What it wrote stands above.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows interrupts consoles, not processes")
def test_an_interrupted_demo_says_that_the_task_goes_on(kling_today: SandboxKling, tmp_path: Path) -> None:
    with started("demo", "--real", env=environment(tmp_path, **account_of(kling_today)), cwd=tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("task"):
                break
        os.killpg(demo.pid, signal.SIGINT)  # As a terminal does it: to the demo and its server alike.
        _rest, complaint = demo.communicate(timeout=HANG_SECONDS)
    assert demo.returncode == 130
    assert complaint == "Stopped. A try-on that was started at Kling goes on there; list_try_ons finds it.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the same")
def test_the_sandbox_alone_prints_the_variables_with_which_it_is_used(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with started("sandbox", "--port", "0", env=env, cwd=tmp_path) as sandbox:
        assert sandbox.stdout is not None
        greeting, *variables = [sandbox.stdout.readline().strip() for _ in range(4)]
        settings = dict(line.split("=", 1) for line in variables)
        assert greeting.startswith(f"A simulated Kling listens at {settings['KLING_API_BASE']}.")
        assert set(settings) == {"KLING_API_BASE", "KLING_API_KEY", "KOLORS_ALLOWED_HOSTS"}
        port = settings["KLING_API_BASE"].rpartition(":")[2]

        done = kolors("doctor", env=env | settings, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        taken = kolors("sandbox", "--port", port, env=env, cwd=tmp_path)
        assert taken.returncode == 1
        assert taken.stderr.startswith(f"Port {port} cannot be used (")

        sandbox.send_signal(signal.SIGINT)
        assert sandbox.communicate(timeout=HANG_SECONDS) == ("", "")
    assert sandbox.returncode == 0


def test_a_port_that_does_not_exist_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sandbox", "--port", "99999"]) == 1
    complaint = (
        "Port 99999 cannot be used (ports go from 0 to 65535). Choose another with --port; 0 takes a free one.\n"
    )
    assert capsys.readouterr() == ("", complaint)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_on_a_terminal_a_bar_moves(kling_today: SandboxKling, tmp_path: Path) -> None:
    import pty  # noqa: PLC0415  (not there on Windows)

    ours, theirs = pty.openpty()
    demo = subprocess.Popen(
        [python(), "-m", "kolors_mcp", "demo", "--real", "--save-dir", tmp_path / "out"],
        env=environment(tmp_path, **account_of(kling_today), COLUMNS="100", TERM="xterm"),
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, b"\n")  # Yes, go on.
    written, turned = bytearray(), False
    bar = re.compile(r"\d% \|.{30}\| Kling says \w+ \(\d+ s\)")
    try:
        while block := os.read(ours, 4096):
            written += block
            # The bar goes by the demo's own time; the try-on ends once it has been seen to move.
            moved = len(set(PERCENT.findall(written))) > 1 and bar.search(written.decode(errors="replace"))
            if moved and not turned:
                kling_today.clock.advance(60)
                turned = True
    except OSError:  # Linux says so when the other side is closed.
        pass
    finally:
        os.close(ours)
    assert demo.wait(HANG_SECONDS) == 0
    screen = written.decode()
    assert "Press Enter to go on, Ctrl-C to stop." in screen
    percentages = [int(number) for number in PERCENT.findall(written)]
    assert len(set(percentages)) > 1
    assert percentages == sorted(percentages)
    assert bar.search(screen)
    assert re.search(r"saved +.+try-on-\d+-0\.png", screen)
