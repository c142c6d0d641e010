"""Threads that post, claim, stall and sweep at once: nothing is lost, nothing twice, nothing out of order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random
from threading import Event

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Entry, Posted, Record
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.verbs import Commit, Post
from lion_broker.mail.wire import WireMail
from tests.conformance.road import TURN, Road, Stand, texts, wait_until

SENDERS = ("x", "y", "z")
READERS = ("ada", "ben")
EACH = 40


def heard(entries: tuple[Entry, ...]) -> tuple[Record, ...]:
    """One record for each mail, so that the log shows every effect."""
    return tuple(Record("heard", entry.mail.body) for entry in entries if isinstance(entry.mail, WireMail))


def speak(road: Road, sender: str) -> None:
    """Post one mail to every reader, again and again; some posts are repeated as after a lost answer."""
    for number in range(EACH):
        mails = tuple(road.mail(sender, reader, [sender, number]) for reader in READERS)
        post = Post(road.session, sender, number + 1, mails)
        assert road.call(post) == Posted(Outcome.OK)
        if number % 3 == 0:
            assert road.call(post).outcome is Outcome.DUPLICATE


class Worker:
    """Claims and commits; now and then it stalls until others may have taken over, or repeats a commit."""

    def __init__(self, road: Road, name: str, over: Event) -> None:
        self.road = road
        self.name = name
        self.over = over
        self._chance = Random(name)  # noqa: S311  # a reproducible choice, no secret
        self._tokens = count()
        self._stalled: list[Commit] = []

    def run(self) -> None:
        """Work until it is over."""
        while not self.over.is_set():
            for ready in self.road.ready(self.name, 2, wait_ms=10):
                token = f"{self.name}-{next(self._tokens)}"
                claimed = self.road.claim(ready.branch, token, ready.id, lease_ms=30, batch=3)
                self._work(ready.branch, token, claimed)
            if self._stalled:
                late = self._stalled.pop()
                self._work(late.branch, late.token, self.road.call(late))

    def _work(self, branch: str, token: str, stand: Stand) -> None:
        while stand.outcome is Outcome.OK:
            records = heard(stand.entries) or (TURN,)
            verb = self.road.turn(branch, token, stand, records=records, lease_ms=30, batch=3)
            if self._chance.random() < 0.15:
                self._stalled.append(verb)
                return
            stand = self.road.call(verb)
            if self._chance.random() < 0.15:
                assert self.road.call(verb).outcome in {Outcome.ALREADY, Outcome.FENCED}
            if self._chance.random() < 0.1:
                self.road.release(branch, token)


def test_every_mail_takes_effect_once_and_in_order(auto: Road) -> None:
    """Three senders, three unreliable workers and a sweeper leave each reader's log whole."""
    auto.pooled(*READERS)
    total = len(SENDERS) * len(READERS) * EACH
    over = Event()

    def sweep() -> None:
        while not over.is_set():
            auto.sweep(idle_ms=5)

    with ThreadPoolExecutor(8) as threads:
        workers = [threads.submit(Worker(auto, f"worker-{number}", over).run) for number in range(3)]
        others = [threads.submit(sweep), *(threads.submit(speak, auto, sender) for sender in SENDERS)]
        try:
            wait_until(lambda: auto.counter("applied") >= total, timeout=60)
        finally:
            over.set()
        for thread in (*workers, *others):
            thread.result(60)
    for reader in READERS:
        log = auto.log(reader)
        versions = [entry.version for entry in log]
        assert versions == sorted(versions)
        assert set(versions) == set(range(1, versions[-1] + 1))
        said = [read_json(entry.record.body, "record") for entry in log if entry.record.kind == "heard"]
        for sender in SENDERS:
            assert [number for name, number in said if name == sender] == list(range(EACH))
    assert (auto.counter("inflight"), auto.counter("dead"), auto.counter("applied")) == (0, 0, total)
    wait_until(lambda: auto.sweep() == Swept())
    assert auto.ready() == ()


def in_threads(count: int, act: Callable[[int], Outcome]) -> list[Outcome]:
    """What `count` threads are told that do something at once."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(act, range(count)))


def test_only_one_of_many_claims_wins(auto: Road) -> None:
    """However many claim with the same entry, one is the owner and the others are told HELD."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    entry = auto.entry("ada")
    words = in_threads(8, lambda number: auto.claim("ada", f"t{number}", entry).outcome)
    assert sorted(words) == [Outcome.HELD] * 7 + [Outcome.OK]


def test_only_one_of_many_commits_is_made(auto: Road) -> None:
    """The same commit from many threads is made once."""
    auto.local("ada", token="mine")
    verb = auto.turn("ada", "mine", auto.claim("ada", "mine"))
    words = in_threads(8, lambda number: auto.call(verb).outcome)
    assert sorted(words) == [Outcome.ALREADY] * 7 + [Outcome.OK]
    assert auto.branch("ada").version == 2


def test_only_one_of_many_posts_is_made(auto: Road) -> None:
    """The same post from many threads arrives once."""
    auto.local("ada")
    post = Post(auto.session, "p", 1, (auto.mail("x", "ada", "once"),))
    words = in_threads(8, lambda number: auto.call(post).outcome)
    assert sorted(words) == [Outcome.DUPLICATE] * 7 + [Outcome.OK]
    assert texts(auto.inbox("ada")) == ["once"]


def test_a_round_may_be_moved_by_many(exchange: Exchange) -> None:
    """Several coordinators that collect, send and receive at once lose no mail and double none."""
    road = Road(exchange, "manual").open()
    road.pooled("ada", "ben")
    road.post(*(road.mail("ben", "ada", number) for number in range(100)))

    def move(number: int) -> Outcome:
        for _ in range(20):
            (road.collect, road.send, road.receive)[number % 3](limit=7)
        return Outcome.OK

    in_threads(6, move)
    # Who receives may have had their twenty goes before anybody had collected.
    for last in (road.collect, road.send, road.receive):
        last()
    assert road.branch("ada").waiting == 100
    assert texts(road.take("ada").entries) == list(range(100))
