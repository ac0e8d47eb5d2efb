"""A server keeps the memory of one create for the next: asked for anew, each page would be cleared and mapped again."""

import platform
from pathlib import Path

import pytest

from tests.support.commands import environment, ran

PROGRAM = """
import resource, sys
from kolors_mcp.cli.serve import KEPT_BYTES, keep_freed_memory

def pages_of_a_create():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [b"x" * 256 * 1024 for _ in range(4)]
    del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept":
    keep_freed_memory()
pages_of_a_create()
pages_of_a_create()
print(pages_of_a_create())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they like")
def test_what_a_create_has_freed_costs_the_next_one_no_page(tmp_path: Path) -> None:
    def pages(word: str) -> int:
        return int(ran("-c", PROGRAM, word, env=environment(tmp_path), cwd=tmp_path).stdout)

    assert pages("given back") > 100
    assert pages("kept") < 20
