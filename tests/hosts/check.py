"""Runs real hosts with this server and a simulated Kling: checks what they let their model see, and what is paid.

sh tests/hosts/run.sh                 # conversations with a server that each host starts, then over HTTP
sh tests/hosts/run.sh --http Codex    # over HTTP alone, and only this host
"""

import argparse
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
from scripts import loopback_nginx
from tests.hosts import over_http
from tests.hosts.conversations import CONVERSATIONS, Conversation, Places
from tests.hosts.programs import BY_COMMAND, HOSTS, Host, Start
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
        model = Model(conversation.script(places), conversation.last_words)
        with serving(model) as origin:
            begun = _begun(host, Start(home, origin, server_environment(kling), conversation.asked))
            places.fill()
            before = set(places.pictures.rglob("*"))
            wrote = _ended(begun, home)
        new = [path.name for path in set(places.pictures.rglob("*")) - before if path.is_file()]
    return Outcome(model.seen, wrote, kling.tasks_created, sorted(new))


def hold_over_http(host: Host, nginx: str) -> tuple[Conversation, Outcome]:
    """Hold the conversation with the service in a host with an empty home; return which one, too."""
    kling = SandboxKling(rules=Rules(slots=1))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, running(kling), over_http.shop() as shop:
        home, beside = Path(folder, "home"), Path(folder, "service")
        for place in (home, beside):
            place.mkdir()
        conversation = over_http.conversation_at(shop)
        model = Model(conversation.script(Places(home, home)), conversation.last_words)
        with over_http.served(nginx, beside, kling, shop) as service, serving(model) as origin:
            begun = _begun(host, Start(home, origin, service, conversation.asked))
            wrote = _ended(begun, home)
    return conversation, Outcome(model.seen, wrote, kling.tasks_created, [])


def _begun(host: Host, start: Start) -> tuple[list[str], dict[str, str]]:
    """Write a host's settings; return its command and environment."""
    for place in (start.home / "work", start.home / "tmp"):
        place.mkdir()
    command, environment = host(start)
    # Nothing of this machine's own settings, and no account, reaches a host.
    bare = {"PATH": os.environ["PATH"], "HOME": str(start.home), "TMPDIR": str(start.home / "tmp"), "LANG": "C.UTF-8"}
    return command, bare | environment


def _ended(begun: tuple[list[str], dict[str, str]], home: Path) -> str:
    """Run a host to its end; return what it wrote."""
    command, environment = begun
    try:
        ended = subprocess.run(
            command, cwd=home / "work", env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return f"not over after {SECONDS} s\n{error.stdout!r}\n{error.stderr!r}"
    return f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"


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
    said = conversation.last_words(outcome.seen)
    yield "the user reads what the model says", None if said in outcome.wrote else f"nowhere stands {said}"
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", nargs="*", metavar="host", default=list(HOSTS), help=f"of {', '.join(HOSTS)}")
    parser.add_argument("--http", action="store_true", help="only with the service over HTTP")
    asked = parser.parse_args()
    nginx = loopback_nginx.bring_nginx()
    passed = failed = 0
    for name in asked.host:
        for way, conversation, outcome in held(name, nginx, only_http=asked.http):
            results = list(results_of(conversation, outcome))
            say(f"{name}{way}: {conversation.asked}")
            for words, why in results:
                say(f"ok      {words}" if why is None else f"FAILED  {words}\n{why}")
            wrong = sum(why is not None for _, why in results)
            passed, failed = passed + len(results) - wrong, failed + wrong
            if wrong:
                say(f"{name} wrote:\n{outcome.wrote[-4000:]}")
    if nginx is None:
        say("\033[1;31mNOT RUN: the service, because nginx is not here (apt-get install nginx-light).\033[0m")
    say(f"{passed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


def held(name: str, nginx: str | None, *, only_http: bool) -> Iterator[tuple[str, Conversation, Outcome]]:
    """Hold the conversations of a host; give each with how the host reaches the server, in words, and its outcome."""
    host, pasted = HOSTS[name]
    for conversation in () if only_http else CONVERSATIONS:
        yield "", conversation, hold(host, pasted, conversation)
    if nginx is not None:
        yield " over HTTP", *hold_over_http(host, nginx)
        if name in BY_COMMAND:
            yield " over HTTP, set up by its command", *hold_over_http(BY_COMMAND[name], nginx)


if __name__ == "__main__":
    sys.exit(main())
