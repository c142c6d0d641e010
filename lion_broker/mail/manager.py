"""Moves mail between the mailboxes of objects in one process, LionAGI's way."""

from __future__ import annotations

from collections import deque
from typing import Any

import anyio

from lion_broker.core.concepts import Communicatable, Manager
from lion_broker.core.ids import ID, IDType, to_list_type
from lion_broker.core.numbers import counted
from lion_broker.core.pile import Pile
from lion_broker.errors import ItemNotFoundError

from .mail import Mail
from .mailbox import Mailbox
from .package import Package, PackageCategory

__all__ = ["MailManager"]


class MailManager(Manager):
    """Carries mail between its sources: collected from their outboxes, queued by recipient and sender, then sent.

    A source is anything with an `id` and a `mailbox`. Nothing is lost: mail to somebody who is no source stays in the
    sender's outbox. `sources` is a Pile, so `async with manager.sources:` keeps other tasks out. A Session's own
    manager moves mail through the session's exchange instead and has the same verbs.
    """

    def __init__(self, sources: Any = None) -> None:
        self.sources: Pile[Any] = Pile(item_type={Communicatable})
        self.mails: dict[IDType, dict[IDType, deque[Mail]]] = {}
        self.execute_stop = False
        if sources is not None:
            self.add_sources(sources)

    def add_sources(self, sources: Any, /) -> None:
        """Add one source or several; a source that is known keeps its queued mail. Raises ValueError for others."""
        items = list(sources) if isinstance(sources, Pile) else to_list_type(sources)
        for item in items:
            if not isinstance(getattr(item, "mailbox", None), Mailbox):
                raise ValueError(f"Failed to add source: {type(item).__name__} has no mailbox.")
        for item in items:
            self.sources.include(item)
            self.mails.setdefault(item.id, {})

    def delete_source(self, source: ID.Ref, /) -> list[Mail]:
        """Remove a source and return the mail that was queued for it. Raises ItemNotFoundError."""
        known = self._known(source)
        self.sources.exclude(known)
        return [mail for queue in self.mails.pop(known, {}).values() for mail in queue]

    @staticmethod
    def create_mail(
        sender: ID.Ref, recipient: ID.Ref, category: PackageCategory | str, package: Any, request_source: Any = None
    ) -> Mail:
        """Return a mail that carries `package` as its item."""
        return Mail(
            sender=ID.get_id(sender),
            recipient=ID.get_id(recipient),
            package=Package(PackageCategory.validate(category), package, request_source),
        )

    def collect(self, sender: ID.Ref, /) -> None:
        """Take the mail out of a source's outbox, in order.

        Raises ItemNotFoundError for an unknown sender, and, after the rest was taken, for mail whose recipient is no
        source: that mail stays in the outbox.
        """
        mailbox: Mailbox = self.sources[self._known(sender)].mailbox
        lost: list[Mail] = []
        for mail in mailbox.outgoing():
            if mail.recipient not in self.mails:
                lost.append(mail)
                continue
            self.mails[mail.recipient].setdefault(mail.sender, deque()).append(mail)
            mailbox.exclude(mail)
        if lost:
            names = ", ".join(sorted({str(mail.recipient) for mail in lost}))
            stay = counted(len(lost), "mail stays", "mails stay")
            raise ItemNotFoundError(f"{stay} in the outbox of {sender}: no source has the id {names}.")

    def send(self, recipient: ID.Ref, /) -> None:
        """Put what is queued for a source into its mailbox, in each sender's order. Raises ItemNotFoundError."""
        known = self._known(recipient)
        mailbox: Mailbox = self.sources[known].mailbox
        for queue in self.mails[known].values():
            while queue:
                mailbox.append_in(queue[0])
                queue.popleft()
        self.mails[known].clear()

    def collect_all(self) -> None:
        """Collect from every source; what cannot be collected raises after the others are done."""
        failures = []
        for source in list(self.mails):
            try:
                self.collect(source)
            except ItemNotFoundError as error:
                failures.append(str(error))
        if failures:
            raise ItemNotFoundError(" ".join(failures))

    def send_all(self) -> None:
        """Send to every source."""
        for source in list(self.mails):
            self.send(source)

    async def execute(self, refresh_time: float = 1) -> None:
        """Collect and send every `refresh_time` seconds until `execute_stop` is set."""
        while not self.execute_stop:
            self.collect_all()
            self.send_all()
            await anyio.sleep(refresh_time)

    def _known(self, source: ID.Ref) -> IDType:
        known = ID.get_id(source)
        if known not in self.mails:
            raise ItemNotFoundError(f"{known} is no source of this mail manager; add it with add_sources().")
        return known

    def __repr__(self) -> str:
        queued = sum(len(queue) for senders in self.mails.values() for queue in senders.values())
        return f"MailManager({counted(len(self.mails), 'source')}, {counted(queued, 'mail')} queued)"
