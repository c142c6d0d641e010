"""What the workers of the tests can do: behaviours that answer, wait, fail and kill, two tools and a model.

A behaviour that waits touches `<folder>/<text>.begun` and goes on when there is a file `<folder>/go`; the folder is
named by the environment variable DESK.
"""

from __future__ import annotations

import os
from pathlib import Path

import anyio

from lion_broker import Branch, Instruction, Mail, Registry, iModel

registry = Registry()
registry.model("quote", iModel("offline", "extractive"))


@registry.tool
def search(query: str) -> list[str]:
    """Find something.

    Args:
        query: What to find.
    """
    return [query]


@registry.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def text_of(mail: Mail) -> str:
    """What a message mail says."""
    item = mail.package.item
    return str(item.instruction) if isinstance(item, Instruction) else str(item)


@registry.behaviour("echo")
async def echo(branch: Branch, mail: Mail) -> None:
    """Answer every mail."""
    branch.send(mail.sender, "message", f"re {text_of(mail)}")


@registry.behaviour("forward")
async def forward(branch: Branch, mail: Mail) -> None:
    """Pass every mail on to the branch that the metadata name, a little later."""
    await anyio.sleep(0.01)
    branch.send(branch.metadata["to"], "message", f"{branch.name}/{text_of(mail)}")


@registry.behaviour("wait")
async def wait(branch: Branch, mail: Mail) -> None:
    """Say that it has begun, and end when it may."""
    folder = Path(os.environ["DESK"])
    folder.joinpath(f"{text_of(mail)}.begun").touch()
    branch.send(mail.sender, "message", f"re {text_of(mail)}")
    while not folder.joinpath("go").exists():  # noqa: ASYNC110 - another process makes it
        await anyio.sleep(0.005)


@registry.behaviour("moody", backoff=0.02)
async def moody(branch: Branch, mail: Mail) -> None:
    """Fail at a mail that says so, kill the process at another, and answer all others."""
    branch.send(mail.sender, "message", f"re {text_of(mail)}")
    branch.logs.log(f"at {text_of(mail)}")
    if text_of(mail).startswith("fail"):
        raise RuntimeError(f"no wish to do {text_of(mail)}")
    if text_of(mail).startswith("die"):
        os._exit(9)
