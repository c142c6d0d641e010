"""One session of an exchange under test, with short words for what tests ask of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import (
    BranchRecord,
    BranchSeed,
    Burial,
    Claimed,
    Committed,
    DeadLetter,
    Entry,
    LogRecord,
    Moved,
    Occurrence,
    Posted,
    ReadyEntry,
    Record,
    SessionRecord,
)
from lion_broker.mail.verbs import (
    Claim,
    CloseBranch,
    Collect,
    Commit,
    CreateBranch,
    CreateSession,
    Post,
    ReadBranches,
    ReadDead,
    ReadEvents,
    ReadInbox,
    ReadLog,
    ReadReady,
    ReadSession,
    Receive,
    Release,
    Renew,
    Send,
    Station,
    Sweep,
    Verb,
)
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.testing import wait_until as wait_until

T = TypeVar("T")

Stand = Claimed | Committed
"""Where a branch stands and what it was given: a turn begins with one and ends with the next."""

BEGUN = Record("begun", b"{}")
TURN = Record("turn", b'{"step":1}')


def texts(entries: Iterable[Entry | DeadLetter]) -> list[Any]:
    """What the mails of some entries or dead letters say, in order."""
    return [entry.mail.item() for entry in entries if isinstance(entry.mail, WireMail)]


@dataclass
class Road:
    """A session and a pool of its own on `exchange`; branches are named by short words."""

    exchange: Exchange
    delivery: str = "auto"
    cap: int = 0
    cap_bytes: int = 0
    session: str = field(default_factory=lambda: f"session-{uuid4().hex}")
    pool: str = field(default_factory=lambda: f"pool-{uuid4().hex}")
    branches: list[str] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def open(self) -> Road:
        """Create the session."""
        verb = CreateSession(self.session, {"delivery": self.delivery}, self.cap, self.cap_bytes)
        assert self.call(verb) is Outcome.OK
        return self

    def call(self, verb: Verb[T]) -> T:
        """Ask one verb of the exchange."""
        return self.exchange.call(verb)

    def pooled(self, *names: str) -> None:
        """Create branches that live on the workers of the pool."""
        for name in names:
            self._create(BranchSeed(name, pool=self.pool, behaviour="echo"))

    def local(self, *names: str, token: str = "mine", lease_ms: int = 60_000) -> None:
        """Create branches that live in the process of the bearer of `token`."""
        for name in names:
            self._create(BranchSeed(name), token=token, lease_ms=lease_ms)

    def _create(self, seed: BranchSeed, **options: Any) -> None:
        assert self.call(CreateBranch(self.session, seed, (BEGUN,), **options)) is Outcome.OK
        self.branches.append(seed.id)

    def close(self, branch: str, **options: Any) -> Outcome:
        """Close a branch."""
        return self.call(CloseBranch(self.session, branch, **options))

    def mail(
        self,
        sender: str,
        recipient: str,
        item: Any = "hello",
        category: PackageCategory = PackageCategory.NODE,
        delay_ms: int = 0,
    ) -> WireMail:
        """Write a mail that says `item`."""
        header = Header(self.session, sender, recipient, str(category))
        return WireMail(header, encode_json(item, "item"), delay_ms=delay_ms)

    def command(self, recipient: str, item: Any = "do it", sender: str = "") -> WireMail:
        """Write a command, by default in the name of the session."""
        return self.mail(sender or self.session, recipient, item, PackageCategory.COMMAND)

    def post(self, *mails: WireMail) -> Posted:
        """Post under the next number of this road's producer."""
        return self.call(Post(self.session, "road", next(self._numbers), mails))

    def say(self, sender: str, recipient: str, *items: Any) -> None:
        """Post one mail for each item, all in one call, and insist on OK."""
        posted = self.post(*(self.mail(sender, recipient, item) for item in items))
        assert posted == Posted(Outcome.OK)

    def collect(self, *branches: str, **options: Any) -> Moved:
        """Collect from some outboxes, or from all when none is named."""
        return self.call(Collect(self.session, branches or None, **options))

    def send(self, *recipients: str, **options: Any) -> Moved:
        """Send to some recipients, or to all when none is named."""
        return self.call(Send(self.session, recipients or None, **options))

    def move_all(self, verb: Collect | Send | Receive) -> Moved:
        """Repeat a verb until there is no more to move; the sums of all answers."""
        count, dead, targets = 0, 0, dict[str, str]()
        for _ in range(1000):
            moved = self.call(verb)
            count, dead = count + moved.count, dead + moved.dead
            targets.update(moved.targets)
            if not moved.more:
                return Moved(count, dead, targets=targets)
            if isinstance(verb, Send):
                verb = replace(verb, resume=moved.resume)
        raise AssertionError(f"{verb} never came to an end")

    def receive(self, *branches: str, **options: Any) -> Moved:
        """Receive for some branches, or for all when none is named."""
        return self.call(Receive(self.session, branches or None, **options))

    def ready(
        self, owner: str = "worker", count: int = 100, wait_ms: int = 0, seats: int | None = None, overflow: bool = True
    ) -> tuple[ReadyEntry, ...]:
        """Read ready entries of the pool; each is given out once."""
        return self.call(ReadReady(self.pool, owner, count, wait_ms, seats, overflow))

    def entry(self, branch: str, owner: str = "worker", seats: int | None = None) -> str:
        """Read the one ready entry there is, which must be of `branch`, and return its id."""
        (ready,) = self.ready(owner, seats=seats)
        assert (ready.session, ready.branch) == (self.session, branch)
        return ready.id

    def given(self, branch: str, owner: str = "worker") -> tuple[str, Claimed]:
        """Read the one ready entry there is, which must hand out a mail of `branch`: its id, and what comes with it."""
        (ready,) = self.ready(owner)
        assert (ready.session, ready.branch) == (self.session, branch)
        assert ready.given is not None
        return ready.id, ready.given

    def claim(self, branch: str, token: str, entry: str = "", **options: Any) -> Claimed:
        """Claim a branch with the ready entry that was read."""
        pool = self.pool if entry else ""
        return self.call(Claim(self.session, branch, token, entry, pool, f"owner of {token}", **options))

    def take(self, branch: str, token: str = "t1", **options: Any) -> Claimed:
        """Read the one ready entry and claim its branch, insisting on OK."""
        claimed = self.claim(branch, token, self.entry(branch), **options)
        assert claimed.outcome is Outcome.OK
        return claimed

    def turn(self, branch: str, token: str, at: Stand, take: int | None = None, **parts: Any) -> Commit:
        """The commit that handles the first `take` (None: all) of the mails handed out at `at`."""
        entries = at.entries[:take]
        verb = Commit(
            session=self.session,
            branch=branch,
            token=token,
            cursor=at.cursor,
            consumed=entries[-1].id if entries else at.cursor,
            version=at.version,
            records=(TURN,),
            handled=len(entries),
        )
        return replace(verb, **parts)

    def commit(self, branch: str, token: str, at: Stand, take: int | None = None, **parts: Any) -> Committed:
        """Commit the turn that handles the first `take` (None: all) of the mails handed out at `at`."""
        return self.call(self.turn(branch, token, at, take, **parts))

    def renew(self, branch: str, token: str, **options: Any) -> Outcome:
        """Prolong one lease."""
        return self.call(Renew((Station(self.session, branch, token),), **options))[0]

    def release(self, branch: str, token: str) -> Outcome:
        """Hand one branch back."""
        return self.call(Release((Station(self.session, branch, token),)))[0]

    def sweep(self, idle_ms: int = 0, limit: int = 100) -> Swept:
        """Sweep the pool, by default without any patience."""
        return self.call(Sweep(self.pool, idle_ms, limit))

    def give_away(self) -> None:
        """Sweep until the one abandoned entry, whose lease runs out about now, has been given to others."""
        swept = wait_until(lambda: found if (found := self.sweep()).renewed or found.dropped else None)
        assert (swept.renewed, swept.dropped) == (1, 0)

    def burial(self, entry: str) -> Burial:
        """A dead letter that the mail in an entry becomes."""
        return Burial(entry, "failed", "It failed.")

    def record(self) -> SessionRecord:
        """Read the session, which must exist."""
        record = self.call(ReadSession(self.session))
        assert record is not None
        return record

    def counter(self, name: str) -> int:
        """Read one counter of the session."""
        return self.record().counters[name]

    def branch(self, branch: str) -> BranchRecord:
        """Read one branch, which must exist."""
        (record,) = self.call(ReadBranches(self.session, (branch,)))
        return record

    def log(self, branch: str) -> tuple[LogRecord, ...]:
        """Read the log of a branch."""
        return self.call(ReadLog(self.session, branch))

    def inbox(self, branch: str) -> tuple[Entry, ...]:
        """Read the inbox of a branch."""
        return self.call(ReadInbox(self.session, branch))

    def dead(self) -> tuple[DeadLetter, ...]:
        """Read the dead letters of the session."""
        return self.call(ReadDead(self.session))

    def events(self, kind: str = "") -> tuple[Occurrence, ...]:
        """Read the live tail of the session, or what it holds of one kind."""
        found = self.call(ReadEvents(self.session))
        return tuple(event for event in found if kind in ("", event.kind))

    def state(self) -> dict[str, Any]:
        """Everything that can be read without changing it; the same before and after a refusal."""
        everyone = (self.session, *self.branches)
        return {
            "session": self.call(ReadSession(self.session)),
            "branches": [self.call(ReadBranches(self.session, (name,))) for name in everyone],
            "inboxes": [self.inbox(name) for name in everyone],
            "logs": [self.log(name) for name in everyone],
            "dead": self.dead(),
            "events": self.events(),
        }
