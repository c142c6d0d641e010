"""What the desk's branches say to each other: a sentence for people, and the same as values for the other branch."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from lion_broker.branch.branch import Branch
from lion_broker.mail.mail import Mail
from lion_broker.messages import AssistantResponse, Instruction, RoledMessage

__all__ = ["Kind", "answer", "kind_of", "order", "said", "values_of"]


class Kind(StrEnum):
    """What a message of the desk is about."""

    QUESTION = "question"
    PLAN = "plan"
    SUB_QUESTION = "sub_question"
    PICKS = "picks"
    FINDING = "finding"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    REPORT = "report"


def order(text: str, kind: Kind, **values: Any) -> Instruction:
    """Return a message that asks for something."""
    return Instruction.create(instruction=text, context=[{"kind": kind, **values}])


def answer(text: str, kind: Kind, **values: Any) -> AssistantResponse:
    """Return a message that answers."""
    return AssistantResponse.create(text, context=[{"kind": kind, **values}])


def values_of(message: RoledMessage) -> dict[str, Any]:
    """Return the values of a message; an empty dict when it is not one of the desk's."""
    context = message.content.get("context")
    first = context[0] if isinstance(context, list) and context else None
    return first if isinstance(first, dict) and "kind" in first else {}


def kind_of(mail: Mail) -> Kind:
    """Return what a message mail is about; raises ValueError for a message that is not one of the desk's."""
    return Kind(values_of(mail.package.item).get("kind", ""))


def said(branch: Branch, kind: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield sender and values of the messages of a kind in a branch's history, in order."""
    for message in branch.messages:
        values = values_of(message)
        if values.get("kind") == kind:
            yield str(message.sender), values
