"""How large a request may be, and what becomes of one that is larger, or lies about how large it is."""

import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.commands import program_of
from tests.support.over_http import Answer, Serving, answer_on, asked, connected, head_of, posted, spoken

MB = 1024 * 1024
TOO_LARGE = (
    "The request is larger than 30 MB, and nothing was done. Give pictures as links, or smaller ones: two of 10 MB go "
    "into one request."
)


def create_of(size: int) -> tuple[list[tuple[str, str]], bytes]:
    """A create of so many bytes, of two equal parts that are no pictures, so that nothing is sent anywhere."""
    arguments = {"human_image": "PERSON", "cloth_image": "QUJDGARMENT"}
    headers, named = spoken("tools/call", {"name": "create_try_on", "arguments": arguments})
    before, _, rest = named.partition(b"PERSON")
    between, _, after = rest.partition(b"GARMENT")
    room = size - len(before + between + after)
    # Put together once: as texts they would be copied by each step.
    body = b"".join((before, b"Q" * (room // 2), between, b"R" * (room - room // 2), after))
    assert len(body) == size
    return headers, body


def chunks_of(body: bytes) -> Iterator[bytes]:
    """A body in chunks, without its length."""
    for start in range(0, len(body), MB):
        chunk = body[start : start + MB]
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def sent(service: Serving, headers: list[tuple[str, str]], pieces: Iterable[bytes]) -> Answer:
    """Send a request piece by piece, as far as it is taken, and read the answer."""
    with connected(service) as connection:
        connection.sendall(head_of("POST", "/mcp", [("Host", service.host), *headers]))
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:  # it was refused, and is taken no more
                break
        return answer_on(connection)


@pytest.mark.parametrize(
    ("size", "status", "is_announced"),
    [
        *((size, 200, how) for size in (1000, 64 * 1024, 64 * 1024 + 1) for how in (True, False)),
        # Of so many bytes only what the other way does not show.
        (28 * MB, 200, True),
        (30 * MB + 1, 413, False),
    ],
)
def test_two_pictures_of_10_mb_pass_and_more_does_not(
    service: Serving, size: int, status: int, is_announced: bool
) -> None:
    headers, body = create_of(size)
    if is_announced:
        answer = sent(service, [*headers, ("Content-Length", str(size))], [body])
    else:
        answer = sent(service, [*headers, ("Transfer-Encoding", "chunked")], chunks_of(body))
    assert answer.status == status
    if status == 413:
        assert answer.words == TOO_LARGE
    else:
        assert '"result"' in answer.body


@pytest.mark.parametrize("announced", [30 * MB + 1, 64 * MB, 10**15])
def test_a_length_beyond_the_bound_is_refused_before_anything_of_the_body_is_sent(
    service: Serving, announced: int
) -> None:
    headers, _ = spoken("tools/list", {})
    answer = sent(service, [*headers, ("Content-Length", str(announced))], [])
    assert (answer.status, answer.words) == (413, TOO_LARGE)


@pytest.mark.parametrize(
    "lies",
    [
        [("Content-Length", "-1")],
        [("Content-Length", "one")],
        [("Content-Length", "1e3")],
        [("Content-Length", "10"), ("Content-Length", "11")],
        [("Transfer-Encoding", "gzip")],
        [("Transfer-Encoding", "chunked, gzip")],
    ],
)
def test_a_length_that_is_none_is_no_request(service: Serving, lies: list[tuple[str, str]]) -> None:
    headers, body = spoken("tools/list", {})
    assert sent(service, [*headers, *lies], [body]).status in (400, 501)


def test_what_comes_behind_the_announced_length_is_no_part_of_the_body_and_no_request(service: Serving) -> None:
    headers, body = spoken("tools/list", {})
    with connected(service) as connection:
        head = head_of("POST", "/mcp", [("Host", service.host), *headers, ("Content-Length", str(len(body)))])
        connection.sendall(head + body + b"{} and more\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.count(b"HTTP/1.1 400 ") == 1
    assert answers.endswith(b"This is no request of HTTP/1.1 that can be read, or its head is too long.\n")


def test_a_body_that_ends_before_its_announced_length_is_not_acted_on(service: Serving) -> None:
    headers, body = spoken("tools/list", {})
    with connected(service) as connection:
        announced = ("Content-Length", str(len(body) + 1))
        connection.sendall(head_of("POST", "/mcp", [("Host", service.host), *headers, announced]) + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert posted(service, "tools/list", {}).status == 200


def test_a_head_that_is_too_long_is_refused(service: Serving) -> None:
    assert asked(service, "GET", "/healthz", ("X-Long", "x" * 200_000)).status == 400


@pytest.mark.parametrize("dear", ["[" * 30_000, "{}," * 20_000, '"é",' * 1_500_000])
def test_what_would_take_long_to_read_is_refused_unread(service: Serving, dear: str) -> None:
    headers, _ = spoken("tools/list", {})
    body = dear.encode()
    answer = sent(service, [*headers, ("Content-Length", str(len(body)))], [body])
    assert answer.status == 413
    assert answer.words == (
        "The request is too large for anything but pictures in base64; give files or links. Nothing was done."
    )


def memory_of(service: Serving) -> int:
    """The largest size that the process has had, in MB."""
    status = Path(f"/proc/{program_of(service.process.pid)}/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read as Linux tells it")
def test_24_large_bodies_that_are_held_cost_less_than_400_mb_and_keep_no_small_one_waiting(service: Serving) -> None:
    headers, body = create_of(28 * MB)
    head = head_of("POST", "/mcp", [("Host", service.host), *headers, ("Content-Length", str(len(body)))])
    before = memory_of(service)
    with ExitStack() as held:
        for _ in range(24):
            connection = held.enter_context(connected(service))
            connection.sendall(head)
            connection.setblocking(False)
            rest = memoryview(body)[:-1]
            while rest and (taken := _sent_now(connection, rest)):
                rest = rest[taken:]
            # What the service reads, it reads while the small one is answered.
            assert posted(service, "tools/list", {}).status == 200
        assert memory_of(service) - before < 400


def _sent_now(connection: socket.socket, data: memoryview) -> int:
    try:
        return connection.send(data)
    except BlockingIOError:
        return 0
