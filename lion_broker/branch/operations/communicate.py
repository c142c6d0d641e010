"""Ask a model once, keep both sides of it in the conversation, and give the answer the wanted form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asking import question_of, record
from .forms import form_of, only_one
from .parse import take_form

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch

__all__ = ["communicate"]

_MOST_RETRIES = 5


async def communicate(
    branch: Branch,
    *,
    response_format: Any = None,
    request_model: Any = None,
    operative_model: Any = None,
    request_fields: Any = None,
    skip_validation: bool = False,
    parse_model: Any = None,
    num_parse_retries: int = 3,
    fuzzy_match_kwargs: dict[str, Any] | None = None,
    **question: Any,
) -> Any:
    """Return the answer: text, or what it says in the wanted form.

    Both messages are recorded when the model has answered; a failed call leaves the conversation as it was. An answer
    that cannot be given its form is recorded all the same, and OutputInvalid says why.
    """
    wanted = only_one(response_format=response_format, request_model=request_model, operative_model=operative_model)
    form = form_of(wanted, request_fields)
    asked = question_of(branch, form=form, request_fields=request_fields, **question)
    reply = await branch.ask(asked)
    record(branch, asked, reply)
    if form is None or skip_validation:
        return reply.text
    return await take_form(
        branch,
        reply.text,
        form,
        retries=min(num_parse_retries, _MOST_RETRIES),
        parse_model=parse_model,
        **(fuzzy_match_kwargs or {}),
    )
