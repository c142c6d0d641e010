"""What a worker's log says about a mail that fails: which one it was, in which attempt, and nothing that it held."""

import json
import logging
from collections.abc import Iterator

import pytest

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.telemetry.lines import JsonLines, _About
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio


class Kept(logging.Handler):
    """Keeps the lines that a worker's program would write."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(_About())
        self.setFormatter(JsonLines())
        self.lines: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one more."""
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """The lines of the package, while the test runs."""
    handler, package = Kept(), logging.getLogger("lion_broker")
    package.addHandler(handler)
    yield handler
    package.removeHandler(handler)


async def test_a_mail_that_fails_is_named(running_worker: RunningWorker, kept: Kept) -> None:
    """With its session, its branch and the attempt, so that the log of one mail can be found."""
    registry = Registry()

    @registry.behaviour("fails", attempts=2, backoff=0.001)
    async def fails(branch: Branch, mail: Mail) -> None:
        raise ValueError("what the mail held")

    async with Session(exchange=MemoryExchange(), delivery="auto", timeout=100) as session:
        remote = await session.anew_branch(pool="p", behaviour="fails")
        await session.default_branch.asend(remote, "message", "go")
        async with running_worker(registry, session.exchange, pool="p", lease=60):
            await session.await_idle()
        failed = [line for line in kept.lines if line["message"] == "a mail failed (failed): ValueError"]
        assert [line["attempt"] for line in failed] == ["1", "2"]
        (letter,) = session.dead_letters
        assert letter.mail is not None
        for line in failed:
            assert (line["session"], line["branch"], line["mail"]) == (session.id, remote.id, letter.mail.id)
        assert "what the mail held" not in json.dumps(kept.lines)
