"""The verbs that change a conversation, the same wherever its branch lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lion_broker.core.ids import ID
from lion_broker.mail.exchange import Steps
from lion_broker.messages import System, validate_sender_recipient

from .transcript import written

__all__ = ["Editable"]


class Editable(ABC):
    """Changes to the messages of a branch, each with a twin that does not block the event loop.

    On a Branch they take effect at once; in a session they are stored with the next mail command, operation or
    `flush`. On a RemoteBranch a worker makes them, and they are stored when the call returns: then RoundTimeout is
    raised when no worker answers in time, BranchOwned for a branch of another process. A change that fails changes
    nothing.
    """

    @abstractmethod
    def _edit_steps(self, name: str, **arguments: Any) -> Steps[Any]:
        """Make one of the changes in `editing.EDITS`, as a program over the exchange."""

    @abstractmethod
    def _edit(self, steps: Steps[Any]) -> Any:
        """Run such a program, blocking."""

    @abstractmethod
    async def _aedit(self, steps: Steps[Any]) -> Any:
        """Run such a program without blocking the event loop, and with no other task changing the messages."""

    def rollback(self, steps: int) -> list[str]:
        """Remove the last messages, `steps` of them, and return their ids; ValueError when there are not so many."""
        gone: list[str] = self._edit(self._edit_steps("rollback", steps=steps))
        return gone

    async def arollback(self, steps: int) -> list[str]:
        """Do `rollback` without blocking the event loop."""
        gone: list[str] = await self._aedit(self._edit_steps("rollback", steps=steps))
        return gone

    def clear_messages(self) -> None:
        """Remove all messages but the system message."""
        self._edit(self._edit_steps("clear_messages"))

    async def aclear_messages(self) -> None:
        """Do `clear_messages` without blocking the event loop."""
        await self._aedit(self._edit_steps("clear_messages"))

    def remove_message(self, message: ID.Ref) -> bool:
        """Remove a message, named by itself or its id, and return True; ItemNotFoundError when it is not here."""
        return bool(self._edit(self._edit_steps("remove_message", message=ID.get_id(message))))

    async def aremove_message(self, message: ID.Ref) -> bool:
        """Do `remove_message` without blocking the event loop."""
        return bool(await self._aedit(self._edit_steps("remove_message", message=ID.get_id(message))))

    def update_message(self, message: ID.Ref, /, **changes: Any) -> bool:
        """Change a message in place, and return whether that made a difference.

        `content role sender recipient template metadata embedding` are set; anything else goes to the message's own
        `update`, such as `instruction=` or `assistant_response=`. Raises ItemNotFoundError for an unknown message,
        ValueError for what does not fit (an answered ActionRequest, an id), NotPortable for what is no plain value.
        """
        return bool(self._edit(self._update_steps(message, changes)))

    async def aupdate_message(self, message: ID.Ref, /, **changes: Any) -> bool:
        """Do `update_message` without blocking the event loop."""
        return bool(await self._aedit(self._update_steps(message, changes)))

    def replace_keyword(self, keyword: str, replacement: str, case_sensitive: bool = False) -> int:
        """Put one text in the place of another in all contents; returns how many messages that changed.

        Both are plain texts. References to other messages, pictures and the keys of contents stay; the raw answer
        that is kept beside a response goes when its text changes.
        """
        return int(self._edit(self._replace_steps(keyword, replacement, case_sensitive)))

    async def areplace_keyword(self, keyword: str, replacement: str, case_sensitive: bool = False) -> int:
        """Do `replace_keyword` without blocking the event loop."""
        return int(await self._aedit(self._replace_steps(keyword, replacement, case_sensitive)))

    def change_first_system_message(self, system: Any, sender: Any = None) -> None:
        """Change what the system message says, and who says it; ValueError when there is no system message."""
        self._edit(self._system_steps(system, sender))

    async def achange_first_system_message(self, system: Any, sender: Any = None) -> None:
        """Do `change_first_system_message` without blocking the event loop."""
        await self._aedit(self._system_steps(system, sender))

    def extend(self, messages: Any) -> int:
        """Append copies of messages and return how many came; those that are here already stay as they are.

        `messages` is a message, its dict, a Pile or list of these, or the path of a `.csv`, `.json` or `.jsonl` file.
        What comes from dicts and files is flagged as loaded. Raises ValueError, naming the row, for what is no
        message; then nothing was added. To a RemoteBranch many messages go in bounded pieces: repeat a call that was
        interrupted, and what is missing comes. MailTooLarge for a message that is too large to travel there.
        """
        return int(self._edit(self._extend_steps(written(messages))))

    async def aextend(self, messages: Any) -> int:
        """Do `extend` without blocking the event loop for longer than reading a file takes."""
        return int(await self._aedit(self._extend_steps(written(messages))))

    def _update_steps(self, message: ID.Ref, changes: dict[str, Any]) -> Steps[Any]:
        parties = {
            name: validate_sender_recipient(changes[name]) for name in ("sender", "recipient") if name in changes
        }
        return self._edit_steps("update_message", message=ID.get_id(message), changes={**changes, **parties})

    def _replace_steps(self, keyword: str, replacement: str, case_sensitive: bool) -> Steps[Any]:
        return self._edit_steps(
            "replace_keyword", keyword=keyword, replacement=replacement, case_sensitive=case_sensitive
        )

    def _system_steps(self, system: Any, sender: Any) -> Steps[Any]:
        if isinstance(system, System):
            system = system.content["system_message"]
        sender = None if sender is None else validate_sender_recipient(sender)
        return self._edit_steps("change_first_system_message", system=system, sender=sender)

    def _extend_steps(self, messages: list[dict[str, Any]]) -> Steps[int]:
        count = 0
        for piece in self._pieces(messages):
            count += yield from self._edit_steps("extend", messages=piece)
        return count

    def _pieces(self, messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Divide what is to be appended; here it goes in one."""
        return [messages]
