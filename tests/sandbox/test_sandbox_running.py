"""Starting and stopping the sandbox: quickly, quietly, and with nothing left behind."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from kolors_mcp.sandbox.application import KlingApplication
from kolors_mcp.sandbox.faults import Disconnect, Drip, Slow
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from tests.support.commands import HANG_SECONDS, program_of, python
from tests.support.sandbox_door import NO_TLS, PATH, Caller, calling


def test_nothing_is_left_after_a_stop_even_with_requests_in_flight() -> None:
    before = set(threading.enumerate())
    errors: list[Exception] = []

    def call(caller: Caller, path: str) -> None:
        try:
            caller.http.get(path)
        except httpx.TransportError as error:
            errors.append(error)

    with calling() as caller:
        port = int(caller.origin.rpartition(":")[2])
        caller.made(callback_url=f"{caller.origin}/never-called")
        caller.sandbox.faults.next_read(Slow(1e9))
        caller.sandbox.faults.next_list(Drip(1e9))
        threads = [threading.Thread(target=call, args=(caller, path)) for path in (PATH, PATH + "/1")]
        for thread in threads:
            thread.start()
        # Both faults and the callback's follower sleep.
        caller.sandbox.clock.wait_for_sleepers(3)
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    # One of another test may have ended meanwhile.
    assert set(threading.enumerate()) <= before
    with pytest.raises(TimeoutError):
        caller.sandbox.clock.wait_for_sleepers(1, timeout=0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_sandbox_keeps_its_tasks_over_a_restart() -> None:
    sandbox = SandboxKling()
    with calling(sandbox) as caller:
        name = caller.made()
    with calling(sandbox) as caller:
        assert caller.read(name).json()["data"]["task_id"] == name


def test_a_taken_port_is_reported_before_anything_starts() -> None:
    before = set(threading.enumerate())
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        running(SandboxKling(), taken.getsockname()[1]),
    ):
        pass
    # One of another test may have ended meanwhile.
    assert set(threading.enumerate()) <= before


def test_every_instance_has_its_own_credentials() -> None:
    first, second = SandboxKling(), SandboxKling()
    assert first.api_key != second.api_key
    assert first.key_pair != second.key_pair


def test_a_client_that_leaves_inside_its_body_does_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    with calling() as caller:
        with socket.create_connection(("127.0.0.1", int(caller.origin.rpartition(":")[2]))) as raw:
            raw.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc".encode())
            caller.sandbox.wait_for_request(lambda request: request.method == "POST")
        caller.made()
        assert caller.sandbox.tasks_created == 1
    assert capfd.readouterr() == ("", "")


def test_a_body_without_end_is_cut_off() -> None:
    with calling() as caller:
        blocks = (bytes(1024 * 1024) for _ in range(70))
        response = caller.http.post(PATH, content=blocks)
        assert (response.status_code, response.json()["code"]) == (413, 1200)


@pytest.mark.anyio
async def test_it_can_be_entered_from_async_code_and_called_in_process() -> None:
    sandbox = SandboxKling()
    context = running(sandbox)
    place = await anyio.to_thread.run_sync(context.__enter__)
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    async with httpx.AsyncClient(base_url=place.origin, headers=headers, trust_env=False, verify=NO_TLS) as client:
        assert (await client.get(PATH)).json()["data"] == []
    await anyio.to_thread.run_sync(context.__exit__, None, None, None)

    transport = httpx.ASGITransport(KlingApplication(sandbox))
    async with httpx.AsyncClient(base_url=place.origin, headers=headers, transport=transport) as client:
        assert (await client.get(PATH)).json()["data"] == []
        sandbox.faults.next_list(Disconnect())
        with pytest.raises(ConnectionResetError):
            await client.get(PATH)


_ALONE = """
import sys, warnings
from kolors_mcp.sandbox.running import serve_forever
warnings.simplefilter("error")
serve_forever(0, listening=lambda place: print(place.origin, place.sandbox.api_key, file=sys.stderr, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_alone_it_serves_until_a_signal_and_writes_nothing_to_standard_output(
    number: signal.Signals, tmp_path: Path
) -> None:
    program = tmp_path / "alone.py"
    program.write_text(_ALONE, encoding="utf-8")
    with subprocess.Popen([python(), program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        origin, key = process.stderr.readline().split()
        answer = httpx.get(origin + PATH, headers={"authorization": f"Bearer {key}"}, trust_env=False, verify=NO_TLS)
        assert answer.json()["data"] == []
        os.kill(program_of(process.pid), number)
        written, errors = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, written, errors) == (0, "", "")
