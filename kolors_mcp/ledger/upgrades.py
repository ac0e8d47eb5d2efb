"""How an older layout of the ledger becomes the next one: each step as it was when that layout was the newest.

Nothing here is taken from `schema`, which always says the newest layout; a step that was released never changes.
"""

from collections.abc import Callable

from sqlalchemy import Connection, text

Upgrade = Callable[[Connection], None]

LAYOUT_1 = (
    "id, reference, owner, fingerprint, model_name, state, task_id, status, created_at, updated_at, "
    "labels, notes, saved, code"
)
ADDED_IN_2 = (
    "label VARCHAR",
    "holder VARCHAR",
    "turn INTEGER",
    "lease_until DOUBLE PRECISION",
    "tag VARCHAR",
    "posted_at DOUBLE PRECISION",
    "final_at DOUBLE PRECISION",
    "shelved VARCHAR",
    "callback_url VARCHAR",
    "fresh VARCHAR",
    "look_at DOUBLE PRECISION",
    "evidence JSON",
    "units DOUBLE PRECISION",
)
STATES_OF_2 = "state in ('waiting', 'sending', 'posting', 'created', 'refused', 'unconfirmed')"
OPEN_IN_2 = "state in ('waiting', 'sending', 'posting', 'unconfirmed')"
INDEXES_OF_1 = ("kolors_try_ons_wish", "kolors_try_ons_day", "kolors_try_ons_task")
INDEXES_OF_2 = (
    "kolors_try_ons_wish ON kolors_try_ons (owner, account, fingerprint, id)",
    "kolors_try_ons_latest ON kolors_try_ons (owner, account, id)",
    "kolors_try_ons_day ON kolors_try_ons (owner, account, created_at) WHERE state <> 'refused'",
    f"kolors_try_ons_open ON kolors_try_ons (owner, account, state, id) WHERE {OPEN_IN_2}",
    "kolors_try_ons_task ON kolors_try_ons (task_id)",
    "kolors_try_ons_unclaimed ON kolors_try_ons (id) WHERE account = ''",
)


def to_layout_2(connection: Connection) -> None:
    """Give each row an account (still unknown) and an endpoint, and add the columns of all that is planned.

    A program that knows only layout 1 and has the ledger open can write no new row from here on, since its rows have
    no account; what it has sent already it can still write down.
    """

    def do(statement: str) -> None:
        connection.execute(text(statement))

    for index in INDEXES_OF_1:
        do(f"DROP INDEX {index}")
    if connection.dialect.name == "sqlite":
        # SQLite cannot change the check of a table, so the table is made anew.
        do("ALTER TABLE kolors_try_ons RENAME TO kolors_try_ons_1")
        do(
            "CREATE TABLE kolors_try_ons (id INTEGER NOT NULL, reference VARCHAR NOT NULL, owner VARCHAR NOT NULL, "
            "fingerprint VARCHAR NOT NULL, model_name VARCHAR, state VARCHAR NOT NULL, task_id VARCHAR, "
            "status VARCHAR, created_at DOUBLE NOT NULL, updated_at DOUBLE NOT NULL, labels JSON NOT NULL, "
            "notes JSON NOT NULL, saved JSON NOT NULL, code INTEGER, account VARCHAR NOT NULL, "
            f"endpoint VARCHAR NOT NULL, {', '.join(ADDED_IN_2).replace(' PRECISION', '')}, PRIMARY KEY (id), "
            f"CONSTRAINT kolors_try_ons_state CHECK ({STATES_OF_2}), UNIQUE (reference))"
        )
        do(
            f"INSERT INTO kolors_try_ons ({LAYOUT_1}, account, endpoint) "  # noqa: S608  (all of it is in this file)
            f"SELECT {LAYOUT_1}, '', 'kolors-virtual-try-on' FROM kolors_try_ons_1"
        )
        do("DROP TABLE kolors_try_ons_1")
    else:
        added = ", ".join(f"ADD COLUMN {column}" for column in ADDED_IN_2)
        do(
            "ALTER TABLE kolors_try_ons ADD COLUMN account VARCHAR NOT NULL DEFAULT '', "
            "ADD COLUMN endpoint VARCHAR NOT NULL DEFAULT 'kolors-virtual-try-on', "
            f"{added}, DROP CONSTRAINT kolors_try_ons_state, "
            f"ADD CONSTRAINT kolors_try_ons_state CHECK ({STATES_OF_2})"
        )
        do("ALTER TABLE kolors_try_ons ALTER COLUMN account DROP DEFAULT, ALTER COLUMN endpoint DROP DEFAULT")
    # It has not changed since, unless a picture was saved, which is right after.
    do("UPDATE kolors_try_ons SET final_at = updated_at WHERE status IN ('succeed', 'failed')")
    # The process that was sending it says so once the answer is there; no other can know how far it came.
    do("UPDATE kolors_try_ons SET state = 'unconfirmed' WHERE state = 'sending'")
    # The time of an older ledger is that of its latest row, whatever the clock shows that opens it.
    times = "SELECT updated_at AS moment FROM kolors_try_ons UNION ALL SELECT value FROM kolors_ledger WHERE name = "
    do(f"INSERT INTO kolors_ledger SELECT 'clock', max(moment) FROM ({times} 'pruned_at') AS times")  # noqa: S608
    for index in INDEXES_OF_2:
        do(f"CREATE INDEX {index}")


def to_layout_3(connection: Connection) -> None:
    """Give each row room for its label as it is looked for. No row has a label yet."""
    connection.execute(text("ALTER TABLE kolors_try_ons ADD COLUMN label_key VARCHAR"))
    connection.execute(
        text(
            "CREATE INDEX kolors_try_ons_label ON kolors_try_ons (owner, account, label_key, id) "
            "WHERE label_key IS NOT NULL"
        )
    )


def to_layout_4(connection: Connection) -> None:
    """Make room for the line of each account, and for the questions about it. Nobody waits in it yet."""
    connection.execute(
        text(
            "CREATE TABLE kolors_lines (account VARCHAR NOT NULL, clock BIGINT NOT NULL, slots INTEGER NOT NULL, "
            "learned_slots INTEGER, learned_until DOUBLE PRECISION, PRIMARY KEY (account))"
        )
    )
    for index in (
        f"kolors_try_ons_line ON kolors_try_ons (account, state, tag, id) WHERE {OPEN_IN_2}",
        "kolors_try_ons_running ON kolors_try_ons (account, look_at) WHERE state = 'created' AND final_at IS NULL",
        "kolors_try_ons_shelved ON kolors_try_ons (account, id) WHERE shelved IS NOT NULL",
    ):
        connection.execute(text(f"CREATE INDEX {index}"))


UPGRADES: tuple[Upgrade, ...] = (to_layout_2, to_layout_3, to_layout_4)
"""The first makes layout 2 of layout 1, and so on."""
