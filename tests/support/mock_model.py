"""A model that is none: it follows a short script of tool calls, and writes down what a host lets it see."""

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile

from tests.support.model_protocols import PROTOCOLS, Call, Json, Reply, Seen


@dataclass(frozen=True)
class Step:
    """One tool call: the end of the tool's name, and its arguments; `{task_id}` is the first that was seen."""

    tool: str
    arguments: Json
    before: Callable[[Seen], None] | None = None
    """What somebody else does meanwhile, once the results before it were seen."""
    beside: bool = False
    """Whether it is asked for in one message with the call before it."""


class Model:
    """Makes the calls of a script, one after the other."""

    def __init__(self, script: list[Step], last_words: Callable[[Seen], str] = lambda _: "Done.") -> None:
        """Begin with nothing seen; `last_words` are what it says when it has made all calls."""
        self.seen = Seen()
        self._script = script
        self._last_words = last_words

    def reply(self, seen: Seen) -> Reply:
        """Return the next tool calls, or the last words."""
        if not any(tool.endswith(self._script[0].tool) for tool in seen.tools):
            return "A try-on"  # hosts also ask for titles, without tools
        self.seen = seen
        if len(seen.results) >= len(self._script):
            return self._last_words(seen)
        first, *others = self._script[len(seen.results) :]
        if first.before is not None:
            first.before(seen)
        found = re.search(r'[Tt](?:ask_id\\*"?: ?\\*"|ry-on )([0-9]+)', "\n".join(seen.results))
        task_id = found[1] if found else ""
        return [_call(step, seen.tools, task_id) for step in (first, *takewhile(lambda step: step.beside, others))]


def _call(step: Step, tools: list[str], task_id: str) -> Call:
    """Return the call of a step, by the name that the host gave the tool."""
    arguments = {
        name: value.format(task_id=task_id) if isinstance(value, str) else value
        for name, value in step.arguments.items()
    }
    return Call(next(tool for tool in tools if tool.endswith(step.tool)), arguments)


@contextmanager
def serving(model: Model) -> Generator[str]:
    """Serve the model on a free loopback port, in every protocol; yields its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            path = self.path.split("?")[0]
            for protocol in PROTOCOLS:
                if protocol.path.search(path):
                    stream = body.get("stream") or "stream" in path
                    self._answer(protocol.write(model.reply(protocol.read(body)), body, bool(stream)))
                    return
            self._answer(json.dumps({"input_tokens": 1, "totalTokens": 1}))

        def do_GET(self) -> None:
            self._answer("{}")

        def do_HEAD(self) -> None:
            self._answer("")

        def _answer(self, text: str) -> None:
            data = text.encode()
            self.send_response(200)
            stream = text.startswith(("event:", "data:"))
            self.send_header("content-type", "text/event-stream" if stream else "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
