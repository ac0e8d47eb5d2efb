"""Lines that are JSON, though not to a strict reader, are answered by the real process like any others."""

import json
import subprocess
from pathlib import Path

from commands import environment, python

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}


def call(number: int, task_id: str) -> str:
    """A call whose argument is given as it is written in JSON."""
    parameters = f'{{"name":"get_try_on","arguments":{{"task_id":{task_id},"wait_seconds":0}}}}'
    return f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{parameters}}}'


def test_half_a_character_and_a_deep_nest_are_answered_in_words(tmp_path: Path) -> None:
    hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
    lines = [
        hello,
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        call(1, r'"8\ud83d"'),
        call(2, "[" * 300 + "]" * 300),
        "[" * 100_000,
        r'{"jsonrpc":"2.0","id":3,"method":"\ud800"}',
        '{"jsonrpc":"2.0","id":4,"method":"ping"}',
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
        process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        process.stdin.flush()
        answers: dict[int, str] = {}
        while len(answers) < 5:
            line = process.stdout.readline()
            assert line, f"ended with {process.wait()}"
            answers[json.loads(line)["id"]] = line.decode()
        process.stdin.close()
        process.wait()
    assert "task_id" in answers[1]
    assert '"isError":true' in answers[1]
    assert "task_id is a list; it takes text" in answers[2]
    assert '"error"' in answers[3]
    assert '"result":{}' in answers[4]
