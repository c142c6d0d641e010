"""A command that nobody waits for any more: dropped when its time is over, also when nobody was left to cancel it."""

import asyncio
from typing import Any

import pytest

from lion_broker import Registry, RoundTimeout, Session, Worker, iModel
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Cancel, Promote, Verb
from lion_broker.testing import wait_until


class Deaf(MemoryExchange):
    """An exchange on which nobody cancels anything: whoever asked has died."""

    def call_all(self, verbs: "list[Verb[object]]", /) -> "list[object]":  # type: ignore[override]
        """Do all but that."""
        return super().call_all([verb for verb in verbs if not isinstance(verb, Cancel)] or [Promote()])

    async def acall_all(self, verbs: "list[Verb[object]]", /, **way: Any) -> "list[object]":  # type: ignore[override]
        """Do all but that."""
        return await super().acall_all([verb for verb in verbs if not isinstance(verb, Cancel)] or [Promote()], **way)


def test_a_late_command_is_not_done() -> None:
    """The worker does not ask the model, and goes on with what is behind it."""
    exchange, asked = Deaf(), []
    registry = Registry()
    registry.model("quote", iModel("offline", "extractive"))

    @registry.tool
    def note(text: str) -> str:
        """Take note."""
        asked.append(text)
        return text

    with Session(exchange=exchange, delivery="auto") as session:
        remote = session.new_branch(pool="p", tools="note", imodel="quote")
        call = {"function": "note", "arguments": {"text": "late"}}

        async def ask() -> None:
            with pytest.raises(RoundTimeout):
                await remote.invoke_action(call, timeout=0.02)

        asyncio.run(ask())
        session.default_branch.send(remote, "message", "hello")
        came = exchange.call(Promote()).now
        wait_until(lambda: exchange.call(Promote()).now > came + 30)

        async def work() -> None:
            async with Worker(registry, exchange=exchange, pool="p") as worker:
                await worker.run(until_idle=True)

        asyncio.run(work())
        assert asked == []
        assert [message.text for message in remote.messages] == ["hello"]
        assert (session.dead_letters, session.counters()["inflight"]) == ([], 0)
