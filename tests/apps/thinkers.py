"""Branches that ask a model over HTTP (MODEL_URL), LIMIT times in INTERVAL seconds, and call tools.

The tools leave traces in DESK.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from lion_broker import Branch, Mail, Registry, iModel
from lion_broker.core.idempotency import idempotency_key

registry = Registry()
far = iModel(
    provider="openai",
    model="any",
    base_url=os.environ["MODEL_URL"],
    api_key="key",
    limit_requests=int(os.environ.get("LIMIT", "0")) or None,
    interval=float(os.environ.get("INTERVAL", "3600")),
)
registry.model("far", far)
desk = Path(os.environ["DESK"])


def _trace(name: str) -> None:
    with (desk / name).open("a") as file:
        file.write(f"{idempotency_key()}\n")


@registry.tool
def note(text: str) -> int:
    """Write down that it was called."""
    _trace(f"note {text}")
    return 0


@registry.tool
def hang() -> str:
    """Wait until somebody says go."""
    _trace("hang")
    while not (desk / "go").exists():
        time.sleep(0.01)
    return "went on"


@registry.tool(once=True)
def pay() -> str:
    """Do what must not be done twice, and take as long as it takes."""
    _trace("pay")
    while not (desk / "go").exists():
        time.sleep(0.01)
    return "paid"


@registry.behaviour("think", record=False)
async def think(branch: Branch, mail: Mail) -> None:
    """Answer with what comes of working on a message."""
    result = await branch.operate(mail.package.item.instruction, actions=True)
    branch.send(mail.sender, "message", result.text)


@registry.behaviour("moody", record=False, backoff=0.02)
async def moody(branch: Branch, mail: Mail) -> None:
    """Ask, and be content with a good answer only."""
    answer = await branch.communicate(mail.package.item.instruction)
    if answer == "bad":
        raise ValueError("a bad answer")
    branch.send(mail.sender, "message", answer)
