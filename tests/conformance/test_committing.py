"""Committing: everything a turn did takes effect at once, and the next mails come with the answer."""

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Burial, Record
from tests.conformance.road import TURN, Road, texts


def test_a_commit_ends_the_turn(auto: Road) -> None:
    """With nothing left the answer is DRAINED, the lease is over, and the branch stands after its mail."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    claimed = auto.take("ada")
    answer = auto.commit("ada", "t1", claimed)
    assert (answer.outcome, answer.cursor, answer.version) == (Outcome.DRAINED, claimed.entries[-1].id, 2)
    assert answer.entries == ()
    record = auto.branch("ada")
    assert (record.cursor, record.version, record.waiting, record.leased) == (answer.cursor, 2, 0, False)
    assert auto.ready() == ()
    assert auto.sweep().seen == 0


def test_a_commit_brings_the_next_mails(auto: Road) -> None:
    """With mail left the answer is OK, and the caller goes on with what came along."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    first = auto.take("ada", batch=1)
    second = auto.commit("ada", "t1", first, batch=1)
    assert (second.outcome, texts(second.entries), second.version) == (Outcome.OK, [2], 2)
    assert auto.branch("ada").leased is True
    third = auto.commit("ada", "t1", second)
    assert (third.outcome, texts(third.entries), third.version) == (Outcome.OK, [3], 3)
    assert auto.commit("ada", "t1", third).outcome is Outcome.DRAINED


def test_mail_that_came_during_the_turn_is_next(auto: Road) -> None:
    """Mail posted while the turn runs makes no second ready entry and comes with the commit."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada")
    auto.say("ben", "ada", 2)
    assert auto.ready() == ()
    assert texts(auto.commit("ada", "t1", claimed).entries) == [2]


def test_a_caller_gets_no_mail_twice(auto: Road) -> None:
    """`after` names the last mail that the caller holds: OK without mails while it still holds some."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    first = auto.take("ada", batch=2)
    one, two = (entry.id for entry in first.entries)
    second = auto.commit("ada", "t1", first, take=1, after=two)
    assert (second.outcome, second.cursor, texts(second.entries)) == (Outcome.OK, one, [3])
    three = second.entries[0].id
    third = auto.commit("ada", "t1", second, consumed=two, after=three)
    assert (third.outcome, third.entries) == (Outcome.OK, ())
    fourth = auto.commit("ada", "t1", third, consumed=three, after=three)
    assert fourth.outcome is Outcome.DRAINED


def test_an_old_after_does_no_harm(auto: Road) -> None:
    """When `after` lies before what was consumed, the next mails begin after what was consumed."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    claimed = auto.take("ada", batch=2)
    answer = auto.commit("ada", "t1", claimed, after=claimed.entries[0].id)
    assert texts(answer.entries) == [3]


def test_an_after_beyond_everything_keeps_no_idle_lease(auto: Road) -> None:
    """A caller that claims to hold mail which does not exist is drained like any other."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    answer = auto.commit("ada", "t1", auto.take("ada"), after="18446744073709551615-1")
    assert answer.outcome is Outcome.DRAINED


def test_a_batch_of_nothing_hands_over(auto: Road) -> None:
    """`batch=0` ends the lease; what is left is ready for others at once, and was not handed out."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    answer = auto.commit("ada", "t1", auto.take("ada", "t1", batch=1), batch=0)
    assert (answer.outcome, answer.entries) == (Outcome.DRAINED, ())
    assert auto.branch("ada").leased is False
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([2, 3], 1)


def test_a_turn_without_mail(auto: Road) -> None:
    """A turn may write records and handle nothing; the mail is still there."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada")
    answer = auto.commit("ada", "t1", claimed, take=0)
    assert (answer.outcome, answer.cursor, answer.version) == (Outcome.OK, claimed.cursor, 2)
    assert texts(answer.entries) == [1]


def test_records_are_written_in_order(auto: Road) -> None:
    """Versions and places are dense: each commit is the next version, its records numbered from 1."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    kinds = iter("abcdef")
    stand = auto.commit("ada", "t1", auto.take("ada", batch=1), records=[Record(next(kinds), b"1") for _ in range(3)])
    auto.commit("ada", "t1", stand, records=[Record(next(kinds), b"2", b'{"head":1}') for _ in range(2)])
    log = auto.log("ada")
    assert [(entry.version, entry.place) for entry in log] == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
    assert "".join(entry.record.kind for entry in log[1:]) == "abcde"
    assert log[-1].record == Record("e", b"2", b'{"head":1}')


def test_records_hold_any_bytes(auto: Road) -> None:
    """What a turn records comes out byte for byte."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    record = Record("note", bytes(range(256)), b"\r\n\x00")
    auto.commit("ada", "t1", auto.take("ada"), records=(record, TURN))
    assert [entry.record for entry in auto.log("ada")][1:] == [record, TURN]


def test_mail_set_aside_waits_in_the_inbox(auto: Road) -> None:
    """Entries named in `aside` leave the mailbox for the inbox and come again when they are received."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    claimed = auto.take("ada")
    aside = (claimed.entries[0].id, claimed.entries[2].id)
    assert auto.commit("ada", "t1", claimed, aside=aside, handled=1).outcome is Outcome.DRAINED
    assert texts(auto.inbox("ada")) == [1, 3]
    assert (auto.counter("inflight"), auto.counter("applied"), auto.counter("posted")) == (0, 1, 3)
    assert auto.receive("ada").count == 2
    assert texts(auto.take("ada", "t2").entries) == [1, 3]
    assert (auto.counter("inflight"), auto.counter("posted")) == (2, 3)


def test_buried_mail_becomes_dead_letters(auto: Road) -> None:
    """Entries named in `buried` end as dead letters with the reason, words and attempts given."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    claimed = auto.take("ada")
    burial = Burial(claimed.entries[0].id, "poison", "It killed three workers.", 3)
    assert auto.commit("ada", "t1", claimed, buried=(burial,), handled=1).outcome is Outcome.DRAINED
    (letter,) = auto.dead()
    assert (letter.reason, letter.detail, letter.attempts) == ("poison", "It killed three workers.", 3)
    assert (letter.branch, letter.owners, letter.mail) == ("ada", ("owner of t1",), claimed.entries[0].mail)
    assert (auto.counter("dead"), auto.counter("inflight"), auto.counter("applied")) == (1, 0, 1)


def test_mail_in_the_inbox_is_taken_or_buried(auto: Road) -> None:
    """Inbox entries leave the inbox when they took effect or are buried; others stay."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    claimed = auto.take("ada")
    auto.commit("ada", "t1", claimed, aside=tuple(entry.id for entry in claimed.entries), handled=0)
    first, second, _ = auto.inbox("ada")
    auto.say("ben", "ada", 4)
    claimed = auto.take("ada", "t2")
    burial = Burial(second.id, "refused", "Not wanted.", inbox=True)
    answer = auto.commit("ada", "t2", claimed, taken=(first.id,), buried=(burial,), handled=2)
    assert answer.outcome is Outcome.DRAINED
    assert texts(auto.inbox("ada")) == [3]
    assert texts(auto.dead()) == [2]
    assert auto.counter("applied") == 2


def test_a_commit_asks_for_no_living_lease(auto: Road) -> None:
    """An equal token is enough: an owner whose lease has run out commits, if nobody replaced it."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    claimed = auto.take("ada", "t1", lease_ms=1, batch=1)
    auto.give_away()
    entry = auto.entry("ada", "another worker")
    answer = auto.commit("ada", "t1", claimed)
    assert (answer.outcome, texts(answer.entries)) == (Outcome.OK, [2])
    assert auto.claim("ada", "t2", entry).outcome is Outcome.HELD
    assert auto.commit("ada", "t1", answer).outcome is Outcome.DRAINED
    assert auto.claim("ada", "t2", entry).outcome is Outcome.GONE
    assert auto.sweep().seen == 0


def test_a_commit_prolongs_the_lease(auto: Road) -> None:
    """The lease of a commit counts from the commit."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    entry = auto.entry("ada")
    claimed = auto.claim("ada", "t1", entry, lease_ms=1, batch=1)
    auto.commit("ada", "t1", claimed, lease_ms=60_000)
    assert auto.claim("ada", "t2", entry).outcome is Outcome.HELD
