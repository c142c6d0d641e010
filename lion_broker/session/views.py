"""What a session shows: messages gathered over branches, dead letters, its own mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lion_broker.branch.branch import Branch
from lion_broker.core.frames import messages_to_frame
from lion_broker.core.ids import IDType
from lion_broker.core.pile import Pile, pile
from lion_broker.mail.exchange import Steps, ask, together
from lion_broker.mail.mailbox import Mailbox
from lion_broker.mail.records import START, Rejected
from lion_broker.mail.verbs import DeleteSession, ReadInbox
from lion_broker.messages import RoledMessage

from .estate import Estate
from .remote import picture

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["chosen_steps", "concat", "delete_steps", "mailbox_steps", "to_df"]

Chosen = tuple[IDType, ...] | None


def concat(estate: Estate, chosen: Chosen, exclude_clone: bool, exclude_load: bool) -> Pile[RoledMessage]:
    """Return messages of branches in order of creation, none twice."""
    kept = {message.id: message for message, _ in _said(estate, chosen, exclude_clone, exclude_load)}
    return pile(sorted(kept.values(), key=_when))


def to_df(estate: Estate, chosen: Chosen, exclude_clone: bool, exclude_load: bool) -> DataFrame:
    """Return the same as a frame, with the branch in which each message was first found."""
    homes: dict[str, str] = {}
    kept: dict[str, RoledMessage] = {}
    for message, home in _said(estate, chosen, exclude_clone, exclude_load):
        kept.setdefault(message.id, message)
        homes.setdefault(message.id, home)
    return messages_to_frame(sorted(kept.values(), key=_when), branch_of=lambda message: homes[message.id])


def chosen_steps(estate: Estate, branches: Any) -> Steps[Chosen]:
    """Return the ids of branches; for all of them (None) take note of those that other processes have created since."""
    if branches is None:
        yield from estate.sync_steps()
    return (yield from estate.chosen_steps(branches))


def mailbox_steps(estate: Estate) -> Steps[Mailbox]:
    """Read the mail that waits for the session itself."""
    mailbox, after = Mailbox(), START
    while page := (yield from ask(ReadInbox(estate.session, estate.session, after))):
        after = page[-1].id
        for entry in page:
            if not isinstance(entry.mail, Rejected):
                mailbox.append_in(picture(entry.mail))
    return mailbox


def delete_steps(estate: Estate) -> Steps[None]:
    """Remove everything that the session owns, in bounded pieces."""
    while (yield from ask(DeleteSession(estate.session))):
        pass


def _said(
    estate: Estate, chosen: Chosen, exclude_clone: bool, exclude_load: bool
) -> Iterator[tuple[RoledMessage, str]]:
    """Yield each message with the name of the branch it was found in."""
    branches = [one for one in estate.branches if chosen is None or one.id in chosen]
    remote = [one for one in branches if not isinstance(one, Branch)]
    readers = [one.chronicle for one in remote]
    own = chosen is None or estate.session in chosen
    if own:
        readers.append(estate.desk.chronicle)
    estate.around.run(together([reader.read_steps() for reader in readers]))
    homes: list[tuple[Any, str]] = [
        (one.msgs if isinstance(one, Branch) else one.chronicle.msgs, one.name or str(one.id)) for one in branches
    ]
    if own:
        homes.append((estate.desk.chronicle.msgs, "session"))
    for msgs, home in homes:
        for message in msgs.messages:
            if not (exclude_clone and message.is_clone()) and not (exclude_load and message.is_loaded()):
                yield message, home


def _when(message: RoledMessage) -> tuple[float, str]:
    return message.created_at, message.id
