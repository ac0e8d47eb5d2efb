"""A create is found by what people call it, whatever the case and the script, and only by those whose it is."""

import pytest

from tests.support.asking import Asking

pytestmark = pytest.mark.anyio


async def called(asking: Asking, label: str, user: str = "local", most: int = 9) -> list[str]:
    return [job.reference for job in await asking.ledger.labelled(user, label, most)]


async def test_a_label_is_kept_as_it_was_written_and_found_whatever_its_case(asking: Asking) -> None:
    for number, (label, asked) in enumerate(
        [
            ("Red Dress", "red dress"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Straße", "STRASSE"),
            ("ПАЛЬТО", "пальто"),
            ("Robe d'e\u0301te\u0301", "ROBE D'ÉTÉ"),
            ("Ｔシャツ", "tシャツ"),
            ("红色连衣裙", "红色连衣裙"),
        ]
    ):
        reference = await asking.reserved(fingerprint=f"f-{number}", label=label)
        assert await called(asking, asked) == [reference], label
        assert (await asking.job(reference)).label == label
    assert await called(asking, "red") == []


async def test_several_of_one_label_come_newest_first_and_no_more_than_asked_for(asking: Asking) -> None:
    made = [await asking.reserved(fingerprint=f"f-{number}", label="Look") for number in range(3)]
    assert await called(asking, "look") == made[::-1]
    assert await called(asking, "look", most=2) == made[:0:-1]


async def test_what_came_to_nothing_is_called_nothing(asking: Asking) -> None:
    refused = await asking.reserved(label="Look")
    await asking.ledger.refused(refused, 1301)
    doubtful = await asking.reserved(fingerprint="f-2", label="Look")
    await asking.ledger.unconfirmed(doubtful)
    assert await called(asking, "look") == [doubtful]


async def test_a_label_of_another_user_or_account_is_never_found(asking: Asking) -> None:
    hers = await asking.reserved(user="ann", label="Look")
    assert await called(asking, "Look") == []
    assert await called(asking, "Look", user="ann") == [hers]
    asking.hand.account = "another"
    assert await called(asking, "Look", user="ann") == []
    asking.hand.account = None
    assert await called(asking, "Look", user="ann") == []


async def test_a_request_that_joins_leaves_the_label_of_the_first(asking: Asking) -> None:
    first = await asking.reserved(label="Look")
    assert await asking.joined(label="Another") == first
    assert (await asking.job(first)).label == "Look"
    assert await called(asking, "Another") == []


async def test_what_is_written_as_a_label_is_one_short_line_without_hidden_characters(asking: Asking) -> None:
    reference = await asking.reserved(label="Red\u202e\n\u200bdress\0 " + "x" * 100)
    label = (await asking.job(reference)).label
    assert label is not None
    assert label.startswith("Red dress xxx")
    assert len(label) == 60
    assert (await asking.job(await asking.reserved(fingerprint="f-2", label="\u200b"))).label is None
