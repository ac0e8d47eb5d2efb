"""The protocols in which hosts and frameworks ask a model: what it is shown in each, and how it answers.

As much of each as they need: Anthropic's messages, OpenAI's chat completions and responses, and Gemini's.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
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


Reply = Sequence[Call] | str
"""What the model says: the calls of one message, or its last words."""


@dataclass(frozen=True)
class Protocol:
    """One way of asking a model."""

    path: re.Pattern[str]
    """Found in the path of its requests."""
    read: Callable[[Json], Seen]
    write: Callable[[Reply, Json, bool], str]
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


def _message(reply: Reply, body: Json, stream: bool) -> str:
    usage = {"input_tokens": 1, "output_tokens": 1}
    reason = "end_turn" if isinstance(reply, str) else "tool_use"
    answered = len(_of_messages(body).results)  # Hosts merge messages of one id, and ask again where an id repeats.
    blocks: list[tuple[Json, Json, Json]] = []
    """Each whole, as it starts, and what is added to that."""
    if isinstance(reply, str):
        delta: Json = {"type": "text_delta", "text": reply}
        blocks.append(({"type": "text", "text": reply}, {"type": "text", "text": ""}, delta))
    else:
        for number, call in enumerate(reply, answered):
            start: Json = {"type": "tool_use", "id": f"toolu_{number}", "name": call.tool}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
            blocks.append((start | {"input": call.arguments}, start | {"input": Json()}, delta))
    message = {"id": f"msg_{answered}", "type": "message", "role": "assistant", "model": body["model"], "usage": usage}
    if not stream:
        content = [whole for whole, _, _ in blocks]
        return json.dumps({**message, "content": content, "stop_reason": reason, "stop_sequence": None})
    begun: Json = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, (_, start, delta) in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": start},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    end = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    return _events([*events, end, {"type": "message_stop"}])


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


def _completion(reply: Reply, body: Json, stream: bool) -> str:
    base: Json = {"id": "c1", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if isinstance(reply, str):
        message: Json = {"role": "assistant", "content": reply}
        reason = "stop"
    else:
        calls = [
            {
                "index": number,
                "id": f"call_{len(body['messages'])}_{number}",
                "type": "function",
                "function": {"name": call.tool, "arguments": json.dumps(call.arguments)},
            }
            for number, call in enumerate(reply)
        ]
        message, reason = {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
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


def _response(reply: Reply, body: Json, stream: bool) -> str:
    number = len(body["input"])
    items: list[Json] = []
    if isinstance(reply, str):
        said: Json = {"type": "output_text", "text": reply, "annotations": []}
        items.append({"type": "message", "id": f"msg_{number}", "role": "assistant", "content": [said]})
    else:
        for place, call in enumerate(reply):
            item: Json = {"type": "function_call", "id": f"fc_{number}_{place}", "call_id": f"call_{number}_{place}"}
            item |= {"name": call.tool, "arguments": json.dumps(call.arguments)}
            group = next((tool["name"] for tool in body["tools"] if _groups(tool, call.tool)), None)
            items.append(item if group is None else item | {"namespace": group})
    items = [item | {"status": "completed"} for item in items]
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    response: Json = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
        "output": items,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **details},
    }
    if not stream:
        return json.dumps(response)
    begun: Json = {**response, "status": "in_progress", "output": []}
    events: list[Json] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(items):
        events += [
            {"type": f"response.output_item.{what}", "output_index": index, "item": item} for what in ("added", "done")
        ]
    events.append({"type": "response.completed", "response": response})
    return _events([event | {"sequence_number": place} for place, event in enumerate(events)])


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


def _gemini(reply: Reply, _body: Json, stream: bool) -> str:
    parts: list[Json] = (
        [{"text": reply}]
        if isinstance(reply, str)
        else [{"functionCall": {"name": call.tool, "args": call.arguments}} for call in reply]
    )
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "mock"}
    return f"data: {json.dumps(answer)}\n\n" if stream else json.dumps(answer)


PROTOCOLS = (
    Protocol(re.compile("/chat/completions$"), _of_completions, _completion),
    Protocol(re.compile("/responses$"), _of_responses, _response),
    Protocol(re.compile("/messages$"), _of_messages, _message),
    Protocol(re.compile(":(stream)?[gG]enerateContent$"), _of_gemini, _gemini),
)
