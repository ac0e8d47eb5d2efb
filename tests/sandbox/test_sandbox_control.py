"""Odd values and large bodies never break the simulated Kling: each is refused, and it goes on as before."""

import base64
import hashlib
import socket

import httpx
import pytest

from kolors_mcp.sandbox import bodies
from kolors_mcp.sandbox.requests import MAX_PICTURE_BYTES
from tests.support.sandbox_door import GARMENT, NO_TLS, PATH, PERSON, Caller, calling, picture

HUGE = "1" + "0" * 400
NUMBERS = ("NaN", "Infinity", "-Infinity", HUGE, "-" + HUGE, "1e400", "-1", '"x"', "[]", "{}", "true")


def posted(caller: Caller, what: str, body: str | bytes) -> int:
    headers = {"content-type": "application/json"}
    return caller.http.post(f"/sandbox/{what}", content=body, headers=headers).status_code


def works(caller: Caller) -> None:
    """A try-on is made, read, listed and paid for, and the control endpoint still obeys."""
    before = caller.http.get("/sandbox/state").json()
    name = caller.made()
    assert caller.read(name).json()["data"]["task_status"] == "submitted"
    assert caller.page().json()["data"][0]["task_id"] == name
    assert posted(caller, "clock", '{"advance": 6}') == 200
    assert caller.read(name).json()["data"]["task_status"] == "succeed"
    after = caller.http.get("/sandbox/state").json()
    assert after["rules"] == before["rules"]
    assert after["tasks_created"] == before["tasks_created"] + 1


def test_odd_numbers_are_refused_and_change_nothing() -> None:
    rules = ("submitted_seconds", "finished_seconds", "speed", "list_lag_seconds", "not_found_reads", "units")
    with calling() as caller:
        for number in NUMBERS:
            if number != "-1":
                assert posted(caller, "clock", f'{{"advance": {number}}}') == 400, number
            for name in (*rules, "slots", "unknown_task_code", "callback_secret"):
                if (name, number) == ("unknown_task_code", "-1") or number == "true":
                    continue
                assert posted(caller, "rules", f'{{"{name}": {number}}}') == 400, (name, number)
        for body in ('{"speed": 0}', '{"units": 1.5}', '{"external_ids": 7}', '{"advance": 1}', '{"speed": null}'):
            assert posted(caller, "rules", body) == 400, body
        works(caller)


def test_odd_faults_are_refused() -> None:
    faults = [
        *(f'"fault": "slow", "seconds": {number}' for number in NUMBERS if number != "true"),
        *(f'"fault": "drip", "pause": {number}' for number in NUMBERS if number != "true"),
        *(f'"fault": "drip", "pause": 0, "size": {number}' for number in (*NUMBERS[:-1], "0")),
        *(f'"fault": "cut", "share": {number}' for number in (*NUMBERS[:-1], "1.1")),
        *(f'"fault": "raw", "status": {number}' for number in (*NUMBERS, "0", "100", "199", "600")),
        *(f'"fault": "refuse", "code": {number}' for number in NUMBERS if number not in ("true", "-1")),
        '"fault": "refuse", "code": 1303, "retry_after": "1\\r\\nx: y"',
        '"fault": "raw", "media_type": "text/html\\r\\nx: y"',
        '"fault": "redirect", "location": "http://x/\\u00e9\\n"',
        '"fault": "nothing"',
        '"fault": "slow", "seconds": 1, "\\ud800": 1',
    ]
    with calling() as caller:
        for fault in faults:
            assert posted(caller, "faults", f'{{"on": "read", {fault}}}') == 400, fault
        for times in (*NUMBERS[:3], "0", "-1", "1.5", '"1"'):
            body = f'{{"on": "read", "fault": "no_data", "times": {times}}}'
            assert posted(caller, "faults", body) == 400, times
        works(caller)


def test_the_clock_stays_where_dates_can_be_written() -> None:
    with calling() as caller:
        for seconds in ("-1e11", "1e11", "-1.9e9"):
            assert posted(caller, "clock", f'{{"advance": {seconds}}}') == 400
        for seconds in ("3e10", "-3e10"):
            assert posted(caller, "clock", f'{{"advance": {seconds}}}') == 200
            assert caller.page().status_code == 200
        works(caller)


def test_answers_without_a_body_are_played_without_one() -> None:
    with calling() as caller:
        for status in (204, 304):
            assert posted(caller, "faults", f'{{"on": "list", "fault": "raw", "status": {status}}}') == 200
            answer = caller.page()
            assert (answer.status_code, answer.content) == (status, b"")
        works(caller)


@pytest.mark.parametrize("body", ["", "{", "[" * 60_000, '{"then":' * 5000, "\udcff", b"\xff\xfe\x00\xd8", "7", '"x"'])
def test_bodies_that_are_no_object_are_refused(body: str | bytes) -> None:
    content = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    with calling() as caller:
        for what in ("faults", "clock", "rules"):
            assert posted(caller, what, content) == 400
        assert caller.http.post(PATH, content=content, headers={"content-type": "application/json"}).status_code == 400
        works(caller)


def test_what_was_paid_for_is_told_by_reference_and_by_picture() -> None:
    with calling() as caller:
        names = [caller.made(external_task_id=reference) for reference in ("k-1", None)]
        tasks = caller.http.get("/sandbox/tasks").json()["tasks"]
        assert [(task["task_id"], task["external_task_id"]) for task in tasks] == [(names[0], "k-1"), (names[1], None)]
        pictures = [hashlib.sha256(base64.b64decode(each)).hexdigest() for each in (PERSON, GARMENT)]
        assert [[task["human_sha256"], task["cloth_sha256"]] for task in tasks] == [pictures] * 2
        assert all(task["finished_at"] - task["created_at"] == caller.sandbox.rules.finished_seconds for task in tasks)


def test_a_control_body_has_a_limit() -> None:
    with calling() as caller:
        fitting = '{"advance": 1}' + " " * (64 * 1024 - 14)
        assert posted(caller, "clock", fitting) == 200
        assert posted(caller, "clock", fitting + " ") == 413
        works(caller)


def test_a_page_of_a_browser_does_not_even_read_the_state() -> None:
    with calling() as caller:
        for name, value in (("origin", "null"), ("sec-fetch-site", "cross-site"), ("host", "rebound.example")):
            for what in ("state", "tasks"):
                assert caller.http.get(f"/sandbox/{what}", headers={name: value}).status_code == 403
        assert caller.http.get("/sandbox/state").headers["x-content-type-options"] == "nosniff"


def test_the_largest_create_that_the_page_allows_is_taken_even_with_its_slashes_escaped() -> None:
    photo = picture(kind="JPEG")
    # A JPEG may be followed by anything; all of it counts.
    large = base64.b64encode(photo + b"\xff" * (MAX_PICTURE_BYTES - len(photo)))
    body = b"".join((b'{"human_image": "', large, b'", "cloth_image": "', large, b'"}'))
    with calling() as caller:
        caller.sandbox.requests = type(caller.sandbox.requests)(maxlen=0)
        answer = caller.http.post(PATH, content=body, headers={"content-type": "application/json"})
        assert answer.json()["code"] == 0
    assert len(body) < 32 * 1024 * 1024


@pytest.mark.parametrize("path", [PATH, "/sandbox/clock"])
def test_an_announced_body_that_is_too_large_is_refused_without_waiting_for_it(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_SECONDS_PASSED_BY", 0)
    with calling() as caller:
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        key = f"authorization: Bearer {caller.sandbox.api_key}\r\ncontent-length: {64 * 1024 * 1024}\r\n\r\n{{"
        with socket.create_connection(("127.0.0.1", int(caller.origin.rpartition(":")[2]))) as raw:
            raw.sendall((head + key).encode())
            assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")
        works(caller)


def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_SECONDS", 0)
    with calling() as caller:
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n"
        key = f"authorization: Bearer {caller.sandbox.api_key}\r\n\r\n{{"
        with socket.create_connection(("127.0.0.1", int(caller.origin.rpartition(":")[2]))) as raw:
            raw.sendall((head + key).encode())
            assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_odd_requests_to_the_api_are_refused_in_its_words() -> None:
    with calling() as caller:
        for query in ({"pageNum": "1" + "0" * 5000}, {"pageNum": "000000001" + "0" * 20}, {"pageSize": HUGE}):
            assert caller.page(**query).json()["code"] == 1201
        for moment in (HUGE, "1" * 5000, "NaN"):
            answer = caller.http.get("/account/costs", params={"start_time": "1", "end_time": moment})
            assert answer.json()["code"] == 1201
        half = '{"human_image": "' + PERSON + '", "cloth_image": "' + GARMENT + '", "external_task_id": "\\ud800"}'
        answer = caller.http.post(PATH, content=half, headers={"content-type": "application/json"})
        assert answer.json()["data"]["task_info"]["external_task_id"] == "\ud800"
        assert caller.page().status_code == 200
        odd = caller.http.post(PATH, content='{"\\ud800": 1}', headers={"content-type": "application/json"})
        assert odd.json()["code"] == 1201
        link = f"{caller.origin}/results/1/{'9' * 5000}.png"
        assert httpx.get(link, trust_env=False, verify=NO_TLS).status_code == 404
        assert caller.read(caller.made()).json()["code"] == 0


def test_half_a_character_is_played_as_it_came() -> None:
    with calling() as caller:
        for fault in ('"fault": "raw", "body": "\\ud800"', '"fault": "status_word", "word": "\\ud800"'):
            assert posted(caller, "faults", f'{{"on": "list", {fault}}}') == 200
        caller.made()
        assert caller.page().content == b"\xed\xa0\x80"
        assert caller.page().json()["data"][0]["task_status"] == "\ud800"
        works(caller)
