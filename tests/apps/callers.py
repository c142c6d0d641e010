"""Branches that call tools again and again, and one that blocks its worker; the folder DESK shows who called what."""

from __future__ import annotations

import os
import time
from pathlib import Path

import anyio

from lion_broker import Branch, Mail, Registry
from tests.apps.desk import text_of

registry = Registry()
desk = Path(os.environ["DESK"])


@registry.tool
async def tap(number: int) -> int:
    """Leave a trace, and take a moment.

    Args:
        number: Which call it is.
    """
    with (desk / "taps").open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
    await anyio.sleep(0.02)
    return number


@registry.behaviour("taps")
async def taps(branch: Branch, mail: Mail) -> None:
    """Call the tool as often as the mail says, one call after the other."""
    for number in range(int(text_of(mail))):
        await branch.invoke_action({"function": "tap", "arguments": {"number": number}})
    branch.send(mail.sender, "message", "done")


@registry.behaviour("blocks")
async def blocks(branch: Branch, mail: Mail) -> None:
    """Let nothing else run on the worker for as many seconds as the mail says."""
    with (desk / "blocks").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(float(text_of(mail)))  # noqa: ASYNC251 - the fault that the test is about
    branch.send(mail.sender, "message", "done")


@registry.behaviour("holds")
async def holds(branch: Branch, mail: Mail) -> None:
    """Let nothing else run on the worker until there is a file `go`."""
    with (desk / "holds").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (desk / "go").exists():
        time.sleep(0.01)  # noqa: ASYNC251 - the fault that the test is about
    branch.send(mail.sender, "message", "done")
