"""Applies mail to a branch by category: messages join the history, tools and models are registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lion_broker.core.ids import ID, IDType
from lion_broker.core.portable import readable
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.mail.exchange import Steps
from lion_broker.mail.mail import Mail
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import Burial, Entry, Rejected
from lion_broker.mail.wire import WireMail
from lion_broker.messages import RoledMessage
from lion_broker.messages.written import TextItem, WrittenItem
from lion_broker.models.imodel import iModel
from lion_broker.tools.tool import Tool

from .refusal import REPEATED, reason_of, warn_rejected

if TYPE_CHECKING:
    from .branch import Branch
    from .host import Host

__all__ = ["APPLIED", "apply", "categories", "look_at", "pending_sender_steps"]

APPLIED = frozenset({PackageCategory.MESSAGE, PackageCategory.TOOL, PackageCategory.IMODEL})
"""The categories that have a meaning of their own; mail of others waits until a behaviour or the user takes it."""


def categories(message: bool, tool: bool, imodel: bool) -> frozenset[PackageCategory]:
    """Return those that are on."""
    flags = {PackageCategory.MESSAGE: message, PackageCategory.TOOL: tool, PackageCategory.IMODEL: imodel}
    return frozenset(category for category, on in flags.items() if on)


def look_at(
    entry: Entry, now: int, branch: str, read: Callable[[WireMail], Mail], knows: Callable[[str], bool]
) -> Mail | Burial:
    """Return the mail that has come with an entry, or why it is buried: it is none, late, or a copy of a known one."""
    if isinstance(entry.mail, Rejected):
        warn_rejected(branch, entry.id, entry.mail)
        return Burial(entry.id, entry.mail.reason, entry.mail.detail, inbox=True)
    if entry.mail.is_late(entry.id, now):
        return Burial(entry.id, "expired", entry.mail.too_late(), 0, inbox=True)
    try:
        mail = read(entry.mail)
    except Exception as error:
        return Burial(entry.id, reason_of(error), readable(error), inbox=True)
    return Burial(entry.id, "duplicate", REPEATED, inbox=True) if knows(mail.id) else mail


def pending_sender_steps(branch: Branch, host: Host | None, sender: Any) -> Steps[IDType]:
    """Return the id of a sender whose mail is pending in a branch; raises ItemNotFoundError, ConfigError."""
    try:
        # By id also a branch that has been removed since it wrote.
        sender_id = ID.get_id(sender)
    except ConfigError:
        if host is None:
            raise
        sender_id = (yield from host.context.directory.locate_steps(sender)).id
    if sender_id not in branch.mailbox.pending_ins:
        raise ItemNotFoundError(
            f"No mail from {sender_id} is pending in {branch.name or branch.id}. What was sent by hand arrives with"
            " session.collect_send_all(); branch.mailbox.senders names who has mail there."
        )
    return sender_id


def apply(branch: Branch, mail: Mail) -> None:
    """Give a mail its effect on a branch. Raises ValueError for an item that does not fit its category.

    A tool or model that the branch has already is accepted silently; another one under the same name is refused.
    """
    unread = mail.package.unread
    if isinstance(unread, TextItem | WrittenItem):
        branch.join(unread.clone(mail.sender, branch.id))
    else:
        _APPLY[mail.category](branch, mail, mail.package.item)


def _apply_message(branch: Branch, mail: Mail, item: Any) -> None:
    if not isinstance(item, RoledMessage):
        raise ValueError(f"A message mail carries a message, not {type(item).__name__}.")
    clone = item.clone(sender=mail.sender, recipient=branch.id, id=mail.id, created_at=mail.created_at)
    branch.join(clone)


def _apply_tool(branch: Branch, mail: Mail, item: Any) -> None:
    tools = item if isinstance(item, (list, tuple, set, frozenset)) else [item]
    made = [tool if isinstance(tool, Tool) else Tool(func_callable=tool) for tool in tools]
    for tool in made:
        known = branch.tools.get(tool.function)
        if known is not None and known.func_callable is not tool.func_callable:
            raise ValueError(
                f"The branch has another tool named {tool.function!r} already. Give it another name, or delete that one"
                " first."
            )
    branch.register_tools([tool for tool in made if tool.function not in branch.tools])


def _apply_model(branch: Branch, mail: Mail, item: Any) -> None:
    if not isinstance(item, iModel):
        raise ValueError(f"An imodel mail carries an iModel, not {type(item).__name__}.")
    branch.register_model(item)


_APPLY = {
    PackageCategory.MESSAGE: _apply_message,
    PackageCategory.TOOL: _apply_tool,
    PackageCategory.IMODEL: _apply_model,
}
