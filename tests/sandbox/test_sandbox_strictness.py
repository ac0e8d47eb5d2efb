"""The sandbox refuses what the vendor's page refuses, with the page's envelope and codes."""

import json
from collections.abc import Generator
from typing import Any

import httpx
import jwt
import pytest

from kolors_mcp.sandbox.accounts import Account
from tests.support.sandbox_door import (
    GARMENT,
    NO_TLS,
    NOW,
    PATH,
    PERSON,
    Caller,
    calling,
    picture,
    refused,
    standing,
    text,
)


@pytest.fixture(scope="module")
def caller() -> Generator[Caller]:
    with calling() as caller:
        yield caller


def oversized() -> str:
    # A real PNG that grew beyond the limit behind its end.
    return text(picture() + bytes(10 * 1024 * 1024))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "kolors-virtual-try-on-v1"}, "model"),
        ({"human_image_url": "x"}, "human_image_url"),
        ({"model_name": "kolors-virtual-try-on-v1.5"}, "model_name"),
        ({"model_name": 1}, "model_name"),
        ({"human_image": None}, "human_image can't be empty"),
        ({"cloth_image": None}, "cloth_image can't be empty"),
        ({"cloth_image": ""}, "cloth_image can't be empty"),
        ({"human_image": 5}, "human_image must be a string"),
        ({"human_image": "data:image/png;base64," + PERSON}, "human_image: File is not in a valid base64 format"),
        ({"human_image": PERSON[:76] + "\n" + PERSON[76:]}, "File is not in a valid base64 format"),
        ({"cloth_image": GARMENT + " "}, "cloth_image: File is not in a valid base64 format"),
        ({"cloth_image": GARMENT[:-3]}, "cloth_image: File is not in a valid base64 format"),
        ({"cloth_image": GARMENT[:40] + "-_" + GARMENT[42:]}, "File is not in a valid base64 format"),
        ({"cloth_image": text(b"%PDF-1.7 no picture")}, "Image format is invalid"),
        ({"cloth_image": text(picture(kind="WEBP"))}, "Image format is invalid"),
        ({"cloth_image": text(picture()[:-60])}, "Image format is invalid"),
        ({"human_image": text(picture(299, 800))}, "human_image: Image pixel is invalid"),
        ({"cloth_image": text(picture(800, 299, "JPEG"))}, "cloth_image: Image pixel is invalid"),
        ({"human_image": oversized()}, "human_image: Image file size exceeds 10MB"),
        ({"human_image": "https://example.com/a.jpg"}, "human_image: image url not accessible"),
        ({"callback_url": "ftp://example.com"}, "callback_url"),
        ({"callback_url": ""}, "callback_url"),
        ({"callback_url": "http://[broken"}, "callback_url"),
        ({"callback_url": 7}, "callback_url"),
        ({"external_task_id": ""}, "external_task_id"),
        ({"external_task_id": 12}, "external_task_id"),
        ({"external_task_id": "k" * 129}, "external_task_id"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(caller: Caller, fields: dict[str, Any], words: str) -> None:
    before = caller.sandbox.tasks_created
    assert words in refused(caller.create(**fields), 1201)
    assert caller.sandbox.tasks_created == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff{}"])
def test_a_body_that_is_no_json_object_is_refused(caller: Caller, body: bytes) -> None:
    refused(caller.http.post(PATH, content=body, headers={"content-type": "application/json"}), 1200)


def test_a_body_under_another_content_type_is_refused(caller: Caller) -> None:
    body = json.dumps({"human_image": PERSON, "cloth_image": GARMENT})
    assert "Content-Type" in refused(caller.http.post(PATH, content=body), 1200)


def test_a_good_request_is_accepted_with_exactly_the_fields_of_the_page(caller: Caller) -> None:
    response = caller.create(model_name="kolors-virtual-try-on-v1-5", callback_url=None)
    envelope = response.json()
    assert response.status_code == 200
    assert set(envelope) == {"code", "message", "request_id", "data"}
    assert set(envelope["data"]) == {"task_id", "task_status", "created_at", "updated_at"}
    assert envelope["data"]["task_status"] == "submitted"
    assert isinstance(envelope["data"]["created_at"], int)
    assert len(envelope["data"]["task_id"]) == 18


def test_an_own_result_is_taken_as_a_picture_by_its_link(caller: Caller) -> None:
    link = caller.link()
    assert caller.create(human_image=link).json()["code"] == 0
    assert "not accessible" in refused(caller.create(human_image=link.replace("signature=", "signature=0")), 1201)


def test_unknown_fields_can_be_ignored_as_the_real_service_does() -> None:
    with calling() as caller:
        caller.sandbox.rules.unknown_fields = "ignore"
        assert caller.create(model="kolors-virtual-try-on-v1-5").json()["code"] == 0
        assert caller.sandbox.tasks.all[0].request.model_name == "kolors-virtual-try-on-v1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1images/kolors-virtual-try-on/1"),
        ("GET", "/v1/images/kolors-virtual-try-on/1/2"),
        ("POST", "/v1/images/kolors-virtual-try-on/"),
        ("PUT", PATH),
        ("DELETE", PATH + "/1"),
        ("GET", "/"),
        ("GET", "/v1/account/costs"),
    ],
)
def test_a_wrong_path_or_method_is_answered_with_1202(caller: Caller, method: str, path: str) -> None:
    refused(caller.http.request(method, path), 1202)


def test_a_head_request_is_a_wrong_method(caller: Caller) -> None:
    assert caller.http.head(PATH).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"pageNum": 0},
        {"pageNum": 1001},
        {"pageNum": "1.0"},
        {"pageNum": ""},
        {"pageSize": 0},
        {"pageSize": 501},
        {"pageSize": "-1"},
        {"pageSize": "٣"},
        {"page_num": 1},
    ],
)
def test_a_page_outside_the_range_is_refused_by_name(caller: Caller, query: dict[str, Any]) -> None:
    assert next(iter(query)) in refused(caller.page(**query), 1201)


def test_the_ends_of_the_page_ranges_are_accepted(caller: Caller) -> None:
    assert caller.page(pageNum=1000, pageSize=500).json()["data"] == []


@pytest.mark.parametrize(
    "query", [{}, {"start_time": 1}, {"start_time": 2, "end_time": 1}, {"start_time": "x", "end_time": 1}]
)
def test_costs_without_a_window_are_refused(caller: Caller, query: dict[str, Any]) -> None:
    refused(caller.http.get("/account/costs", params=query), 1201)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", 1001),
        ("Bearer", 1001),
        ("Basic abc", 1000),
        ("bearer abc", 1000),
        ("Bearer nonsense", 1002),
        ("Bearer a.b.c", 1002),
    ],
)
def test_a_header_that_proves_nothing_is_refused(caller: Caller, header: str, code: int) -> None:
    refused(caller.http.get(PATH, headers={"authorization": header}), code)


def test_a_missing_header_is_an_empty_authorization(caller: Caller) -> None:
    refused(httpx.get(caller.origin + PATH, trust_env=False, verify=NO_TLS), 1001)


def token(account: Account, *, secret: str | None = None, algorithm: str = "HS256", **claims: Any) -> str:
    access, own_secret = next(iter(account.key_pairs.items()))
    values: dict[str, Any] = {"iss": access, "exp": NOW + 1800, "nbf": NOW - 5} | claims
    values = {name: value for name, value in values.items() if value is not None}
    return jwt.encode(values, own_secret if secret is None else secret, algorithm, {"typ": "JWT"})


@pytest.fixture(scope="module")
def still() -> Generator[Caller]:
    """A sandbox whose clock stands."""
    with calling(standing()) as caller:
        yield caller


def answer_to(still: Caller, token: str) -> httpx.Response:
    return still.http.get(PATH, headers={"authorization": f"Bearer {token}"})


def test_a_token_as_the_vendor_describes_it_is_accepted(still: Caller) -> None:
    assert answer_to(still, token(still.sandbox.accounts[0])).json()["code"] == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nbf": NOW + 1}, 1003),
        ({"nbf": NOW + 595, "exp": NOW + 2400}, 1003),
        ({"exp": NOW}, 1004),
        ({"exp": NOW - 1800}, 1004),
        ({"exp": NOW + 1811}, 1002),
        ({"iss": "somebody"}, 1002),
        ({"iss": None}, 1002),
        ({"nbf": None}, 1002),
        ({"exp": None}, 1002),
        ({"iat": NOW}, 1002),
        ({"aud": "kling"}, 1002),
        ({"exp": NOW + 1800.5}, 1002),
        ({"secret": "another secret of good length, really"}, 1002),
    ],
)
def test_a_token_that_differs_in_anything_is_refused(still: Caller, changes: dict[str, Any], code: int) -> None:
    refused(answer_to(still, token(still.sandbox.accounts[0], **changes)), code)


def test_a_token_of_another_algorithm_or_header_is_refused(still: Caller) -> None:
    account = still.sandbox.accounts[0]
    access, secret = next(iter(account.key_pairs.items()))
    claims = {"iss": access, "exp": NOW + 1800, "nbf": NOW - 5}
    long_secret = secret * 2
    account.key_pairs["long"] = long_secret
    refused(answer_to(still, jwt.encode(claims | {"iss": "long"}, long_secret, "HS512")), 1002)
    refused(answer_to(still, jwt.encode(claims, "", "none")), 1002)
    refused(answer_to(still, jwt.encode(claims, secret, "HS256", {"typ": "JWT", "kid": "1"})), 1002)
    refused(answer_to(still, jwt.encode(claims, secret, "HS256", {"typ": None})), 1002)


def test_a_token_dies_when_the_clock_is_turned_past_its_end() -> None:
    with calling(standing()) as caller:
        made = token(caller.sandbox.accounts[0])
        caller.sandbox.clock.advance(1799)
        assert answer_to(caller, made).json()["code"] == 0
        caller.sandbox.clock.advance(1)
        refused(answer_to(caller, made), 1004)
        assert answer_to(caller, made).headers["date"] == "Mon, 21 Sep 2026 14:43:20 GMT"


def test_a_rotated_key_is_refused_and_its_successor_accepted() -> None:
    with calling() as caller:
        account = caller.sandbox.accounts[0]
        account.api_keys.clear()
        account.api_keys.add("the-new-key")
        refused(caller.page(), 1002)
        assert caller.http.get(PATH, headers={"authorization": "Bearer the-new-key"}).json()["code"] == 0
