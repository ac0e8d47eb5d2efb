"""What is written down for one Kling account is nothing to another: neither joined, nor counted, nor found."""

import pytest
from pydantic import SecretStr

from kolors_mcp.errors import DailyLimitError, LedgerError
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.accounts import Account
from kolors_mcp.settings import Credentials
from tests.support.asking import Asking
from tests.support.making import key_pair
from tests.support.wishing import World

pytestmark = pytest.mark.anyio


def account_of(origin: str = "https://kling.example", **keys: str) -> str | None:
    credentials = Credentials(**{name: SecretStr(key) for name, key in keys.items()}) if keys else None
    return KlingClient(origin, lambda: credentials).account()


async def test_the_same_wish_on_another_account_is_another_wish(asking: Asking) -> None:
    first = await asking.reserved(daily_limit=1)
    await asking.ledger.unconfirmed(first)
    asking.hand.account = "another"
    second = await asking.reserved(daily_limit=1)
    assert (await asking.job(second)).account == "another"
    with pytest.raises(DailyLimitError):
        await asking.wish(fingerprint="f-2", daily_limit=1)
    asking.hand.account = "an-account"
    assert await asking.joined(daily_limit=1) == first


@pytest.mark.parametrize("account", ["another", "", None])
async def test_another_account_sees_and_changes_nothing_of_this_ones(asking: Asking, account: str | None) -> None:
    reference, doubt = await asking.reserved(), await asking.reserved(fingerprint="f-2")
    await asking.ledger.created(reference, "8812", "processing")
    await asking.ledger.unconfirmed(doubt)
    before = await asking.ledger.recent("local", 9)
    asking.hand.account = account
    for name in (reference, "8812", doubt):
        assert await asking.ledger.find("local", name) is None
    assert await asking.ledger.find_many("local", ["8812"]) == {}
    assert await asking.ledger.recent("local", 9) == []
    await asking.ledger.seen("8812", "succeed")
    await asking.ledger.saved("8812", 0, "/pictures/0.png")
    asking.hand.account = "an-account"
    assert await asking.ledger.recent("local", 9) == before


async def test_what_was_sent_for_an_account_is_written_down_though_the_keys_have_changed(asking: Asking) -> None:
    first, second, third = [await asking.reserved(fingerprint=f"f-{number}") for number in range(3)]
    asking.hand.account = "another"
    await asking.ledger.created(first, "8812", "submitted")
    await asking.ledger.refused(second, 1102)
    await asking.ledger.unconfirmed(third)
    asking.hand.account = "an-account"
    states = [job.state for job in await asking.ledger.recent("local", 9)]
    assert states == ["unconfirmed", "refused", "created"]


async def test_without_keys_nothing_is_written_down(asking: Asking) -> None:
    asking.hand.account = None
    with pytest.raises(LedgerError, match="keys of the Kling account are missing"):
        await asking.wish()
    asking.hand.account = "an-account"
    assert await asking.ledger.recent("local", 9) == []


def test_an_account_is_its_origin_and_its_access_key_or_its_api_key() -> None:
    pair = account_of(access_key="a", secret_key="s")
    assert account_of(access_key="a", secret_key="another") == pair
    assert account_of("https://KLING.example/", access_key="a", secret_key="s") == pair
    others = [
        account_of(access_key="b", secret_key="s"),
        account_of(api_key="a"),
        account_of(api_key="b"),
        account_of("https://kling.example:8443", access_key="a", secret_key="s"),
        account_of("https://beijing.example", access_key="a", secret_key="s"),
    ]
    assert len({pair, *others, None}) == len(others) + 2
    assert account_of() is None


def test_keys_that_are_only_half_there_are_no_account() -> None:
    client = KlingClient("https://kling.example", lambda: Credentials.from_env({"KLING_ACCESS_KEY": "a"}))
    assert client.account() is None


async def test_with_other_keys_the_same_try_on_is_made_on_the_other_account(world: World) -> None:
    other = Account.with_fresh_keys()
    world.kling.accounts.append(other)
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
        assert (await assistant.create()).try_on.reused
        world.keys = Credentials(api_key=SecretStr(next(iter(other.api_keys))))
        second = (await assistant.create()).try_on
        assert not second.reused
        assert second.task_id != first.task_id
        # The other account's Kling knows nothing of it, and what is written about it is not shown as an answer.
        assert (await assistant.get(first.task_id)).is_error
        world.keys = None
        assert (await assistant.get(first.task_id)).try_on.task_id == first.task_id
    assert world.posts == 2


async def test_a_new_secret_of_the_same_access_key_is_the_same_account(world: World) -> None:
    world.keys = key_pair(world.kling)
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
        access, _ = world.kling.key_pair
        world.kling.accounts[0].key_pairs[access] = "a-new-secret-a-new-secret-a-new-1"
        world.keys = key_pair(world.kling)
        assert (await assistant.create()).try_on.task_id == first.task_id
    assert world.posts == 1


async def test_a_create_whose_keys_change_while_it_waits_is_not_sent_to_the_other_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Account.with_fresh_keys()
    world.kling.accounts.append(other)
    world.kling.faults.next_create(faults.Refuse(1303))
    passes = world.time.sleep

    async def keys_change(seconds: float) -> None:
        if world.posts == 1:
            world.keys = Credentials(api_key=SecretStr(next(iter(other.api_keys))))
        await passes(seconds)

    monkeypatch.setattr(world.time, "sleep", keys_change)
    async with world.server() as assistant:
        said = await assistant.create(wait_seconds=30)
        assert said.nothing_created, said.text
        assert "keys of the Kling account were changed" in said.text
        assert world.posts == 1
        assert not (await assistant.create()).try_on.reused
