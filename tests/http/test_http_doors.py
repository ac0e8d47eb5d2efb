"""What is another's stays closed by every door: it is answered as what nobody has is, and Kling is not asked."""

import base64
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult, PromptReference, ResourceTemplateReference

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.models import TryOn
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.try_ons.looking import Looking
from kolors_mcp.try_ons.uris import PICTURE_TEMPLATE, TRY_ON_TEMPLATE
from tests.support.in_memory import PICTURES, try_on_of
from tests.support.making import jpeg
from tests.support.shared_service import ANA, BEN, OWNER, Door, Shared, shared
from tests.support.tasks_extension import METHODS, ask, send

pytestmark = pytest.mark.anyio

CANARY = "canary label"
SHIRT = base64.b64encode(jpeg(colour="olive")).decode()


def tool(name: str, /, **arguments: str | list[str]) -> Door:
    """A tool, whose arguments name the try-on where they say `{}`, which is no base64."""

    def filled(value: str | list[str], named: str) -> str | list[str]:
        return value.replace("{}", named) if isinstance(value, str) else [one.replace("{}", named) for one in value]

    async def call(client: Client, named: str) -> Any:
        given = {key: filled(value, named) for key, value in arguments.items()}
        return await send(client.session, CallToolRequest(params=CallToolRequestParams(name=name, arguments=given)))

    return call


def resource(uri: str) -> Door:
    async def read(client: Client, named: str) -> Any:
        return await client.read_resource(uri.replace("{}", named))

    return read


def prompt(name: str, argument: str) -> Door:
    async def get(client: Client, named: str) -> Any:
        return await client.get_prompt(name, {argument: named})

    return get


def completion(ref: PromptReference | ResourceTemplateReference, argument: str) -> Door:
    async def complete(client: Client, named: str) -> Any:
        return await client.complete(ref, {"name": argument, "value": named[:6]})

    return complete


def task(method: str) -> Door:
    async def asked(client: Client, named: str) -> Any:
        return await ask(client, method, named)

    return asked


# Every door by which a try-on is named. What is not among them is in `NAMES_NONE`, or a test fails.
DOORS: dict[str, Door] = {
    "create_try_on: person": tool("create_try_on", human_image="{}", cloth_image=SHIRT),
    "create_try_on: garment": tool("create_try_on", human_image=SHIRT, cloth_image="{}"),
    "create_try_on: lower garment": tool(
        "create_try_on", human_image=PICTURES["human_image"], cloth_image=SHIRT, lower_cloth_image="{}"
    ),
    "create_try_on: result": tool("create_try_on", human_image="tryon://{}/images/0", cloth_image=SHIRT),
    "create_try_on: its person": tool("create_try_on", human_image="tryon://{}/person", cloth_image=SHIRT),
    "create_try_on: its garment": tool("create_try_on", human_image=SHIRT, cloth_image="tryon://{}/garment"),
    "create_try_on: its lower": tool("create_try_on", human_image=SHIRT, cloth_image="tryon://{}/lower"),
    "start_try_on: person": tool("start_try_on", human_image="{}", cloth_image=SHIRT),
    "start_try_on: its person": tool("start_try_on", human_image="tryon://{}/person", cloth_image=SHIRT),
    "get_try_on": tool("get_try_on", task_id="{}"),
    "get_try_on: address": tool("get_try_on", task_id="tryon://{}"),
    "view_try_on": tool("view_try_on", task_id="{}", compare="true"),
    "compare_try_ons": tool("compare_try_ons", task_ids=["{}", "tryon://{}/images/0"]),
    "check_photo": tool("check_photo", picture="{}"),
    "check_photo: its person": tool("check_photo", picture="tryon://{}/person"),
    "keep_photo": tool("keep_photo", image="{}", name="one"),
    "keep_photo: its person": tool("keep_photo", image="tryon://{}/person", name="two"),
    "resource": resource("tryon://{}"),
    "resource: picture": resource("tryon://{}/images/0"),
    "completion of a try-on": completion(ResourceTemplateReference(uri=TRY_ON_TEMPLATE), "task_id"),
    "completion of a picture": completion(ResourceTemplateReference(uri=PICTURE_TEMPLATE), "task_id"),
    **{
        f"completion of {name}": completion(PromptReference(name=name), "person")
        for name in ("try_on_garment", "compare_garments", "lookbook", "build_outfit", "layer_garment")
    },
    **{
        f"prompt {name}": prompt(name, "person")
        for name in ("try_on_garment", "compare_garments", "lookbook", "build_outfit", "layer_garment")
    },
    **{method: task(method) for method in METHODS},
}
NAMES_NONE: dict[str, Door] = {
    "list_try_ons": tool("list_try_ons"),
    "get_account": tool("get_account"),
    "open_fitting_room": tool("open_fitting_room"),
    "list_pictures": tool("list_pictures"),
    "remove_photo": tool("remove_photo", name="one"),
    "resource: recent": resource("tryon://recent"),
}
"""Doors that name no try-on, and may show some."""


def listed_resources(client: Client, _named: str) -> Awaitable[Any]:
    return client.list_resources(cache_mode="refresh")


UNKNOWN = {"task_id": "999888777666555444", "reference": "k-0123456789abcdef01234567", "label": "no such label"}
"""A name of each form that no try-on has."""


@pytest.fixture
async def service(kling: SandboxKling) -> AsyncIterator[Shared]:
    async with shared(kling) as made:
        yield made


@pytest.fixture
async def anas(service: Shared) -> TryOn:
    """A finished try-on of Ana's; from then on Ben calls."""
    await service.client.list_tools()  # the page's tools are made then
    arguments = {**PICTURES, "wait_seconds": 60, "label": CANARY}
    made = try_on_of(await service.client.call_tool("create_try_on", arguments))
    assert made.status == "succeed"
    # Both see what is there before anything is compared: the first call of a user may open something.
    service.caller = BEN
    await service.client.call_tool("get_account", {})
    return made


def names_of(made: TryOn) -> dict[str, str]:
    return {"task_id": made.task_id, "reference": made.reference or "", "label": made.label or ""}


async def tools_of(client: Client) -> set[str]:
    return {one.name for one in (await client.list_tools()).tools}


@pytest.mark.parametrize("form", UNKNOWN)
async def test_what_is_anothers_is_answered_as_what_is_nobodys_and_kling_is_not_asked(
    form: str, service: Shared, anas: TryOn
) -> None:
    name, unknown, before = names_of(anas)[form], UNKNOWN[form], service.requests
    others = {CANARY, anas.task_id, anas.reference or "", anas.images[0].url} - {name}
    for door, through in DOORS.items():
        said = await service.said(through, name)
        of_unknown = await service.said(through, unknown)
        assert without(name, said) == without(unknown, of_unknown), door
        assert [canary for canary in others if canary in said] == [], door
        assert service.requests == before, door
    assert service.kling.tasks_created == 1


def without(name: str, text: str) -> str:
    """An answer without the name that it was asked about, and without its beginning, which completions are given."""
    return text.replace(name, "ID").replace(name[:6], "ID")


async def test_while_the_ledger_is_away_nobodys_try_on_is_said_not_to_exist(
    service: Shared, anas: TryOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise LedgerError("The ledger of paid try-ons did not answer.")

    monkeypatch.setattr(Ledger, "find", away)
    before = service.requests
    for caller in (ANA, BEN):
        service.caller = caller
        for door in ("get_try_on", "view_try_on", "compare_try_ons", "resource", "tasks/get"):
            for name in (anas.task_id, UNKNOWN["task_id"]):
                said = await service.said(DOORS[door], name)
                assert ("did not answer" in said, "Kling knows no" in said) == (True, False), (door, said)
    assert service.requests == before


async def test_what_names_no_try_on_shows_nothing_of_anothers(service: Shared, anas: TryOn) -> None:
    before = service.requests
    for door, through in NAMES_NONE.items():
        said = await service.said(through)
        for canary in (CANARY, anas.task_id, anas.reference or "", anas.images[0].url):
            assert canary not in said, door
    listed = await service.said(listed_resources)
    assert anas.task_id not in listed
    assert service.requests == before


async def test_no_door_is_forgotten(service: Shared) -> None:
    known = {name.partition(":")[0].partition(" ")[0] for name in (*DOORS, *NAMES_NONE)}
    assert await tools_of(service.client) <= known
    templates = (await service.client.list_resource_templates()).resource_templates
    assert {one.uri_template for one in templates} == {TRY_ON_TEMPLATE, PICTURE_TEMPLATE}
    for one in (await service.client.list_prompts()).prompts:
        assert f"prompt {one.name}" in DOORS
        assert f"completion of {one.name}" in DOORS
    resources = {str(one.uri).partition(":")[0] for one in (await service.client.list_resources()).resources}
    assert resources == {"tryon", "ui"}


async def test_the_same_doors_are_open_to_those_whose_it_is(service: Shared, anas: TryOn) -> None:
    """So that a door which shows nothing to anybody is not taken for one that is closed to others."""
    service.caller = ANA
    for door, through in DOORS.items():
        # There was no lower garment; prompts are texts, in which an id stands as it was given.
        if door != "create_try_on: its lower" and not door.startswith("prompt"):
            said = await service.said(through, anas.task_id)
            of_unknown = await service.said(through, UNKNOWN["task_id"])
            assert without(anas.task_id, said) != without(UNKNOWN["task_id"], of_unknown), door


async def test_each_finds_their_own_and_the_owner_of_the_account_what_it_has(service: Shared, anas: TryOn) -> None:
    label = {"label": CANARY}
    bens = try_on_of(await service.client.call_tool("create_try_on", {**PICTURES, "wait_seconds": 60, **label}))
    assert bens.task_id != anas.task_id
    assert not bens.reused, "the same pictures of another user are no reason to join"
    for caller, made in ((ANA, anas), (BEN, bens)):
        service.caller = caller
        assert try_on_of(await service.client.call_tool("get_try_on", {"task_id": CANARY})).task_id == made.task_id
        page = await service.client.call_tool("list_try_ons", {})
        assert isinstance(page, CallToolResult)
        assert page.structured_content is not None
        assert [row["task_id"] for row in page.structured_content["try_ons"]] == [made.task_id]
        assert page.structured_content["try_ons"][0]["images"][0]["url"] == made.images[0].url
    service.caller = OWNER
    assert try_on_of(await service.client.call_tool("get_try_on", {"task_id": anas.task_id})).status == "succeed"


async def test_what_is_left_on_the_account_is_told_to_its_owner_alone(service: Shared, anas: TryOn) -> None:
    assert anas.status == "succeed"
    told: dict[str, dict[str, Any]] = {}
    for caller in (BEN, ANA, OWNER):
        service.caller = caller
        answer = await service.client.call_tool("get_account", {})
        assert isinstance(answer, CallToolResult)
        assert answer.structured_content is not None
        told[caller.user] = answer.structured_content
    assert [told[caller.user]["creates_today"] for caller in (BEN, ANA)] == [0, 1]
    assert [bool(told[caller.user]["packs"]) for caller in (BEN, ANA, OWNER)] == [False, False, True]
    assert told[BEN.user]["units_left"] is None


async def test_without_the_guard_another_user_would_see_it(
    service: Shared, anas: TryOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may_see(_self: Looking, _job: object) -> bool:
        return True

    monkeypatch.setattr(Looking, "_may_see", may_see)
    before = service.requests
    assert anas.images[0].url in await service.said(DOORS["get_try_on"], anas.task_id)
    assert service.requests > before
