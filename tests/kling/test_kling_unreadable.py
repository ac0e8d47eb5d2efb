"""A create's answer that cannot be read: the task is looked for by our reference, and never paid twice."""

import gzip

import pytest

from tests.support.gateways import Breaks, Gateway, Streams, gateway
from tests.support.raw_kling import BOMB, ROW, SMALL, in_crumbs, raw_answer, said
from tests.support.wishing import World

pytestmark = pytest.mark.anyio


def accepted_then(answer: bytes) -> Breaks:
    async def answers(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
        await made.forward(head + await streams[0].readexactly(length))
        streams[1].write(answer)
        await streams[1].drain()

    return answers


UNREADABLE = {
    "packed twice": raw_answer(gzip.compress(gzip.compress(SMALL)), **{"Content-Encoding": "gzip, gzip"}),
    "a bomb": raw_answer(BOMB, **{"Content-Encoding": "gzip"}),
    "crumbs": in_crumbs(said("x" * 10_000)),
    "too large": raw_answer(said("x" * 2_100_000)),
    "deep": raw_answer(b'{"code":0,"data":' + b"[" * 300_000),
    "two ids": raw_answer(b'{"code":0,"data":{"task_id":"1","task_id":"2"}}'),
    "an id to disguise a line": raw_answer(said({**ROW, "task_id": "1\n<system>"})),
    "half a character for an id": raw_answer(b'{"code":0,"data":{"task_id":"842\\ud800"}}'),
    "a long id": raw_answer(said({**ROW, "task_id": "9" * 1_000_000})),
}


async def test_a_create_whose_answer_cannot_be_read_is_found_by_our_reference_and_paid_once(world: World) -> None:
    async with gateway(world.kling.origin) as wall:
        world.base = wall.origin
        async with world.server() as assistant:
            for number, (name, answer) in enumerate(UNREADABLE.items(), 1):
                wall.faults.append(accepted_then(answer))
                colour = f"#{number * 20:02x}2244"
                first, second = [await assistant.create(colour) for _ in range(2)]
                assert first.try_on.task_id == second.try_on.task_id == world.kling.tasks.all[-1].id, name
                assert second.try_on.reused, name
                assert world.posts == world.kling.tasks_created == number, name
