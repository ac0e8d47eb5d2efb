"""What only a program of its own shows: what it loads for which pictures, and what it leaves when it is killed."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.decoding import WEBP, gone
from tests.support.images_support import jpeg, png

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills itself by a signal")

PROGRAM = """
import anyio, os, pathlib, signal, sys
from kolors_mcp.images.pictures import Pictures
async def main():
    pictures = Pictures(folders=[pathlib.Path(sys.argv[1])])
    for name in ("a.jpg", "a.png"):
        b"".join((await pictures.prepare(name, "human_image")).blocks())
    print([name for name in sys.modules if name.partition(".")[0] in ("PIL", "pillow_heif", "numpy")])
    await pictures.prepare("a.webp", "human_image")
    print(pictures._decoder.idle[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
anyio.run(main)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What it says until it kills itself; really started, since a fork has everything loaded."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, data in (("a.jpg", jpeg()), ("a.png", png()), ("a.webp", WEBP)):
        (folder / name).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.splitlines()


def test_a_jpeg_that_fits_never_waits_for_pillow(said: list[str]) -> None:
    assert said[0] == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_the_process_that_decodes_ends_with_the_one_that_started_it(said: list[str]) -> None:
    pid = int(said[1])
    while not gone(pid):
        os.sched_yield()
