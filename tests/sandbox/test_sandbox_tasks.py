"""Tasks in the sandbox: moved on by the clock, kept apart by account, paged, and found by either id."""

import re

import httpx
import pytest

from kolors_mcp.sandbox.accounts import Account
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.rules import Rules
from tests.support.sandbox_door import NO_TLS, NOW, PATH, Caller, calling, refused, standing


def test_a_task_moves_from_submitted_to_succeed_by_the_clock() -> None:
    with calling(standing()) as caller:
        name = caller.made()
        seen: list[tuple[str, int]] = []
        for seconds in (0, 0.9, 0.2, 3.8, 0.2, 100):
            caller.sandbox.clock.advance(seconds)
            task = caller.read(name).json()["data"]
            assert task["created_at"] == NOW * 1000
            seen.append((task["task_status"], task["updated_at"] - NOW * 1000))
        assert seen == [
            ("submitted", 0),
            ("submitted", 0),
            ("processing", 1000),
            ("processing", 1000),
            ("succeed", 5000),
            ("succeed", 5000),
        ]


def test_only_a_finished_task_has_a_result_and_what_it_cost() -> None:
    with calling(standing(Rules(speed=2))) as caller:
        name = caller.made()
        head = {"task_id", "task_status", "created_at", "updated_at"}
        assert set(caller.read(name).json()["data"]) == head
        caller.sandbox.clock.advance(2.6)
        task = caller.read(name).json()["data"]
        assert set(task) == head | {"task_result", "final_unit_deduction"}
        assert task["final_unit_deduction"] == "1"
        (image,) = task["task_result"]["images"]
        assert image["index"] == 0
        assert re.fullmatch(
            re.escape(caller.origin) + rf"/results/{name}/0\.png\?signature=[0-9a-f]{{32}}&expires=\d+", image["url"]
        )


def test_the_list_is_paged_with_the_newest_first() -> None:
    with calling() as caller:
        names = [caller.made() for _ in range(5)]

        def page(number: int, size: int) -> list[str]:
            return [task["task_id"] for task in caller.page(pageNum=number, pageSize=size).json()["data"]]

        assert page(1, 2) == [names[4], names[3]]
        assert page(2, 2) == [names[2], names[1]]
        assert page(3, 2) == [names[0]]
        assert page(4, 2) == []
        assert [task["task_id"] for task in caller.page().json()["data"]] == names[::-1]


def test_an_account_sees_only_its_own_tasks() -> None:
    accounts = [Account.with_fresh_keys(), Account.with_fresh_keys()]
    with calling(SandboxKling(accounts=accounts)) as first:
        second = Caller(first.sandbox, first.origin, f"Bearer {next(iter(accounts[1].api_keys))}")
        with second.http:
            name = first.made(external_task_id="mine")
            refused(second.read(name), 1203)
            refused(second.read("mine"), 1203)
            assert second.page().json()["data"] == []
            assert second.made(external_task_id="mine") != name
            assert first.read("mine").json()["data"]["task_id"] == name


def test_a_task_is_found_by_the_callers_own_id() -> None:
    with calling() as caller:
        name = caller.made(external_task_id="k-1")
        task = caller.read("k-1").json()["data"]
        assert (task["task_id"], task["task_info"]) == (name, {"external_task_id": "k-1"})
        assert caller.page().json()["data"][0]["task_info"] == {"external_task_id": "k-1"}


def test_a_repeated_external_id_is_refused() -> None:
    with calling() as caller:
        caller.made(external_task_id="k-1")
        assert "external_task_id" in refused(caller.create(external_task_id="k-1"), 1201)
        assert caller.sandbox.tasks_created == 1


def test_a_repeated_external_id_can_return_the_first_task() -> None:
    with calling(SandboxKling(rules=Rules(external_ids="return_first"))) as caller:
        assert caller.made(external_task_id="k-1") == caller.made(external_task_id="k-1")
        assert caller.sandbox.tasks_created == 1


def test_a_repeated_external_id_can_make_a_second_task() -> None:
    with calling(SandboxKling(rules=Rules(external_ids="make_second"))) as caller:
        first, second = caller.made(external_task_id="k-1"), caller.made(external_task_id="k-1")
        assert first != second
        assert caller.sandbox.tasks_created == 2


def test_the_external_id_can_be_an_unknown_field_even_where_others_are_ignored() -> None:
    with calling(SandboxKling(rules=Rules(external_ids="unknown", unknown_fields="ignore"))) as caller:
        assert "external_task_id" in refused(caller.create(external_task_id="k-1"), 1201)
        assert caller.create(something="else").json()["code"] == 0


def test_the_external_id_can_be_dropped_in_silence() -> None:
    with calling(SandboxKling(rules=Rules(external_ids="ignore"))) as caller:
        name = caller.made(external_task_id="k-1")
        assert "task_info" not in caller.read(name).json()["data"]
        refused(caller.read("k-1"), 1203)


def test_external_ids_can_be_left_out_of_all_answers_or_of_the_list_alone() -> None:
    with calling() as caller:
        caller.sandbox.rules.list_shows_external_ids = False
        caller.made(external_task_id="k-1")
        assert "task_info" not in caller.page().json()["data"][0]
        assert "task_info" in caller.read("k-1").json()["data"]
        caller.sandbox.rules.shows_external_ids = False
        assert "task_info" not in caller.read("k-1").json()["data"]


def test_the_list_can_lag_behind() -> None:
    with calling(standing(Rules(list_lag_seconds=30))) as caller:
        caller.made()
        caller.sandbox.clock.advance(29)
        assert caller.page().json()["data"] == []
        caller.sandbox.clock.advance(1)
        assert len(caller.page().json()["data"]) == 1


def test_the_first_reads_can_say_falsely_that_there_is_no_task() -> None:
    with calling(SandboxKling(rules=Rules(not_found_reads=2))) as caller:
        name = caller.made()
        for _ in range(2):
            task = caller.read(name).json()["data"]
            assert (task["task_status"], task["task_status_msg"]) == ("failed", "task not found")
        assert caller.read(name).json()["data"]["task_status"] == "submitted"


def test_an_unknown_id_can_be_answered_as_a_failed_task() -> None:
    with calling(SandboxKling(rules=Rules(unknown_task_code=None))) as caller:
        answer = caller.read("nobody").json()
        assert (answer["code"], answer["data"]["task_status_msg"]) == (0, "task not found")


def test_task_ids_can_arrive_as_numbers_beyond_what_a_float_holds() -> None:
    with calling(SandboxKling(rules=Rules(task_ids_as_numbers=True))) as caller:
        number = caller.create().json()["data"]["task_id"]
        assert isinstance(number, int)
        assert number > 2**53
        assert caller.read(str(number)).json()["data"]["task_id"] == number


def test_more_tasks_than_slots_are_refused_until_one_is_finished() -> None:
    with calling(standing(Rules(slots=2))) as caller:
        caller.made()
        caller.made()
        refused(caller.create(), 1303)
        caller.sandbox.clock.advance(5)
        caller.made()


def test_an_empty_pack_is_refused() -> None:
    with calling(SandboxKling(rules=Rules(units=1))) as caller:
        caller.made()
        refused(caller.create(), 1102)
        pack = caller.costs().json()["data"]["resource_pack_subscribe_infos"][0]
        assert (pack["remaining_quantity"], pack["status"]) == (0, "runOut")


def test_costs_come_in_a_double_envelope_at_most_once_a_second() -> None:
    with calling(standing()) as caller:
        caller.made()
        data = caller.costs().json()["data"]
        assert (data["code"], data["msg"]) == (0, "success")
        assert [(pack["status"], pack["remaining_quantity"]) for pack in data["resource_pack_subscribe_infos"]] == [
            ("online", 999),
            ("expired", 37),
        ]
        refused(caller.costs(), 1302)
        caller.sandbox.clock.advance(1)
        assert caller.costs().json()["code"] == 0


def test_costs_show_only_packs_that_were_bought_inside_the_window() -> None:
    with calling(standing()) as caller:
        query = {"start_time": (NOW - 200 * 86400) * 1000, "end_time": NOW * 1000}
        data = caller.http.get("/account/costs", params=query).json()["data"]
        assert [pack["status"] for pack in data["resource_pack_subscribe_infos"]] == ["online"]


def test_every_request_is_remembered_as_it_came() -> None:
    with calling() as caller:
        body = b'{"human_image": "x",  "cloth_image": "y"}'
        caller.http.post(PATH + "?a=%20b", content=body, headers={"content-type": "application/json", "x-trace": "7"})
        caller.http.get(PATH + "/a%2Db")
        first, second = caller.sandbox.requests
        assert (first.method, first.path, first.raw_query, first.query["a"]) == ("POST", PATH, "a=%20b", " b")
        assert (first.body, first.json, first.headers["x-trace"]) == (
            body,
            {"human_image": "x", "cloth_image": "y"},
            "7",
        )
        assert second.path == PATH + "/a%2Db"
        assert caller.sandbox.api_key not in repr(list(caller.sandbox.requests)) + repr(caller.sandbox.accounts)
        assert caller.sandbox.wait_for_request(lambda request: request.method == "GET") is second


def test_a_result_is_fetched_by_its_whole_link_alone() -> None:
    with calling() as caller:
        link = caller.link()
        plain = httpx.Client(trust_env=False, verify=NO_TLS)
        with plain:
            good = plain.get(link)
            assert (good.status_code, good.headers["content-type"]) == (200, "image/png")
            assert plain.get(link, headers={"authorization": "Bearer x"}).status_code == 400
            assert plain.get(link.partition("?")[0]).status_code == 403
            assert plain.get(link[:-1]).status_code == 403
            assert plain.get(link + "0").status_code == 403
            assert plain.get(link.replace("signature=", "signature=a")).status_code == 403
            assert plain.get(link.replace("/0.png", "/1.png")).status_code == 403
            caller.sandbox.clock.advance(29.9 * 86400)
            assert plain.get(link).status_code == 200
            caller.sandbox.clock.advance(0.2 * 86400)
            assert plain.get(link).status_code == 404


@pytest.mark.parametrize("name", ["..", "%2e%2e%2f", "x" * 4000, "%00"])
def test_an_odd_id_is_simply_unknown(name: str) -> None:
    with calling() as caller:
        response = caller.http.get(f"{PATH}/{name}")
        assert response.json()["code"] in (1202, 1203)
