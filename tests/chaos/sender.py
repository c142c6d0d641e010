"""A process that sends numbered mails and keeps a journal; it may be killed at any time and started again.

    python -m tests.chaos.sender '{"session": …, "name": …, "kind": "named", "journal": …, "to": […], "seed": 1}'

Standard input says up to which number it may send, a line each; "end" lets it end when it has.
"""

from __future__ import annotations

import json
import random
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from lion_broker import Branch, BrokerUnavailable, Instruction, LeaseLost, Session
from lion_broker.testing import wait_until

from .journal import Fate, Journal

__all__: list[str] = []

SIZES = (1, 1, 1, 2, 5, 20, 120)
"""How many mails go in one post; a piece of a batch has a hundred."""
LONG = 300.0
HEAVY = "x" * 100_000
"""What a mail may carry beside its text: too much for an entry of a stream, so that it travels as a blob."""


def item_of(text: str) -> str | Instruction:
    """The text, or now and then the text with a load."""
    return Instruction.create(instruction=text, context=[HEAVY]) if text.endswith("111") else text


class Mouth(ABC):
    """How a sender sends: in whose name, and what it learns of it."""

    def __init__(self, session: str, name: str) -> None:
        self._name = name
        self._session: Session = wait_until(lambda: self._opened(session), LONG)

    @abstractmethod
    def post(self, texts: list[str], recipients: list[str]) -> Fate:
        """Post mails, and return what is known of them."""

    @abstractmethod
    def _host(self) -> bool:
        """Whether branches whose process is gone are to live here."""

    def _ready(self, session: Session) -> bool:
        return True

    def _opened(self, session: str) -> Session | None:
        try:
            found = Session.open(session, host=self._host())
        except BrokerUnavailable:
            return None
        if self._ready(found):
            return found
        found.close()
        return None

    def _batch(self, branch: Any, texts: list[str], recipients: list[str]) -> None:
        with self._session.batch():
            for text, recipient in zip(texts, recipients, strict=True):
                branch.send(recipient, "message", item_of(text))

    def _flush(self) -> bool:
        """Have what is held stored; None asks to try again."""
        try:
            self._session.flush()
        except BrokerUnavailable:
            return False
        return True


class Named(Mouth):
    """Sends in the name of a branch on workers: a post whose answer never came is unknown, unless it was held."""

    def _host(self) -> bool:
        return False

    def post(self, texts: list[str], recipients: list[str]) -> Fate:
        """One mail goes by itself, several are held until they are known to be stored."""
        branch = self._session.branches[self._name]
        if len(texts) == 1:
            try:
                branch.send(recipients[0], "message", item_of(texts[0]))
            except BrokerUnavailable:
                return Fate.UNKNOWN
            return Fate.ACKED
        with suppress(BrokerUnavailable):
            self._batch(branch, texts, recipients)
        wait_until(self._flush, LONG)
        return Fate.ACKED


class Local(Mouth):
    """Sends from a branch of its own process: what has not been stored is kept, and goes with the next command."""

    def _host(self) -> bool:
        return True

    def _ready(self, session: Session) -> bool:
        """Whether the branch lives here: a new one, or the one that a process before this has left."""
        if all(branch.name != self._name for branch in session.branches):
            session.new_branch(name=self._name)
        return isinstance(session.branches[self._name], Branch)

    def post(self, texts: list[str], recipients: list[str]) -> Fate:
        """Until it is stored, or the branch is another's."""
        try:
            with suppress(BrokerUnavailable):
                self._batch(self._session.branches[self._name], texts, recipients)
            wait_until(self._flush, LONG)
        except LeaseLost:
            self._session = wait_until(lambda: self._opened(self._session.id), LONG)
            return Fate.UNKNOWN
        return Fate.ACKED


def main() -> None:
    """Send as long as it may."""
    plan = json.loads(sys.argv[1])
    journal = Journal(Path(plan["journal"]))
    dice = random.Random(f"{plan['seed']} {plan['name']} {journal.following}")
    mouth = (Local if plan["kind"] == "local" else Named)(plan["session"], plan["name"])
    for line in sys.stdin:
        if line.strip() == "end":
            break
        while (left := int(line) - journal.following) > 0:
            first = journal.following
            recipients = [dice.choice(plan["to"]) for _ in range(min(left, dice.choice(SIZES)))]
            journal.intend(recipients)
            texts = [f"{plan['name']}:{first + place}" for place in range(len(recipients))]
            journal.settle(mouth.post(texts, recipients))


if __name__ == "__main__":
    main()
