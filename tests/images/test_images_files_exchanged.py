"""A file that is exchanged or changed while it is read: judged by what was opened, and never sent half."""

import os
import threading

import anyio
import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources import files
from tests.support.image_tree import Tree, posix
from tests.support.images_support import jpeg, png


@posix
def test_a_file_exchanged_while_it_is_opened_is_judged_by_what_was_opened(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, outside = tree.allowed / "photo.png", tree.forbidden / "dress.png"
    target.write_bytes(png())
    really_open = os.open

    def exchanging(path: str, flags: int) -> int:
        # The names have been looked at by now; another file takes the place of the one they led to.
        target.unlink()
        target.symlink_to(outside)
        return really_open(path, flags)

    monkeypatch.setattr(files.os, "open", exchanging)
    assert tree.read(target).startswith("human_image names no file that may be read")
    # Without the look at the descriptor it would be read.
    target.unlink()
    target.write_bytes(png())

    def believing(descriptor: int, path: str, status: os.stat_result) -> str:
        del descriptor, status
        return path

    monkeypatch.setattr(files, "_location", believing)
    assert tree.read(target) == "photo.png"


@posix
def test_hundreds_of_exchanges_never_win(tree: Tree) -> None:
    target, inside, outside = tree.allowed / "p.png", tree.allowed / "inner" / "dress.png", tree.forbidden / "dress.png"
    outside.write_bytes(jpeg())
    target.symlink_to(inside)
    stop = threading.Event()

    def exchange() -> None:
        link = tree.allowed / "next"
        while not stop.is_set():
            for aim in (outside, inside):
                link.symlink_to(aim)
                link.rename(target)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        read = 0
        for _ in range(600):
            try:
                content, _ = files.open_file(str(target), [tree.allowed])
            except RefusalError:
                continue
            read += 1
            assert content.read(0, 4) == b"\x89PNG"
            content.close()
    finally:
        stop.set()
        thread.join()
    assert read > 0


@posix
@pytest.mark.parametrize("change", ["rewritten", "shortened", "same size and times"])
def test_a_file_that_changes_before_it_is_sent_does_not_leave_whole(tree: Tree, change: str) -> None:
    path, data = tree.allowed / "dress.jpg", jpeg() + b"\0" * 10
    path.write_bytes(data)

    async def attempt() -> int:
        picture = await Pictures(folders=[tree.allowed]).prepare(str(path), "human_image")
        times = path.stat()
        if change == "shortened":
            os.truncate(path, 1000)
        else:
            with path.open("r+b") as file:
                file.seek(len(data) // 2)
                file.write(b"\x13\x37")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        sent = 0
        blocks = picture.blocks()
        with pytest.raises(PictureRefusedError, match=r"human_image (changed|became shorter) while it was read"):
            sent += sum(map(len, blocks))
        picture.close()
        assert sent < picture.size
        return sent

    assert anyio.run(attempt) == 0
