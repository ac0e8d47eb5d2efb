"""Runs real hosts with this server and a simulated Kling: checks what they let their model see, and what is paid."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.rules import Rules
from kolors_mcp.sandbox.running import running
from kolors_mcp.sandbox.samples import sample
from tests.hosts.conversations import CONVERSATIONS, Conversation, Places
from tests.hosts.programs import HOSTS, Host, Start
from tests.support.mock_model import Model, serving
from tests.support.model_checks import failures_of
from tests.support.model_protocols import Seen

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 180
"""What a host may take; usually it is some ten."""


@dataclass(frozen=True)
class Outcome:
    """What came of a conversation."""

    seen: Seen
    """By the model."""
    wrote: str
    """What the host itself wrote, and how it ended."""
    paid: int
    """Try-ons that Kling was paid for."""
    saved: list[str]
    """Files below the user's Pictures that were not there before."""


def hold(host: Host, pasted: str, conversation: Conversation) -> Outcome:
    """Hold a conversation in a host with an empty home, a few photos in Pictures, and one pasted into the chat."""
    # An account that runs one at a time: what is asked for side by side waits in line.
    kling = SandboxKling(rules=Rules(slots=1))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, running(kling):
        home = Path(folder)
        places = Places(home / pasted, home / "Pictures")
        script = conversation.script(places)
        model = Model(script)
        with serving(model) as origin:
            for place in (home / "work", home / "tmp"):
                place.mkdir()
            command, environment = host(Start(home, origin, server_environment(kling), conversation.asked))
            places.fill()
            before = set(places.pictures.rglob("*"))
            # Nothing of this machine's own settings, and no account, reaches a host.
            bare = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8"}
            try:
                ended = subprocess.run(
                    command, cwd=home / "work", env=bare | environment, stdin=subprocess.DEVNULL, capture_output=True,
                    text=True, timeout=SECONDS, check=False,
                )  # fmt: skip
                wrote = f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
            except subprocess.TimeoutExpired as error:
                wrote = f"not over after {SECONDS} s\n{error.stdout!r}\n{error.stderr!r}"
        new = [path.name for path in set(places.pictures.rglob("*")) - before if path.is_file()]
    return Outcome(model.seen, wrote, kling.tasks_created, sorted(new))


def server_environment(kling: SandboxKling) -> dict[str, str]:
    """Return what the server is started with: the default folders, and a Kling beside it, which counts what is paid."""
    return {
        "KLING_API_BASE": kling.origin,
        "KLING_API_KEY": kling.api_key,
        "KOLORS_ALLOWED_HOSTS": kling.origin.removeprefix("http://"),
        "KOLORS_IMAGE_DIRS": f"default{os.pathsep}{sample('upper').parent}",
        "PYTHONPATH": str(ROOT),
    }


def results_of(conversation: Conversation, outcome: Outcome) -> Iterator[tuple[str, str | None]]:
    """Give each check in words, with why it failed, if it did."""
    failures = failures_of(outcome.seen, {check.__name__: check for check in conversation.checks})
    for check in conversation.checks:
        yield check.__name__.replace("_", " "), failures.get(check.__name__)
    need = len(conversation.script(Places(Path(), Path())))
    costs = (len(outcome.seen.results), outcome.paid, outcome.saved)
    right = (need, conversation.paid, [] if conversation.saved is None else [conversation.saved])
    files = f", {conversation.saved} saved" if conversation.saved else ""
    words = f"{need} calls, {conversation.paid} paid{files}"
    yield words, None if costs == right else f"answered calls, paid, saved: {costs}, and should be {right}"


def say(line: str) -> None:
    """Tell whoever runs it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Check every host, or those named."""
    wanted = sys.argv[1:] or list(HOSTS)
    passed = failed = 0
    for name in wanted:
        for conversation in CONVERSATIONS:
            outcome = hold(*HOSTS[name], conversation)
            results = list(results_of(conversation, outcome))
            say(f"{name}: {conversation.asked}")
            for words, why in results:
                say(f"ok      {words}" if why is None else f"FAILED  {words}\n{why}")
            wrong = sum(why is not None for _, why in results)
            passed, failed = passed + len(results) - wrong, failed + wrong
            if wrong:
                say(f"{name} wrote:\n{outcome.wrote[-4000:]}")
    say(f"{passed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
