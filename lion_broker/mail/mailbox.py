"""Where a branch keeps mail that is on its way in or out. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any

from lion_broker.core.ids import ID, IDType
from lion_broker.core.numbers import counted
from lion_broker.core.pile import Pile
from lion_broker.core.progression import Progression

from .mail import Mail, written_mail
from .wire import WireMail

__all__ = ["Mailbox"]


class Mailbox:
    """Pending mail of one branch: incoming by sender, outgoing in order, both first in, first out.

    The mails themselves are in `pile_`. A mail is kept once, however often it is appended. Mail that goes out at once
    mostly has gone before anybody looks: it is kept as it was written, and becomes Mail when somebody does.
    """

    def __init__(self) -> None:
        self._pile: Pile[Mail] = Pile(item_type=Mail, strict_type=True)
        self._outs = Progression()
        self._written: dict[str, tuple[WireMail, str]] = {}
        self._lock = Lock()
        self.pending_ins: dict[IDType, Progression] = {}
        self.withdrawn = 0
        """How often a mail was taken out by `exclude`, so that nobody need look for that among many mails."""

    @property
    def pile_(self) -> Pile[Mail]:
        """All mails that wait here."""
        self._look()
        return self._pile

    @property
    def pending_outs(self) -> Progression:
        """The ids of mails that wait to be collected, in order."""
        self._look()
        return self._outs

    @property
    def senders(self) -> list[IDType]:
        """Ids of those whose mail waits to be received, by the order of their first mail."""
        return list(self.pending_ins)

    def append_in(self, mail: Mail, /) -> None:
        """Take in a mail behind those of the same sender; a mail that is here already stays where it is."""
        self.pile_.include(mail)
        self.pending_ins.setdefault(mail.sender, Progression()).include(mail.id)

    def append_out(self, mail: Mail, /) -> None:
        """Put a mail behind those that wait to be collected."""
        self.pile_.include(mail)
        self.pending_outs.include(mail.id)

    def append_written(self, wire: WireMail, text: str, /) -> None:
        """Do what `append_out` does with a mail of this process that holds a plain text."""
        with self._lock:
            self._written[wire.header.id] = (wire, text)

    def incoming(self, sender: ID.Ref) -> list[Mail]:
        """Mails of one sender that wait to be received, in order; empty for an unknown sender."""
        waiting = self.pending_ins.get(ID.get_id(sender))
        return [self.pile_[mail] for mail in waiting] if waiting else []

    def outgoing(self) -> list[Mail]:
        """Mails that wait to be collected, in order."""
        pile = self.pile_
        return [pile[mail] for mail in self._outs]

    def exclude(self, mail: Mail | str, /) -> None:
        """Take a mail out wherever it waits; an unknown one is ignored."""
        self.withdrawn += self.let_go([ID.get_id(mail)])

    def let_go(self, mails: Iterable[Mail | str]) -> int:
        """Let go of mails that have gone where they were to go; returns how many were here."""
        ids = [mail if isinstance(mail, str) else mail.id for mail in mails]
        with self._lock:
            rest = [mail for mail in ids if self._written.pop(mail, None) is None]
        return len(ids) - len(rest) + (self._withdraw(rest) if rest else 0)

    def _withdraw(self, refs: list[str]) -> int:
        known = self._pile.withdraw(refs)
        ids = [mail.id for mail in known]
        self._outs.exclude(ids)
        if self.pending_ins:
            for sender in {mail.sender for mail in known} & self.pending_ins.keys():
                self.pending_ins[sender].exclude(ids)
                if not self.pending_ins[sender]:
                    del self.pending_ins[sender]
        return len(known)

    def _look(self) -> None:
        """Make Mail of what is kept as it was written."""
        if not self._written:
            return
        with self._lock:
            mails = [written_mail(wire, text) for wire, text in self._written.values()]
            self._pile.include(mails)
            self._outs.include([mail.id for mail in mails])
            self._written.clear()

    def __contains__(self, mail: Any) -> bool:
        return (isinstance(mail, str) and mail in self._written) or mail in self.pile_

    def __iter__(self) -> Iterator[Mail]:
        return iter(self.pile_)

    def __len__(self) -> int:
        return len(self._pile) + len(self._written)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __repr__(self) -> str:
        incoming = sum(len(waiting) for waiting in self.pending_ins.values())
        return f"Mailbox({incoming} in from {counted(len(self.pending_ins), 'sender')}, {len(self.pending_outs)} out)"
