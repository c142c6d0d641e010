"""What every operation that asks a model begins with: the question, the conversation before it, and the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lion_broker.errors import ConfigError, ModelError
from lion_broker.messages import AssistantResponse, Instruction, MessageManager
from lion_broker.models.imodel import iModel

from .dialogue import dialogue
from .forms import Form, only_one

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch
    from lion_broker.models.reply import ModelReply

__all__ = ["Question", "answer_of", "as_model", "is_live", "model_of", "question_of", "record"]


@dataclass(slots=True)
class Question:
    """What is asked of which model: the instruction, the chat messages with it at their end, further parameters."""

    instruction: Instruction
    messages: list[dict[str, Any]]
    model: iModel
    parameters: dict[str, Any] = field(default_factory=dict)
    clears: bool = False


def question_of(
    branch: Branch,
    *,
    instruction: Any = None,
    guidance: Any = None,
    context: Any = None,
    sender: Any = None,
    recipient: Any = None,
    progression: Any = None,
    images: Any = None,
    image_detail: Any = None,
    plain_content: str | None = None,
    chat_model: Any = None,
    imodel: Any = None,
    form: Form | None = None,
    request_fields: Any = None,
    tool_schemas: Any = None,
    clear_messages: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> Question:
    """Return the question with the conversation that goes before it; nothing is recorded yet.

    `progression` names the messages that the model gets to see; with `clear_messages` it sees the system message only.
    """
    if all(one in (None, "", [], {}) for one in (instruction, guidance, context, images, plain_content)):
        raise ConfigError("Nothing is asked: give an instruction, or at least guidance, context or images.")
    model = model_of(branch, only_one(chat_model=chat_model, imodel=imodel))
    asked = MessageManager.create_instruction(
        instruction,
        guidance=guidance,
        context=context,
        sender=sender or branch.user or "user",
        recipient=recipient or branch.id,
        images=images,
        image_detail=image_detail,
        plain_content=plain_content,
        request_fields=request_fields,
        response_format=None if form is None or request_fields is not None else form.schema,
        tool_schemas=tool_schemas,
    )
    system = branch.msgs.system
    before = ([system] if system else []) if clear_messages else branch.msgs.view(progression)
    wanted = dict(parameters or {})
    if form is not None and not form.partial:
        wanted.setdefault("response_format", form.response_format())
    return Question(asked, dialogue(before, asked), model, wanted, clear_messages)


def record(branch: Branch, question: Question, reply: ModelReply) -> None:
    """Keep question and answer in the conversation, cleared before where that was asked for."""
    if question.clears:
        branch.msgs.clear_messages()
    branch.msgs.messages.include([question.instruction, answer_of(branch, question, reply)])


def answer_of(branch: Branch, question: Question, reply: ModelReply) -> AssistantResponse:
    """Return the message that a reply makes, addressed to who asked; it remembers model, usage and label."""
    answer = AssistantResponse.create(reply.text, sender=branch.id, recipient=question.instruction.sender)
    about: dict[str, Any] = {"model": reply.model, "usage": dict(reply.usage), "label": reply.label}
    if reply.tool_calls and not reply.text:
        about["calls"] = len(reply.tool_calls)
    answer.metadata = {**answer.metadata, **{name: value for name, value in about.items() if value}}
    return answer


def model_of(branch: Branch, named: Any = None, slot: str = "chat") -> iModel:
    """Return the model that is meant: itself, one of the branch or of the registry by name, or `provider/model`.

    None is the branch's own for `slot`. Raises ModelError when there is none.
    """
    if isinstance(named, str):
        registered = branch.registered_models
        known = branch.mdls.registry.get(named) or registered.get(named)
        return known or _made(named)
    model = as_model(named) or branch.mdls.registry.get(slot)
    if model is None and slot in branch.mdls.absent:
        raise ModelError(
            f"The model of the branch {branch.name or branch.id} for {slot} is missing here: {branch.mdls.absent[slot]}"
        )
    if model is None:
        raise ModelError(
            f"The branch {branch.name or branch.id} has no model. Give it one, for example"
            " Branch(chat_model='offline/extractive')."
        )
    return model


def as_model(model: Any) -> iModel | None:
    """Return the model itself, or the one that a text `provider/model` names."""
    if model is None or isinstance(model, iModel):
        return model
    if isinstance(model, str):
        return iModel(model=model)
    raise ConfigError(f"A model is an iModel or a text 'provider/model', not {type(model).__name__}.")


def is_live(model: iModel) -> bool:
    """Whether a model asks a provider, which may answer otherwise each time and is given tools in its own way.

    The offline one is a function of the conversation: it reads of tools, and answers with calls as JSON.
    """
    return model.provider != "offline"


def _made(named: str) -> iModel:
    if "/" not in named:
        raise ConfigError(f"No model is named {named!r} here; give a registered name or 'provider/model'.")
    return iModel(model=named)
