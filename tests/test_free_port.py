"""Ports for programs that a test starts: no connection of another test takes one before the program listens there."""

import socket

import pytest

from scripts import loopback_nginx


def test_a_port_is_none_that_the_system_gives_to_connections_and_nothing_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as anywhere:
        given: int = anywhere.getsockname()[1]
    port = loopback_nginx.free_port()
    assert 1024 <= port < given
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    free = loopback_nginx.free_port()
    with socket.create_server(("127.0.0.1", loopback_nginx.free_port())) as taken:
        numbers = iter([taken.getsockname()[1], free])

        def next_one(*_range: int) -> int:
            return next(numbers)

        monkeypatch.setattr("random.SystemRandom.randrange", next_one)
        assert loopback_nginx.free_port() == free
