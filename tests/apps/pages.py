"""What the workers of the documents can do, where a page names behaviours, tools and errors without showing them."""

from __future__ import annotations

from lion_broker import Branch, Mail, Registry

__all__ = ["registry"]

registry = Registry()


@registry.tool
def search(words: str) -> str:
    """Find something.

    Args:
        words: What to find.
    """
    return words


@registry.behaviour("read")
async def read(branch: Branch, mail: Mail) -> None:
    """Answer with the number of words, and have the critic look at them, if there is one."""
    text = str(mail.package.item.instruction)
    branch.send(mail.sender, "message", f"{len(text.split())} words")
    if critic := branch.metadata.get("critic"):
        branch.send(critic, "message", text)


@registry.behaviour("criticise", attempts=1)
async def criticise(branch: Branch, mail: Mail) -> None:
    """Be too tired for it."""
    raise TimeoutError("too tired")


@registry.behaviour("hesitate", attempts=3, backoff=600)
async def hesitate(branch: Branch, mail: Mail) -> None:
    """Fail, and be tried again much later."""
    raise ValueError("not now")
