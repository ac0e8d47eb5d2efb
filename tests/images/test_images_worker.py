"""Pictures are decoded in a process that can be ended: what ends it, what it is given, and what is left of it."""

import os
import platform
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import limits
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.worker.pool import Decoders
from kolors_mcp.images.worker.process import Process, environment
from tests.support.decoding import CANNOT, WEBP, Place, gone, until_gone
from tests.support.images_support import (
    SIZE,
    InProcess,
    assert_nothing_but_picture,
    b64,
    encoded,
    jpeg,
    opened,
    quarters,
)
from tests.support.still_time import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc, and stops them"),
]


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Whose processes are killed; what their start or their end is like is asked of fresh ones."""
    made = Place(fresh=False)
    yield made
    await made.pictures.aclose()


@pytest.fixture
async def fresh() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.pictures.aclose()


@pytest.mark.parametrize("hands_over", [True, False])
async def test_the_process_makes_what_the_server_would_from_memory_and_from_a_file(
    tmp_path: Path, hands_over: bool
) -> None:
    (tmp_path / "photo").write_bytes(WEBP)
    decoders = Decoders(start=lambda: Process(hands_over=hands_over))
    theirs, ours = (Pictures(folders=[tmp_path], decoder=decoder) for decoder in (decoders, InProcess()))
    for reference in (b64(WEBP), str(tmp_path / "photo")):
        made, expected = [await pictures.prepare(reference, "human_image") for pictures in (theirs, ours)]
        assert b"".join(made.blocks()) == b"".join(expected.blocks())
        assert made.notes == expected.notes == ("converted from WebP to JPEG",)
    data, shrunk = await theirs.finished.for_host(WEBP)
    assert (opened(data).size, shrunk) == (SIZE, False)
    assert opened(await theirs.finished.side_by_side(WEBP, data)).width <= limits.PREVIEW_SIDE
    outfit = await theirs.outfit(b64(WEBP), b64(encoded(quarters((400, 500)), "GIF")))
    assert_nothing_but_picture(b"".join(outfit.blocks()))
    with pytest.raises(PictureRefusedError, match=r"^lower_cloth_image is a WebP that cannot be opened; it is damaged"):
        await theirs.outfit(b64(WEBP), b64(WEBP[:200]))
    assert len(decoders.idle) == 1
    await theirs.aclose()


async def test_a_picture_that_fits_starts_no_process(place: Place) -> None:
    assert await place.prepare(jpeg()) == jpeg()
    assert place.decoders.idle == ()
    await place.prepare()
    assert len(place.decoders.idle) == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they like")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
async def test_the_memory_of_one_picture_serves_the_next(fresh: Place, kind: str) -> None:
    side = 1_283
    shown = encoded(quarters((side, side)), kind, quality=50)

    def pages_of_a_picture(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[7])

    await fresh.pictures.finished.preview(shown)
    taken: list[int] = []
    for _ in range(2):
        before = pages_of_a_picture(fresh.pid)
        await fresh.pictures.finished.preview(shown)
        taken.append(pages_of_a_picture(fresh.pid) - before)
    copy_pages = side * side * 4 // os.sysconf("SC_PAGE_SIZE")
    assert taken[-1] < copy_pages / 4


async def test_a_decoder_that_never_ends_is_ended_at_its_time_and_the_next_picture_works(place: Place) -> None:
    stuck = await place.stopped()
    said: list[str] = []

    async def hostile() -> None:
        with pytest.raises(PictureRefusedError) as refusal:
            await place.prepare()
        said.append(str(refusal.value))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hostile)
        await place.clock.begun(limits.DECODING_SECONDS)
        assert said == []
        place.clock.end(limits.DECODING_SECONDS)
    assert said == [CANNOT]
    place.clock.forget()
    assert opened(await place.prepare()).size == SIZE
    assert place.pid != stuck
    await until_gone(stuck)


async def test_whoever_is_cancelled_ends_the_decoding_at_once(place: Place) -> None:
    stuck = await place.stopped()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(place.prepare)
        await place.clock.begun(limits.DECODING_SECONDS)
        tasks.cancel_scope.cancel()
    await until_gone(stuck)
    assert opened(await place.prepare()).size == SIZE


async def test_two_that_never_end_hold_both_places_until_they_are_given_up(place: Place) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(place.prepare)
        tasks.start_soon(place.prepare)
    stuck = [process.pid or 0 for process in place.decoders.idle]
    assert len(stuck) == 2
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)
    innocent: list[bytes] = []

    async def third() -> None:
        innocent.append(await place.prepare())

    async with anyio.create_task_group() as waiting, anyio.create_task_group() as tasks:
        tasks.start_soon(place.prepare)
        tasks.start_soon(place.prepare)
        await until(lambda: not place.decoders.idle)
        waiting.start_soon(third)
        tasks.cancel_scope.cancel()
    assert len(innocent) == 1
    for pid in stuck:
        await until_gone(pid)


async def test_a_process_that_was_killed_before_it_took_a_picture_is_replaced_unnoticed(place: Place) -> None:
    stuck = await place.stopped()
    made: list[bytes] = []

    async def lucky() -> None:
        made.append(await place.prepare())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lucky)
        await place.clock.begun(limits.DECODING_SECONDS)
        os.kill(stuck, signal.SIGKILL)
    assert opened(made[0]).size == SIZE
    # The same while it has nothing to do.
    idle = place.pid
    os.kill(idle, signal.SIGKILL)
    await until_gone(idle)
    assert await place.prepare() == made[0]
    assert place.pid != idle


async def test_an_idle_process_is_ended_after_a_while_and_all_with_the_server(fresh: Place) -> None:
    await fresh.prepare()
    idle = fresh.pid
    await fresh.clock.begun(limits.DECODER_IDLE_SECONDS)
    assert not gone(idle)
    fresh.clock.end(limits.DECODER_IDLE_SECONDS)
    await until_gone(idle)
    fresh.clock.forget()
    await fresh.prepare()
    last = fresh.pid
    await fresh.pictures.aclose()
    assert gone(last)


async def test_nothing_is_left_of_processes_that_were_killed(place: Place) -> None:
    await place.prepare()
    before = open_files()
    for _ in range(2):
        stuck = await place.stopped()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(place.prepare)
            await place.clock.begun(limits.DECODING_SECONDS)
            tasks.cancel_scope.cancel()
        await until_gone(stuck)
    await place.prepare()
    while open_files() > before:
        await anyio.lowlevel.checkpoint()


async def test_no_secret_reaches_the_process_and_it_finds_what_we_find(
    fresh: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLING_API_KEY", "made-up-key")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:made-up@proxy.example")
    await fresh.prepare()
    given = environment_of(fresh.pid)
    assert "made-up" not in given
    assert {entry.partition("=")[0] for entry in given.split("\0") if entry} == environment().keys()
    assert environment(["", "relative", "/a", "/b"])["PYTHONPATH"] == "/a:/b"
