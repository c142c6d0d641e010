"""Reading a conversation: who said what, what was said first and last, searching, counting, writing it to a file."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lion_broker.core.ids import IDType
from lion_broker.core.pile import Pile
from lion_broker.errors import ConfigError
from lion_broker.messages import (
    ActionRequest,
    ActionResponse,
    AssistantResponse,
    Instruction,
    MessageManager,
    MessageRole,
    RoledMessage,
    System,
    validate_sender_recipient,
)

from .transcript import write_messages

__all__ = ["Conversation"]

M = TypeVar("M", bound=RoledMessage)
Moment = datetime | str | float
"""A datetime, ISO 8601 text, or seconds since the epoch; without a time zone it is local time."""

_SHOWN = 5
"""How many messages at either end `describe` shows."""


class Conversation(ABC):
    """What can be read off the messages of a branch, wherever it lives.

    On a RemoteBranch each of these looks at the messages as they stand now: one round trip, blocking.
    """

    if TYPE_CHECKING:
        id: IDType
        name: str | None
        user: Any

        @property
        def msgs(self) -> MessageManager:
            """The conversation."""

        @property
        def messages(self) -> Pile[RoledMessage]:
            """The messages of the conversation, in order."""

        @property
        def tools(self) -> Mapping[str, Any]:
            """The tools by name."""

    @property
    @abstractmethod
    def model_names(self) -> dict[str, str]:
        """The models by their use: the name under which each is registered, or `provider/model`."""

    # First and last of each kind; None when there is none

    @property
    def first_message(self) -> RoledMessage | None:
        """The first message."""
        return _first(self.messages, RoledMessage)

    @property
    def last_message(self) -> RoledMessage | None:
        """The last message."""
        return _last(self.messages, RoledMessage)

    @property
    def last_message_content(self) -> dict[str, Any] | None:
        """A copy of the last message's content."""
        return _content(self.last_message)

    @property
    def first_system(self) -> System | None:
        """The first system message."""
        return _first(self.messages, System)

    @property
    def last_system(self) -> System | None:
        """The last system message."""
        return _last(self.messages, System)

    @property
    def first_instruction(self) -> Instruction | None:
        """The first instruction."""
        return _first(self.messages, Instruction)

    @property
    def last_instruction(self) -> Instruction | None:
        """The last instruction."""
        return _last(self.messages, Instruction)

    @property
    def first_response(self) -> AssistantResponse | None:
        """The first answer of a model."""
        return _first(self.messages, AssistantResponse)

    @property
    def last_response(self) -> AssistantResponse | None:
        """The last answer of a model."""
        return _last(self.messages, AssistantResponse)

    @property
    def last_response_content(self) -> dict[str, Any] | None:
        """A copy of the last answer's content."""
        return _content(self.last_response)

    @property
    def first_action_request(self) -> ActionRequest | None:
        """The first call of a tool."""
        return _first(self.messages, ActionRequest)

    @property
    def last_action_request(self) -> ActionRequest | None:
        """The last call of a tool."""
        return _last(self.messages, ActionRequest)

    @property
    def first_action_response(self) -> ActionResponse | None:
        """The first outcome of a call."""
        return _first(self.messages, ActionResponse)

    @property
    def last_action_response(self) -> ActionResponse | None:
        """The last outcome of a call."""
        return _last(self.messages, ActionResponse)

    # All of each kind

    @property
    def responses(self) -> Pile[RoledMessage]:
        """All messages in the role of the assistant."""
        return _pile(message for message in self.messages if message.role is MessageRole.ASSISTANT)

    @property
    def assistant_responses(self) -> Pile[AssistantResponse]:
        """All answers of models."""
        return self.msgs.assistant_responses

    @property
    def instructions(self) -> Pile[Instruction]:
        """All instructions."""
        return self.msgs.instructions

    @property
    def action_requests(self) -> Pile[ActionRequest]:
        """All calls of tools."""
        return self.msgs.action_requests

    @property
    def action_responses(self) -> Pile[ActionResponse]:
        """All outcomes of calls."""
        return self.msgs.action_responses

    @property
    def action_request(self) -> Pile[ActionRequest]:
        """All calls of tools, under LionAGI's older name."""
        return self.action_requests

    @property
    def action_response(self) -> Pile[ActionResponse]:
        """All outcomes of calls, under LionAGI's older name."""
        return self.action_responses

    # Search

    def search_keywords(
        self, keywords: str | Sequence[str], case_sensitive: bool = False, regex: bool = False
    ) -> Pile[RoledMessage]:
        """Return the messages whose text, as a model reads it, has at least one of the keywords.

        Keywords are plain texts, or with `regex` regular expressions. ConfigError for an empty or broken one.
        """
        pattern = _pattern(keywords, case_sensitive, regex)
        return _pile(message for message in self.messages if pattern.search(message.text))

    def filter_by(
        self,
        role: MessageRole | str | Sequence[MessageRole | str] | None = None,
        sender: Any = None,
        recipient: Any = None,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        content_keywords: str | Sequence[str] | None = None,
        case_sensitive: bool = False,
    ) -> Pile[RoledMessage]:
        """Return the messages that fit everything that is given.

        `sender` and `recipient` are a branch, an id, a role or a name. `start_time` and `end_time` are exclusive: a
        datetime, ISO text or seconds since the epoch. `content_keywords` as in `search_keywords`. ConfigError for
        what is none of these.
        """
        roles = None if role is None else _roles(role)
        senders = None if sender is None else validate_sender_recipient(sender)
        recipients = None if recipient is None else validate_sender_recipient(recipient)
        after = None if start_time is None else _seconds(start_time)
        before = None if end_time is None else _seconds(end_time)
        pattern = None if content_keywords is None else _pattern(content_keywords, case_sensitive, False)
        return _pile(
            message
            for message in self.messages
            if (roles is None or message.role in roles)
            and (senders is None or message.sender == senders)
            and (recipients is None or message.recipient == recipients)
            and (after is None or message.created_at > after)
            and (before is None or message.created_at < before)
            and (pattern is None or pattern.search(message.text))
        )

    # Counts and pictures

    @property
    def info(self) -> dict[str, int]:
        """How many messages there are by role, and their `total`."""
        return _counts(message.role for message in self.messages)

    @property
    def sender_info(self) -> dict[str, int]:
        """How many messages there are by sender, and their `total`."""
        return _counts(message.sender for message in self.messages)

    @property
    def describe(self) -> dict[str, Any]:
        """The branch at a glance, as plain values.

        `id name user total_messages summary_by_role summary_by_sender tools models first_messages last_messages`:
        counts, names, and up to five messages at either end as their dicts.
        """
        messages = self.messages.values()
        return {
            "id": str(self.id),
            "name": self.name,
            "user": None if self.user is None else str(getattr(self.user, "id", self.user)),
            "total_messages": len(messages),
            "summary_by_role": _counts(message.role for message in messages),
            "summary_by_sender": _counts(message.sender for message in messages),
            "tools": sorted(self.tools),
            "models": dict(self.model_names),
            "first_messages": [message.to_dict() for message in messages[:_SHOWN]],
            "last_messages": [message.to_dict() for message in messages[-_SHOWN:]],
        }

    def messages_describe(self) -> dict[str, Any]:
        """Return `describe`, under LionAGI's older name."""
        return self.describe

    @property
    def chat_messages(self) -> list[dict[str, Any]]:
        """The messages of the view as chat messages, `{"role": …, "content": …}`, the system message first."""
        return self.msgs.to_chat_msgs()

    @property
    def chat_messages_with_sender(self) -> list[dict[str, Any]]:
        """What `chat_messages` is, with each text beginning with `Sender …: `."""
        msgs = self.msgs
        system = msgs.system
        shown = [msgs.messages[id_] for id_ in msgs.progression if system is None or id_ != system.id]
        return [_with_sender(message) for message in ([system] if system is not None else []) + shown]

    # Files

    def to_csv_file(
        self,
        filepath: str | Path = "messages.csv",
        dir_exist_ok: bool = True,
        timestamp: bool = False,
        time_prefix: bool = False,
    ) -> Path:
        """Write all messages to a file as CSV, for `Branch.from_csv`, and return its path.

        Folders are made. With `timestamp` the name gets the time in UTC behind it, or with `time_prefix` in front.
        The file is replaced whole or not at all. Raises ConfigError when it cannot be written, and with
        `dir_exist_ok=False` when its folder is there already.
        """
        return self._to_file(filepath, ".csv", dir_exist_ok, timestamp, time_prefix)

    def to_json_file(
        self,
        filepath: str | Path = "messages.json",
        dir_exist_ok: bool = True,
        timestamp: bool = False,
        time_prefix: bool = False,
    ) -> Path:
        """Write all messages to a file as a JSON list, for `Branch.from_json`; see `to_csv_file`."""
        return self._to_file(filepath, ".json", dir_exist_ok, timestamp, time_prefix)

    def to_jsonl_file(
        self,
        filepath: str | Path = "messages.jsonl",
        dir_exist_ok: bool = True,
        timestamp: bool = False,
        time_prefix: bool = False,
    ) -> Path:
        """Write all messages to a file as JSON lines, for `Branch.from_jsonl`; see `to_csv_file`."""
        return self._to_file(filepath, ".jsonl", dir_exist_ok, timestamp, time_prefix)

    def _to_file(self, filepath: str | Path, suffix: str, dir_exist_ok: bool, timestamp: bool, prefix: bool) -> Path:
        path = Path(filepath)
        if timestamp or prefix:
            now = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            path = path.with_name(f"{now}_{path.name}" if prefix else f"{path.stem}_{now}{path.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=dir_exist_ok)
        except OSError as error:
            raise ConfigError(f"The folder {path.parent} cannot be made: {error.strerror or error}") from error
        return write_messages(self.messages, path, suffix)


def _pile(messages: Iterable[RoledMessage]) -> Pile[RoledMessage]:
    return Pile(list(messages), item_type=RoledMessage)


def _first(messages: Pile[RoledMessage], kind: type[M]) -> M | None:
    return next((message for message in messages.values() if isinstance(message, kind)), None)


def _last(messages: Pile[RoledMessage], kind: type[M]) -> M | None:
    return next((message for message in reversed(messages.values()) if isinstance(message, kind)), None)


def _content(message: RoledMessage | None) -> dict[str, Any] | None:
    return None if message is None else deepcopy(message.content)


def _counts(values: Iterable[Any]) -> dict[str, int]:
    counts = Counter(str(value) for value in values)
    return {**counts, "total": counts.total()}


def _with_sender(message: RoledMessage) -> dict[str, Any]:
    chat, who = message.chat_msg, f"Sender {message.sender}: "
    content = chat["content"]
    if isinstance(content, str):
        return {**chat, "content": who + content}
    return {**chat, "content": [{"type": "text", "text": who}, *content]}


def _pattern(keywords: Any, case_sensitive: bool, regex: bool) -> re.Pattern[str]:
    """Return what finds any of the keywords."""
    many = [keywords] if isinstance(keywords, str) else list(keywords) if isinstance(keywords, Iterable) else []
    if not many or not all(isinstance(one, str) and one for one in many):
        raise ConfigError(f"A keyword, or a list of them, is a text that is not empty; not {keywords!r:.80}.")
    flags = re.NOFLAG if case_sensitive else re.IGNORECASE
    if not regex:
        return re.compile("|".join(map(re.escape, many)), flags)
    for one in many:
        try:
            re.compile(one)
        except (re.error, RecursionError, OverflowError) as error:
            raise ConfigError(f"{one!r:.80} is no regular expression: {error}.") from error
    return _compiled("|".join(f"(?:{one})" for one in many), flags)


def _compiled(expression: str, flags: int) -> re.Pattern[str]:
    try:
        return re.compile(expression, flags)
    except re.error as error:  # expressions that are only valid alone: global flags, a group named twice
        raise ConfigError(f"These regular expressions cannot be searched together: {error}.") from error


def _roles(role: MessageRole | str | Sequence[MessageRole | str]) -> frozenset[MessageRole]:
    try:
        return frozenset(map(MessageRole, [role] if isinstance(role, str) else role))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{role!r:.80} is no role; there are {', '.join(MessageRole)}.") from error


def _seconds(moment: Any) -> float:
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise ConfigError(f"{moment!r:.80} is no time; one is written 2025-01-31T09:30:00+00:00.") from error
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, bool) or not isinstance(moment, int | float) or moment != moment:
        raise ConfigError(f"{moment!r:.80} is no time: a datetime, ISO text or seconds since the epoch is needed.")
    return float(moment)
