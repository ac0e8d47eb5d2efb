"""What a caller is told about the account: what is left, what was used today, and what is not known."""

from datetime import UTC, datetime

from kolors_mcp.jobs.account import PacksRead
from kolors_mcp.models import Account, Pack
from kolors_mcp.wording import plain

PRICE_USD = 0.07
"""Of one try-on, as others report it; the vendor sells packs."""
MAX_PACK_NAME_CHARACTERS = 80
MAX_PACK_STATUS_CHARACTERS = 20
OWNERS = "several users share the account, so what is left on it is told to its owner alone"
LATE = "Kling's figures can be 12 hours late"


def account_of(read: PacksRead, spent_today: int | None, *, daily_limit: int | None, sandbox: bool) -> Account:
    """Return the answer about an account.

    Args:
        read: Its packs, as Kling has just told them.
        spent_today: How many creates may have cost money today; None if the ledger cannot tell.
        daily_limit: Most of them a day, if there is a limit.
        sandbox: Whether a simulated Kling answers.
    """
    from kolors_mcp.kling.account import units_left  # noqa: PLC0415  (the HTTP client is loaded on first use)

    left = units_left(read.packs)
    return Account(
        units_left=left,
        packs=tuple(
            Pack(
                name=plain(pack.name, MAX_PACK_NAME_CHARACTERS),
                units_left=pack.units_left,
                units_total=pack.units_total,
                expires_at=None if pack.expires_at is None else pack.expires_at.replace(microsecond=0),
                status=plain(pack.status, MAX_PACK_STATUS_CHARACTERS),
            )
            for pack in read.packs
        ),
        creates_today=spent_today,
        daily_limit=daily_limit,
        price_usd=PRICE_USD,
        as_of=datetime.fromtimestamp(read.at, UTC).replace(microsecond=0),
        sandbox=sandbox,
        notes=(LATE, *_unknown(read, left)),
    )


def shared_account(spent_today: int | None, *, daily_limit: int | None, sandbox: bool) -> Account:
    """Return what one of those is told who share an account: nothing of what is left on it, which is its owner's.

    Args:
        spent_today: As `account_of`, of this user's creates.
        daily_limit: Most of them a day for each user, if there is a limit.
        sandbox: Whether a simulated Kling answers.
    """
    return Account(creates_today=spent_today, daily_limit=daily_limit, sandbox=sandbox, notes=(OWNERS,))


def _unknown(read: PacksRead, left: float | None) -> tuple[str, ...]:
    if left is not None:
        return ()
    if not read.packs:
        return ("Kling lists no pack, so the units left are unknown",)
    if not any(pack.is_for_try_ons for pack in read.packs):
        return ("no pack has a name of try-ons, so it is unknown which of them pays for one",)
    if any(pack.is_unclear for pack in read.packs if pack.is_for_try_ons):
        return ("Kling does not say in a known word whether a pack can be used, so the units left are unknown",)
    return ("Kling does not say how much is left in a pack, so the units left are unknown",)
