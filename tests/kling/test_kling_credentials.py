"""Tokens: which one is used when keys are rotated, when clocks jump, and in the last minutes of its life; and waits."""

import jwt
import pytest
from jwt.types import Options
from pydantic import SecretStr

from kolors_mcp import errors
from kolors_mcp.clock import Clock
from kolors_mcp.kling.auth import LIFETIME_SECONDS, RENEWED_BEFORE_SECONDS, Authorization
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.http import MAX_RETRY_AFTER_SECONDS
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.settings import Credentials
from tests.support.making import TurnedClock, api_key, client_of, key_pair
from tests.support.raw_kling import ROW, raw_answer, raw_kling, said

UNDATED: Options = {"verify_exp": False, "verify_nbf": False}
FIRST = Credentials(access_key=SecretStr("first-access"), secret_key=SecretStr("first-secret-first-secret-first-"))
OTHER = Credentials(access_key=SecretStr("first-access"), secret_key=SecretStr("other-secret-other-secret-other-"))


def token_of(authorization: Authorization) -> str:
    return authorization.header().removeprefix("Bearer ")


def test_a_pair_of_keys_that_was_rotated_signs_the_very_next_request() -> None:
    held = FIRST
    turned = TurnedClock()
    authorization = Authorization(lambda: held, turned.clock())
    first = token_of(authorization)
    assert token_of(authorization) == first, "a token is used again"
    held = OTHER
    # With the old secret it would not verify; nothing was refused in between.
    jwt.decode(token_of(authorization), "other-secret-other-secret-other-", ["HS256"], options=UNDATED)
    held = FIRST
    assert token_of(authorization) == first


def test_after_a_clock_is_set_back_no_token_of_the_future_is_used() -> None:
    turned = TurnedClock()
    authorization = Authorization(lambda: FIRST, turned.clock())
    first = token_of(authorization)
    turned.now -= 3600
    second = token_of(authorization)
    assert second != first
    claims = jwt.decode(second, options={"verify_signature": False})
    assert claims["nbf"] <= turned.now


def test_a_token_is_not_used_in_its_last_minutes() -> None:
    turned = TurnedClock()
    authorization = Authorization(lambda: FIRST, turned.clock())
    first = token_of(authorization)
    # Longer than the longest create: what is signed when a create begins has to be good when Kling has read it all.
    assert RENEWED_BEFORE_SECONDS > 150
    turned.now += LIFETIME_SECONDS - 181
    assert token_of(authorization) == first
    turned.now += 1
    second = token_of(authorization)
    assert second != first
    assert jwt.decode(second, options={"verify_signature": False})["exp"] - turned.now == LIFETIME_SECONDS


@pytest.mark.anyio
@pytest.mark.parametrize(("asked", "waited"), [("29", 29.0), ("31", 30.0), ("100000", 30.0), ("9" * 40, 30.0)])
async def test_a_retry_after_is_heeded_up_to_half_a_minute(kling: SandboxKling, asked: str, waited: float) -> None:
    turned = TurnedClock()
    client = client_of(kling, clock=turned.clock())
    kling.faults.next_list(faults.Refuse(5000, retry_after=asked))
    await client.page(1, 1, turned.clock().deadline(100))
    assert turned.slept == [waited + 0.25]
    assert MAX_RETRY_AFTER_SECONDS == 30
    await client.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("code", [5000, 4242])
async def test_the_request_id_is_shown_for_what_is_klings_own_fault_and_for_nothing_else(code: int) -> None:
    async with raw_kling() as raw:
        client = KlingClient(raw.origin, lambda: FIRST, clock=Clock(jitter=lambda: 1e6))
        raw.answers = [raw_answer(said(None, code=one, request_id="req\n77")) for one in (code, 1301)]
        with pytest.raises(errors.KlingError, match=f'code {code}.*request id "req 77"'):
            await client.page(1, 1)
        with pytest.raises(errors.PolicyRefusedError) as caught:
            await client.page(1, 1)
        assert "req" not in str(caught.value).replace("request is", "")
        await client.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("odd", [True, False, 0, -1, 1.5, None, [], "true\n", "", " "])
async def test_what_is_no_id_is_never_made_into_one(odd: object) -> None:
    async with raw_kling() as raw:
        client = KlingClient(raw.origin, lambda: FIRST, clock=Clock(jitter=lambda: 1e6))
        raw.answers = [raw_answer(said([{**ROW, "task_id": odd}, ROW])), raw_answer(said({**ROW, "task_id": odd}))]
        assert [row.id for row in await client.page(1, 30)] == ["842"]
        with pytest.raises(errors.UnexpectedAnswerError):
            await client.read("842")
        await client.aclose()


@pytest.mark.anyio
async def test_keys_are_asked_for_at_every_request_of_either_kind(kling_today: SandboxKling) -> None:
    held = api_key(kling_today)
    client = KlingClient(kling_today.origin, lambda: held)
    await client.page(1, 1)
    held = key_pair(kling_today)
    await client.page(1, 1)
    first, second = [seen.headers["authorization"] for seen in kling_today.requests]
    assert first == f"Bearer {kling_today.api_key}"
    assert jwt.get_unverified_header(second.removeprefix("Bearer "))["alg"] == "HS256"
    await client.aclose()
