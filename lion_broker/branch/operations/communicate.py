"""Ask a model once and keep both sides of it in the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lion_broker.errors import ModelError
from lion_broker.messages import MessageManager

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch
    from lion_broker.models.imodel import iModel

__all__ = ["communicate"]


async def communicate(
    branch: Branch,
    model: iModel | None,
    instruction: Any,
    guidance: Any,
    context: Any,
    clear_messages: bool,
    parameters: dict[str, Any],
) -> str:
    """Send the conversation and a new instruction to the model; both messages are recorded when it has answered.

    A failed call leaves the conversation as it was. Raises ModelError when there is no model or the call fails.
    """
    if model is None:
        raise ModelError(
            f"The branch {branch.name or branch.id} has no model. Give it one, for example"
            " Branch(chat_model='offline/extractive')."
        )
    if clear_messages:
        branch.msgs.clear_messages()
    question = MessageManager.create_instruction(
        instruction=instruction, guidance=guidance, context=context, sender=branch.user or "user", recipient=branch.id
    )
    history = branch.msgs.to_chat_msgs()
    reply = await model.invoke(messages=[*history, question.chat_msg], **parameters)
    answer = MessageManager.create_assistant_response(
        assistant_response=reply.text, sender=branch.id, recipient=branch.user or "user"
    )
    branch.msgs.messages.include([question, answer])
    return reply.text
