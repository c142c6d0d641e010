"""Changes to a conversation, each a function over its MessageManager.

Arguments and results are plain JSON values: a change can be made where the branch lives, here or on a worker that is
sent the name and the arguments. Each change takes effect whole or not at all.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pydantic_core import to_json

from lion_broker.core.ids import ID, IDType
from lion_broker.core.portable import to_portable
from lion_broker.errors import BranchError, ConfigError, ItemNotFoundError, MailTooLarge
from lion_broker.messages import AssistantResponse, MessageManager, RoledMessage

__all__ = ["EDITS", "apply_edit", "in_pieces"]

_FIELDS = ("content", "role", "sender", "recipient", "template", "metadata", "embedding")
_FIXED = frozenset({"id", "created_at", "flag"})
_UNTOUCHED = frozenset({"action_request_id", "action_response_id", "images"})
"""Keys of contents that hold references and pictures, which are no text."""


def rollback(msgs: MessageManager, steps: Any) -> list[str]:
    """Remove the last messages, `steps` of them, and return their ids; ValueError when there are not so many."""
    if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= len(msgs):
        raise ConfigError(f"{steps!r} steps cannot be taken back: a whole number from 0 to {len(msgs)} is needed.")
    gone = msgs.messages.keys()[len(msgs) - steps :]
    msgs.messages.exclude(gone)
    return [str(one) for one in gone]


def clear_messages(msgs: MessageManager) -> None:
    """Remove all messages but the system message."""
    msgs.clear_messages()


def remove_message(msgs: MessageManager, message: str) -> bool:
    """Remove one message and return True; ItemNotFoundError when it is not here."""
    msgs.messages.exclude(_found(msgs, message))
    return True


def update_message(msgs: MessageManager, message: str, changes: dict[str, Any]) -> bool:
    """Change a message in place and return whether that made a difference.

    `changes` may name `content role sender recipient template metadata embedding`, which are set; anything else is
    handed to the message's own `update`. Raises ItemNotFoundError, ValueError for what does not fit.
    """
    known = _found(msgs, message)
    if fixed := _FIXED & changes.keys():
        raise ConfigError(f"The {' and '.join(sorted(fixed))} of a message cannot be changed.")
    draft, rest = known.model_copy(deep=True), dict(changes)
    for name in _FIELDS:
        if name in rest:
            setattr(draft, name, rest.pop(name))
    if rest:
        try:
            draft.update(**rest)
        except TypeError as error:
            raise ConfigError(f"A {type(known).__name__} cannot be changed so: {error}") from error
    return known.become(draft)


def replace_keyword(msgs: MessageManager, keyword: Any, replacement: Any, case_sensitive: bool = False) -> int:
    """Put one text in the place of another in all contents; returns how many messages that changed.

    References to other messages, pictures and the keys of contents stay. The raw answer that is kept beside a
    response goes when its text changes. ValueError for an empty keyword.
    """
    if not isinstance(keyword, str) or not isinstance(replacement, str) or not keyword:
        raise ConfigError("replace_keyword needs two texts, and the first must not be empty.")
    pattern = re.compile(re.escape(keyword), 0 if case_sensitive else re.IGNORECASE)
    drafts = [(message, _rewritten(message, pattern, replacement)) for message in msgs.messages]
    return _become_all([(message, draft) for message, draft in drafts if draft is not None])


def change_first_system_message(msgs: MessageManager, system: Any, sender: str | None = None) -> None:
    """Change what the system message says, and who says it; ValueError when there is no system message."""
    known = msgs.system
    if known is None:
        raise ConfigError("There is no system message to change.")
    if system is None:
        raise ConfigError("What shall the system message say? None is not enough.")
    known.update(system_message=system, sender=sender)


def extend(msgs: MessageManager, messages: list[dict[str, Any]]) -> int:
    """Append messages, given as their dicts; returns how many came. Those that are here already stay as they are."""
    new: dict[IDType, RoledMessage] = {}
    for message in [RoledMessage.from_dict(one, loaded=False) for one in messages]:
        if message.id not in msgs.messages:
            new.setdefault(message.id, message)
    msgs.messages.include(list(new.values()))
    return len(new)


EDITS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        edit.__name__: edit
        for edit in (
            rollback,
            clear_messages,
            remove_message,
            update_message,
            replace_keyword,
            change_first_system_message,
            extend,
        )
    }
)
"""The changes by name; nothing else is ever done to a conversation because a mail asks for it."""


def apply_edit(msgs: MessageManager, name: str, arguments: Mapping[str, Any]) -> Any:
    """Make the change of that name and return its result, a plain JSON value.

    Raises BranchError for an unknown name, ValueError for arguments that do not fit, NotPortable for those that are no
    plain values, and what the change itself raises; then nothing has changed.
    """
    edit = EDITS.get(name)
    if edit is None:
        raise BranchError(f"There is no edit {name!r}; there are {', '.join(sorted(EDITS))}.")
    plain = to_portable(arguments, what="What is changed")
    try:
        inspect.signature(edit).bind(msgs, **plain)
    except TypeError as error:
        raise ConfigError(f"The edit {name} does not work so: {error}.") from error
    return edit(msgs, **plain)


def in_pieces(messages: Sequence[dict[str, Any]], most_bytes: int) -> list[list[dict[str, Any]]]:
    """Divide the dicts of messages, in order, into lists of bounded size; MailTooLarge for a single one over it."""
    pieces: list[list[dict[str, Any]]] = []
    room = 0
    for message in messages:
        size = len(to_json(message)) + 1
        if size > most_bytes:
            raise MailTooLarge(f"The message {message.get('id')} has {size} bytes; {most_bytes} can travel at most.")
        if size > room:
            pieces.append([])
            room = most_bytes
        pieces[-1].append(message)
        room -= size
    return pieces


def _found(msgs: MessageManager, message: str) -> RoledMessage:
    known = msgs.messages.get(ID.get_id(message), None)
    if known is None:
        raise ItemNotFoundError(f"There is no message {message} in this conversation.")
    return known


def _rewritten(message: RoledMessage, pattern: re.Pattern[str], replacement: str) -> RoledMessage | None:
    content = _replaced(message.content, pattern, replacement)
    if content == message.content:
        return None
    draft = message.model_copy(deep=True)
    draft.content = content
    if isinstance(message, AssistantResponse):
        draft.metadata = {key: value for key, value in message.metadata.items() if key != "model_response"}
    return draft


def _replaced(value: Any, pattern: re.Pattern[str], replacement: str) -> Any:
    if isinstance(value, str):
        return pattern.sub(lambda found: replacement, value)
    if isinstance(value, list):
        return [_replaced(one, pattern, replacement) for one in value]
    if isinstance(value, dict):
        return dict(_replaced_items(value, pattern, replacement))
    return value


def _replaced_items(values: dict[str, Any], pattern: re.Pattern[str], replacement: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        yield key, value if key in _UNTOUCHED else _replaced(value, pattern, replacement)


def _become_all(drafts: Sequence[tuple[RoledMessage, RoledMessage]]) -> int:
    """Change messages into their drafts, all or none."""
    before = [(message, message.model_copy(deep=True)) for message, _ in drafts]
    done = 0
    try:
        for message, draft in drafts:
            message.become(draft)
            done += 1
    except Exception:
        for message, old in before[:done]:
            message.become(old)
        raise
    return done
