"""Looks for a create in doubt are shared through its row: when the next is due, who takes it, what they have shown."""

import json
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import Connection, bindparam, text, update

from kolors_mcp.ledger import evidence
from kolors_mcp.ledger.doubt import Doubt, Look
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.schema import TRY_ONS, C
from tests.support.asking import DAY, HOUR, MINUTE, NOON, Asking, Hand, opened

pytestmark = pytest.mark.anyio

NOT_FOUND = Look((("reference", "Kling does not know it"), ("list", "not among the newest 3 tasks")))


async def doubted(asking: Asking, **differing: Any) -> str:
    reference = await asking.reserved(**differing)
    await asking.ledger.unconfirmed(reference)
    return reference


def names(doubts: list[Doubt]) -> list[str]:
    return [doubt.job.reference for doubt in doubts]


async def test_pauses_grow_from_two_seconds_to_an_hour_until_a_day_has_passed(asking: Asking) -> None:
    assert await asking.ledger.seconds_to_next_look() is None
    reference = await doubted(asking)
    await asking.ledger.looked({reference: NOT_FOUND})  # as its sender does, right away
    pauses: list[float] = []
    while (pause := await asking.ledger.seconds_to_next_look()) is not None:
        pauses.append(pause)
        asking.hand.now += pause / 2
        assert await asking.ledger.take_looks(9) == [], "before its time it is nobody's"
        asking.hand.now += pause / 2
        # The last pause ends when the day has passed.
        is_over = asking.hand.now >= NOON + DAY
        assert names(await asking.ledger.take_looks(9)) == ([] if is_over else [reference])
        await asking.ledger.looked({} if is_over else {reference: NOT_FOUND})
    assert pauses[:5] == [2, 2, 4, 8, 16]
    assert max(pauses) == pauses[-1] == HOUR
    assert asking.hand.now - NOON >= DAY
    assert 30 < len(pauses) < 40
    doubt = await asking.ledger.doubt(reference)
    assert doubt is not None
    assert (doubt.is_given_up, doubt.looks) == (True, len(pauses))


async def test_a_new_doubt_is_left_to_its_sender_for_a_moment_and_then_to_whoever_lives(asking: Asking) -> None:
    reference = await doubted(asking)
    assert await asking.ledger.seconds_to_next_look() == 10
    asking.hand.now += 10
    assert names(await asking.ledger.take_looks(9)) == [reference]


async def test_a_look_that_is_taken_is_nobody_elses_until_its_process_must_have_died(asking: Asking) -> None:
    reference = await doubted(asking)
    asking.hand.now += 10
    assert names(await asking.ledger.take_looks(9)) == [reference]
    assert await asking.ledger.take_looks(9) == []
    # It never comes back.
    assert await asking.ledger.seconds_to_next_look() == MINUTE
    asking.hand.now += MINUTE
    assert names(await asking.ledger.take_looks(9)) == [reference]


async def test_of_many_those_that_are_due_for_longest_are_taken_first(asking: Asking) -> None:
    first, second, third = [await doubted(asking, fingerprint=f"f-{number}") for number in range(3)]
    asking.hand.now += 10
    assert names(await asking.ledger.take_looks(1)) == [first]
    await asking.ledger.looked({first: NOT_FOUND})
    asking.hand.now += 100
    assert names(await asking.ledger.take_looks(2)) == [second, third]
    assert names(await asking.ledger.take_looks(2)) == [first]


async def taken_by_two(url: str) -> list[list[str]]:
    """What two processes take of one look, of which the second sees it due before the first has written that it is not.

    Only a server lets them: of two who write to a file, the second reads when the first is done.
    """
    async with opened(url, hand := Hand()) as asking:
        await doubted(asking)
        hand.now += 10
        taken, go_on = threading.Event(), threading.Event()
        both: list[list[str]] = []

        def first(connection: Connection) -> None:
            both.append(names(evidence.take_due(connection, hand.now, hand.account, 9)))
            taken.set()
            go_on.wait()

        def second(connection: Connection) -> None:
            execute, statements = connection.execute, 0

            def noted(*arguments: Any, **more: Any) -> Any:
                nonlocal statements
                statements += 1
                if statements == 3:
                    go_on.set()  # it has read, and is about to write
                return execute(*arguments, **more)

            connection.execute = noted
            both.append(names(evidence.take_due(connection, hand.now, hand.account, 9)))

        async with anyio.create_task_group() as group:
            group.start_soon(asking.ledger.database.write, first)
            await anyio.to_thread.run_sync(taken.wait)
            group.start_soon(asking.ledger.database.write, second)
    return both


async def test_two_processes_that_see_the_same_look_due_do_not_both_take_it(postgres_url: str) -> None:
    assert await taken_by_two(postgres_url) == [["k-1"], []]


async def test_without_comparing_what_was_read_both_would_take_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyhow = update(TRY_ONS).where(C.reference == bindparam("ours")).values(look_at=bindparam("until"))
    monkeypatch.setattr(evidence, "_TAKE", anyhow)
    assert await taken_by_two(postgres_url) == [["k-1"], ["k-1"]]


async def test_what_is_settled_or_of_another_account_is_not_looked_for(asking: Asking) -> None:
    made, nothing, open_one = [await doubted(asking, fingerprint=f"f-{number}") for number in range(3)]
    sent = await asking.reserved(fingerprint="f-3")
    await asking.ledger.created(made, "8812", "submitted")
    await asking.ledger.refused(nothing)
    everything = [made, nothing, open_one, sent, "k-unknown"]
    assert {job.reference for job in await asking.ledger.without_task_among(everything)} == {
        nothing,
        open_one,
        sent,
    }
    await asking.ledger.created(sent, "8814", "submitted")
    asking.hand.now += 10
    asking.hand.account = "another"
    assert await asking.ledger.seconds_to_next_look() is None
    assert await asking.ledger.take_looks(9) == []
    assert await asking.ledger.without_task_among(everything) == []
    asking.hand.account = "an-account"
    assert names(await asking.ledger.take_looks(9)) == [open_one]
    await asking.ledger.created(open_one, "8813", "submitted")
    await asking.ledger.looked({open_one: NOT_FOUND, made: NOT_FOUND, "k-unknown": NOT_FOUND})
    assert await asking.ledger.seconds_to_next_look() is None
    assert await asking.ledger.doubt(open_one) is None


async def test_doubts_of_every_user_are_looked_for(asking: Asking) -> None:
    hers, his = [await doubted(asking, user=user) for user in ("ann", "bob")]
    asking.hand.now += 10
    assert names(await asking.ledger.take_looks(9)) == [hers, his]


async def test_evidence_stays_small_however_often_and_whatever_kling_answers(asking: Asking) -> None:
    reference = await doubted(asking)
    for number in range(40):
        asking.hand.now += 1
        long = Look((("reference", f"{number} " + "\0\u202e" * 5000), ("list", "x" * 10_000)), times=3)
        await asking.ledger.looked({reference: long})
    doubt = await asking.ledger.doubt(reference)
    assert doubt is not None
    assert doubt.looks == 120
    assert [finding.at for finding in doubt.findings] == [NOON + at for at in (38, 38, 39, 39, 40, 40)]
    assert [finding.answer[:3] for finding in doubt.findings[::2]] == ["37…", "38…", "39…"]

    def stored(connection: Connection) -> Any:
        return connection.execute(text("SELECT evidence FROM kolors_try_ons")).scalar_one()

    kept = await asking.ledger.database.read(stored)
    assert len(kept if isinstance(kept, str) else json.dumps(kept)) < 1500
    # Only what happens to the create itself moves its times.
    assert doubt.job.updated_at == NOON


async def test_a_clock_that_is_forty_days_ahead_ends_no_looking(asking: Asking) -> None:
    if asking.ledger.database.engine.dialect.name == "postgresql":
        return  # a server's clock is believed
    await doubted(asking)
    asking.hand.kling = None
    asking.hand.now += 40 * DAY
    assert await asking.ledger.seconds_to_next_look() == 10
    assert await asking.ledger.now() == NOON


async def test_what_a_dead_process_had_in_hand_is_looked_for_once_its_lease_has_lapsed(asking: Asking) -> None:
    whole, never_whole = [await asking.reserved(fingerprint=f"f-{number}") for number in range(2)]
    assert await asking.ledger.mark_posting(whole, 1)
    assert await asking.ledger.seconds_to_next_look() == LEASE_SECONDS
    asking.hand.now += LEASE_SECONDS
    assert await asking.ledger.take_looks(9) == []
    assert (await asking.job(never_whole)).state == "refused", "nothing of it can be at Kling"
    assert await asking.ledger.seconds_to_next_look() == 10
    asking.hand.now += 10
    assert names(await asking.ledger.take_looks(9)) == [whole]
