"""MessageManager: the conversation of a branch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from lion_broker.core.concepts import Manager
from lion_broker.core.ids import IDType, to_list_type, validate_order
from lion_broker.core.numbers import counted
from lion_broker.core.pile import MISSING, Pile, PileChange
from lion_broker.core.progression import Progression
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.messages.action import ActionRequest, ActionResponse, ActionResponseModel
from lion_broker.messages.assistant import AssistantResponse
from lion_broker.messages.base import MessageFlag, RoledMessage
from lion_broker.messages.copies import Copies
from lion_broker.messages.instruction import Instruction
from lion_broker.messages.system import System

__all__ = ["MessageManager"]

M = TypeVar("M", bound=RoledMessage)


class MessageManager(Manager):
    """The messages of one branch, its system message, and the view of them that a model gets to read.

    `messages` is the Pile of all of them, in order. The view, `progression`, is that order until another one
    is assigned; messages that come later join its end.
    """

    def __init__(self, messages: Any = None, progression: Any = None, system: System | None = None) -> None:
        """Start with messages: a Pile, a list of messages or of their dicts, or the dict of a Pile.

        Messages that are given as dicts are flagged as loaded; a Pile that is given is not shared.
        A System among them is taken as the system message, unless `system` is given, which replaces it.
        `progression` names the messages of the view; ItemNotFoundError for one that is not here.
        """
        self._pile = _message_pile(messages)
        self._coming: Copies | None = None
        self._view: list[IDType] | None = None
        self._hidden: frozenset[IDType] = frozenset()
        found = _system_among(self.messages)
        self._system_id = found.id if found else None
        if progression is not None:
            self.progression = progression
        if system is not None:
            self.set_system(system)

    @property
    def messages(self) -> Pile[RoledMessage]:
        """All messages, in order."""
        if self._coming is not None:
            self._begin()
        return self._pile

    def begin_with(self, copies: Copies) -> None:
        """Begin with clones that are made when somebody first looks at the messages, of which there are none yet.

        An observer is not told of them. Raises ConfigError where there are messages.
        """
        if self:
            raise ConfigError(f"This conversation has begun already, with {counted(len(self), 'message')}.")
        self._coming = copies

    def _begin(self) -> None:
        with self._pile:
            if self._coming is not None:
                self._pile.recall(self._coming.make())
                self._coming = None

    def observe(self, callback: Callable[[PileChange[RoledMessage]], None] | None, /) -> None:
        """Call `callback(change)` at every change of the messages (see Pile.observe), also in place; None ends it."""
        self._pile.observe(callback)

    @property
    def system(self) -> System | None:
        """The system message, if there is one; assign one of the messages to make it that, where it stands."""
        message = self.messages.get(self._system_id, None) if self._system_id else None
        if not isinstance(message, System):
            # It may have come with other messages, read from a log or copied from another branch.
            message = _system_among(self.messages)
            self._system_id = message.id if message else None
        return message

    @system.setter
    def system(self, message: Any) -> None:
        found = self.messages.get(message, None)
        if not isinstance(found, System):
            raise ConfigError(f"This is no system message of this conversation: {message}")
        self._system_id = found.id

    @property
    def progression(self) -> Progression:
        """A copy of the view; assign ids to choose other messages or another order, None for all."""
        if self._view is None:
            return self.messages.progression
        keys = self.messages.keys()
        here, shown = set(keys), set(self._view)
        later = [id_ for id_ in keys if id_ not in shown and id_ not in self._hidden]
        return Progression([id_ for id_ in self._view if id_ in here] + later)

    @progression.setter
    def progression(self, order: Any) -> None:
        if order is None:
            self._view, self._hidden = None, frozenset()
            return
        view = validate_order(order)
        self._known(view)
        self._view, self._hidden = view, frozenset(self.messages.keys()) - set(view)

    def set_system(self, system: System) -> None:
        """Make this the system message, at the head of the messages; the one before is removed."""
        if not isinstance(system, System):
            raise ConfigError(f"The system message is a System, not {type(system).__name__}.")
        before = self.system
        if before is system:
            return
        self.messages.exclude(system)
        self.messages.insert(0, system)
        if before is not None and before.id != system.id:
            self.messages.exclude(before)
        self._system_id = system.id
        if self._view is not None:
            self._view = [system.id, *(id_ for id_ in self._view if id_ != system.id)]

    @staticmethod
    def create_system(system: Any = None, system_datetime: bool | str | None = None, **fields: Any) -> System:
        """Return a System for a text or dict, or the given System with the changes made to it."""
        if isinstance(system, System):
            system.update(system_datetime=system_datetime, **fields)
            return system
        return System.create(system, system_datetime, **fields)

    @staticmethod
    def create_instruction(instruction: Any = None, **fields: Any) -> Instruction:
        """Return an Instruction (fields as in its `create`), or the given one with the changes made to it."""
        if isinstance(instruction, Instruction):
            instruction.update(**fields)
            return instruction
        return Instruction.create(instruction, **fields)

    @staticmethod
    def create_assistant_response(assistant_response: Any = None, **fields: Any) -> AssistantResponse:
        """Return an AssistantResponse for an answer, or the given one with the changes made to it."""
        if isinstance(assistant_response, AssistantResponse):
            assistant_response.update(**fields)
            return assistant_response
        return AssistantResponse.create(assistant_response, **fields)

    @staticmethod
    def create_action_request(
        function: str | Callable[..., Any] | None = None,
        arguments: Any = None,
        action_request: ActionRequest | None = None,
        **fields: Any,
    ) -> ActionRequest:
        """Return an ActionRequest, or the given one with the changes made to it."""
        if action_request is None:
            if function is None:
                raise ConfigError("An action request needs the function to call.")
            return ActionRequest.create(function, arguments, **fields)
        if not isinstance(action_request, ActionRequest):
            raise ConfigError(f"action_request is an ActionRequest, not {type(action_request).__name__}.")
        changes = {"function": function, "arguments": arguments, **fields}
        if any(value is not None for value in changes.values()):
            action_request.update(**changes)
        return action_request

    @staticmethod
    def create_action_response(
        action_request: ActionRequest,
        action_output: Any = None,
        action_response: ActionResponse | ActionResponseModel | None = None,
        **fields: Any,
    ) -> ActionResponse:
        """Return the response to a request, or the given one with output and request set."""
        if not isinstance(action_request, ActionRequest):
            raise ConfigError(f"A response answers an ActionRequest, not a {type(action_request).__name__}.")
        if isinstance(action_response, ActionResponse):
            changes = {} if action_output is MISSING else {"output": action_output}
            action_response.update(action_request=action_request, **changes, **fields)
            return action_response
        output = None if action_output is MISSING else action_output
        return ActionResponse.create(action_request, output, action_response, **fields)

    def add_message(
        self,
        *,
        sender: Any = None,
        recipient: Any = None,
        system: Any = None,
        system_datetime: bool | str | None = None,
        assistant_response: Any = None,
        action_request: ActionRequest | None = None,
        action_function: str | Callable[..., Any] | None = None,
        action_arguments: Any = None,
        action_output: Any = MISSING,
        action_response: ActionResponse | ActionResponseModel | None = None,
        template: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        instruction: Any = None,
        **instruct: Any,
    ) -> RoledMessage:
        """Make a message of what is given, add it, and return it.

        What it becomes: a System (`system`), an ActionResponse (`action_request` with `action_output`, any
        value counts, None too), an ActionRequest (`action_function`, `action_arguments`), an
        AssistantResponse, else an Instruction (further keywords as in Instruction.create). A message that is
        given is changed and, when it is here already, stays in its place. `metadata` is kept in
        `metadata["extra"]`. ValueError when more than one kind is given.
        """
        kinds = (instruction, assistant_response, system, action_request)
        if sum(kind is not None for kind in kinds) > 1:
            raise ConfigError("Give only one of instruction, assistant_response, system and action_request at a time.")
        parties = {"sender": sender, "recipient": recipient, "template": template}
        message: RoledMessage
        if system is not None:
            message = self.create_system(system, system_datetime, **parties)
        elif action_output is not MISSING or action_response is not None:
            if action_request is None:
                raise ConfigError("An action output needs the action_request that it answers.")
            message = self.create_action_response(action_request, action_output, action_response, **parties)
        elif action_request is not None or action_function is not None:
            message = self.create_action_request(action_function, action_arguments, action_request, **parties)
        elif assistant_response is not None:
            message = self.create_assistant_response(assistant_response, **parties)
        else:
            message = self.create_instruction(instruction, **parties, **instruct)
        return self._added(message, metadata)

    async def a_add_message(self, **message: Any) -> RoledMessage:
        """Do `add_message` when no other task holds the messages."""
        async with self.messages:
            return self.add_message(**message)

    def clear_messages(self) -> None:
        """Remove all messages but the system message."""
        system = self.system
        self.messages.exclude([message for message in self.messages if message is not system])

    async def aclear_messages(self) -> None:
        """Do `clear_messages` when no other task holds the messages."""
        async with self.messages:
            self.clear_messages()

    @property
    def last_response(self) -> AssistantResponse | None:
        """The last answer of a model."""
        return self._last(AssistantResponse)

    @property
    def last_instruction(self) -> Instruction | None:
        """The last instruction."""
        return self._last(Instruction)

    @property
    def assistant_responses(self) -> Pile[AssistantResponse]:
        """All answers of models."""
        return self._all(AssistantResponse)

    @property
    def action_requests(self) -> Pile[ActionRequest]:
        """All calls of tools."""
        return self._all(ActionRequest)

    @property
    def action_responses(self) -> Pile[ActionResponse]:
        """All outcomes of calls."""
        return self._all(ActionResponse)

    @property
    def instructions(self) -> Pile[Instruction]:
        """All instructions."""
        return self._all(Instruction)

    def remove_last_instruction_tool_schemas(self) -> None:
        """Take the tools out of the last instruction, if there is one."""
        if self.last_instruction:
            self.last_instruction.tool_schemas = None

    def concat_recent_action_responses_to_instruction(self, instruction: Instruction) -> None:
        """Append to the context of an instruction the outcomes that stand at the end of the conversation."""
        recent: list[dict[str, Any]] = []
        for message in reversed(self.messages.values()):
            if not isinstance(message, ActionResponse):
                break
            recent.insert(0, message.response)
        if recent:
            instruction.extend_context(*recent)

    def to_chat_msgs(self, progression: Any = None) -> list[dict[str, Any]]:
        """Return the view, or the messages named, as chat messages with the system message first.

        The system message is there even when it is not named; nothing is when an empty list is given.
        Raises ItemNotFoundError, which is a ValueError, for an unknown message.
        """
        return [message.chat_msg for message in self.view(progression)]

    def view(self, progression: Any = None) -> list[RoledMessage]:
        """Return the messages of the view, or those named, with the system message first; see `to_chat_msgs`."""
        ids = list(self.progression) if progression is None else validate_order(progression)
        if not ids:
            return []
        self._known(ids)
        system = self.system
        said = [self.messages[id_] for id_ in ids if system is None or id_ != system.id]
        return [system, *said] if system else said

    def __contains__(self, message: Any) -> bool:
        return message in self.messages

    def __len__(self) -> int:
        coming = self._coming
        return len(self._pile) if coming is None else len(coming)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __repr__(self) -> str:
        return f"MessageManager({counted(len(self), 'message')}, system={self.system is not None})"

    def _added(self, message: RoledMessage, metadata: Mapping[str, Any] | None) -> RoledMessage:
        if metadata is not None:
            message.metadata = {**message.metadata, "extra": dict(metadata)}
        if isinstance(message, System):
            self.set_system(message)
        elif self.messages.get(message, None) is not message:
            self.messages.include(message)
        return message

    def _known(self, ids: Sequence[IDType]) -> None:
        unknown = [id_ for id_ in ids if id_ not in self.messages]
        if unknown:
            raise ItemNotFoundError(f"These messages are not in this conversation: {', '.join(unknown)}.")

    def _last(self, kind: type[M]) -> M | None:
        # Backwards by position: what is looked for is near the end, and the conversation may be long.
        for index in range(len(self.messages) - 1, -1, -1):
            message = self.messages[index]
            if isinstance(message, kind):
                return message
        return None

    def _all(self, kind: type[M]) -> Pile[M]:
        return Pile([message for message in self.messages if isinstance(message, kind)], item_type=kind)


def _message_pile(messages: Any) -> Pile[RoledMessage]:
    if isinstance(messages, Mapping):
        pile = Pile[RoledMessage].from_dict({**messages, "item_type": ["RoledMessage"]})
        for message in pile:
            message.flag = MessageFlag.MESSAGE_LOAD
        return pile
    given = [RoledMessage.from_dict(one) if isinstance(one, Mapping) else one for one in to_list_type(messages)]
    return Pile(given, item_type=RoledMessage)


def _system_among(messages: Pile[RoledMessage]) -> System | None:
    """Return the System at the head, or the first that is no clone: clones come by mail, for reading only."""
    systems = [message for message in messages if isinstance(message, System)]
    if systems and messages[0] is systems[0]:
        return systems[0]
    return next((system for system in systems if not system.is_clone()), None)
