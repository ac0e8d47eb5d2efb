"""How often a user may call: so often in any minute, each for themselves, and told when to come again."""

from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError

from kolors_mcp.server.http.rates import Rates
from tests.support.commands import environment
from tests.support.making import TurnedClock
from tests.support.over_http import asked, posted, serving
from tests.support.shoppers import shopper, tokens_of


def test_no_minute_has_more_calls_than_are_allowed_wherever_it_begins() -> None:
    time = TurnedClock()
    rates = Rates(3, time.clock())
    waits: list[float] = []
    for seconds in (0, 50, 5, 1, 3, 1, 0, 49):
        time.now += seconds
        waits.append(round(rates.wait_seconds("ann"), 3))
    # At 0, 50 and 55 three calls; at 56 and 59 one too many, at 60 the first is a minute old, and at 109 two more are.
    assert waits == [0, 0, 0, 4, 1, 0, 50, 1]


def test_each_user_has_calls_of_their_own_and_a_refused_one_costs_nothing() -> None:
    time = TurnedClock()
    rates = Rates(1, time.clock())
    assert [rates.wait_seconds(user) > 0 for user in ("ann", "bob", "ann", "bob", "ann")] == [False, False, *[True] * 3]
    time.now += 60
    assert rates.wait_seconds("ann") == 0


def test_users_who_have_not_called_for_a_minute_are_forgotten() -> None:
    time = TurnedClock()
    rates = Rates(5, time.clock())
    for number in range(1000):
        time.now += 1
        assert rates.wait_seconds(f"user {number}") == 0
    assert len(rates) <= 60


@pytest.mark.anyio
@pytest.mark.process
async def test_a_call_too_many_is_refused_with_when_to_come_again_and_a_client_shows_its_user_why(
    tmp_path: Path,
) -> None:
    said = "You make too many calls a minute, and nothing was done. Wait as long as Retry-After says."
    env = environment(tmp_path, KOLORS_SANDBOX="1", KOLORS_CALLS_PER_MINUTE="3", **tokens_of(tmp_path, "ana", "ben"))
    as_ana = ("Authorization", "Bearer secret-ana")
    with serving(env, tmp_path) as service:
        answers = [posted(service, "tools/list", {}, as_ana) for _ in range(5)]
        async with shopper(service, "ben") as ben:
            await ben.client.list_tools()
            await ben.client.list_prompts()
            with pytest.raises(MCPError) as shown:
                await ben.client.list_resources()
        by_hand = asked(service, "POST", "/mcp", ("Accept", "text/event-stream"), as_ana)
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    for refused in answers[3:]:
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.words == said
    assert shown.value.error.message == said
    assert (by_hand.status, by_hand.body) == (429, f"{said}\n")
