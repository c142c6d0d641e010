"""Random lives of one branch, compared at every step with a model that fits on a page."""

from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Entry, Record
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.verbs import Commit
from lion_broker.mail.wire import WireMail
from tests.conformance.road import TURN, Road, texts, wait_until

LEASES = st.sampled_from([1, 60_000])
BATCHES = st.integers(1, 3)


@dataclass
class Owner:
    """Who holds the branch, as the owner sees it."""

    token: str
    lease_ms: int
    cursor: str
    version: int
    holds: list[Entry]

    @property
    def lost(self) -> bool:
        """Whether its lease runs out about now."""
        return self.lease_ms == 1


class Life(RuleBasedStateMachine):
    """One pooled branch: its ready entry is queued, read or absent, and it has one owner or none."""

    exchange: ClassVar[Exchange]

    def __init__(self) -> None:
        super().__init__()
        self.road = Road(self.exchange).open()
        self.road.pooled("ada")
        self.numbers = count()
        self.tokens = count()
        self.waiting: list[int] = []
        self.handled: list[int] = []
        self.handed_out = 0
        self.tries = 0
        self.mark = "absent"
        self.gives = False
        self.unused = False
        self.entry = ""
        self.owner: Owner | None = None
        self.fenced: list[Commit] = []
        self.last: Commit | None = None

    @rule(size=st.integers(1, 3))
    def post(self, size: int) -> None:
        """Mail comes; an idle branch becomes ready."""
        numbers = [next(self.numbers) for _ in range(size)]
        self.road.say("x", "ada", *numbers)
        self.waiting += numbers
        if self.mark == "absent":
            self.mark, self.gives = "queued", size == 1

    @rule(ahead=st.booleans())
    def read(self, ahead: bool) -> None:
        """A worker reads what is ready: one entry when one is queued, none otherwise.

        One that hands out a mail makes it the owner, though without a lease that lives, unless it reads ahead.
        """
        ready = self.road.ready(seats=0 if ahead else None)
        assert len(ready) == (self.mark == "queued")
        for one in ready:
            self.mark, self.entry = "read", one.id
            assert (one.given is not None) == (self.gives and not ahead)
            if one.given is not None:
                assert texts(one.given.entries) == self.waiting[:1]
                self.handed_out = self.tries = 1
                self.unused = True
                self.owner = Owner(one.id, 1, one.given.cursor, one.given.version, list(one.given.entries))

    @precondition(lambda self: self.mark == "read")
    @rule(batch=BATCHES, lease_ms=LEASES)
    def claim(self, batch: int, lease_ms: int) -> None:
        """A new token claims: HELD while another is alive, else it is the owner and gets the first mails."""
        token = f"t{next(self.tokens)}"

        def ask() -> Claimed:
            return self.road.claim("ada", token, self.entry, lease_ms=lease_ms, batch=batch)

        if self.owner and not self.owner.lost:
            assert ask().outcome is Outcome.HELD
            return
        claimed = wait_until(lambda: got if (got := ask()).outcome is not Outcome.HELD else None)
        assert claimed.outcome is Outcome.OK
        again = self.handed_out > 0 and not self.unused
        self.unused = False
        self.tries = self.tries + 1 if again else 1
        assert claimed.attempts == self.tries
        assert texts(claimed.entries) == self.waiting[: 1 if again else batch]
        self.handed_out = max(self.handed_out, len(claimed.entries))
        self._end_ownership()
        self.owner = Owner(token, lease_ms, claimed.cursor, claimed.version, list(claimed.entries))

    @precondition(lambda self: self.owner)
    @rule(take=st.integers(0, 3), batch=st.integers(0, 3), lease_ms=LEASES, keep=st.booleans())
    def commit(self, take: int, batch: int, lease_ms: int, keep: bool) -> None:
        """The owner handles some of what it holds, and keeps the rest or drops it."""
        owner = self.owner
        assert owner is not None
        verb = self._turn(owner, take, batch, lease_ms, keep)
        done, kept = len(owner.holds[:take]), owner.holds[take:] if keep else []
        answer = self.road.call(verb)
        self.handled += self.waiting[:done]
        del self.waiting[:done]
        self.handed_out = max(0, self.handed_out - done)
        self.unused = False
        self.last = verb
        assert (answer.cursor, answer.version) == (verb.consumed, owner.version + 1)
        if batch == 0 or not self.waiting:
            assert (answer.outcome, answer.entries) == (Outcome.DRAINED, ())
            self._let_go()
            return
        assert answer.outcome is Outcome.OK
        come = texts(answer.entries)
        assert come == self.waiting[len(kept) :][: len(come)]
        assert (len(self.waiting) > len(kept)) <= len(come) <= batch
        self.handed_out, self.tries = max(self.handed_out, len(kept) + len(come)), 1
        self.owner = Owner(owner.token, lease_ms, answer.cursor, answer.version, [*kept, *answer.entries])

    @precondition(lambda self: self.last)
    @rule()
    def repeat(self) -> None:
        """The last commit again: ALREADY for the owner that made it, FENCED for everyone else."""
        assert self.last is not None
        mine = self.owner is not None and self.owner.token == self.last.token
        assert self.road.call(self.last).outcome is (Outcome.ALREADY if mine else Outcome.FENCED)

    @precondition(lambda self: self.fenced)
    @rule()
    def wake_a_zombie(self) -> None:
        """Whoever lost the branch cannot commit, nor renew, nor release."""
        verb = self.fenced[-1]
        assert self.road.call(verb).outcome is Outcome.FENCED
        assert self.road.renew("ada", verb.token) is Outcome.FENCED
        assert self.road.release("ada", verb.token) is Outcome.FENCED

    @precondition(lambda self: self.owner)
    @rule()
    def release(self) -> None:
        """The owner hands back; what waits is ready for others at once."""
        assert self.owner is not None
        assert self.road.release("ada", self.owner.token) is Outcome.OK
        self._end_ownership()
        self._let_go()

    @rule()
    def sweep(self) -> None:
        """An entry that was read goes to others when no owner is alive."""
        if self.mark != "read":
            assert self.road.sweep() == Swept()
        elif self.owner and not self.owner.lost:
            assert self.road.sweep() == Swept(seen=1)
        else:
            self.road.give_away()
            self.mark, self.gives, self.unused = "queued", False, False

    @invariant()
    def stands_where_it_should(self) -> None:
        """Counters and the branch's record agree with the model."""
        record = self.road.branch("ada")
        assert record.waiting == len(self.waiting)
        counters = self.road.record().counters
        assert (counters["inflight"], counters["applied"]) == (len(self.waiting), len(self.handled))
        assert (self.mark == "absent") == (not self.waiting)

    def teardown(self) -> None:
        """In the end the log holds what was handled, in the order of sending, each once."""
        log = [entry.record for entry in self.road.log("ada") if entry.record.kind == "heard"]
        assert [read_json(record.body, "record") for record in log] == self.handled
        assert self.handled + self.waiting == list(range(next(self.numbers)))

    def _turn(self, owner: Owner, take: int, batch: int, lease_ms: int, keep: bool) -> Commit:
        stand = Claimed(Outcome.OK, owner.cursor, owner.version, entries=tuple(owner.holds))
        heard = tuple(Record("heard", e.mail.body) for e in owner.holds[:take] if isinstance(e.mail, WireMail))
        parts = {"after": owner.holds[-1].id} if keep and owner.holds else {}
        return self.road.turn(
            "ada", owner.token, stand, take, records=heard or (TURN,), batch=batch, lease_ms=lease_ms, **parts
        )

    def _end_ownership(self) -> None:
        if self.owner:
            self.fenced.append(self._turn(self.owner, 1, 1, 1, keep=False))
        self.owner = None

    def _let_go(self) -> None:
        self.owner, self.handed_out, self.tries = None, 0, 0
        self.mark, self.gives, self.unused = "queued" if self.waiting else "absent", False, False


def test_random_lives_follow_the_model(exchange: Exchange) -> None:
    """Posting, reading, claiming, committing, releasing and sweeping in any order do what the model says."""
    where = exchange

    class LifeHere(Life):
        exchange = where

    chosen = settings(
        max_examples=40,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LifeHere, settings=chosen)
