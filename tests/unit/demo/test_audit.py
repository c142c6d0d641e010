"""The audit finds what is lost and what took effect twice, and does not accuse what waits or was buried."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker import Branch, Session
from lion_broker.branch.journal import Kind
from lion_broker.demo.audit import Audit, audit, compare
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import LogRecord
from lion_broker.mail.verbs import ReadLog, Verb

ids = st.text("abcdef", min_size=1, max_size=3)


@given(st.sets(ids), st.data())
def test_seeded_losses_and_duplicates_are_counted(sent: set[str], data: st.DataObject) -> None:
    """Drop some effects, repeat others, in any order: exactly those are reported."""
    any_of = st.sets(st.sampled_from(sorted(sent))) if sent else st.just(set[str]())
    dropped, kept = data.draw(any_of), data.draw(any_of)
    repeated = data.draw(any_of) - dropped
    effects = data.draw(st.permutations([*(sent - dropped), *repeated]))
    assert compare(sent, effects, kept) == Audit(len(sent), len(dropped - kept), len(repeated))


def test_a_mail_that_took_effect_three_times_is_two_too_many() -> None:
    """Duplicates count effects, not mails."""
    assert compare(["a"], ["a", "a", "a"]) == Audit(mails=1, lost=0, duplicates=2)


class Tampered(MemoryExchange):
    """An exchange whose logs have been changed by hand: the first mail that took effect stands there `times` times."""

    times = 1

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        answers = super().call_all(verbs)
        return [
            self._tampered(answer) if isinstance(verb, ReadLog) else answer
            for verb, answer in zip(verbs, answers, strict=True)
        ]

    def _tampered(self, rows: tuple[LogRecord, ...]) -> tuple[LogRecord, ...]:
        taken = [row for row in rows if row.record.kind == Kind.MAIL][:1]
        kept = [row for row in rows if row not in taken]
        copies = [replace(row, place=row.place + 100 * copy) for row in taken for copy in range(self.times)]
        return tuple(sorted([*kept, *copies], key=lambda row: (row.version, row.place)))


@pytest.fixture
def exchange() -> Exchange:
    """An exchange whose logs a test can change."""
    return Tampered()


@pytest.fixture
def session(exchange: Exchange) -> Iterator[Session]:
    """A session whose mail moves when it is told to."""
    with Session(exchange=exchange) as session:
        yield session


@pytest.fixture
def pair(session: Session) -> tuple[Branch, Branch]:
    """Two branches, of which the first has sent the second two messages and a tool."""
    first, second = session.new_branch(name="first"), session.new_branch(name="second")

    def look(text: str) -> str:
        """Look."""
        return text

    first.send(second, "message", "one")
    first.send(second, "tool", look)
    first.send(second, "message", "two")
    return first, second


@pytest.mark.usefixtures("pair")
def test_mail_that_took_effect(session: Session) -> None:
    """Messages and tools count alike, once each."""
    session.collect_send_all(receive_all=True)
    assert audit(session.exchange, session.id) == Audit(mails=3, lost=0, duplicates=0)


@pytest.mark.usefixtures("pair")
def test_mail_that_waits_is_not_lost(session: Session) -> None:
    """A delivered mail that nobody has received yet is still there."""
    session.collect_send_all()
    assert audit(session.exchange, session.id) == Audit(mails=3, lost=0, duplicates=0)


def test_dead_letters_are_not_lost(session: Session, pair: tuple[Branch, Branch]) -> None:
    """A mail that became a dead letter can be looked at, so it is not lost."""
    session.collect_send_all()
    session.remove_branch(pair[1])
    assert len(session.dead_letters) == 3
    assert audit(session.exchange, session.id) == Audit(mails=3, lost=0, duplicates=0)


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(("times", "lost", "duplicates"), [(0, 1, 0), (1, 0, 0), (3, 0, 2)])
def test_a_log_that_was_tampered_with(
    session: Session, monkeypatch: pytest.MonkeyPatch, times: int, lost: int, duplicates: int
) -> None:
    """An effect that is missing from a log, or stands there several times, is found."""
    session.collect_send_all(receive_all=True)
    monkeypatch.setattr(session.exchange, "times", times)
    assert audit(session.exchange, session.id) == Audit(3, lost, duplicates)
