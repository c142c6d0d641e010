"""Mail under way while faults happen: who sent what, what was accepted, and what became of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from lion_broker import LionError, Session
from lion_broker.mail.exchange import Exchange
from tests.faults.place import Site
from tests.ledger import Ledger

__all__ = ["Load", "check", "flowing"]

_PACE = 0.01


@dataclass
class Load:
    """A session whose branches forward what they get to a sink, and a sender that never stops by itself.

    `accepted` are the texts whose sending was answered, `refused` the errors of those that were not.
    """

    session: Session
    branches: list[str]
    sink: str
    accepted: list[str] = field(default_factory=list)
    refused: list[LionError] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def begin(cls, site: Site, exchange: Exchange | None = None, branches: int = 6) -> Load:
        """Create the session, which ends with the site."""
        session = Session(exchange=exchange or site.connect(), delivery="auto", timeout=60)
        site.ends_with(partial(end, session))
        sink = session.new_branch(name="sink", pool="p")
        names = [
            session.new_branch(name=f"b{n}", pool="p", behaviour="forward", metadata={"to": sink.id}).id
            for n in range(branches)
        ]
        return cls(session, names, sink.id)

    def send(self, text: str) -> None:
        """Send one mail and note what was answered."""
        number = int(text.rpartition(":")[2])
        try:
            self.session.default_branch.send(self.branches[number % len(self.branches)], "message", text)
        except LionError as error:
            self.refused.append(error)
        else:
            self.accepted.append(text)

    def run(self) -> None:
        """Send until told to stop, and no faster than a few workers handle it."""
        number = 0
        while not self.ended.wait(_PACE):
            self.send(f"home:{number}")
            number += 1

    def more(self, count: int) -> Callable[[], bool]:
        """A predicate: whether so many more mails were accepted."""
        goal = len(self.accepted) + count
        return lambda: len(self.accepted) >= goal


def end(session: Session) -> None:
    """Close a session, also one that is no more."""
    with contextlib.suppress(LionError):
        session.close()


@contextlib.contextmanager
def flowing(load: Load) -> Iterator[Load]:
    """Within this, mail is sent from a thread, one after the other."""
    thread = threading.Thread(target=load.run, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.ended.set()
        thread.join(60)
        assert not thread.is_alive(), "the sender hangs"


def check(load: Load, exchange: Exchange | None = None) -> Ledger:
    """Insist that what was accepted has taken effect once on each of its two branches, in order, and nothing else."""
    load.session.wait_idle()
    ledger = Ledger.of(exchange or load.session.exchange, load.session.id)
    arrived = [text for branch in load.branches for text in ledger.texts[branch]]
    assert set(load.accepted) <= set(arrived)
    assert len(arrived) == len(set(arrived))
    assert len(ledger.texts[load.sink]) == len(arrived)
    assert ledger.doubles() == []
    assert ledger.gaps() == []
    assert [ledger.reordered(branch) for branch in (*load.branches, load.sink)] == [[]] * (len(load.branches) + 1)
    assert [letter.reason for letter in load.session.dead_letters] == []
    return ledger
