"""What a worker does with mail that fails, is late or is delayed; the exchange is in memory, the worker real."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from lion_broker import (
    Branch,
    ConfigError,
    Mail,
    PackageCategory,
    Registry,
    RemoteBranch,
    RoundTimeout,
    Session,
    Tool,
    Worker,
    iModel,
)
from lion_broker.branch.items import encode_item
from lion_broker.errors import UnknownOutcome
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.memory.store import Store
from lion_broker.mail.verbs import Claim, Post, ReadReady, Sweep
from lion_broker.mail.wire import Header, WireMail
from lion_broker.testing import ScriptedModel, tool_calls, wait_until


class Moods:
    """A behaviour that fails at the texts that it is told to, a number of times each, and notes what it was given."""

    def __init__(self, **options: Any) -> None:
        self.fails: dict[str, int] = {}
        self.seen: list[str] = []
        self.error: Callable[[], Exception] = lambda: RuntimeError("no")
        self.registry = Registry()
        self.registry.behaviour("moods", **options)(self.behave)

    async def behave(self, branch: Branch, mail: Mail) -> None:
        """Fail, or answer."""
        text = str(mail.package.item.instruction)
        self.seen.append(text)
        branch.send(mail.sender, "message", f"re {text}")
        if self.fails.get(text, 0) > 0:
            self.fails[text] -= 1
            raise self.error()

    def serve(self, session: Session) -> None:
        """Let a worker do everything that can be done."""

        async def work() -> None:
            async with Worker(self.registry, exchange=session.exchange, pool="p") as worker:
                await worker.run(until_idle=True)

        asyncio.run(work())


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


@pytest.fixture
def remote(session: Session) -> RemoteBranch:
    """A branch on workers."""
    branch: RemoteBranch = session.new_branch(name="remote", pool="p", behaviour="moods")
    return branch


def say(session: Session, remote: RemoteBranch, *texts: str, sender: str = "", **when: float) -> None:
    """Send some texts from the default branch, or from a branch of that name."""
    home = session.branches[sender] if sender else session.default_branch
    for text in texts:
        home.send(remote, "message", text, **when)


def test_later_mail_of_the_sender_waits_and_other_mail_goes_on(session: Session, remote: RemoteBranch) -> None:
    """Each sender's mail takes effect in its order, and only that of the failing one is held up."""
    session.new_branch(name="other")
    moods = Moods(backoff=0.02)
    moods.fails = {"a1": 2, "b2": 1}
    say(session, remote, "a1", "a2", "a3")
    say(session, remote, "b1", "b2", "b3", sender="other")
    moods.serve(session)
    history = [message.text for message in remote.messages]
    assert [text for text in history if text[0] == "a"] == ["a1", "a2", "a3"]
    assert [text for text in history if text[0] == "b"] == ["b1", "b2", "b3"]
    assert history.index("b1") < history.index("a1")
    assert (moods.seen.count("a1"), moods.seen.count("b2")) == (3, 2)
    assert session.dead_letters == []
    assert session.counters()["redelivered"] == 3


def test_after_the_attempts_the_next_mail_of_the_sender_comes(session: Session, remote: RemoteBranch) -> None:
    """A dead letter has the class of the error, the attempts and who made them."""
    moods = Moods(attempts=2, backoff=0)
    moods.fails = {"a1": 9}
    say(session, remote, "a1", "a2")
    moods.serve(session)
    assert [message.text for message in remote.messages] == ["a2"]
    (letter,) = session.dead_letters
    assert (letter.reason, letter.error, letter.attempts, letter.detail) == (
        "failed",
        "RuntimeError",
        2,
        "RuntimeError: no",
    )
    assert len(letter.owners) == 1
    assert letter.caused_by is None


def test_a_command_goes_ahead(session: Session, remote: RemoteBranch) -> None:
    """Mail in the session's own name that failed holds up none of its commands."""
    moods = Moods(backoff=60)
    moods.fails = {"a1": 1}
    body = encode_item(PackageCategory.MESSAGE, "a1", None, "p", None)
    mail = WireMail(Header(session.id, session.id, remote.id, "message"), body)
    session.exchange.call(Post(session.id, "another-program", 1, (mail,)))

    async def ask() -> str:
        worker = Worker(moods.registry, exchange=session.exchange, pool="p")
        asked: dict[str, Any] = {"instruction": "What is tea?", "context": ["Tea is a drink."], "chat_model": "quote"}
        async with worker, anyio.create_task_group() as both:
            both.start_soon(worker.run)
            answer = str(await remote.communicate(**asked, timeout=100))
            worker.stop()
        return answer

    moods.registry.model("quote", iModel("offline", "extractive"))
    assert "Tea is a drink" in asyncio.run(ask())
    assert session.counters()["inflight"] == 1


def test_skip(session: Session, remote: RemoteBranch) -> None:
    """A dead letter at once, whatever `attempts` says."""
    moods = Moods(on_failure="skip", attempts=5)
    moods.fails = {"a1": 1}
    say(session, remote, "a1", "a2")
    moods.serve(session)
    assert moods.seen == ["a1", "a2"]
    assert [letter.attempts for letter in session.dead_letters] == [1]


def test_halt(session: Session, remote: RemoteBranch) -> None:
    """The branch stops with the mail in its place, says why, and goes on in order when it is resumed."""
    moods = Moods(on_failure="halt", attempts=2, backoff=0)
    moods.fails = {"a2": 2}
    say(session, remote, "a1", "a2", "a3")
    moods.serve(session)
    assert (moods.seen, session.dead_letters) == (["a1", "a2", "a2"], [])
    say(session, remote, "a4")
    moods.serve(session)
    assert moods.seen == ["a1", "a2", "a2"]
    with pytest.raises(RoundTimeout, match=r"3 mails are still in flight.*remote is paused .*RuntimeError: no.*resume"):
        session.wait_idle(0.01)
    (paused,) = [event.fields["reason"] for event in session.events(timeout=0) if event.kind == "paused"]
    assert "RuntimeError: no" in paused
    session.resume(remote)
    moods.serve(session)
    assert [message.text for message in remote.messages] == ["a1", "a2", "a3", "a4"]


def test_halt_at_the_first_attempt(session: Session, remote: RemoteBranch) -> None:
    """With one attempt the mail never leaves the mailbox."""
    moods = Moods(on_failure="halt", attempts=1)
    moods.fails = {"a1": 1}
    say(session, remote, "a1", "a2")
    moods.serve(session)
    session.resume(remote)
    moods.serve(session)
    assert moods.seen == ["a1", "a1", "a2"]
    assert [message.text for message in remote.messages] == ["a1", "a2"]


def test_nobody_halts_a_branch_with_a_mail_that_is_none(session: Session, remote: RemoteBranch) -> None:
    """What cannot be applied, whatever the behaviour, is a dead letter at once."""
    moods = Moods(on_failure="halt")
    session.default_branch.send(remote, "tool", "no such tool")
    say(session, remote, "a1")
    moods.serve(session)
    assert [(letter.reason, letter.attempts) for letter in session.dead_letters] == [("unknown_tool", 1)]
    assert moods.seen == ["a1"]


def test_an_unknown_outcome_is_not_tried_again(session: Session, remote: RemoteBranch) -> None:
    """Trying again is what must not be done."""
    moods = Moods(attempts=5, backoff=0)
    moods.error = lambda: UnknownOutcome("nobody knows")
    moods.fails = {"a1": 9}
    say(session, remote, "a1")
    moods.serve(session)
    assert [(letter.reason, letter.attempts) for letter in session.dead_letters] == [("unknown_outcome", 1)]


def test_a_behaviour_that_takes_too_long(session: Session) -> None:
    """After `timeout` seconds the attempt has failed, and is tried again."""
    registry, begun = Registry(), []

    @registry.behaviour("slow", timeout=0.01, attempts=2, backoff=0)
    async def slow(branch: Branch, mail: Mail) -> None:
        begun.append(mail.id)
        await anyio.sleep_forever()

    remote = session.new_branch(pool="p", behaviour="slow")
    say(session, remote, "a1")
    moods = Moods()
    moods.registry = registry
    moods.serve(session)
    assert len(begun) == 2
    assert [(one.reason, one.error, one.attempts) for one in session.dead_letters] == [("failed", "TimeoutError", 2)]


def test_a_tool_for_once_that_was_cut_off_by_the_time_limit(session: Session) -> None:
    """Nobody knows whether it took effect, so the mail is not tried again, and the tool not called again."""
    calls: list[str] = []

    async def book(train: str) -> None:
        """Book a train, and never come to an end."""
        calls.append(train)
        await anyio.sleep_forever()

    registry = Registry()
    registry.tool(once=True)(book)
    model = ScriptedModel(tool_calls("book", {"train": "Rome"}), repeat=True)
    registry.model("scripted", model.imodel)

    @registry.behaviour("travel", timeout=3.0, backoff=0, attempts=3)
    async def travel(branch: Branch, mail: Mail) -> None:
        await branch.operate("Book.", actions=True)

    branch = session.new_branch(name="ada", pool="p", behaviour="travel", tools=["book"], imodel="scripted")
    session.default_branch.send(branch, "message", "go")

    async def work() -> None:
        async with Worker(registry, exchange=session.exchange, pool="p") as worker:
            await worker.run(until_idle=True)

    asyncio.run(work())
    (letter,) = session.dead_letters
    assert (calls, letter.reason, letter.error, letter.attempts) == (["Rome"], "unknown_outcome", "UnknownOutcome", 1)


def test_a_round_settles_when_the_retries_are_done(session: Session) -> None:
    """In a manual session `collect` returns after the mail was tried again."""
    with Session(exchange=session.exchange, timeout=0.05) as manual:
        remote = manual.new_branch(pool="p", behaviour="moods")
        moods = Moods(backoff=0)
        moods.fails = {"a1": 1}
        say(manual, remote, "a1")
        with pytest.raises(RoundTimeout):
            manual.collect_send_all(receive_all=True)
        moods.serve(manual)
        manual.collect_send_all(receive_all=True)
        assert [message.text for message in remote.messages] == ["a1"]


def test_mail_that_comes_too_late(session: Session, remote: RemoteBranch) -> None:
    """It is a dead letter, `expired`, and no behaviour sees it; a command that is late is dropped."""
    moods = Moods()
    say(session, remote, "late", ttl=0.001)
    say(session, remote, "in time", ttl=3600)
    wait_until(lambda: _waited(session, 0.01))
    moods.serve(session)
    assert moods.seen == ["in time"]
    assert [(letter.reason, letter.detail) for letter in session.dead_letters] == [
        ("expired", "Not taken up within 0.001 s.")
    ]


def test_mail_that_has_failed_until_it_was_too_late(session: Session, remote: RemoteBranch) -> None:
    """It is `expired` too, and says how often it was tried."""
    moods = Moods(attempts=1000, backoff=0.01, max_backoff=0.01)
    moods.fails = {"a1": 1000}
    say(session, remote, "a1", ttl=3.0)
    moods.serve(session)
    (letter,) = session.dead_letters
    assert (letter.reason, letter.attempts) == ("expired", len(moods.seen))
    assert letter.attempts > 0


def _waited(session: Session, seconds: float) -> bool:
    """Whether so much time has passed since the last event."""
    from lion_broker.mail.verbs import Promote

    newest = list(session.events(timeout=0))[-1].id
    return session.exchange.call(Promote()).now > int(newest.partition("-")[0]) + seconds * 1000


def test_late_mail_of_a_branch_here(session: Session) -> None:
    """The same without any worker."""
    here = session.new_branch(name="here")
    session.default_branch.send(here, "message", "late", ttl=0.001)
    wait_until(lambda: _waited(session, 0.01))
    here.receive_all()
    session.flush()
    assert len(here.messages) == 0
    assert [letter.reason for letter in session.dead_letters] == ["expired"]


def test_delayed_mail(session: Session, remote: RemoteBranch, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when it is due: to a branch here when it looks, to one on workers by their sweeper."""
    here = session.new_branch(name="here")
    session.default_branch.send(here, "message", "soon", delay=3600)
    here.receive_all()
    assert len(here.messages) == 0
    now = Store.now
    monkeypatch.setattr(Store, "now", lambda store: now(store) + 3600_000)
    here.receive_all()
    assert [message.text for message in here.messages] == ["soon"]
    say(session, remote, "soon", delay=0.02)
    say(session, remote, "now")
    moods = Moods()

    def all_seen() -> bool:
        moods.serve(session)
        return len(moods.seen) == 2

    wait_until(all_seen)
    assert moods.seen == ["now", "soon"]


def test_a_branch_alone_has_no_clock() -> None:
    """Delay and ttl need a session, and say so."""
    with pytest.raises(ConfigError, match="need a session"):
        Branch().send(Branch(), "message", "hello", delay=1)


def test_what_a_turn_sends_names_its_cause(session: Session, remote: RemoteBranch) -> None:
    """The chain from a dead letter back to the first mail can be followed."""
    last = session.new_branch(name="last", pool="p", behaviour="sulk")
    moods = Moods()

    @moods.registry.behaviour("sulk", attempts=1)
    async def sulk(branch: Branch, mail: Mail) -> None:
        raise ValueError("no")

    @moods.registry.behaviour("on", attempts=1)
    async def on(branch: Branch, mail: Mail) -> None:
        branch.send(last, "message", "on")

    first = session.new_branch(name="first", pool="p", behaviour="on")
    session.default_branch.send(first, "message", "go")
    moods.serve(session)
    (letter,) = session.dead_letters
    (cause,) = session.lineage(letter)
    assert (cause.id, cause.sender, cause.recipient) == (letter.caused_by, session.default_branch.id, first.id)


def test_a_tool_mail_that_cannot_be_applied_is_not_tried_again(session: Session) -> None:
    """It would be the same the next time."""
    remote = session.new_branch(pool="p", tools="len")
    registry = Registry()
    registry.tool(len)
    registry.tool(Tool(name="other", func=sum))
    session.default_branch.send(remote, "tool", "missing")
    moods = Moods()
    moods.registry = registry
    moods.serve(session)
    assert [(letter.reason, letter.attempts) for letter in session.dead_letters] == [("unknown_tool", 1)]


def test_mail_that_runs_no_code_is_never_poison(session: Session) -> None:
    """Whoever kills workers at random does not turn a branch's history into dead letters."""
    remote = session.new_branch(pool="p")
    session.default_branch.send(remote, "message", "hello")
    for number in range(5):
        (ready,) = session.exchange.call(ReadReady("p", f"worker {number}", 1))
        claim = Claim(session.id, remote.id, f"t{number}", ready.id, "p", f"worker {number}", lease_ms=1)
        assert session.exchange.call(claim).attempts == number + 1
        wait_until(lambda: session.exchange.call(Sweep("p", 0)).renewed)
    Moods().serve(session)
    assert ([message.text for message in remote.messages], session.dead_letters) == (["hello"], [])
