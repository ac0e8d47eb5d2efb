"""What a host gets: text and structured part, each complete, because hosts show their model only one of them."""

import base64
from typing import TYPE_CHECKING

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent

from kolors_mcp.models import Answer, TryOn, TryOnPage

_SIMULATED = "Simulated: the sandbox answered; no account was used, nothing was billed, no real picture was made."
if TYPE_CHECKING:
    from kolors_mcp.try_ons.gallery import View

_LEFT = {"person": "the person's photo", "garment": "the garment's photo"}


def to_result(answer: Answer) -> CallToolResult:
    """Write an answer as a tool result."""
    if isinstance(answer, TryOnPage):
        text = _page_text(answer)
    else:
        assert isinstance(answer, TryOn)
        text = _text(answer)
    # No links as blocks of their own: they stand in both parts, and some hosts end a run over a block without a type.
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=answer.model_dump(mode="json")
    )


def picture_content(view: "View", *, compare: bool) -> list[ContentBlock]:
    """Write a small picture and, in one line, what it shows and where the full one is."""
    image = view.image
    until = f" (until {image.expires_at:%Y-%m-%d})" if image.expires_at else ""
    text = f"Picture {image.index} of try-on {view.try_on.task_id}; in full: {image.url}{until}."
    if view.beside:
        text = f"Left: {_LEFT[view.beside]}. Right: {text[0].lower()}{text[1:]}"
    elif compare:
        text += " It is shown alone: what was sent is remembered only for a while, by the process that sent it."
    if image.saved_to:
        text += f" Saved to: {image.saved_to} ."
    if view.try_on.sandbox:
        text += " Simulated by the sandbox."
    return [
        ImageContent(type="image", data=base64.b64encode(view.jpeg).decode(), mime_type="image/jpeg"),
        TextContent(type="text", text=text),
    ]


def _text(try_on: TryOn) -> str:
    lines = [f"Try-on {try_on.task_id}: {try_on.status}"]
    if try_on.status_message:
        lines.append(f"Message: {try_on.status_message}")
    if try_on.reference:
        lines.append(f"Reference: {try_on.reference}")
    if try_on.model_name:
        lines.append(f"Model: {try_on.model_name}")
    lines += [
        f"{label}: {moment:%Y-%m-%dT%H:%M:%SZ}"
        for label, moment in (("Created", try_on.created_at), ("Updated", try_on.updated_at))
        if moment
    ]
    if try_on.reused:
        lines.append("Reused: the same request was made before; nothing new was paid.")
    for image in try_on.images:
        until = f" (kept until {image.expires_at:%Y-%m-%d})" if image.expires_at else ""
        lines.append(f"Picture {image.index}: {image.url}{until}")
        if image.saved_to:
            lines.append(f"Saved to: {image.saved_to}")
        if image.resource_uri:
            lines.append(f"Resource: {image.resource_uri}")
    lines += [f"Note: {note}" for note in try_on.notes]
    if try_on.sandbox:
        lines.append(_SIMULATED)
    if try_on.next_step:
        lines.append(f"Next: {try_on.next_step}")
    return "\n".join(lines)


def _page_text(page: TryOnPage) -> str:
    found = f"{len(page.try_ons)} try-on{'' if len(page.try_ons) == 1 else 's'}" if page.try_ons else "No try-ons"
    lines = [f"Page {page.page_num} (page_size {page.page_size}): {found}"]
    for try_on in page.try_ons:
        parts = [try_on.task_id, try_on.status]
        if try_on.created_at:
            parts.append(f"created {try_on.created_at:%Y-%m-%dT%H:%M:%SZ}")
        if try_on.reference:
            parts.append(f"reference {try_on.reference}")
        if try_on.status_message:
            parts.append(f"message: {try_on.status_message}")
        parts += [f"picture {image.index}: {image.url}" for image in try_on.images]
        lines.append("- " + ", ".join(parts))
    if any(try_on.sandbox for try_on in page.try_ons):
        lines.append(_SIMULATED)
    if page.has_more:
        lines.append(f"Next: call list_try_ons with page_num {page.page_num + 1} for more.")
    return "\n".join(lines)
