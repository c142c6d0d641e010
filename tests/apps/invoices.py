"""Clerks of an office, for pictures of the dashboard: most invoices are settled, some have a page that is missing."""

from __future__ import annotations

import anyio

from lion_broker import Branch, Mail, Registry

registry = Registry()


@registry.behaviour("clerk", attempts=3, backoff=0.3)
async def settle(branch: Branch, mail: Mail) -> None:
    """Settle an invoice and say so; those whose number ends in 7 fail."""
    text = mail.package.item.instruction
    number = int(text.rpartition(" ")[2])
    await anyio.sleep(0.02 + number % 5 * 0.05)
    if number % 10 == 7:
        raise LookupError(f"{text}: the ledger has no page {number * 31}")
    branch.send(mail.sender, "message", f"{text} is settled")
