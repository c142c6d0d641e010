"""Ask a model without keeping anything of it in the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lion_broker.messages import AssistantResponse, Instruction

from .asking import answer_of, question_of
from .forms import form_of, only_one

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch

__all__ = ["chat"]


async def chat(
    branch: Branch,
    *,
    response_format: Any = None,
    request_model: Any = None,
    request_fields: Any = None,
    return_ins_res_message: bool = False,
    **question: Any,
) -> str | tuple[Instruction, AssistantResponse]:
    """Return the model's answer as text, or with `return_ins_res_message` both messages."""
    wanted = only_one(response_format=response_format, request_model=request_model)
    form = form_of(wanted, request_fields)
    asked = question_of(branch, form=form, request_fields=request_fields, **question)
    reply = await branch.ask(asked)
    if return_ins_res_message:
        return asked.instruction, answer_of(branch, asked, reply)
    return reply.text
