"""A model that is none: it follows a short script of tool calls, and writes down what a host lets it see.

It speaks as much of two protocols as the hosts ask for: Anthropic's messages and OpenAI's chat completions.
"""

import base64
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass
class Seen:
    """What the model was shown in one conversation."""

    tools: list[str] = field(default_factory=list[str])
    results: list[str] = field(default_factory=list[str])
    """The text of each tool result, in order."""
    pictures: list[bytes] = field(default_factory=list[bytes])


@dataclass(frozen=True)
class Step:
    """One tool call: the end of the tool's name, and its arguments; `{task_id}` is the one that was seen last."""

    tool: str
    arguments: Json


class Model:
    """Makes the calls of a script, one after the other."""

    def __init__(self, script: list[Step]) -> None:
        """Begin with nothing seen."""
        self.seen = Seen()
        self._script = script

    def reply(self, seen: Seen) -> tuple[str, Json] | str:
        """Return the next tool call, or the last words."""
        if not any(tool.endswith(self._script[0].tool) for tool in seen.tools):
            return "A try-on"  # hosts also ask for titles, without tools
        self.seen = seen
        if len(seen.results) >= len(self._script):
            return "Done."
        step = self._script[len(seen.results)]
        found = re.search(r'"?[Tt](?:ask_id"?: ?"|ry-on )([0-9]+)', "\n".join(seen.results))
        task_id = found[1] if found else ""
        arguments = {
            name: value.format(task_id=task_id) if isinstance(value, str) else value
            for name, value in step.arguments.items()
        }
        return next(tool for tool in seen.tools if tool.endswith(step.tool)), arguments


@contextmanager
def serving(model: Model) -> Generator[str]:
    """Serve the model on a free loopback port; yields its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.endswith("/chat/completions"):
                self._answer(_completion(model.reply(_of_completions(body)), body))
            elif self.path.split("?")[0].endswith("/messages"):
                self._answer(_message(model.reply(_of_messages(body)), body))
            else:
                self._answer(json.dumps({"input_tokens": 1}))

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


def _of_messages(body: Json) -> Seen:
    seen = Seen(tools=[tool["name"] for tool in body.get("tools", [])])
    for message in body["messages"]:
        blocks: list[Json] = message["content"] if isinstance(message["content"], list) else []
        for result in (block for block in blocks if block["type"] == "tool_result"):
            content: Any = result.get("content", "")
            parts: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else content
            seen.results.append("\n".join(part["text"] for part in parts if part["type"] == "text"))
            seen.pictures += [base64.b64decode(part["source"]["data"]) for part in parts if part["type"] == "image"]
    return seen


def _of_completions(body: Json) -> Seen:
    seen = Seen(tools=[tool["function"]["name"] for tool in body.get("tools", [])])
    for message in body["messages"]:
        content: Any = message.get("content") or ""
        parts: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "tool":
            seen.results.append("\n".join(part["text"] for part in parts if part["type"] == "text"))
        for part in parts:
            if part["type"] == "image_url":
                seen.pictures.append(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
    return seen


def _message(reply: tuple[str, Json] | str, body: Json) -> str:
    usage = {"input_tokens": 1, "output_tokens": 1}
    if isinstance(reply, str):
        block: Json = {"type": "text", "text": reply}
        start = Json(block, text="")
        delta, reason = {"type": "text_delta", "text": reply}, "end_turn"
    else:
        block = {"type": "tool_use", "id": f"toolu_{len(body['messages'])}", "name": reply[0], "input": reply[1]}
        start, reason = Json(block, input=Json()), "tool_use"
        delta = {"type": "input_json_delta", "partial_json": json.dumps(reply[1])}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "usage": usage}
    if not body.get("stream"):
        return json.dumps({**message, "content": [block], "stop_reason": reason, "stop_sequence": None})
    events: list[Json] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _completion(reply: tuple[str, Json] | str, body: Json) -> str:
    base: Json = {"id": "c1", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if isinstance(reply, str):
        message: Json = {"role": "assistant", "content": reply}
        reason = "stop"
    else:
        function = {"name": reply[0], "arguments": json.dumps(reply[1])}
        call = {"index": 0, "id": f"call_{len(body['messages'])}", "type": "function", "function": function}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return json.dumps({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    base["object"] = "chat.completion.chunk"
    chunks: list[Json] = [
        {**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
