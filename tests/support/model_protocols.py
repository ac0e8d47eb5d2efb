"""The protocols in which hosts and frameworks ask a model: what it is shown in each, and how it answers.

As much of each as they need: Anthropic's messages, OpenAI's chat completions and responses, and Gemini's.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

Json = dict[str, Any]


@dataclass
class Seen:
    """What the model was shown in one conversation."""

    tools: list[str] = field(default_factory=list[str])
    results: list[str] = field(default_factory=list[str])
    """The text of each tool result, in order."""
    pictures: list[bytes] = field(default_factory=list[bytes])


@dataclass(frozen=True)
class Call:
    """A tool call that the model asks for."""

    tool: str
    arguments: Json


@dataclass(frozen=True)
class Protocol:
    """One way of asking a model."""

    path: re.Pattern[str]
    """Found in the path of its requests."""
    read: Callable[[Json], Seen]
    write: Callable[[Call | str, Json, bool], str]
    """Takes the reply, the request's body, and whether it is to be streamed."""


def _parts(content: Any) -> list[Json]:
    """Return content as a list of parts, whichever way it was given."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return cast("list[Json]", content or [])


def _rows(found: Json, name: str) -> list[Json]:
    """Return a list of objects that may be left out."""
    return cast("list[Json]", found.get(name) or [])


def _text(parts: list[Json]) -> str:
    return "\n".join(part["text"] for part in parts if "text" in part)


def _inline(url: str) -> Iterator[bytes]:
    """Give the picture of a `data:` URI."""
    if url.startswith("data:image/"):
        yield base64.b64decode(url.partition(",")[2])


def _events(events: list[Json]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _of_messages(body: Json) -> Seen:
    seen = Seen(tools=[tool["name"] for tool in _rows(body, "tools")])
    for message in body["messages"]:
        for result in (block for block in _parts(message["content"]) if block["type"] == "tool_result"):
            parts = _parts(result.get("content", ""))
            seen.results.append(_text(parts))
            seen.pictures += [base64.b64decode(part["source"]["data"]) for part in parts if part["type"] == "image"]
    return seen


def _message(reply: Call | str, body: Json, stream: bool) -> str:
    usage = {"input_tokens": 1, "output_tokens": 1}
    if isinstance(reply, str):
        block: Json = {"type": "text", "text": reply}
        start = Json(block, text="")
        delta, reason = {"type": "text_delta", "text": reply}, "end_turn"
    else:
        block = {"type": "tool_use", "id": f"toolu_{len(body['messages'])}", "name": reply.tool}
        block["input"] = reply.arguments
        start, reason = Json(block, input=Json()), "tool_use"
        delta = {"type": "input_json_delta", "partial_json": json.dumps(reply.arguments)}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "usage": usage}
    if not stream:
        return json.dumps({**message, "content": [block], "stop_reason": reason, "stop_sequence": None})
    return _events(
        [
            {
                "type": "message_start",
                "message": {**message, "content": [], "stop_reason": None, "stop_sequence": None},
            },
            {"type": "content_block_start", "index": 0, "content_block": start},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
    )


def _of_completions(body: Json) -> Seen:
    seen = Seen(tools=[tool["function"]["name"] for tool in _rows(body, "tools")])
    for message in body["messages"]:
        parts = _parts(message.get("content"))
        if message["role"] == "tool":
            seen.results.append(_text(parts))
        for part in parts:
            if part["type"] == "image_url":
                seen.pictures += _inline(part["image_url"]["url"])
    return seen


def _completion(reply: Call | str, body: Json, stream: bool) -> str:
    base: Json = {"id": "c1", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if isinstance(reply, str):
        message: Json = {"role": "assistant", "content": reply}
        reason = "stop"
    else:
        function = {"name": reply.tool, "arguments": json.dumps(reply.arguments)}
        call = {"index": 0, "id": f"call_{len(body['messages'])}", "type": "function", "function": function}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    if not stream:
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return json.dumps({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    base["object"] = "chat.completion.chunk"
    chunks: list[Json] = [
        {**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def _of_responses(body: Json) -> Seen:
    seen = Seen()
    for tool in _rows(body, "tools"):
        # A host may group the tools of a server under its name.
        named = [tool, *_rows(tool, "tools")]
        seen.tools += [one["name"] for one in named if one.get("type") == "function"]
    for item in _parts(body["input"]):
        parts = _parts(item.get("output") if item.get("type") == "function_call_output" else item.get("content"))
        if item.get("type") == "function_call_output":
            seen.results.append(_text(parts))
        for part in parts:
            if part.get("type") == "input_image":
                seen.pictures += _inline(part["image_url"])
    return seen


def _response(reply: Call | str, body: Json, stream: bool) -> str:
    number = len(body["input"])
    if isinstance(reply, str):
        said: Json = {"type": "output_text", "text": reply, "annotations": []}
        item: Json = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": [said]}
    else:
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": reply.tool}
        item["arguments"] = json.dumps(reply.arguments)
        group = next((tool["name"] for tool in body["tools"] if _groups(tool, reply.tool)), None)
        if group is not None:
            item["namespace"] = group
    item["status"] = "completed"
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    response: Json = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
        "output": [item],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **details},
    }
    if not stream:
        return json.dumps(response)
    begun: Json = {**response, "status": "in_progress", "output": []}
    return _events(
        [
            {"type": "response.created", "sequence_number": 0, "response": begun},
            {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item},
            {"type": "response.output_item.done", "sequence_number": 2, "output_index": 0, "item": item},
            {"type": "response.completed", "sequence_number": 3, "response": response},
        ]
    )


def _groups(tool: Json, name: str) -> bool:
    return any(one.get("name") == name for one in _rows(tool, "tools"))


def _of_gemini(body: Json) -> Seen:
    seen = Seen()
    for tool in _rows(body, "tools"):
        seen.tools += [one["name"] for one in _rows(tool, "functionDeclarations")]
    for content in body["contents"]:
        for part in _rows(content, "parts"):
            found: Json = part.get("functionResponse") or {}
            if found:
                seen.results.append("\n".join(_strings(found.get("response", {}))))
            for one in (part, *_rows(found, "parts")):
                inline: Json | None = one.get("inlineData")
                if inline is not None and inline["mimeType"].startswith("image/"):
                    # Some write the alphabet of URLs.
                    seen.pictures.append(base64.b64decode(inline["data"].replace("-", "+").replace("_", "/")))
    return seen


def _strings(value: Any) -> Iterator[str]:
    """Give every text within a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in cast("Json", value).items():
            yield from (f'{name}: "{text}"' if name == "task_id" else text for text in _strings(one))
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from _strings(one)


def _gemini(reply: Call | str, _body: Json, stream: bool) -> str:
    part: Json = (
        {"text": reply} if isinstance(reply, str) else {"functionCall": {"name": reply.tool, "args": reply.arguments}}
    )
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "mock"}
    return f"data: {json.dumps(answer)}\n\n" if stream else json.dumps(answer)


PROTOCOLS = (
    Protocol(re.compile("/chat/completions$"), _of_completions, _completion),
    Protocol(re.compile("/responses$"), _of_responses, _response),
    Protocol(re.compile("/messages$"), _of_messages, _message),
    Protocol(re.compile(":(stream)?[gG]enerateContent$"), _of_gemini, _gemini),
)
