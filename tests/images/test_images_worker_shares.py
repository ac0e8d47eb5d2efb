"""Two pictures share the memory for decoding; one that needs more of it is decoded alone, and no other with it."""

import sys

import anyio
import pytest

from kolors_mcp.images import limits
from kolors_mcp.images.worker.messages import Request
from tests.support.decoding import WEBP, Place, high_water
from tests.support.hostile_pictures import zeros
from tests.support.still_time import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]

DEAR = zeros(2_700, 2_400, colour=6, samples=4, interlaced=True)


def watched(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int | None, int]]:
    """Write down what each request was given, and how many others were at work then."""
    seen: list[tuple[int | None, int]] = []
    at_work = 0
    answer = place.decoders._answer  # pyright: ignore[reportPrivateUsage]  (nothing public shows shares)

    async def answered(request: Request, *others: object) -> object:
        nonlocal at_work
        seen.append((request.memory, at_work))
        at_work += 1
        try:
            return await answer(request, *others)  # pyright: ignore[reportArgumentType]  (passed on as they came)
        finally:
            at_work -= 1

    monkeypatch.setattr(place.decoders, "_answer", answered)
    return seen


async def test_a_picture_that_takes_more_than_its_share_is_decoded_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # A picture of a quarter of the size shows the same where the share is a quarter too.
    monkeypatch.setattr(limits, "DECODING_SHARE_BYTES", limits.DECODING_SHARE_BYTES // 4)
    dear = zeros(1_350, 1_200, colour=6, samples=4, interlaced=True)
    place = Place()
    seen = watched(place, monkeypatch)
    async with anyio.create_task_group() as tasks:
        for data in (dear, dear, WEBP, WEBP):
            tasks.start_soon(place.prepare, data)
    alone = [others for memory, others in seen if memory == limits.DECODING_BYTES]
    assert alone == [0, 0]
    shared = [others for memory, others in seen if memory == limits.DECODING_SHARE_BYTES]
    assert len(shared) == 4
    assert max(shared) == limits.MAX_DECODERS - 1
    assert all(high_water(process.pid or 0) < 75_000_000 + limits.DECODING_BYTES for process in place.decoders.idle)
    await place.pictures.aclose()


async def test_whoever_gives_up_while_waiting_to_be_alone_leaves_the_places_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(fresh=False)
    seen = watched(place, monkeypatch)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(place.prepare, DEAR)
        tasks.start_soon(place.prepare, DEAR)
        await until(lambda: len(seen) == 3)
        tasks.cancel_scope.cancel()
    await place.prepare(DEAR)
    assert seen[-1] == (limits.DECODING_BYTES, 0)
    await place.pictures.aclose()
