"""No call to the outside begins without a lease that lasts: what the server says must be fresh."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from lion_broker.branch import ledger as module
from lion_broker.branch.ledger import Ledger
from lion_broker.errors import BrokerUnavailable, LeaseLost
from lion_broker.mail.answers import Stepped
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Renew, Station, Step, Verb
from lion_broker.tools.calling import FunctionCalling
from lion_broker.tools.tool import Tool

pytestmark = pytest.mark.anyio

LEASE_MS = 1000


class Slow(MemoryExchange):
    """Answers as it was told, after so many seconds of a clock that only it moves."""

    def __init__(self, *answers: tuple[float, Outcome]) -> None:
        super().__init__()
        self.now = 0.0
        self.asked: list[list[type[Verb[Any]]]] = []
        self._answers = list(answers)

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Answer every verb alike."""
        self.asked.append([type(verb) for verb in verbs])
        if not self._answers:
            raise BrokerUnavailable("no server answers")
        seconds, outcome = self._answers.pop(0)
        self.now += seconds
        return [(outcome,) if isinstance(verb, Renew) else Stepped(outcome) for verb in verbs]


@pytest.fixture
def calls() -> list[str]:
    """When the tool was called, in leases."""
    return []


@pytest.fixture
def call(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Slow], Any]:
    """Call a tool by the ledger of an exchange."""

    def note() -> str:
        """Note the call."""
        calls.append("called")
        return "done"

    async def made(exchange: Slow) -> None:
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: exchange.now))
        ledger = Ledger(exchange, lambda: Station("s", "b", "t"), LEASE_MS)
        ledger.begin("mail")
        await ledger.tool(FunctionCalling(func_tool=Tool(func_callable=note), arguments={}))

    return made


async def test_a_fresh_answer_is_enough(call: Callable[[Slow], Any], calls: list[str]) -> None:
    """One round trip before the call, one after it."""
    exchange = Slow((0.1, Outcome.OK), (0.1, Outcome.OK))
    await call(exchange)
    assert exchange.asked == [[Step, Renew], [Step]]
    assert calls == ["called"]


async def test_a_late_answer_is_asked_for_again(call: Callable[[Slow], Any], calls: list[str]) -> None:
    """The lease that it speaks of may be over, however the answer came to be late."""
    exchange = Slow((0.9, Outcome.OK), (5.0, Outcome.OK), (0.1, Outcome.OK), (0.1, Outcome.OK))
    await call(exchange)
    assert exchange.asked == [[Step, Renew], [Renew], [Renew], [Step]]
    assert calls == ["called"]


@pytest.mark.parametrize(
    "answers", [[(0.1, Outcome.FENCED)], [(2.0, Outcome.OK), (0.1, Outcome.FENCED)]], ids=["at once", "later"]
)
async def test_nothing_is_called_for_another_owner(
    call: Callable[[Slow], Any], calls: list[str], answers: list[tuple[float, Outcome]]
) -> None:
    """A branch that somebody else hosts by now."""
    with pytest.raises(LeaseLost):
        await call(Slow(*answers))
    assert calls == []


@pytest.mark.parametrize("answers", [[], [(2.0, Outcome.OK)]], ids=["at once", "later"])
async def test_nothing_is_called_without_a_server(
    call: Callable[[Slow], Any], calls: list[str], answers: list[tuple[float, Outcome]]
) -> None:
    """Whoever cannot prolong the lease begins no call."""
    with pytest.raises(BrokerUnavailable):
        await call(Slow(*answers))
    assert calls == []
