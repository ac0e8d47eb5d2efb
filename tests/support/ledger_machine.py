"""A game that asks the ledger and a list the same, in whatever order Hypothesis thinks of."""

import anyio.from_thread
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from kolors_mcp.clock import Clock
from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.states import HELD
from tests.support.ledger_deeds import account
from tests.support.ledger_rows import DAY, LEASE, LIMIT, START, Rows

users = st.sampled_from(["ann", "bob"])
statuses = st.sampled_from(["submitted", "processing", "succeed", "failed", None])
prices = st.sampled_from([None, 0.0, 1.5])


class LedgerMachine(RuleBasedStateMachine):
    """Asks the ledger and the list the same."""

    references: Bundle[str] = Bundle("references")

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.numbers = self.started_after = 0
        self.model = Rows()
        self.loop = anyio.from_thread.start_blocking_portal()
        self.portal = self.loop.__enter__()
        self.url = self.new_place()
        self.ledger = self.portal.call(self.opened)

    def new_place(self) -> str:
        return "sqlite://"

    async def opened(self) -> Ledger:
        return await Ledger.open(
            self.url,
            clock=Clock(wall=lambda: self.now, monotonic=lambda: self.now),
            account=account,
            kling_time=lambda: self.now,
            server_time=lambda: self.now,
        )

    async def pruned(self) -> None:
        if self.ledger.pruning is not None:
            await self.ledger.pruning

    def teardown(self) -> None:
        self.portal.call(self.ledger.aclose)
        self.loop.__exit__(None, None, None)

    @rule(
        target=references,
        user=users,
        fingerprint=st.sampled_from(["f-1", "f-2"]),
        model_name=st.sampled_from([None, "v1"]),
        fresh=st.booleans(),
        limited=st.booleans(),
    )
    def wish(self, user: str, fingerprint: str, model_name: str | None, *, fresh: bool, limited: bool) -> str:
        self.numbers += 1
        reference = f"k-{self.numbers}"
        new = Job(
            reference,
            user,
            fingerprint,
            model_name,
            "sending",
            None,
            None,
            self.now,
            self.now,
            ("a", "b"),
            (),
            {},
            None,
            account(),
            "kolors-virtual-try-on",
            turn=1,
        )
        before = self.model.joined_by(user, fingerprint, model_name, self.now, fresh=fresh)
        expected: Reservation | None = (
            Reservation(new, is_new=True) if before is None else Reservation(before, is_new=False)
        )
        if before is None and limited and self.model.spent_today(user, self.now) >= LIMIT:
            expected = None
        elif before is None:
            self.model.rows.append(new)
            self.model.leases[reference] = self.now + LEASE
            self.model.fresh |= {reference} if fresh else set()

        async def reserve() -> Reservation | None:
            try:
                asked = NewJob(reference, user, fingerprint, model_name, ("a", "b"), fresh=fresh)
                return await self.ledger.reserve(asked, daily_limit=LIMIT if limited else None)
            except DailyLimitError:
                return None
            finally:
                await self.pruned()

        self.model.prune_daily(self.now)
        assert self.portal.call(reserve) == expected
        return reference

    @rule(reference=references, status=statuses, units=prices)
    def created(self, reference: str, status: str | None, units: float | None) -> None:
        row = self.model.named(reference)
        if row is None:
            return
        self.portal.call(self.ledger.created, reference, f"task of {reference}", status, units)
        if row.state != "created":
            values = {
                "state": "created",
                "task_id": f"task of {reference}",
                "status": status,
                "code": None,
                "look_at": None,
            }
            self.model.change(reference, self.now, **values)
        elif row.status not in ("succeed", "failed", status) and status is not None:
            self.model.change(reference, self.now, status=status)
        self.model.price(reference, self.now, status, units)

    @rule(reference=references, code=st.sampled_from([None, 1102, 1303]))
    def refused(self, reference: str, code: int | None) -> None:
        row = self.model.named(reference)
        if row is None:
            return
        self.portal.call(self.ledger.refused, reference, code)
        if row.state in ("sending", "posting", "unconfirmed"):
            # Kling would show it at once if it was not: none of these was refused by a busy account.
            self.model.change(reference, self.now, state="refused", code=code, look_at=self.now)

    @rule(reference=references, turn=st.integers(1, 3))
    def mark_posting(self, reference: str, turn: int) -> None:
        row = self.model.named(reference)
        may = row is not None and row.state in HELD and row.turn == turn and self.is_mine(reference)
        assert self.portal.call(self.ledger.mark_posting, reference, turn) == may
        if may:
            self.model.change(reference, self.now, state="posting", posted_at=self.now)
            self.model.leases[reference] = self.now + LEASE

    @rule(reference=references, turn=st.integers(1, 3))
    def begin_next_turn(self, reference: str, turn: int) -> None:
        row = self.model.named(reference)
        # The second of two is the first one's again, whose answer was lost.
        turns = {"sending": (turn, turn + 1), "posting": (turn,)}
        may = row is not None and row.turn in turns.get(row.state, ()) and self.is_mine(reference)
        assert self.portal.call(self.ledger.begin_next_turn, reference, turn) == may
        if may:
            self.model.change(reference, self.now, state="sending", turn=turn + 1)
            self.model.leases[reference] = self.now + LEASE

    @rule()
    def renew(self) -> None:
        references = list(self.model.leases)
        self.portal.call(self.ledger.renew, references)
        for reference in references:
            if self.is_mine(reference):
                self.model.leases[reference] = self.now + LEASE

    def is_mine(self, reference: str) -> bool:
        """Whether it was written down since the last start."""
        return int(reference.removeprefix("k-")) > self.started_after

    @rule(reference=references)
    def unconfirmed(self, reference: str) -> None:
        row = self.model.named(reference)
        if row is None:
            return
        self.portal.call(self.ledger.unconfirmed, reference)
        if row.state in ("sending", "posting"):
            self.model.change(reference, self.now, state="unconfirmed")

    @rule(reference=references, status=statuses, units=prices)
    def seen(self, reference: str, status: str | None, units: float | None) -> None:
        self.portal.call(self.ledger.seen, f"task of {reference}", status, units)
        row = self.model.named(reference)
        known = row is not None and row.task_id is not None and row.status not in ("succeed", "failed", status)
        if known and status is not None:
            self.model.change(reference, self.now, status=status)
        self.model.price(reference, self.now, status, units)

    @rule(reference=references, index=st.integers(0, 2), by_task=st.booleans())
    def saved(self, reference: str, index: int, *, by_task: bool) -> None:
        name = f"task of {reference}" if by_task else reference
        self.portal.call(self.ledger.saved, name, index, f"/pictures/{self.numbers}.png")
        row = self.model.named(reference)
        if row is not None and row.state == "created":
            saved = {**row.saved, index: f"/pictures/{self.numbers}.png"}
            self.model.change(reference, self.now, saved=saved)

    @rule(seconds=st.sampled_from([0.5, 14.0, 15.0, 59.0, 300.0, 599.0, 600.0, 3600.0, DAY / 2, DAY, 35 * DAY]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def prune(self) -> None:
        assert self.portal.call(self.ledger.prune) == self.model.prune(self.now)

    @rule(gone=consumes(references))
    def forget(self, gone: str) -> None:
        """Keep the drawn references few, so that the same ones come up again."""

    @rule()
    def start_again(self) -> None:
        if self.url == "sqlite://":
            return
        self.started_after = self.numbers
        self.portal.call(self.ledger.aclose)
        self.ledger = self.portal.call(self.opened)
        self.portal.call(self.pruned)
        self.model.prune_daily(self.now)

    @invariant()
    def it_says_the_same(self) -> None:
        for user in ("ann", "bob"):
            in_hand = [row.reference for row in self.model.rows if row.user == user and row.state in HELD]
            for reference in in_hand:
                self.model.lapse(reference, self.now)
            mine = [row for row in reversed(self.model.rows) if row.user == user]
            tasks = {row.task_id: row for row in mine if row.task_id is not None}

            async def found(user: str = user, in_hand: list[str] = in_hand) -> tuple[list[Job], dict[str, Job]]:
                everything = [f"task of k-{number}" for number in range(1, self.numbers + 1)]
                for reference in in_hand:
                    # Whoever looks for one that has lapsed writes down what became of it.
                    await self.ledger.find(user, reference)
                return await self.ledger.recent(user, 999), await self.ledger.find_many(user, everything)

            assert self.portal.call(found) == (mine, tasks)
