"""What grows with a session stays small and flat: bytes on the server, and what is asked of it, counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import CreateBranch, ReadBranches, ReadLog, ReadSession, Renew, Verb
from tests.stage import Stage

pytestmark = pytest.mark.redis

SYSTEM = "You are one of many. Be brief."
MOST_BYTES = 2048
MANY, PAGES = 1005, 2


class Asked:
    """Counts the verbs that an exchange is asked for, and the times that it is asked.

    Renewals are left out: they come with time, every three seconds, and not from what is done here.
    """

    def __init__(self, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ask = exchange.call_all
        self.verbs: Counter[type[Verb[Any]]] = Counter()
        self.times = 0
        monkeypatch.setattr(exchange, "call_all", self._call_all)

    def _call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        kinds = [type(verb) for verb in verbs if not isinstance(verb, Renew)]
        self.verbs.update(kinds)
        self.times += bool(kinds)
        return self._ask(verbs)

    def clear(self) -> None:
        """Count anew."""
        self.verbs.clear()
        self.times = 0


def test_an_idle_branch_is_small(stage: Stage) -> None:
    """Hash and log of a branch with a name, a system message and metadata, as the server counts them."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(name="one", pool="p", system=SYSTEM, metadata={"team": "a"})
        keys = [key for key in stage.server.client.scan_iter() if branch.id.encode() in key]
        sizes = {key.decode().rpartition(branch.id)[2]: stage.server.client.memory_usage(key) for key in keys}
        assert set(sizes) == {"", ":log"}
        assert sum(sizes.values()) < MOST_BYTES


def test_only_logs_that_have_grown_are_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathering again asks where branches stand, a thousand at a time, and reads the logs of those that moved."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branches = [session.new_branch(pool="p", system=SYSTEM) for _ in range(120)]
        asked = Asked(stage.exchange, monkeypatch)
        assert len(session.to_df()) == 120
        # 120 branches, and the session itself, in pieces of fifty.
        assert asked.verbs == {ReadBranches: 1, ReadLog: 121}
        assert asked.times == 1 + 3
        asked.clear()
        assert len(session.to_df()) == 120
        session.remove_branch(branches[0])
        assert len(session.concat_messages()) == 119
        assert asked.verbs[ReadLog] == 2  # the session's own


def test_split_sends_no_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new log refers to the old one: two verbs, however long the history is."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(pool="p", system=SYSTEM)
        asked = Asked(stage.exchange, monkeypatch)
        split = session.split(branch)
        assert asked.verbs == {ReadBranches: 1, CreateBranch: 1}
        assert [message.text for message in split.messages] == [SYSTEM]


def test_opening_reads_no_history(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes a session up learns which branches there are, and reads no log before somebody asks."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        for _ in range(10):
            session.new_branch(pool="p", system=SYSTEM)
        asked = Asked(stage.exchange, monkeypatch)
        with Session.open(session.id, exchange=stage.exchange) as again:
            assert asked.verbs[ReadLog] == 0
            assert [one.version_read for one in again.branches] == [0] * 11


def test_large_sessions_are_taken_up_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more branches than one page, only those that are named by id are read, until somebody asks for all."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        for number in range(MANY):
            session.new_branch(name=f"branch-{number}", pool="p")
        ids = session.branches.keys()
        asked = Asked(stage.exchange, monkeypatch)
        with Session.open(session.id, exchange=stage.exchange) as again:
            assert again.default_branch.id == ids[0]
            assert asked.verbs == {ReadSession: 1, ReadBranches: 1}
            last = again.get_branch(ids[-1])
            again.get_branch(ids[5]).send(ids[6], "message", "hello")
            assert f"{MANY + 1:,} branches" in repr(again)
            created = again.new_branch(name="created", pool="p")
            assert asked.verbs[ReadBranches] == 1 + 3
            assert again.branches.keys() == [*ids, created.id]
            assert again.branches[-2] is last
            assert asked.verbs[ReadBranches] == 1 + 3 + PAGES
            asked.clear()
            assert again.get_branch(f"branch-{MANY - 1}") is last
            assert asked.times == 0


def test_a_large_session_knows_its_branches_in_a_round(stage: Stage) -> None:
    """What concerns all branches reads them first; an unknown one is looked for among all."""
    with Session(exchange=stage.exchange, pool="p") as session:
        for number in range(MANY):
            session.new_branch(name=f"branch-{number}")
        uses: tuple[Callable[[Session], object], ...] = (
            lambda one: one.collect_send_all(),
            lambda one: one.get_branch("branch-7"),
            lambda one: one.to_df(),
            lambda one: one.get_branch(IDType.create(), None),
            lambda one: one.remove_branch(one.default_branch),
        )
        for use in uses:
            with Session.open(session.id, exchange=stage.exchange) as again:
                before = again.counters()
                use(again)
                assert before == again.counters()
                assert len(again._state.found) >= MANY
