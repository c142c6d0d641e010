"""Random lives of branches that write to each other, compared at every step with a model of their stations."""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Posted, Record
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.verbs import Commit, Post
from lion_broker.mail.wire import WireMail, encode_json
from tests.conformance.places import LIVING, Place
from tests.conformance.road import Road, texts, wait_until

NAMES = ("ada", "ben", "cleo")
NAME = st.sampled_from(NAMES)
PICK = st.integers(0, 5)
SOME = st.lists(NAME, min_size=1, max_size=3)
LOST = 1
LEASES = st.sampled_from([LIVING, LIVING, LOST])


class Correspondence(RuleBasedStateMachine):
    """Three pooled branches and whoever owns them; mail goes out with posts and with commits."""

    exchange: ClassVar[Exchange]
    delivery: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.road = Road(self.exchange, self.delivery).open()
        self.road.pooled(*NAMES)
        self.places = {name: Place(name) for name in NAMES}
        self.numbers, self.tokens = count(), count()
        self.sent: list[Any] = []
        self.dead: list[Any] = []
        self.posts = 0

    @rule(sender=NAME, recipients=SOME, lost=st.booleans())
    def post(self, sender: str, recipients: list[str], lost: bool) -> None:
        """Mail from outside of a turn, all of it or none; when the answer is lost, the same again is a DUPLICATE."""
        mails = self._write(sender, recipients)
        verb = Post(self.road.session, "outside", self.posts + 1, mails)
        refused = next((name for name in self._asked(sender, recipients) if not self.places[name].open), "")
        if refused:
            assert self.road.call(verb) == Posted(Outcome.CLOSED, refused)
            return
        assert self.road.call(verb) == Posted(Outcome.OK)
        self.posts += 1
        self._go_out(sender, [mail.item() for mail in mails])
        if lost:
            assert self.road.call(verb) == Posted(Outcome.DUPLICATE)

    def _asked(self, sender: str, recipients: list[str]) -> Iterable[str]:
        """The branches that a post looks at, in that order."""
        for recipient in recipients:
            yield recipient
            yield sender

    @rule(ahead=st.booleans())
    def read(self, ahead: bool) -> None:
        """A worker reads everything that is ready, and is slow; it is the owner of what is handed out with the mark."""
        queued = [place for place in self.places.values() if place.mark == "queued"]
        ready = self.road.ready(seats=0 if ahead else None)
        assert sorted(entry.branch for entry in ready) == sorted(place.name for place in queued)
        for entry in ready:
            place = self.places[entry.branch]
            place.entry, place.mark = entry.id, "read"
            assert (entry.given is not None) == (place.gives and not ahead)
            if entry.given is not None:
                self._comes(place, 0, texts(entry.given.entries))
                place.owner, place.lease_ms = entry.id, LOST
                place.stand, place.holds = entry.given, list(entry.given.entries)

    @precondition(lambda self: self._some("ready"))
    @rule(pick=PICK, batch=st.integers(1, 3), lease_ms=LEASES, lost=st.booleans())
    def take(self, pick: int, batch: int, lease_ms: int, lost: bool) -> None:
        """A worker reads what is ready and claims a branch at once."""
        self.read(ahead=True)
        self.claim(self._one("ready", pick).name, batch, lease_ms, lost)

    @rule(name=NAME, batch=st.integers(1, 3), lease_ms=LEASES, lost=st.booleans())
    def claim(self, name: str, batch: int, lease_ms: int, lost: bool) -> None:
        """A new token claims with the entry that was read last, be it the mark or not; perhaps it has to ask twice."""
        place, token = self.places[name], f"t{next(self.tokens)}"

        def ask() -> Claimed:
            return self.road.claim(name, token, place.entry or "1-1", lease_ms=lease_ms, batch=batch)

        if not place.open:
            assert ask().outcome is Outcome.CLOSED
            return
        if place.lives:
            assert ask().outcome is Outcome.HELD
            return
        claimed = wait_until(lambda: got if (got := ask()).outcome is not Outcome.HELD else None)
        if place.mark != "read":
            assert claimed.outcome is Outcome.GONE
            return
        assert claimed.outcome is Outcome.OK
        self._comes(place, 0, texts(claimed.entries))
        assert 1 <= len(claimed.entries) <= batch
        if lost and lease_ms == LIVING:
            again = ask()
            assert (again.outcome, again.attempts) == (Outcome.OK, claimed.attempts)
            claimed = again
        self._forget_owner(name)
        place.owner, place.lease_ms = token, lease_ms
        place.stand, place.holds = claimed, list(claimed.entries)

    @precondition(lambda self: self._some("owned"))
    @rule(
        pick=PICK,
        take=st.integers(0, 3),
        batch=st.integers(0, 3),
        lease_ms=LEASES,
        to=st.lists(NAME, max_size=2),
        lost=st.booleans(),
    )
    def commit(self, pick: int, take: int, batch: int, lease_ms: int, to: list[str], lost: bool) -> None:
        """An owner ends a turn that also sends; after a lost answer it asks again and has had one effect."""
        place = self._one("owned", pick)
        name = place.name
        mails = self._write(name, to)
        verb = self._turn(name, take, mails, batch=batch, lease_ms=lease_ms)
        done = texts(place.holds[:take])
        answer = self.road.call(verb)
        place.handled += done
        del place.mailbox[: len(done)]
        place.last = verb
        self._go_out(name, [mail.item() for mail in mails], dead=True)
        assert (answer.cursor, answer.version) == (verb.consumed, verb.version + 1)
        if lost:
            again = self.road.call(verb)
            word = Outcome.FENCED if answer.outcome is Outcome.DRAINED else Outcome.ALREADY
            assert (again.outcome, again.cursor, again.version) == (word, answer.cursor, answer.version)
        if batch == 0 or not place.mailbox:
            assert (answer.outcome, answer.entries) == (Outcome.DRAINED, ())
            self._let_go(place)
            return
        assert answer.outcome is Outcome.OK
        kept = place.holds[take:]
        self._comes(place, len(kept), texts(answer.entries))
        place.lease_ms, place.stand, place.holds = lease_ms, answer, [*kept, *answer.entries]

    @precondition(lambda self: self._some("ready"))
    @rule(pick=PICK, to=st.lists(NAME, max_size=2), lost=st.booleans())
    def work(self, pick: int, to: list[str], lost: bool) -> None:
        """A worker reads, claims, handles everything it is given and sends something."""
        name = self._one("ready", pick).name
        self.read(ahead=True)
        self.claim(name, 3, LIVING, lost)
        owned = [place.name for place in self.places.values() if place.owned]
        self.commit(owned.index(name), 3, 3, LIVING, to, lost)

    @precondition(lambda self: self._some("last"))
    @rule(pick=PICK)
    def repeat_an_old_commit(self, pick: int) -> None:
        """The last commit once more, whatever has happened since, changes nothing."""
        place = self._one("last", pick)
        assert place.last is not None
        mine = place.owner == place.last.token
        assert self.road.call(place.last).outcome is (Outcome.ALREADY if mine else Outcome.FENCED)

    @precondition(lambda self: self._some("fenced"))
    @rule(pick=PICK)
    def wake_a_zombie(self, pick: int) -> None:
        """Whoever lost a branch can neither commit nor send, renew, or release."""
        verb = self._one("fenced", pick).fenced[-1]
        assert self.road.call(verb).outcome is Outcome.FENCED
        assert self.road.renew(verb.branch, verb.token) is Outcome.FENCED
        assert self.road.release(verb.branch, verb.token) is Outcome.FENCED

    @precondition(lambda self: self._some("owned"))
    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        """An owner hands back what it has."""
        place = self._one("owned", pick)
        assert self.road.release(place.name, place.owner) is Outcome.OK
        self._forget_owner(place.name)
        self._let_go(place)

    @rule()
    def sweep(self) -> None:
        """What was read and has no living owner goes to others."""
        read = [place for place in self.places.values() if place.mark == "read"]
        abandoned = [place for place in read if not place.lives]
        given: list[int] = []

        def swept() -> bool:
            answer = self.road.sweep()
            given.append(answer.renewed)
            assert answer.dropped == 0
            return sum(given) == len(abandoned)

        wait_until(swept)
        for place in abandoned:
            place.mark, place.gives = "queued", False

    @precondition(lambda self: sum(place.open for place in self.places.values()) > 1)
    @rule(name=NAME, chance=st.integers(0, 9))
    def close(self, name: str, chance: int) -> None:
        """Now and then a branch is removed: what waits for it is dead, what it has sent goes on."""
        place = self.places[name]
        if chance or not place.open:
            return
        assert self.road.close(name) is Outcome.OK
        self.dead += [*place.mailbox, *place.inbox, *place.transit]
        self._forget_owner(name)
        place.open, place.mark = False, "absent"
        place.mailbox, place.inbox, place.transit = [], [], []

    @precondition(lambda self: self.delivery == "manual")
    @rule(names=st.none() | SOME)
    def collect(self, names: list[str] | None) -> None:
        """Outboxes are emptied into the exchange."""
        self.road.collect(*dict.fromkeys(names or ()))
        for place in self._chosen(names):
            for mail in place.outbox:
                recipient = self.places[mail[1]]
                (recipient.transit if recipient.open else self.dead).append(mail)
            place.outbox = []

    @precondition(lambda self: self.delivery == "manual")
    @rule(names=st.none() | SOME, straight=st.booleans())
    def send(self, names: list[str] | None, straight: bool) -> None:
        """What was collected, and what is still in outboxes, is delivered; perhaps it is received as well."""
        self.road.send(*dict.fromkeys(names or ()), receive=straight)
        wanted = set(names or NAMES)
        for name in wanted:
            self.places[name].transit, moved = [], self.places[name].transit
            for place in self.places.values():
                moved += [mail for mail in place.outbox if mail[1] == name]
                place.outbox = [mail for mail in place.outbox if mail[1] != name]
            self._arrive(name, moved, straight)

    @precondition(lambda self: self.delivery == "manual")
    @rule()
    def round(self) -> None:
        """All of it for everybody."""
        self.collect(None)
        self.send(None, straight=False)
        self.receive(None)

    @precondition(lambda self: self.delivery == "manual")
    @rule(names=st.none() | SOME)
    def receive(self, names: list[str] | None) -> None:
        """Inboxes become work."""
        self.road.receive(*dict.fromkeys(names or ()))
        for place in self._chosen(names):
            if place.open and place.inbox:
                place.mailbox += place.inbox
                place.inbox = []
                self._mark(place)

    @invariant()
    def stands_where_it_should(self) -> None:
        """Every branch's record, and the session's counters, agree with the model."""
        for name, place in self.places.items():
            record = self.road.branch(name)
            assert (record.waiting, record.inbox) == (len(place.mailbox), len(place.inbox))
            assert record.outbox == len(place.outbox)
            assert (place.mark == "absent") == (not place.mailbox)
        counters = self.road.record().counters
        places = self.places.values()
        assert counters["inflight"] == sum(len(place.mailbox) for place in places)
        assert counters["applied"] == sum(len(place.handled) for place in places)
        assert counters["dead"] == len(self.dead)

    def teardown(self) -> None:
        """In the end each mail is at one place, and none has overtaken another of its sender to its recipient."""
        heard: list[Any] = []
        for name, place in self.places.items():
            records = [entry.record for entry in self.road.log(name) if entry.record.kind == "heard"]
            log = [read_json(record.body, "record") for record in records]
            assert log == place.handled
            for sender in NAMES:
                numbers = [mail[2] for mail in [*log, *place.mailbox, *place.inbox] if mail[0] == sender]
                assert numbers == sorted(numbers)
            heard += [*log, *place.mailbox, *place.inbox, *place.outbox, *place.transit]
        assert sorted(texts(self.road.dead())) == sorted(self.dead)
        assert sorted([*heard, *self.dead]) == sorted(self.sent)

    def _write(self, sender: str, recipients: list[str]) -> tuple[WireMail, ...]:
        return tuple(self.road.mail(sender, to, [sender, to, next(self.numbers)]) for to in recipients)

    def _go_out(self, sender: str, mails: list[Any], *, dead: bool = False) -> None:
        """Where mail goes that was accepted; a recipient that is closed makes a dead letter of what a turn sends."""
        self.sent += mails
        coming = Counter(mail[1] for mail in mails)
        for mail in mails:
            recipient = self.places[mail[1]]
            if dead and not recipient.open:
                self.dead.append(mail)
            elif self.delivery == "auto":
                recipient.mailbox.append(mail)
                self._mark(recipient, gives=coming[mail[1]] == 1)
            else:
                self.places[sender].outbox.append(mail)

    def _arrive(self, name: str, mails: list[Any], straight: bool) -> None:
        """Mails of several senders come in any order, but each sender's in its own: the real order is taken over."""
        place = self.places[name]
        if not place.open:
            self.dead += mails
            return
        if straight and not place.inbox and mails:
            place.mailbox += mails
            self._mark(place)
            return
        come = texts(self.road.inbox(name))
        assert sorted(come) == sorted([*place.inbox, *mails])
        assert come[: len(place.inbox)] == place.inbox
        place.inbox = come

    def _some(self, what: str) -> bool:
        return any(getattr(place, what) for place in self.places.values())

    def _one(self, what: str, pick: int) -> Place:
        """One of the branches of which something is true, or that have something."""
        found = [place for place in self.places.values() if getattr(place, what)]
        return found[pick % len(found)]

    def _comes(self, place: Place, start: int, come: list[Any]) -> None:
        """Mails are handed out, behind so many that the owner has already: in order, or in the order of each sender."""
        if self.delivery == "manual":
            place.put_first(start, come)
        assert place.mailbox[start : start + len(come)] == come

    def _chosen(self, names: list[str] | None) -> list[Place]:
        return [self.places[name] for name in dict.fromkeys(names or NAMES)]

    def _turn(self, name: str, take: int, mails: tuple[WireMail, ...] = (), **parts: Any) -> Commit:
        place = self.places[name]
        stand = Claimed(Outcome.OK, place.stand.cursor, place.stand.version, entries=tuple(place.holds))
        heard = tuple(Record("heard", encode_json(text, "mail")) for text in texts(place.holds[:take]))
        after = {"after": place.holds[-1].id} if place.holds else {}
        records = heard or (Record("turn", b"{}"),)
        nonce = f"n{next(self.tokens)}"
        return self.road.turn(
            name, place.owner, stand, take, records=records, mails=mails, nonce=nonce, **after, **parts
        )

    def _mark(self, place: Place, *, gives: bool = False) -> None:
        if place.mark == "absent":
            place.mark, place.gives = "queued", gives

    def _forget_owner(self, name: str) -> None:
        place = self.places[name]
        if place.owner:
            place.fenced.append(self._turn(name, 1, self._write(name, [name]), batch=1))
        place.owner = ""

    def _let_go(self, place: Place) -> None:
        place.owner = ""
        place.mark, place.gives = "queued" if place.mailbox else "absent", False


@pytest.mark.parametrize("delivery", ["auto", "manual"])
def test_random_correspondence_follows_the_model(exchange: Exchange, delivery: str) -> None:
    """Whatever branches write to each other, and whoever dies meanwhile, each mail is at one place and in its order."""
    where, way = exchange, delivery

    class CorrespondenceHere(Correspondence):
        exchange, delivery = where, way

    chosen = settings(
        max_examples=15,
        stateful_step_count=80,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(CorrespondenceHere, settings=chosen)
