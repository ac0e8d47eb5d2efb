"""Answers of Kling's that are none: the caller is told after a few tries, and nothing is read that would take long."""

import json

import httpx
import pytest
from pydantic import SecretStr

from kolors_mcp import errors
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.content import MAX_ANSWER_PARTS
from kolors_mcp.kling.http import MAX_UNREADABLE_TRIES
from kolors_mcp.settings import Credentials
from tests.support.making import TurnedClock

pytestmark = pytest.mark.anyio


async def read(*bodies: str) -> tuple[list[httpx.Request], str]:
    """Read a task from a Kling that gives these answers, the last one again and again."""
    seen: list[httpx.Request] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        seen.append(asked)
        return httpx.Response(200, content=bodies[min(len(seen), len(bodies)) - 1].encode())

    client = KlingClient(
        "https://kling.example",
        lambda: Credentials(api_key=SecretStr("key")),
        clock=TurnedClock().clock(),
        transport=httpx.MockTransport(answer),
    )
    try:
        return seen, (await client.read("842")).id
    except errors.KlingError as error:
        return seen, str(error)
    finally:
        await client.aclose()


def task(parts: int) -> str:
    return json.dumps({"code": 0, "data": {"task_id": "842", "more": [[]] * parts}})


async def test_what_stays_unreadable_is_told_after_a_few_tries() -> None:
    seen, said = await read("<html>busy</html>")
    assert len(seen) == MAX_UNREADABLE_TRIES
    assert "something that is not JSON" in said


async def test_a_moment_of_it_is_ridden_out() -> None:
    seen, said = await read("<html>busy</html>", "", task(0))
    assert (len(seen), said) == (3, "842")


async def test_an_answer_of_very_many_parts_is_refused_and_one_of_many_read() -> None:
    assert (await read(task(MAX_ANSWER_PARTS - 3)))[1] == "842"
    assert "an answer of too many parts" in (await read(task(MAX_ANSWER_PARTS)))[1]
