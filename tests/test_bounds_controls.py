"""The watch over bounds sees what it is there for: each fault is found, and its innocent neighbour passes."""

import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from kolors_mcp.bounds import Growth, growth_of, linear
from kolors_mcp.images.refusal import RefusalError
from tests.support.bounding import faults_of_mark, faults_of_pattern
from tests.support.growing import argument_of, caller_of, fault_of, forms_of
from tests.support.growing_memory import memory_fault_of
from tests.support.patterns import Pattern, Unfed, patterns_of
from tests.support.readers import functions_of, html_parsers_of, without_mark


@linear(b"\1", b"\2")
def slicing_the_rest(data: bytes) -> int:
    count = 0
    while data:
        data, count = data[1:], count + 1
    return count


@linear(b"\1", b"\2")
def moving_a_cursor(data: bytes) -> int:
    position = count = 0
    while position < len(data):
        position, count = position + 1, count + 1
    return count


@linear(b"\1", b"\2")
def slicing_after_much_else(data: bytes) -> int:
    return sum(range(2_000)) + slicing_the_rest(data)


@linear(b"\1", b"\2")
def moving_after_much_else(data: bytes) -> int:
    return sum(range(2_000)) + moving_a_cursor(data)


@linear(b"<", b">")
def counting_what_is_left_each_time(text: str) -> int:
    return sum(text.count("<", place) for place in range(len(text)))


@linear(b"<", b">")
def counting_once(text: str) -> int:
    return sum(letter == "<" for letter in text)


@linear(b"a")
def never_ending(data: bytes) -> None:
    while data:
        pass


@linear(b"[],", b'{"a":[]},', opening=b"[", closing=b"0]")
def comparing_all_with_all(members: list[object]) -> int:
    return sum(one is other for one in members for other in members)


@linear(b"[],", b'{"a":[]},', opening=b"[", closing=b"0]")
def looking_at_each(members: list[object]) -> int:
    return sum(one == [] for one in members)


PAIRS: list[tuple[Callable[..., object], Callable[..., object], int]] = [
    (slicing_the_rest, moving_a_cursor, 512),
    (slicing_after_much_else, moving_after_much_else, 512),
    (counting_what_is_left_each_time, counting_once, 64),
    (comparing_all_with_all, looking_at_each, 40),
]
"""Each with the size that is begun with, at which the first is dear enough to be told at once."""


@pytest.mark.parametrize(("dear", "cheap", "size"), PAIRS, ids=lambda one: str(getattr(one, "__name__", "")))
def test_a_reader_that_is_quadratic_is_found_and_its_neighbour_passes(
    dear: Callable[..., object], cheap: Callable[..., object], size: int
) -> None:
    growth = growth_of(dear)
    assert growth is not None
    form = argument_of(dear, growth)["all in turns"]
    # Beside an innocent one it is measured again and again; what is guilty is found without that too.
    fault = fault_of(dear, form, size=size, again=[(1, 1)])
    assert fault is not None
    assert re.fullmatch(r"took [0-9]{3,} times as long for 64 times the input, [0-9]+ and [0-9]+", fault)
    assert fault_of(cheap, form, size=size) is None


@pytest.mark.parametrize(("power", "is_guilty"), [(2, True), (1, False)])
@pytest.mark.parametrize("disturbed", [0, 1, 2])
def test_the_verdict_is_the_same_on_a_machine_that_is_disturbed(power: int, is_guilty: bool, disturbed: int) -> None:
    """Of three calls one or two take half as long again; what copies hides its square behind a cost for each step."""
    now, calls = 0.0, 0

    def call(data: bytes) -> None:
        nonlocal now, calls
        calls += 1
        copying = len(data) ** power * (3e-11 if power > 1 else 1e-8)
        now += (3e-5 + 8e-8 * len(data) + copying) * (1.5 if calls % 3 < disturbed else 1)

    fault = fault_of(call, bytes, size=64, clock=lambda: now)
    assert (fault is not None) is is_guilty, fault


def test_a_reader_that_never_ends_is_ended_and_told_of() -> None:
    fault = fault_of(never_ending, lambda size: b"a" * size, limit_seconds=0.05)
    assert fault == "did not end within 0.05 CPU seconds at a size of 32768"


def called(function: Callable[..., object], like: Callable[..., object] | None = None) -> None:
    call = caller_of(function, like=like)
    assert call is not None
    call(b"")


def test_what_a_function_asks_for_besides_is_made_up_where_it_can_be() -> None:
    seen: list[tuple[bytes, str, int]] = []

    def asking(data: bytes, name: str, *, size: int, more: object = None) -> None:
        seen.append((data, name, size))
        assert more is None

    def asking_for_much(data: bytes, frame: Growth) -> None:
        raise AssertionError(data, frame)

    called(asking)
    assert seen == [(b"", "k-0", 1)]
    assert caller_of(asking_for_much) is None


def test_an_error_that_is_no_refusal_gets_through() -> None:
    def careless(data: bytes) -> None:
        raise IndexError(data)

    def honest(data: bytes) -> None:
        """Raises: LookupError, where there is nothing."""
        raise IndexError(data)

    def refusing(data: bytes) -> None:
        raise RefusalError(f"is of {len(data)} bytes.")

    called(honest)
    called(refusing)
    called(careless, like=honest)
    with pytest.raises(IndexError):
        called(careless)


def test_a_generator_is_read_to_its_end() -> None:
    def pieces(data: bytes) -> Iterator[bytes]:
        yield data
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        called(pieces)


def test_memory_out_of_proportion_is_found() -> None:
    def every_rest(data: bytes) -> list[bytes]:
        return [data[place:] for place in range(0, len(data), 16)]

    def unpacking(data: bytes) -> bytes:
        return zlib.decompress(data)

    assert memory_fault_of(every_rest, bytes) is not None
    assert memory_fault_of(unpacking, lambda size: zlib.compress(bytes(1000 * size))) is not None
    assert memory_fault_of(bytes, bytes) is None
    assert memory_fault_of(json.loads, lambda size: b"[" + b"[]," * (size // 3) + b"0]") is None


def test_a_mark_that_no_input_can_be_made_for_says_so() -> None:
    def odd(number: int) -> int:
        return number

    growth = growth_of(slicing_the_rest)
    assert growth is not None
    assert faults_of_mark("odd", odd, growth) == [
        "odd: it is not known how to call it; give it a line in CALLS of tests/support/bounding.py"
    ]


def test_the_fragments_come_alone_in_turns_and_one_after_the_other() -> None:
    growth = Growth((b"ab", b"c"), b"(", b")")
    assert [form(6) for form in forms_of(growth).values()] == [b"(ababab)", b"(cccccc)", b"(abcabc)", b"(abccc)"]


EXPRESSIONS = {
    "exponential, lazy": (r"(?:<!--.*?-->\s*)*<html", "match", r"<!--.*?--><html"),
    "exponential, nested": (r"(?:a+)+b", "match", r"a+b"),
    "exponential, twice the same": (r"(?:\s|\s\s)*x", "fullmatch", r"\s*x"),
    "quadratic, looked for from everywhere": (r"[a-z]+!", "search", r"[a-z]!"),
    "quadratic, side by side": (r"\s*\s*x", "match", r"\s*x"),
    "quadratic, an end that is missing": (r"<!--.*?-->", "search", r"<!--"),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_that_is_worse_than_linear_is_found(name: str) -> None:
    dear, method, cheap = EXPRESSIONS[name]
    text = "import re\n_DEAR = re.compile({!r}, re.DOTALL)\nfound = _DEAR.{}('')\n"
    (found,) = patterns_of({"a": text.format(dear, method)})
    assert isinstance(found, Pattern)
    assert (found.text, found.methods, found.flags) == (dear, (method,), re.DOTALL)
    # The fault is its ratio, or that it does not end: how long it is given makes no difference to either.
    assert faults_of_pattern(found, limit_seconds=0.05) != []
    (neighbour,) = patterns_of({"a": text.format(cheap, method)})
    assert isinstance(neighbour, Pattern)
    assert faults_of_pattern(neighbour, limit_seconds=0.2) == []


def test_expressions_that_are_put_together_at_import_are_fed_as_they_became(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ModuleType("kolors_mcp.made")
    text = (
        "import re\n_TABLE = {name: re.compile(name + '+!') for name in ('a', 'b')}\nfound = _TABLE['a'].search('')\n"
    )
    exec(text, made.__dict__)  # noqa: S102  (our own words, as a module)
    monkeypatch.setitem(sys.modules, "kolors_mcp.made", made)
    found = list(patterns_of({"kolors_mcp.made": text}))
    assert [(one.text, one.methods) for one in found if isinstance(one, Pattern)] == [
        ("a+!", ("search",)),
        ("b+!", ("search",)),
    ]


def test_an_expression_in_a_call_is_found_and_one_that_nobody_can_read_too() -> None:
    texts = {
        "a": "import re\ndef f(text, unknown):\n    re.sub(b'x', b'', text)\n    re.match(unknown, text, re.I)\n",
        "b": "from re import search\n",
    }
    inline, unknown, hidden = patterns_of(texts)
    assert isinstance(inline, Pattern)
    assert (inline.text, inline.methods) == (b"x", ("sub",))
    assert isinstance(unknown, Unfed)
    assert isinstance(hidden, Unfed)
    assert str(unknown).startswith("a:4 uses an expression that cannot be read in the source: ")


MARKED = """
from kolors_mcp.bounds import linear
@linear(b"x")
def read_box(data: bytes): return _inside(data)
def _inside(data: bytes): return _Deeper(data).run()
class _Deeper:
    def __init__(self, data: bytes): ...
    def run(self): return json.loads(self.data)
"""
FORGOTTEN = {
    "takes bytes": "def box(data: bytes | None): ...",
    "takes bytes by name": "def box(name: str, *, data: memoryview): ...",
    "takes a content": "class Box:\n    def read(self, content: Content): ...",
    "reads text": "def parse(text: str): ...",
    "goes through text": "def last(text: str):\n    while text: ...",
    "calls a parser": "def box(self): return json.loads(self.text)",
    "inflates": "async def box(self): return zlib.decompressobj()",
    "opens pictures": "def box(self): return Image.open(self.file)",
}


@pytest.mark.parametrize("how", FORGOTTEN)
def test_a_reader_without_the_mark_is_found_beside_marked_ones(how: str) -> None:
    (found,) = without_mark({"kolors_mcp.images.box": MARKED + FORGOTTEN[how]})
    assert found.line > MARKED.count("\n")
    assert found.complaint.startswith(f"{found.key} (line {found.line}) ")
    assert "mark it with @linear(...)" in found.complaint


def test_what_reads_nothing_foreign_needs_no_mark() -> None:
    innocent = "def shown(text: str, size: int): ...\ndef made() -> bytes: ..."
    assert without_mark({"kolors_mcp.images.box": MARKED + innocent}) == []
    assert without_mark({"kolors_mcp.server.box": "def written(data: bytes): ..."}) == []
    assert [one.key for one in without_mark({"kolors_mcp.server.box": FORGOTTEN["calls a parser"]})] == [
        "server.box:box"
    ]
    assert [one.name for one in functions_of("a", MARKED) if one.marked] == ["read_box"]


@pytest.mark.parametrize(
    "text",
    [
        "from html.parser import HTMLParser",
        "import html.parser",
        "def f():\n    from html import parser",
        "import html\nclass A(html.parser.HTMLParser): ...",
    ],
)
def test_the_standard_librarys_html_parser_is_found(text: str) -> None:
    assert html_parsers_of("a", text) != []
    assert html_parsers_of("a", "from html import unescape") == []
