"""A session's mail manager: LionAGI's verbs, carried out by the session's exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lion_broker.core.ids import ID, IDType
from lion_broker.core.numbers import counted
from lion_broker.mail.mail import Mail
from lion_broker.mail.manager import MailManager

if TYPE_CHECKING:
    from .session import Session

__all__ = ["SessionMailManager"]


class SessionMailManager(MailManager):
    """Moves the mail of a session's branches. `sources` is the session's own Pile of branches.

    `collect` has LionAGI's narrow meaning here: it takes outgoing mail only; `Session.collect` also applies mail.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.sources = session.branches

    def add_sources(self, sources: object, /) -> None:
        """Make branches of this process part of the session; those that are are left alone."""
        self._session.include_branches(sources)

    def delete_source(self, source: ID.Ref, /) -> list[Mail]:
        """Remove a branch from the session; what waits for it becomes dead letters."""
        self._session.remove_branch(source)
        return []

    def collect(self, sender: ID.Ref, /) -> None:
        """Take the outgoing mail of a branch into the exchange. Raises ItemNotFoundError."""
        self._session.take_outgoing((self._known(sender),))

    def send(self, recipient: ID.Ref, /) -> None:
        """Deliver the outgoing mail that is addressed to a branch. Raises ItemNotFoundError."""
        self._session.send(self._known(recipient))

    def collect_all(self) -> None:
        """Take all outgoing mail into the exchange."""
        self._session.take_outgoing(None)

    def send_all(self) -> None:
        """Deliver all outgoing mail."""
        self._session.send()

    def _known(self, source: ID.Ref) -> IDType:
        return self._session.locate(source)

    def __repr__(self) -> str:
        return f"SessionMailManager({counted(len(self.sources), 'source')})"
