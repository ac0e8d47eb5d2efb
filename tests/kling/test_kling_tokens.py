"""Every request is signed: with the key as it is, or with a token that is made, renewed and corrected in time."""

import httpx
import jwt
import pytest

from kolors_mcp import errors
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.settings import Credentials
from tests.support.making import TurnedClock, client_of, create_request, key_pair

pytestmark = pytest.mark.anyio


async def test_an_api_key_is_sent_as_it_is(kling: SandboxKling, client: KlingClient) -> None:
    await client.page(1, 1)
    assert kling.requests[0].headers["authorization"] == f"Bearer {kling.api_key}"


async def test_a_pair_signs_a_token_with_exactly_the_pages_claims(kling: SandboxKling) -> None:
    client = client_of(kling, key_pair(kling))
    await client.page(1, 1)
    access, secret = kling.key_pair
    token = kling.requests[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert set(claims) == {"iss", "exp", "nbf"}
    assert claims["iss"] == access
    assert claims["exp"] - claims["nbf"] == 1805
    await client.aclose()


async def test_a_server_that_runs_for_hours_renews_its_token_in_time(kling: SandboxKling) -> None:
    turned = TurnedClock(kling.clock.now())
    client = client_of(kling, key_pair(kling), turned.clock())
    for _ in range(80):
        await client.page(1, 1)
        turned.now += 70
        kling.clock.advance(70)
    tokens = [seen.headers["authorization"] for seen in kling.requests]
    assert len(tokens) == 80, "none was refused"
    assert 4 <= len(set(tokens)) <= 5, "a token is used for nearly its half hour"
    await client.aclose()


@pytest.mark.parametrize("ahead", [-7200, -2000, 600, 86400])
async def test_a_wrong_clock_is_corrected_once_by_the_answers_date(kling: SandboxKling, ahead: float) -> None:
    turned = TurnedClock(kling.clock.now() + ahead)
    client = client_of(kling, key_pair(kling), turned.clock())
    task = await client.create(create_request())
    await client.read(task.id)
    assert [seen.method for seen in kling.requests] == ["POST", "POST", "GET"]
    skew = client._http.authorization.skew  # pyright: ignore[reportPrivateUsage]
    assert skew == pytest.approx(-ahead, abs=2)
    assert client.observed_skew == pytest.approx(-ahead, abs=2)
    await client.aclose()


@pytest.mark.parametrize("ahead", [-2000, 600])
async def test_a_wrong_clock_is_guessed_where_the_answer_has_no_date(kling: SandboxKling, ahead: float) -> None:
    turned = TurnedClock(kling.clock.now() + ahead)
    used = key_pair(kling)

    class WithoutDate(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            del answer.headers["date"]
            return answer

    client = KlingClient(kling.origin, lambda: used, clock=turned.clock(), transport=WithoutDate())
    await client.page(1, 1)
    assert len(kling.requests) == 2
    await client.aclose()


async def test_a_token_that_is_refused_twice_is_reported_with_the_remedy(kling: SandboxKling) -> None:
    client = client_of(kling, key_pair(kling))
    kling.faults.next_list(faults.Refuse(1004), times=None)
    with pytest.raises(errors.ClockSkewError, match="Set this machine's clock"):
        await client.page(1, 1)
    assert len(kling.requests) == 2
    await client.aclose()


async def test_keys_rotated_in_the_running_process_are_used_at_once(kling: SandboxKling) -> None:
    held = key_pair(kling)
    client = KlingClient(kling.origin, lambda: held)
    await client.page(1, 1)
    kling.accounts[0].key_pairs = {"new-access": "new-secret-new-secret-new-secret"}
    kling.accounts[0].api_keys = {"new-key"}
    with pytest.raises(errors.AuthenticationError, match="doctor"):
        await client.page(1, 1)
    held = Credentials.from_env(
        {"KLING_ACCESS_KEY": " new-access\n", "KLING_SECRET_KEY": "new-secret-new-secret-new-secret"}
    )
    await client.page(1, 1)
    held = Credentials.from_env({"KLING_API_KEY": "new-key"})
    await client.page(1, 1)
    assert kling.requests[-1].headers["authorization"] == "Bearer new-key"
    await client.aclose()


async def test_a_token_revoked_with_the_old_ones_is_replaced_by_a_new_one(kling: SandboxKling) -> None:
    turned = TurnedClock(kling.clock.now())
    client = client_of(kling, key_pair(kling), turned.clock())
    await client.page(1, 1)
    turned.now += 300
    kling.clock.advance(300)
    kling.faults.next_list(faults.Refuse(1002))
    await client.page(1, 1)
    assert len({seen.headers["authorization"] for seen in kling.requests}) == 2
    await client.aclose()


async def test_without_credentials_nothing_is_sent(kling: SandboxKling) -> None:
    client = KlingClient(kling.origin, lambda: None)
    with pytest.raises(errors.NotConfiguredError, match="KLING_API_KEY"):
        await client.create(create_request())
    assert not kling.requests
    await client.aclose()
