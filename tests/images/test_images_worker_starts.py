"""Where the process that decodes cannot be started, or ends over a picture: what is said, and what still works."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import limits
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.worker.pool import Decoders
from kolors_mcp.images.worker.process import Process
from tests.support.decoding import CANNOT, WEBP, Held
from tests.support.images_support import SIZE, b64, encoded, jpeg, opened, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="starts programs by their #! line")]

NO_PROCESS = (
    "human_image is a WebP that cannot be opened here: no process for it could be started. "
    "Give an upright sRGB JPEG of at most 10 MB and 25 megapixels; that is sent as it is."
)

TAKES_AND_ENDS = """
import json, os, struct
def read(count):
    data = b""
    while len(data) < count:
        data += os.read(0, count - len(data))
    return data
header = json.loads(read(*struct.unpack(">I", read(4))))
read(sum(given["size"] for given in header["pictures"]))
os.write(1, b"\\x06")
"""
ENDS_AT_ONCE = "raise SystemExit('no module named kolors_mcp')"
SAYS_SOMETHING_ELSE = "print('usage: somebody-elses-program [-h]', flush=True)\nimport sys\nsys.stdin.buffer.read()"


def pretended(folder: Path, code: str) -> Process:
    """A program that is started in the place of Python and does something else."""
    program = folder / "python"
    program.write_text(f"#!{sys.executable} -IS\n{code}\n", encoding="utf-8")
    program.chmod(0o755)
    return Process(executable=str(program), hands_over=False)


def not_executable(folder: Path) -> Process:
    (folder / "python").write_bytes(b"")
    return Process(executable=str(folder / "python"))


async def refusal_of(pictures: Pictures, data: bytes = WEBP) -> str:
    with pytest.raises(PictureRefusedError) as refusal:
        await pictures.prepare(b64(data), "human_image")
    return str(refusal.value)


CANNOT_START: dict[str, Callable[[Path], Process]] = {
    "there is no such program": lambda folder: Process(executable=str(folder / "nowhere")),
    "we do not know which Python runs us": lambda _: Process(executable=""),
    "it may not be run": not_executable,
    "it ends at once, as without the package": lambda folder: pretended(folder, ENDS_AT_ONCE),
    "it is another program": lambda folder: pretended(folder, SAYS_SOMETHING_ELSE),
}


@pytest.mark.parametrize("why", CANNOT_START)
async def test_where_no_process_can_be_started_the_refusal_says_what_to_give_and_that_works(
    why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = Pictures(folders=[], decoder=Decoders(start=lambda: CANNOT_START[why](tmp_path)))
    assert await refusal_of(pictures) == NO_PROCESS
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert warned[0].startswith("no process for decoding could be started (")
    fits = jpeg()
    assert b"".join((await pictures.prepare(b64(fits), "human_image")).blocks()) == fits
    await pictures.aclose()


async def test_a_program_that_never_takes_anything_is_no_process_either(tmp_path: Path) -> None:
    clock = Held()
    start = Process(executable=sys.executable)
    silent = pretended(tmp_path, "import threading\nthreading.Event().wait()")
    processes = [start, silent]
    pictures = Pictures(folders=[], decoder=Decoders(Clock(sleep=clock.sleep), start=processes.pop))
    said: list[str] = []

    async def refused() -> None:
        said.append(await refusal_of(pictures))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refused)
        await clock.begun(limits.DECODING_SECONDS)
        clock.end(limits.DECODING_SECONDS)
    assert said == [NO_PROCESS]
    clock.forget()
    assert opened(b"".join((await pictures.prepare(b64(WEBP), "human_image")).blocks())).size == SIZE
    await pictures.aclose()


async def test_a_process_that_ends_over_a_picture_is_one_refusal_and_the_picture_is_not_tried_again(
    tmp_path: Path,
) -> None:
    processes = [Process(), pretended(tmp_path, TAKES_AND_ENDS)]
    pictures = Pictures(folders=[], decoder=Decoders(start=processes.pop))
    assert await refusal_of(pictures) == CANNOT
    assert len(processes) == 1
    other = encoded(quarters(), "GIF")
    assert opened(b"".join((await pictures.prepare(b64(other), "human_image")).blocks())).size == SIZE
    await pictures.aclose()
