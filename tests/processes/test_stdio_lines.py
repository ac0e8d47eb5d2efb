"""Lines of the host: whatever stands in them, whoever asked is answered, and nothing is held of what is too long."""

import json
import os
import subprocess
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import INVALID_REQUEST, JSONRPCError, JSONRPCRequest

from kolors_mcp.server import lines
from kolors_mcp.server.lines import LineReader
from kolors_mcp.server.messages import MAX_MESSAGE_PARTS, MAX_MIXED_BYTES, message_of, refusal_of
from tests.support.commands import environment, python

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}


def call(number: int, task_id: str) -> str:
    """A call whose argument is given as it is written in JSON."""
    parameters = f'{{"name":"get_try_on","arguments":{{"task_id":{task_id},"wait_seconds":0}}}}'
    return f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{parameters}}}'


def write(stream: IO[bytes], pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        stream.write(piece)
        stream.flush()


def test_the_real_process_answers_every_line_that_asks_something(tmp_path: Path) -> None:
    hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
    said = [
        hello,
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        call(1, r'"8\ud83d"'),
        call(2, "[" * 300 + "]" * 300),
        "[" * 100_000,
        r'{"jsonrpc":"2.0","id":3,"method":"\ud800"}',
        call(4, "[" * 5_000 + "]" * 5_000),
        call(5, '{"a":' * 5_000 + "0" + "}" * 5_000),
        call(6, "1" * 5_000),
        call(7, "[" + "0," * 100_000 + "0]"),
        call(8, '"TOO LONG"'),
        '{"jsonrpc":"2.0","id":9,"method":"' + "ping\\n" * 20_000 + '"}',
        '{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{"name":"' + "x\\u202e" * 50_000 + '"}}',
        '{"jsonrpc":"2.0","id":11,"method":"ping"}',
    ]
    with subprocess.Popen(
        [python(), "-m", "kolors_mcp"],
        env=environment(tmp_path, KOLORS_SANDBOX="1"),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        writing = threading.Thread(target=write, args=(process.stdin, pieces_of(said)))
        writing.start()
        answers: dict[int, str] = {}
        while len(answers) < 12:
            line = process.stdout.readline()
            assert line, f"ended with {process.wait()}"
            answers[json.loads(line)["id"]] = line.decode()
        writing.join()
        process.stdin.close()
        process.wait()
    assert "knows no try-on" in answers[1]
    assert '"isError":true' in answers[1]
    assert "task_id is a list; it takes text" in answers[2]
    assert '"error"' in answers[3]
    for number in (4, 5, 6):
        assert "nested too deep" in answers[number]
    assert "anything but pictures in base64" in answers[7]
    assert "is longer than 56,000,000 bytes; give pictures as files or links. Nothing was done." in answers[8]
    for number in (9, 10):
        assert len(answers[number]) < 600
        assert "\u202e" not in answers[number]
    assert '"result":{}' in answers[11]


def pieces_of(said: list[str]) -> Iterator[bytes]:
    """The lines; what is too long is held only once of its many times."""
    for line in said:
        before, too_long, after = line.encode().partition(b"TOO LONG")
        yield before
        if too_long:
            yield from [b"A" * 1_000_000] * (lines.MAX_LINE_BYTES // 1_000_000 + 1)
        yield after + b"\n"


UNREAD = {
    "a deep nest": "[" * 5_000 + "]" * 5_000,
    "a deep nest without end": '{"a":[' * 5_000,
    "a long number": "1" * 5_000,
    "many parts": "[" + "0," * MAX_MESSAGE_PARTS + "0]",
    "many empty lists": "[" + "[]," * MAX_MESSAGE_PARTS + "0]",
    "many escapes": '"' + r"\n" * MAX_MIXED_BYTES + '"',
    "much that is no base64": '"' + "\u4e2d" * (MAX_MIXED_BYTES // 3) + '"',
    "half a character in a large line": '"' + "A" * MAX_MIXED_BYTES + r'\ud800"',
    "no JSON": "nothing",
}
SHAPES = {
    "number first": ('{{"jsonrpc": "2.0", "id": {id}, "method": "tools/call", "params": {{"a": ', "}}}}"),
    "number last": ('{{"method":"tools/call","params":{{"a":', '}},"jsonrpc":"2.0","id":{id}}}'),
    "method between": ('{{"id":{id},"jsonrpc":"2.0","method":"tools/call","params":{{"a":', "}}}}"),
    "number behind the parameters": ('{{"jsonrpc":"2.0","method":"tools/call","params":{{"a":', '}},"id":{id}}}'),
}


@pytest.mark.parametrize(
    ("number", "case", "shape"),
    [
        *((7, case, shape) for case in UNREAD for shape in SHAPES),
        # What the number is, matters to how it is found in each shape, and not to why the rest is not read.
        *((number, "a deep nest without end", shape) for number in (-3, "a-b") for shape in SHAPES),
    ],
)
def test_a_request_that_is_not_read_is_answered_under_its_number(shape: str, case: str, number: int | str) -> None:
    opening, closing = (part.format(id=json.dumps(number)) for part in SHAPES[shape])
    answer = message_of((opening + UNREAD[case] + closing).encode())
    assert isinstance(answer, JSONRPCError)
    assert (answer.id, answer.error.code) == (number, INVALID_REQUEST)
    assert answer.error.message.endswith("Nothing was done.")


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","method":"notifications/x","params":[' + b"[" * 5_000,
        b'{"jsonrpc":"2.0","id":1,"result":[' + b"[" * 5_000,
        b'{"jsonrpc":"2.0","method":"a","params":{"text":"\\",\\"id\\":7}"' + b"[" * 5_000,
        b'{"jsonrpc":"2.0","method":"a","params":{"b":' + b"[" * 5_000 + b',"id":7}}',
    ],
)
def test_nobody_is_answered_where_no_number_can_be_told(line: bytes) -> None:
    assert message_of(line) is None


@pytest.mark.parametrize(
    "text",
    [r"8\ud83d", "\u4e2d", r"\u4e2d", "A" * 1_000_000, r"/9j\/" * 100_000, (r"Aa1\/" + "A" * 71 + r"\r\n") * 60_000],
)
def test_what_can_be_read_is(text: str) -> None:
    read = message_of(bytearray(call(1, f'"{text}"').encode()))
    assert isinstance(read, SessionMessage)
    assert isinstance(read.message, JSONRPCRequest)
    assert read.message.params is not None
    expected = json.loads(f'"{text}"').replace("\ud83d", "\ufffd")
    assert read.message.params["arguments"]["task_id"] == expected


def test_bytes_that_are_no_utf8_are_read_with_a_mark_in_their_place() -> None:
    read = message_of(call(1, '"8"').encode().replace(b'"8"', b'"8\xff"'))
    assert isinstance(read, SessionMessage)
    assert isinstance(read.message, JSONRPCRequest)
    assert read.message.params is not None
    assert read.message.params["arguments"]["task_id"] == "8\ufffd"


@contextmanager
def written(*pieces: bytes) -> Generator[LineReader]:
    """A reader of a pipe into which somebody writes these."""
    reading, writing = os.pipe()

    def write_all() -> None:
        with os.fdopen(writing, "wb") as stream:
            write(stream, pieces)

    thread = threading.Thread(target=write_all)
    thread.start()
    try:
        yield LineReader(reading)
    finally:
        thread.join()
        os.close(reading)


def all_read(reader: LineReader) -> list[Any]:
    found: list[Any] = []
    while (read := reader.next()) is not None:
        found.append(read.id if isinstance(read, JSONRPCError) else getattr(read.message, "id", None))
    return found


PING = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}'


@pytest.mark.parametrize(
    "pieces",
    [
        [PING % 1 + b"\n" + PING % 2 + b"\n"],
        [PING % 1 + b"\r\n\r\n  \n" + PING % 2],
        [(PING % 1)[:9], (PING % 1)[9:] + b"\n" + (PING % 2)[:5], (PING % 2)[5:] + b"\n"],
        [b"\n" * 30_000, PING % 1, b"\n", b"nothing\n", PING % 2, b"\n"],
    ],
)
def test_lines_are_read_however_they_come(pieces: list[bytes]) -> None:
    with written(*pieces) as reader:
        assert all_read(reader) == [1, 2]


def test_a_line_that_is_too_long_is_passed_over_and_little_of_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc  # noqa: PLC0415  (slows down what it watches)

    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1_000_000)
    opening = b'{"jsonrpc":"2.0","id":%d,"method":"a","params":{"a":"'
    long = [opening % 1, *[bytes(1_000_000)] * 50, b'"}}\n']
    by_its_end = [b'{"method":"a","params":{"a":"', *[b"x" * 1_000_000] * 3, b'"},"jsonrpc":"2.0","id":3}\n']
    with written(*long, PING % 2 + b"\n", *by_its_end, opening % 4, *[b"x" * 1_000_000] * 5) as reader:
        tracemalloc.start()
        try:
            assert all_read(reader) == [1, 2, 3, 4]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000


def test_a_line_without_end_is_no_message() -> None:
    assert refusal_of(b"x" * 4_096, b"x" * 4_096, "is long") is None
