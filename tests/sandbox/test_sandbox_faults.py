"""What the sandbox plays on request: each fault, at the moment it was asked for, with what was paid by then."""

import json
import queue
import threading
from collections.abc import Generator

import httpx
import pytest

from kolors_mcp.sandbox.codes import TABLE
from kolors_mcp.sandbox.faults import (
    CodeAsText,
    Cut,
    Disconnect,
    Drip,
    FailLate,
    Fault,
    NoData,
    NoPictures,
    Raw,
    Redirect,
    Refuse,
    Slow,
    StatusWord,
)
from kolors_mcp.sandbox.script import FAULTS
from tests.support.commands import HANG_SECONDS
from tests.support.sandbox_door import NO_TLS, PATH, Caller, calling


@pytest.fixture
def caller() -> Generator[Caller]:
    with calling() as caller:
        yield caller


@pytest.mark.parametrize("code", sorted(TABLE))
def test_every_code_of_the_table_can_be_played(caller: Caller, code: int) -> None:
    caller.sandbox.faults.next_create(Refuse(code))
    response = caller.create()
    assert (response.status_code, response.json()["code"]) == (TABLE[code][0], code)
    assert caller.sandbox.tasks_created == 0
    assert caller.create().json()["code"] == 0


def test_a_code_of_no_table_and_a_retry_after_can_be_played(caller: Caller) -> None:
    caller.sandbox.faults.next_read(Refuse(7777, "odd", status=418, retry_after="3"))
    response = caller.read("x")
    assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (418, 7777, "3")


def test_a_fault_is_played_as_often_as_asked_and_only_on_its_kind(caller: Caller) -> None:
    caller.sandbox.faults.next_create(Refuse(1303), times=2)
    caller.sandbox.faults.next_create(Refuse(1302))
    assert caller.page().json()["code"] == 0
    assert [caller.create().json()["code"] for _ in range(4)] == [1303, 1303, 1302, 0]


def test_a_fault_without_an_end_lasts_until_cleared(caller: Caller) -> None:
    caller.sandbox.faults.next_list(Refuse(5001), times=None)
    assert [caller.page().status_code for _ in range(3)] == [503] * 3
    caller.sandbox.faults.clear()
    assert caller.page().status_code == 200


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        # A client that is still sending may meet the reset while it writes, and then read an end.
        (Disconnect("before_body"), (httpx.ReadError, httpx.RemoteProtocolError), 0),
        (Disconnect("before_acceptance"), httpx.ReadError, 0),
        (Disconnect("after_acceptance"), httpx.ReadError, 1),
        (Disconnect("before_body", fin=True), httpx.RemoteProtocolError, 0),
        (Disconnect("before_acceptance", fin=True), httpx.RemoteProtocolError, 0),
        (Disconnect("after_acceptance", fin=True), httpx.RemoteProtocolError, 1),
        (Cut(0.5), httpx.RemoteProtocolError, 1),
        (Cut(0.0), httpx.RemoteProtocolError, 1),
    ],
)
def test_a_broken_connection_shows_as_itself(
    caller: Caller, fault: Fault, error: type[Exception] | tuple[type[Exception], ...], made: int
) -> None:
    caller.sandbox.faults.next_create(fault)
    with pytest.raises(error):
        caller.create()
    assert caller.sandbox.tasks_created == made
    assert bool(caller.sandbox.requests[0].body) is (getattr(fault, "when", "") != "before_body")
    assert caller.read("x").status_code == 404


def test_json_can_be_cut_inside_a_whole_answer(caller: Caller) -> None:
    caller.sandbox.faults.next_create(Cut(0.5, short_length=True))
    response = caller.create()
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


@pytest.mark.parametrize(("status", "accepted"), [(502, False), (503, True), (504, True)])
def test_a_gateway_page_comes_before_or_after_acceptance(caller: Caller, status: int, accepted: bool) -> None:
    caller.sandbox.faults.next_create(Raw(status, accepted=accepted))
    response = caller.create()
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html")
    assert caller.sandbox.tasks_created == int(accepted)


def test_a_code_can_come_after_acceptance(caller: Caller) -> None:
    caller.sandbox.faults.next_create(Refuse(5002, accepted=True))
    assert caller.create().status_code == 504
    assert caller.sandbox.tasks_created == 1


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_can_be_played(caller: Caller, status: int) -> None:
    caller.sandbox.faults.next_create(Redirect("https://elsewhere.example/v1", status))  # pyright: ignore[reportArgumentType]
    response = caller.create()
    assert (response.status_code, response.headers["location"]) == (status, "https://elsewhere.example/v1")


def test_broken_envelopes_can_be_played(caller: Caller) -> None:
    name = caller.made()
    for fault in (CodeAsText(), NoData(), StatusWord("succeeded"), StatusWord("paused"), NoPictures()):
        caller.sandbox.faults.next_read(fault)
    answers = [caller.read(name).json() for _ in range(5)]
    assert answers[0]["code"] == "0"
    assert "data" not in answers[1]
    assert [answer["data"]["task_status"] for answer in answers[2:]] == ["succeeded", "paused", "succeed"]
    assert answers[4]["data"]["task_result"] == {"images": []}


def test_a_strange_status_word_reaches_every_task_of_a_list(caller: Caller) -> None:
    caller.made()
    caller.made()
    caller.sandbox.faults.next_list(StatusWord("paused"))
    assert [task["task_status"] for task in caller.page().json()["data"]] == ["paused", "paused"]


def test_an_accepted_task_can_fail_late_and_then_costs_nothing(caller: Caller) -> None:
    caller.sandbox.faults.next_create(FailLate("there is no human in the video"))
    name = caller.made()
    assert "task_status_msg" not in caller.read(name).json()["data"]
    caller.sandbox.clock.advance(6)
    task = caller.read(name).json()["data"]
    assert (task["task_status"], task["task_status_msg"]) == ("failed", "there is no human in the video")
    assert "final_unit_deduction" not in task
    assert caller.sandbox.units_left(caller.sandbox.accounts[0]) == caller.sandbox.rules.units


@pytest.mark.parametrize(("when", "made"), [("before_body", 0), ("before_acceptance", 0), ("after_acceptance", 1)])
def test_a_slow_answer_comes_when_the_clock_is_turned(caller: Caller, when: str, made: int) -> None:
    caller.sandbox.faults.next_create(Slow(3600, when, then=Refuse(5002)))  # pyright: ignore[reportArgumentType]
    answers: queue.Queue[httpx.Response] = queue.Queue()
    thread = threading.Thread(target=lambda: answers.put(caller.create()))
    thread.start()
    caller.sandbox.clock.wait_for_sleepers()
    assert caller.sandbox.tasks_created == made
    caller.sandbox.clock.advance(3600)
    assert answers.get(timeout=HANG_SECONDS).status_code == 504
    thread.join()


def test_a_dripping_answer_is_whole_in_the_end(caller: Caller) -> None:
    caller.sandbox.faults.next_list(Drip(0.001, 10))
    assert caller.http.get(PATH).json()["code"] == 0


def test_a_dripping_answer_ends_when_the_client_leaves(caller: Caller) -> None:
    caller.sandbox.faults.next_list(Drip(60, 10))
    with caller.http.stream("GET", PATH) as response:
        first = next(response.iter_raw())
        assert (first[:1], len(first)) == (b"{", 10)
        caller.sandbox.clock.wait_for_sleepers()
    caller.sandbox.clock.advance(60)
    # Had the first answer gone on, it would sleep again; the next request finds the sandbox at rest.
    assert caller.page().json()["code"] == 0
    with pytest.raises(TimeoutError):
        caller.sandbox.clock.wait_for_sleepers(timeout=0)


def test_an_answer_without_data_has_none_to_change(caller: Caller) -> None:
    for fault in (NoPictures(), StatusWord("paused"), NoData(), CodeAsText()):
        caller.sandbox.faults.next_read(fault)
    assert [caller.read("nobody").json()["code"] for _ in range(4)] == [1203, 1203, 1203, "1203"]


def test_costs_and_results_can_go_wrong_too(caller: Caller) -> None:
    caller.sandbox.faults.next_costs(Refuse(1103))
    assert caller.costs().status_code == 403
    link = caller.link()
    caller.sandbox.faults.next_result(Cut(0.5))
    caller.sandbox.faults.next_result(Raw(200, "no picture"))
    with httpx.Client(trust_env=False, verify=NO_TLS) as plain:
        with pytest.raises(httpx.RemoteProtocolError):
            plain.get(link)
        assert plain.get(link).text == "no picture"
        assert plain.get(link).content.startswith(b"\x89PNG")


def test_faults_clock_and_rules_are_turned_over_http(caller: Caller) -> None:
    with httpx.Client(base_url=caller.origin, trust_env=False, verify=NO_TLS) as control:
        script = {"on": "create", "fault": "slow", "seconds": 0, "then": {"fault": "refuse", "code": 1303}, "times": 2}
        assert control.post("/sandbox/faults", json=script).status_code == 200
        assert [caller.create().json()["code"] for _ in range(3)] == [1303, 1303, 0]
        before = caller.sandbox.clock.now()
        control.post("/sandbox/clock", json={"advance": 3600})
        assert caller.sandbox.clock.now() >= before + 3600
        state = control.post("/sandbox/rules", json={"speed": 10, "external_ids": "return_first"}).json()
        assert (state["tasks_created"], state["rules"]["speed"]) == (1, 10)
        assert caller.made(external_task_id="a") == caller.made(external_task_id="a")
        control.post("/sandbox/faults", json={"on": "read", "fault": "refuse", "code": 5000, "times": None})
        control.post("/sandbox/faults", json={"clear": True})
        assert caller.read("a").status_code == 200
        assert control.get("/sandbox/state").json()["tasks_created"] == 2
    assert not any(request.path.startswith("/sandbox") for request in caller.sandbox.requests)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("refuse", "slow", "drip", "redirect")])
def test_every_fault_has_a_name_over_http(caller: Caller, name: str) -> None:
    body = {"on": "read", "fault": name}
    assert httpx.post(caller.origin + "/sandbox/faults", json=body, trust_env=False, verify=NO_TLS).status_code == 200
    assert type(caller.sandbox.faults.take("read")) is FAULTS[name]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"on": "create", "fault": "explode"}),
        ("faults", {"on": "nothing", "fault": "no_data"}),
        ("faults", {"on": "create", "fault": "refuse"}),
        ("faults", {"on": "create", "fault": "refuse", "code": 1, "colour": "red"}),
        ("faults", {"on": "create", "fault": "no_data", "times": 0}),
        ("faults", {"on": "create", "fault": "no_data", "times": "2"}),
        ("faults", {"on": "result", "fault": "no_data"}),
        ("faults", []),
        ("clock", {"advance": "x"}),
        ("clock", {"advance": True}),
        ("clock", {}),
        ("rules", {"slots": "many"}),
        ("rules", {"colour": "red"}),
    ],
)
def test_a_wrong_order_over_http_is_refused_in_words(caller: Caller, path: str, body: object) -> None:
    response = httpx.post(f"{caller.origin}/sandbox/{path}", json=body, trust_env=False, verify=NO_TLS)
    assert response.status_code == 400
    assert response.json()["error"]
    assert caller.create().json()["code"] == 0


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_a_web_page_cannot_turn_the_sandbox(caller: Caller, headers: dict[str, str]) -> None:
    response = httpx.post(
        caller.origin + "/sandbox/clock", json={"advance": 9}, headers=headers, trust_env=False, verify=NO_TLS
    )
    assert response.status_code == 403
