"""The behaviours that every registry has: `respond` answers with the branch's model, `record` only keeps what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lion_broker.mail.mail import Mail
from lion_broker.messages import AssistantResponse, Instruction, RoledMessage

if TYPE_CHECKING:
    from .branch import Branch

__all__ = ["BUILT_IN", "record", "respond"]


async def respond(branch: Branch, mail: Mail) -> None:
    """Have the branch's model answer an instruction, with the branch's tools, and mail the answer to its sender.

    Answers of other branches only join the history: two branches that respond do not talk for ever.
    """
    asked = mail.package.item
    if not isinstance(asked, Instruction):
        if isinstance(asked, RoledMessage):
            branch.messages.include(asked.clone(sender=mail.sender, recipient=branch.id, id=mail.id))
        return
    result = await branch.operate(
        instruction=asked.instruction if asked.plain_content is None else asked.plain_content,
        guidance=asked.guidance,
        context=asked.context or None,
        images=asked.images or None,
        sender=mail.sender,
        actions=bool(branch.tools),
    )
    text = result if isinstance(result, str) else result.text
    await branch.asend(mail.sender, "message", AssistantResponse.create(text, sender=branch.id, recipient=mail.sender))


async def record(branch: Branch, mail: Mail) -> None:
    """Do nothing more: a message has joined the history already, and other mail is done with."""


BUILT_IN: Final = {"respond": (respond, False), "record": (record, True)}
"""Functions by name, each with whether messages join the history before it runs."""
