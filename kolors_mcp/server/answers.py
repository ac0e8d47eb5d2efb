"""What a host gets: text and structured part, each complete, because hosts show their model only one of them."""

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent

from kolors_mcp.local_pictures import KeptPhotos, LocalPictures
from kolors_mcp.models import Account, Answer, ResultImage, SavedPicture, TryOn, TryOnPage
from kolors_mcp.server.picture_texts import kept_text, pictures_text
from kolors_mcp.wording import iso_utc, quoted

_SIMULATED = (
    "Simulated: the sandbox answered; no account was used, nothing was billed, no real picture was made. "
    "Its links end with this server's process."
)
if TYPE_CHECKING:
    from kolors_mcp.try_ons.comparing import Compared, Sheet
    from kolors_mcp.try_ons.gallery import View

_INPUT_NAMES = {"person": "the person's photo", "garment": "the garment's photo"}


def to_result(answer: Answer) -> CallToolResult:
    """Write an answer as a tool result."""
    if isinstance(answer, TryOnPage):
        text, structured = _page_text(answer), _page(answer)
    elif isinstance(answer, Account):
        text, structured = _account_text(answer), answer.model_dump(mode="json")
    elif isinstance(answer, LocalPictures):
        text, structured = pictures_text(answer), answer.model_dump(mode="json")
    elif isinstance(answer, KeptPhotos):
        text, structured = kept_text(answer), answer.model_dump(mode="json")
    elif isinstance(answer, SavedPicture):
        text, structured = _saved_text(answer), answer.model_dump(mode="json")
    else:
        assert isinstance(answer, TryOn)
        text, structured = _text(answer), answer.model_dump(mode="json")
    # No links as blocks of their own: they stand in both parts, and some hosts end a run over a block without a type.
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def picture_content(view: "View", *, compare: bool) -> list[ContentBlock]:
    """Write a small picture and, in one line, what it shows and where the full one is."""
    image = view.image
    link = f"its link {_expired(image)}" if image.expired else f"in full: {image.url}{_until(image)}"
    text = f"Picture {image.index} of try-on {_called(view.try_on.task_id, view.try_on.label)}; {link}."
    if view.left:
        text = f"Left: {_INPUT_NAMES[view.left]}. Right: {text[0].lower()}{text[1:]}"
    elif compare:
        text += " It is shown alone: what was sent is remembered only for a while, by the process that sent it."
    if image.saved_to:
        text += f" Saved to: {image.saved_to} ."
    if view.try_on.sandbox:
        text += " Simulated by the sandbox; the link ends with this server's process."
    return [
        ImageContent(type="image", data=base64.b64encode(view.jpeg).decode(), mime_type="image/jpeg"),
        TextContent(type="text", text=text),
    ]


def sheet_content(sheet: "Sheet") -> list[ContentBlock]:
    """Write a sheet of several results and, in a line for each, which it is and where the full picture is."""
    number = sum(one.why_not is None for one in sheet.compared)
    where = "in reading order, the number of each below its picture"
    lines = [f"{number} try-ons on one sheet, {where}{'; first the person' if sheet.has_person else ''}."]
    lines += [f"{number}. {_line_of(one)}" for number, one in enumerate(sheet.compared, 1)]
    if any(one.try_on is not None and one.try_on.sandbox for one in sheet.compared):
        lines.append("Simulated by the sandbox; the links end with this server's process.")
    lines.append("Next: view_try_on shows one larger, and save_try_on keeps it.")
    return [
        ImageContent(type="image", data=base64.b64encode(sheet.jpeg).decode(), mime_type="image/jpeg"),
        TextContent(type="text", text="\n".join(lines)),
    ]


def _line_of(one: "Compared") -> str:
    if one.why_not is not None or one.try_on is None or one.image is None:
        return f"{quoted(one.name, 80)} is not shown: {one.why_not}"
    saved = f"; saved to: {one.image.saved_to}" if one.image.saved_to else ""
    return f"Try-on {_called(one.try_on.task_id, one.try_on.label)}: {_linked(one.image)}{saved}"


def _text(try_on: TryOn) -> str:
    lines = [f"Try-on {try_on.task_id}: {try_on.status}"]
    said = (
        ("Label", try_on.label and quoted(try_on.label, 80)),
        ("Message", try_on.status_message),
        ("Reference", try_on.reference),
        ("Model", try_on.model_name),
    )
    lines += [f"{name}: {text}" for name, text in said if text]
    lines += [
        f"{label}: {iso_utc(moment)}"
        for label, moment in (("Created", try_on.created_at), ("Updated", try_on.updated_at))
        if moment
    ]
    if try_on.reused:
        lines.append("Reused: the same request was made before; nothing new was paid.")
    for image in try_on.images:
        line = _linked(image)
        lines.append(line[0].upper() + line[1:])
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


def _account_text(account: Account) -> str:
    lines = [f"Units left for try-ons: {_number(account.units_left)}; a try-on costs one."]
    for pack in account.packs:
        until = f", until {iso_utc(pack.expires_at)}" if pack.expires_at else ""
        left = f"{_number(pack.units_left)} of {_number(pack.units_total)} left"
        lines.append(f"- pack {quoted(pack.name, 80)}: {pack.status or 'no status'}, {left}{until}")
    limit = "no daily limit" if account.daily_limit is None else f"of at most {account.daily_limit} a day"
    lines.append(f"Paid try-ons started today (UTC): {_number(account.creates_today)}, {limit}")
    lines.append(f"May run at once: {_number(account.slots)}")
    if account.price_usd is not None:
        lines.append(f"Price of one, as others report it: about {account.price_usd:.2f} US dollars")
    if account.as_of is not None:
        lines.append(f"As of: {iso_utc(account.as_of)}")
    lines += [f"Note: {note}" for note in account.notes]
    if account.sandbox:
        lines.append("Simulated: the sandbox answered; nothing is paid.")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _saved_text(saved: SavedPicture) -> str:
    where = f"Picture {saved.index} of try-on {_called(saved.task_id, saved.label)} was saved to: {saved.saved_to} ."
    if saved.expired:
        return f"{where} Its link has expired; only the saved picture is left."
    if saved.sandbox:
        return f"{where} Simulated by the sandbox; its link ends with this server's process."
    until = f" until {iso_utc(saved.expires_at)}" if saved.expires_at else ""
    return f"{where} Its link is good{until}: {saved.url}"


def _page(page: TryOnPage) -> dict[str, Any]:
    """Return the structured part of a page: of each try-on what tells it from others, and nothing that is empty."""
    # An address of ours says again what task_id and index say.
    spared = {"notes": True, "next_step": True, "images": {"__all__": {"resource_uri"}}}
    return page.model_dump(mode="json", exclude_defaults=True, exclude={"try_ons": {"__all__": spared}})


def _page_text(page: TryOnPage) -> str:
    found = f"{len(page.try_ons)} try-on{'' if len(page.try_ons) == 1 else 's'}" if page.try_ons else "No try-ons"
    lines = [f"Page {page.page_num} (page_size {page.page_size}): {found}"]
    lines += ["- " + ", ".join(_row(try_on)) for try_on in page.try_ons]
    if any(try_on.sandbox for try_on in page.try_ons):
        lines.append(_SIMULATED)
    if page.has_more:
        lines.append(f"Next: call list_try_ons with page_num {page.page_num + 1} for more.")
    return "\n".join(lines)


def _row(try_on: TryOn) -> Iterator[str]:
    yield f"{try_on.task_id} {try_on.status}"
    if try_on.label:
        yield f"label {quoted(try_on.label, 80)}"
    if try_on.created_at:
        yield f"created {iso_utc(try_on.created_at)}"
    if try_on.updated_at:
        yield f"updated {iso_utc(try_on.updated_at)}"
    if try_on.reference:
        yield f"reference {try_on.reference}"
    if try_on.model_name:
        yield f"model {try_on.model_name}"
    if try_on.status_message:
        yield f"message: {try_on.status_message}"
    for image in try_on.images:
        yield _linked(image)
        if image.saved_to:
            yield f"saved to: {image.saved_to}"


def _called(task_id: str, label: str | None) -> str:
    return task_id if label is None else f"{task_id} ({quoted(label, 80)})"


def _linked(image: ResultImage) -> str:
    """Name a picture and its link, a dead one as that."""
    if image.expired:
        return f"picture {image.index}, whose link {_expired(image)}: {image.url}"
    return f"picture {image.index}: {image.url}{_until(image)}"


def _until(image: ResultImage) -> str:
    return f" (kept until {iso_utc(image.expires_at)})" if image.expires_at else ""


def _expired(image: ResultImage) -> str:
    return f"expired on {iso_utc(image.expires_at)}" if image.expires_at else "has expired"
