"""A server keeps the memory of one create for the next: asked for anew, each page would be cleared and mapped again."""

import platform
from pathlib import Path

import pytest

from kolors_mcp.cli.serve import KEPT_BYTES
from tests.support.commands import environment, ran

PROGRAM = """
import resource, sys
from kolors_mcp.freed_memory import keep_freed_memory

def pages_of_a_create():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [b"x" * 256 * 1024 for _ in range(4)]
    del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = [pages_of_a_create() for _ in range(3)]
keep_freed_memory(int(sys.argv[1]))
kept = [pages_of_a_create() for _ in range(3)]
print(given_back[-1], kept[-1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they like")
def test_what_a_create_has_freed_costs_the_next_one_no_page(tmp_path: Path) -> None:
    # A new interpreter, as a server is: the memory of a fork is not its own. It loads no server, which takes long.
    done = ran("-c", PROGRAM, str(KEPT_BYTES), env=environment(tmp_path), cwd=tmp_path, really=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back > 100
    assert kept < 20
