"""Branches that pass mail on, each in its own way; which one a mail met can be read off its text.

A branch NAME that takes the text T sends `NAME/T` to each branch that its metadata name under `to`.
"""

from __future__ import annotations

import random
from functools import partial

import anyio

from lion_broker import Branch, Instruction, Mail, Registry, iModel

registry = Registry()
registry.model("quote", iModel("offline", "extractive"))
dice = random.Random()  # noqa: S311 - when a branch fails is no secret

often = partial(registry.behaviour, attempts=25, backoff=0.05, max_backoff=0.4)
"""Registers a behaviour that fails at random, or whose workers are killed all the time."""


def text_of(mail: Mail) -> str:
    """What a message mail says."""
    item = mail.package.item
    return str(item.instruction) if isinstance(item, Instruction) else str(item)


async def pass_on(branch: Branch, mail: Mail) -> None:
    """Send a mail on, after a moment in which a worker may be struck."""
    for recipient in branch.metadata["to"]:
        branch.send(recipient, "message", f"{branch.name}/{text_of(mail)}")
        await anyio.sleep(dice.uniform(0, 0.004))


@often("relay")
async def relay(branch: Branch, mail: Mail) -> None:
    """Pass a mail on."""
    await pass_on(branch, mail)


@often("silent", record=False)
async def silent(branch: Branch, mail: Mail) -> None:
    """Pass a mail on without remembering it."""
    await pass_on(branch, mail)


@often("shaky")
async def shaky(branch: Branch, mail: Mail) -> None:
    """Pass a mail on, or fail before it or after it; now and then."""
    if dice.random() < 0.02:
        raise RuntimeError("not now")
    await pass_on(branch, mail)
    if dice.random() < 0.02:
        raise RuntimeError("not like this")


@registry.behaviour("hopeless", attempts=2, backoff=0.05)
async def hopeless(branch: Branch, mail: Mail) -> None:
    """Pass a mail on unless its number ends with 7: then fail as often as it is tried."""
    await pass_on(branch, mail)
    if text_of(mail).endswith("7"):
        raise RuntimeError("never")


@often("asking")
async def asking(branch: Branch, mail: Mail) -> None:
    """Ask a model about every tenth mail, and pass all of them on."""
    if text_of(mail).endswith("0"):
        await branch.communicate("What is tea?", context=["Tea is a drink."])
    await pass_on(branch, mail)
