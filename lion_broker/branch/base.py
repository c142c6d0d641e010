"""What every branch offers, wherever it lives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lion_broker.core.concepts import Communicatable, Relational
from lion_broker.core.element import Element
from lion_broker.core.frames import messages_to_frame
from lion_broker.core.html import ROWS, table_html
from lion_broker.core.ids import ID
from lion_broker.core.log import LogPile
from lion_broker.core.pile import Pile, pile
from lion_broker.errors import LionError
from lion_broker.mail.mailbox import Mailbox
from lion_broker.mail.package import PackageCategory
from lion_broker.messages import MessageManager, RoledMessage, System

from .conversation import Conversation
from .editable import Editable
from .operations.interface import Operable

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["BaseBranch"]


class BaseBranch(Conversation, Editable, Element, Communicatable, Relational, Operable):
    """The contract of `Branch` (here) and `RemoteBranch` (on workers, or in another process).

    Reading a property of a RemoteBranch may take a round trip; `await branch.sync()` reads ahead without blocking.
    """

    user: Any = None
    name: str | None = None

    @property
    @abstractmethod
    def msgs(self) -> MessageManager:
        """The conversation."""

    @property
    @abstractmethod
    def logs(self) -> LogPile:
        """The branch's own log."""

    @property
    @abstractmethod
    def mailbox(self) -> Mailbox:
        """Pending mail, in and out."""

    @property
    @abstractmethod
    def tools(self) -> Mapping[str, Any]:
        """The tools by name."""

    @property
    def messages(self) -> Pile[RoledMessage]:
        """The messages of the conversation, in order."""
        return self.msgs.messages

    @property
    def system(self) -> System | None:
        """The system message, if there is one."""
        return self.msgs.system

    @abstractmethod
    def send(
        self,
        recipient: ID.Ref,
        category: PackageCategory | str,
        item: Any,
        request_source: Any = None,
        *,
        delay: float | None = None,
        ttl: float | None = None,
    ) -> None:
        """Send an item to another branch, named by id, name or object.

        Mail of one sender to one recipient arrives in the order of sending, and is applied once. With a `delay` it is
        delivered so many seconds after the exchange has accepted it. With a `ttl` it becomes a dead letter, `expired`,
        when it has waited at its recipient for so many seconds before it is taken up. Raises ItemNotFoundError for an
        unknown recipient, NotPortable for an item that cannot go there, MailTooLarge, MailboxFull, ConfigError.
        """

    @abstractmethod
    async def asend(
        self,
        recipient: ID.Ref,
        category: PackageCategory | str,
        item: Any,
        request_source: Any = None,
        *,
        delay: float | None = None,
        ttl: float | None = None,
    ) -> None:
        """Send without blocking the event loop."""

    @abstractmethod
    def receive(self, sender: ID.Ref, message: bool = True, tool: bool = True, imodel: bool = True) -> None:
        """Apply the pending mail of one sender, in order: the categories that are on; other mail stays pending.

        Raises ValueError when nothing of that sender is pending.
        """

    @abstractmethod
    async def areceive(self, sender: ID.Ref, message: bool = True, tool: bool = True, imodel: bool = True) -> None:
        """Receive without blocking the event loop."""

    @abstractmethod
    def receive_all(self) -> None:
        """Apply all pending mail that has a meaning of its own: messages, tools, models."""

    @abstractmethod
    async def areceive_all(self) -> None:
        """Receive everything without blocking the event loop."""

    def flagged_messages(self, include_clone: bool = False, include_load: bool = False) -> Pile[RoledMessage]:
        """Return the messages that are clones, were loaded from a file, or either."""
        wanted = [
            message
            for message in self.messages
            if (include_clone and message.is_clone()) or (include_load and message.is_loaded())
        ]
        return pile(wanted)

    def to_df(self) -> DataFrame:
        """Return the messages as a frame: role content sender recipient created_at id branch; times in UTC."""
        return messages_to_frame(self.messages, branch_of=lambda message: self.name or str(self.id))

    def _repr_html_(self) -> str:
        try:
            said = self.messages
        except LionError as error:
            return table_html(f"{self!r}: {error}", (), ())
        latest = said[-ROWS:] if len(said) > ROWS else said
        # Its own id says less than its name; those of others are all that it knows of them.
        own = {str(self.id): self.name or "this branch"}
        rows = [(str(one.role), one.text, own.get(str(one.sender), str(one.sender))) for one in latest]
        title = f"{self!r}, the latest messages" if len(said) > len(rows) else repr(self)
        return table_html(title, ("role", "content", "sender"), rows, len(said) - len(rows))
