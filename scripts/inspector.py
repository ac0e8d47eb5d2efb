"""What MCP's Inspector, on its command line, makes of the service: with a token, behind nginx, in both protocols."""

import base64
import hashlib
import io
import json
import os
import secrets
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from scripts import loopback_service

CONTRACT = Path(__file__).resolve().parent.parent / "tests" / "contract_http.json"
PROTOCOLS = ("legacy", "modern")
"""As the Inspector names them: with a handshake, and without."""
MAX_SECONDS = 120


@dataclass(frozen=True)
class Inspector:
    """The Inspector's command line, for a service and a token."""

    program: tuple[str, ...]
    url: str
    token: str
    home: Path

    def answer(self, protocol: str, method: str, *arguments: str) -> dict[str, Any]:
        """Return what the service answers.

        Raises:
            CalledProcessError: The Inspector was not content.
        """
        done = subprocess.run(
            [
                *(*self.program, "--cli", self.url, "--transport", "http", "--quiet", "--protocol-era", protocol),
                *("--header", f"Authorization: Bearer {self.token}", "--method", method, *arguments),
            ],
            # It keeps files of its own in the home.
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MAX_SECONDS, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    def called(self, protocol: str, tool: str, **given: object) -> dict[str, Any]:
        """Call a tool; return the structured part of its answer."""
        answer = self.answer(protocol, "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(given))
        return answer["structuredContent"]


def faults(node: str, modules: Path, nginx: str) -> list[str]:
    """Return what does not go as it has to.

    Args:
        node: Node.js.
        modules: Where the Inspector is installed.
        nginx: Its program.
    """
    kling, token = SandboxKling(remember=0), secrets.token_hex(32)
    with running(kling), tempfile.TemporaryDirectory(prefix="kolors-inspector-") as name:
        folder = Path(name)
        tokens = folder / "tokens"
        tokens.write_text(
            f"inspector {hashlib.sha256(token.encode()).hexdigest()} try_on:read,try_on:create\n", "utf-8"
        )
        program = (node, str(modules / ".bin" / "mcp-inspector"))
        with loopback_service.behind_nginx(nginx, folder, kling, KOLORS_TOKENS=str(tokens)) as url:
            found: list[str] = []
            for protocol in PROTOCOLS:
                found += _faults_in(protocol, Inspector(program, url, token, folder))
            found += _fault_of_a_stranger(Inspector(program, url, secrets.token_hex(32), folder))
    # The second protocol asks for the same again, which is no new try-on.
    return found + (
        [] if kling.tasks_created == 1 else [f"FAILED the Inspector's wish was paid {kling.tasks_created} times"]
    )


def _faults_in(protocol: str, inspector: Inspector) -> list[str]:
    begin = f"FAILED the Inspector, {protocol}"
    try:
        listed = [tool["name"] for tool in inspector.answer(protocol, "tools/list")["tools"]]
        wish = {"human_image": _picture("teal"), "cloth_image": _picture("crimson")}
        created = inspector.called(protocol, "create_try_on", **wish)
        seen = inspector.called(protocol, "get_try_on", task_id=created["task_id"], wait_seconds=60)
    except subprocess.CalledProcessError as error:
        return [f"{begin}: exit {error.returncode}: {error.stderr[-2000:]}"]
    tools = [tool["name"] for tool in json.loads(CONTRACT.read_text(encoding="utf-8"))["tools"]]
    wrong = [] if listed == tools else [f"{begin}: it lists {listed}"]
    return wrong + ([] if seen["status"] == "succeed" else [f"{begin}: the try-on is {seen}"])


def _fault_of_a_stranger(inspector: Inspector) -> list[str]:
    try:
        inspector.answer(PROTOCOLS[0], "tools/list")
    except subprocess.CalledProcessError:
        return []
    return ["FAILED the Inspector lists tools with a token that nobody has given out"]


def _picture(colour: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (320, 400), colour).save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()
