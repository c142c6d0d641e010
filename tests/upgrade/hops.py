"""What the workers of either release serve: branches that pass mail on, and write down which release did."""

from __future__ import annotations

from importlib.metadata import version

from lion_broker import Branch, Instruction, Mail, Registry

registry = Registry()
RELEASE = version("lion-broker")


@registry.behaviour("hop")
async def hop(branch: Branch, mail: Mail) -> None:
    """Send `<text> <release>` to the branch that the metadata name."""
    item = mail.package.item
    assert isinstance(item, Instruction)
    branch.send(branch.metadata["to"], "message", f"{item.instruction} {RELEASE}")
