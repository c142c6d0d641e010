"""What is no branch, exchange, registry or time, and names that nobody could use: errors that say what is needed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lion_broker import (
    Branch,
    ConfigError,
    ItemExistsError,
    ItemNotFoundError,
    ModelError,
    Node,
    NotPortable,
    Registry,
    RoundTimeout,
    Session,
)
from lion_broker.mail.memory import MemoryExchange
from tests.conftest import RunningWorker

WITH_A_BRANCH: dict[str, Callable[[Session, Any], Any]] = {
    "send": lambda session, ref: session.send(ref),
    "collect": lambda session, ref: session.collect(ref),
    "remove": lambda session, ref: session.remove_branch(ref),
    "messages": lambda session, ref: session.concat_messages(ref),
    "get": lambda session, ref: session.get_branch(ref),
    "split": lambda session, ref: session.split(ref),
}


@pytest.mark.parametrize("what", WITH_A_BRANCH)
@pytest.mark.parametrize("ref", [{}, {"name": "ada"}, 1.5, object()], ids=["none", "dict", "float", "object"])
def test_what_names_no_branch(session: Session, what: str, ref: Any) -> None:
    """The error says what does."""
    with pytest.raises(ConfigError, match="A branch is named by its id, its name or itself, not by a"):
        WITH_A_BRANCH[what](session, ref)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"exchange": 5}, "An exchange is an Exchange or a URL as text, not a int"),
        ({"registry": 5}, "registry is a Registry or None, not a int"),
        ({"timeout": "x"}, "timeout is 'x'; it is a number of seconds"),
        ({"timeout": -1}, "timeout is -1; it is a number of seconds"),
        ({"timeout": float("nan")}, "timeout is nan; it is a number of seconds"),
        ({"timeout": 10**400}, "timeout is 1000000+; it is a number of seconds"),
        ({"name": "\ud800"}, "The session's name cannot be stored"),
        ({"user": len}, "The session's user cannot be stored"),
    ],
    ids=str,
)
def test_a_session_of_odd_things(arguments: dict[str, Any], text: str) -> None:
    """Each is named, and no session comes into being."""
    exchange = MemoryExchange()
    with pytest.raises(ConfigError, match=text):
        Session(**{"exchange": exchange, **arguments})
    assert exchange._store.sessions == {}


@pytest.mark.parametrize("pool", [None, "p"])
def test_names_that_nobody_could_use(session: Session, pool: str | None) -> None:
    """An empty name, an id, the session's own id: as name or as id."""
    for name in ("", str(Branch().id), session.id, session.id.replace("-", "")):
        with pytest.raises(ConfigError, match="A branch cannot be named"):
            session.new_branch(name=name, pool=pool)
        with pytest.raises(ConfigError, match="A branch cannot be named"):
            session.include_branches(Branch(name=name))
    with pytest.raises(ConfigError, match="the id of its session"):
        session.new_branch(id=session.id, pool=pool)
    assert len(session.branches) == 1


def test_an_empty_text_names_nothing(session: Session) -> None:
    """The same error, whoever is asked."""
    for what in ("send", "get", "remove"):
        with pytest.raises(ItemNotFoundError, match="An empty text names no branch"):
            WITH_A_BRANCH[what](session, "")


def test_an_unknown_branch_is_told_with_those_that_there_are(session: Session) -> None:
    """Some names, and how many more; an id as an id, a place as a place."""
    with pytest.raises(ItemNotFoundError, match=r"no branch named 'x'; it has \(default\)\.$"):
        session.get_branch("x")
    for number in range(6):
        session.new_branch(name=f"b{number}")
    with pytest.raises(ItemNotFoundError, match=r"no branch named 'x'; it has b0, b1, b2, b3, b4 and 2 more\.$"):
        session.get_branch("x")
    stranger = Branch()
    for ref in (stranger, str(stranger.id)):
        with pytest.raises(ItemNotFoundError, match=rf"no branch with the id {stranger.id}; it has"):
            session.send(ref)
    with pytest.raises(ItemNotFoundError, match=r"no branch at position 9; it has 7\."):
        session.get_branch(9)


def test_one_article_is_enough(session: Session) -> None:
    """What cannot travel is named in one sentence."""
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(NotPortable, match=r"^The signal item cannot travel: The value is nested deeper"):
        session.default_branch.send(session.id, "signal", deep)


def test_what_to_do_instead_is_said(session: Session) -> None:
    """Where there is something to do: what is known, what does travel, and where to look."""
    home, other = session.default_branch, session.new_branch(name="other")
    with pytest.raises(
        ValueError, match=r"not dict\. Send data as a text \(json\.dumps\), or with the category 'signal'"
    ):
        home.send(other, "message", {"a": 1})
    for data in (json.dumps({"a": 1}), "text"):
        home.send(other, "message", data)
    home.send(other, "signal", {"a": 1})
    with pytest.raises(ValueError, match=r"a Node, not dict: Node\(content=…\) holds any data"):
        home.send(other, "node", {"a": 1})
    home.send(other, "node", Node(content={"a": 1}))
    with pytest.raises(ConfigError, match=r"new_branch does not know sytem; it takes behaviour, .*, system, "):
        session.new_branch(sytem="You are brief.")
    with pytest.raises(ConfigError, match=r"Session\.open does not know pol; it takes registry, timeout and pool"):
        Session.open(session.id, exchange=session.exchange, pol="readers")
    with pytest.raises(
        ItemNotFoundError, match=r"pending in other\. What was sent by hand arrives with session\.collect"
    ):
        other.receive(home)
    session.collect_send_all()
    assert home.id in other.mailbox.senders
    with Session(exchange=session.exchange) as elsewhere:
        with pytest.raises(ItemExistsError, match=r"belongs to another session; a clone\(\) of it can be included"):
            elsewhere.include_branches(other)
        elsewhere.include_branches(other.clone())


def test_who_has_not_handled_its_mail(exchange: MemoryExchange) -> None:
    """The error of a round names branches as people do."""
    with Session(exchange=exchange, timeout=0.05) as session:
        remote = session.new_branch(name="slow", pool="nobody-serves-it")
        session.default_branch.send(remote, "message", "hello")
        with pytest.raises(
            RoundTimeout, match=r"^After 0\.05 s mail of 1 branch has not been handled: slow \(pool nob"
        ):
            session.collect_send_all(receive_all=True)


@pytest.mark.anyio
async def test_a_model_that_the_worker_has_not(exchange: MemoryExchange, running_worker: RunningWorker) -> None:
    """It is named, rather than to say that there is none."""
    async with Session(exchange=exchange) as session, asyncio.timeout(60):
        remote = await session.anew_branch(name="remote", pool="p", imodel="nosuch")
        async with running_worker(Registry(), exchange, pool="p"):
            with pytest.raises(ModelError, match=r"The model of the branch remote for chat is missing here: .*nosuch"):
                await remote.communicate("hello")
