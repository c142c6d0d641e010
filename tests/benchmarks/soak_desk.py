"""What the branches of the soak do with their mail."""

from __future__ import annotations

from lion_broker import Branch, Mail, Registry

registry = Registry()


@registry.behaviour("answer", record=False)
async def answer(branch: Branch, mail: Mail) -> None:
    """Send something back."""
    branch.send(mail.sender, "message", "heard")


@registry.behaviour("fail", attempts=2, backoff=0.05)
async def fail(branch: Branch, mail: Mail) -> None:
    """Fail, each time."""
    raise ValueError("not today")
