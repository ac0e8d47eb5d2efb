"""Runs agents of real frameworks with this server in the sandbox, and checks what each lets its model see.

Each has an environment of its own, made at its first run: as users have it, with whatever `mcp` it asks for. The model
answers on loopback (`tests/support/mock_model.py`).
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from kolors_mcp.sandbox.samples import sample
from tests.support import model_checks as checks
from tests.support.mock_model import Model, Seen, Step, serving
from tests.support.model_checks import Check, failures_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = Path(os.environ.get("KOLORS_FRAMEWORKS") or Path(tempfile.gettempdir()) / "kolors-mcp-frameworks")
"""Where the environments are; some 1 GB in all, so not inside the project."""
SECONDS = 240
"""What an agent may take; usually it is some ten."""
UNKNOWN_ID = "123456789012345678"
SCRIPT = [
    Step("create_try_on", {"human_image": str(sample("person")), "cloth_image": str(sample("upper"))}),
    Step("get_try_on", {"task_id": "{task_id}", "wait_seconds": 30}),
    Step("view_try_on", {"task_id": "{task_id}"}),
    Step("list_try_ons", {}),
    Step("get_try_on", {"task_id": UNKNOWN_ID, "wait_seconds": 0}),
]


@dataclass(frozen=True)
class Framework:
    """An agent in a framework, and the packages it needs, each at a pinned version."""

    agent: str
    packages: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    picture: Literal["seen", "as text", "left out"] = "seen"
    """What the framework makes of a tool's picture for its model; the result's text must do in any case."""


LANGCHAIN = (
    "langchain==1.5.2",
    "langchain-mcp-adapters==0.3.2",
    "langchain-openai==1.7.4",
    "langchain-anthropic==1.7.10",
)
OPENAI_AGENTS = ("openai-agents==0.24.0",)
PYDANTIC_AI = ("pydantic-ai-slim[anthropic,mcp,openai]==2.68.0",)
FRAMEWORKS = {
    "LangChain, OpenAI": Framework("agent_langchain.py", LANGCHAIN, ("openai",)),
    "LangChain, OpenAI responses": Framework("agent_langchain.py", LANGCHAIN, ("responses",)),
    "LangChain, Anthropic": Framework("agent_langchain.py", LANGCHAIN, ("anthropic",)),
    "OpenAI Agents, responses": Framework("agent_openai.py", OPENAI_AGENTS, ("responses",)),
    "OpenAI Agents, completions": Framework("agent_openai.py", OPENAI_AGENTS, ("completions",), "left out"),
    "Pydantic AI, OpenAI": Framework("agent_pydantic.py", PYDANTIC_AI, ("openai",)),
    "Pydantic AI, Anthropic": Framework("agent_pydantic.py", PYDANTIC_AI, ("anthropic",)),
    "Google ADK": Framework("agent_adk.py", ("google-adk[mcp]==2.13.0",), picture="as text"),
    "LlamaIndex": Framework(
        "agent_llama_index.py",
        ("llama-index-tools-mcp==0.6.0", "llama-index-llms-openai==0.8.3"),
        picture="as text",
    ),
    "Vercel AI SDK": Framework("agent_ai_sdk.mjs"),
}
NODE = "24.21.0"


def environment_of(framework: Framework) -> list[str]:
    """Return what starts the framework's programs, making its environment if it is not there."""
    if framework.agent.endswith(".mjs"):
        return [str(node_environment()), str(PLACE / "ai-sdk" / framework.agent)]
    folder = PLACE / framework.agent.removesuffix(".py").removeprefix("agent_")
    python, stamp = folder / "bin" / "python", folder / "packages"
    if not stamp.exists() or stamp.read_text("utf-8") != "\n".join(framework.packages):
        run([sys.executable, "-m", "venv", str(folder)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*install, "--only-binary", ":all:", *framework.packages])
        stamp.write_text("\n".join(framework.packages), "utf-8")
    return [str(python), str(HERE / framework.agent)]


def node_environment() -> Path:
    """Return the Node of the AI SDK, installing both from npm if they are not there."""
    folder = PLACE / "ai-sdk"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "agent_ai_sdk.mjs"):
        (folder / name).write_bytes((HERE / name).read_bytes())
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
    package = f"node-{sys.platform}-{machine}"
    node = PLACE / "node" / "node_modules" / package / "bin" / "node"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not node.exists():
        (PLACE / "node").mkdir(exist_ok=True)
        run(["npm", "install", "--no-save", *quiet, "--prefix", str(PLACE / "node"), f"{package}@{NODE}"])
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".installed"
    if not done.exists() or done.read_bytes() != lock.read_bytes():
        # With this Node first, since npm leaves out what does not run on the one it runs on.
        path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
        run(["npm", "install", "--no-save", *quiet, "--prefix", str(folder)], PATH=path)
        done.write_bytes(lock.read_bytes())
    return node


def server_for(kling: SandboxKling, folder: str) -> dict[str, Any]:
    """Return how the server is started: with a Kling beside it, since some frameworks start it for each call anew."""
    environment = {
        "KLING_API_BASE": kling.origin,
        "KLING_API_KEY": kling.api_key,
        "KOLORS_ALLOWED_HOSTS": kling.origin.removeprefix("http://"),
        "KOLORS_LEDGER": f"sqlite:///{folder}/ledger.sqlite3",
        "KOLORS_IMAGE_DIRS": str(sample("person").parent),
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    return {"command": sys.executable, "args": ["-m", "kolors_mcp"], "env": environment}


def run(command: list[str], **more: str) -> None:
    """Run a command that makes an environment."""
    subprocess.run(command, check=True, env={**os.environ, **more}, stdin=subprocess.DEVNULL)


def shown_by(framework: Framework) -> tuple[Seen, str]:
    """Let an agent work; return what its model saw, and what it wrote itself."""
    command = [*environment_of(framework), *framework.arguments]
    model = Model(SCRIPT)
    kling = SandboxKling()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, serving(model) as origin, running(kling):
        # Nothing of this machine's own settings, and no account, reaches an agent.
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"KOLORS_MODEL_ORIGIN": origin, "KOLORS_SERVER": json.dumps(server_for(kling, home))}
        try:
            ended = subprocess.run(
                command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            return model.seen, f"not over after {SECONDS} s\n{error.stdout!r}\n{error.stderr!r}"
        return model.seen, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"


NAMES = ("tools", "create", "wait", "view", "list", "error")


def checks_of(framework: Framework) -> dict[str, Check]:
    """Return what holds for a framework, in the order of the table."""
    view = {
        "seen": checks.the_view_shows_the_result_and_the_link,
        "as text": checks.the_view_has_the_picture_as_text_and_the_link,
        "left out": checks.the_view_has_the_link,
    }
    return {
        "tools": checks.the_tools_are_offered,
        "create": checks.the_create_says_status_ids_and_next_step,
        "wait": checks.the_get_says_status_link_and_next_step,
        "view": view[framework.picture],
        "list": checks.the_list_has_the_try_on_with_its_link,
        "error": checks.the_error_says_that_it_is_one,
    }


def main() -> int:
    """Check every framework, or those whose names begin as said; print a table."""
    wanted = [name for name in FRAMEWORKS if not sys.argv[1:] or name.lower().startswith(tuple(sys.argv[1:]))]
    width = max(map(len, FRAMEWORKS))
    say(f"{'framework':{width}}  " + "  ".join(f"{name:6}" for name in NAMES) + "  picture")
    told: list[str] = []
    passed = 0
    for name in wanted:
        seen, wrote = shown_by(FRAMEWORKS[name])
        failures = failures_of(seen, checks_of(FRAMEWORKS[name]))
        passed += len(NAMES) - len(failures)
        cells = "  ".join(f"{'FAILED' if one in failures else 'ok':6}" for one in NAMES)
        say(f"{name:{width}}  {cells}  {FRAMEWORKS[name].picture}")
        told += [f"{name}, {check}: {why}" for check, why in failures.items()]
        if failures:
            told.append(f"{name} wrote:\n{wrote[-4000:]}")
    say("\n".join(told))
    failed = len(wanted) * len(NAMES) - passed
    say(f"{passed} passed, {failed} failed")
    return 1 if failed or not wanted else 0


def say(line: str) -> None:
    """Tell whoever runs it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
