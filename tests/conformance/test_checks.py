"""What is wrong with a verb in itself is a ConfigError, raised before anything is asked or written."""

from dataclasses import replace
from typing import Any

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START, BranchSeed, Burial, Reply
from lion_broker.mail.verbs import (
    AwaitReply,
    Cancel,
    Claim,
    CloseBranch,
    Collect,
    Commit,
    CreateBranch,
    CreateSession,
    DeleteSession,
    Dispatch,
    Drop,
    DropReplies,
    Exhume,
    Pause,
    Post,
    Progress,
    Promote,
    ReadBranches,
    ReadDead,
    ReadEvents,
    ReadInbox,
    ReadLog,
    ReadReady,
    ReadSession,
    Receive,
    Release,
    Renew,
    Resume,
    Say,
    Send,
    Station,
    Step,
    Sweep,
    UpdateSession,
    Verb,
)
from tests.conformance.road import BEGUN, TURN, Road

AUTO = {"delivery": "auto"}
BAD_IDS = ["", "a b", "a{b", "a}b", "a:b", "a/b", "a\n", "ä", "x" * 129]
GOOD_IDS = ["a", "A-1_b.c", "x" * 128, "..", "-"]
A_MAIL = Road(None, session="s").mail("x", "ada")  # type: ignore[arg-type]  # only the writing of mail is used
OWN_MAIL = Road(None, session="s").mail("ada", "ben")  # type: ignore[arg-type]  # the same


def turn(**parts: Any) -> Commit:
    """A commit of branch `ada` of session `s`, with some parts changed."""
    return replace(Commit("s", "ada", "t", START, START, 1, (TURN,)), **parts)


@pytest.mark.parametrize("name", BAD_IDS)
def test_bad_ids_are_refused_everywhere(exchange: Exchange, name: str) -> None:
    """An id that could break a key, or be mistaken for another key, is refused by every verb."""
    verbs: list[Verb[Any]] = [
        CreateSession(name, AUTO),
        UpdateSession(name, {}),
        ReadSession(name),
        DeleteSession(name),
        CreateBranch("s", BranchSeed(name), (BEGUN,)),
        CloseBranch("s", name),
        Collect("s", (name,)),
        Send("s", (name,)),
        Receive("s", (name,)),
        ReadBranches("s", (name,)),
        ReadLog("s", name),
        ReadInbox(name, "ada"),
        Claim("s", name, "t"),
        Renew((Station("s", name, "t"),)),
        Release((Station(name, "ada", "t"),)),
        Progress("s", {name: START}),
        Post("s", "p", 1, (Road(exchange, session="s").mail("x", name or " "),)),
        turn(mails=(Road(exchange, session="s").mail("ada", name or " "),)),
        Dispatch("s", "ada", "t", 1, (TURN,), (Road(exchange, session="s").mail("ada", name or " "),), nonce="n"),
        Dispatch("s", name, "t", 1, (TURN,), nonce="n"),
    ]
    for verb in verbs:
        with pytest.raises(ConfigError):
            exchange.call(verb)


@pytest.mark.parametrize("name", GOOD_IDS)
def test_good_ids_are_taken(exchange: Exchange, name: str) -> None:
    """Letters, digits, underscores, dots and hyphens make an id of up to 128 characters."""
    road = Road(exchange, session=name, pool=name).open()
    road.pooled("b" + name[1:])
    road.say(name, "b" + name[1:], 1)
    assert len(road.ready()) == 1


@pytest.mark.parametrize("name", ["", "a b", "a{b", "a}b", "x" * 129])
def test_bad_names_are_refused(exchange: Exchange, name: str) -> None:
    """Pools, clients and producers may hold colons, but nothing else that an id may not."""
    verbs: list[Verb[Any]] = [
        ReadReady(name, "worker", 1),
        Sweep(name),
        AwaitReply("s", name),
        DropReplies("s", (name,)),
        Post("s", name, 1, (A_MAIL,)),
        turn(replies=(Reply(name, "asked", b"1"),)),
    ]
    if name:
        verbs += [
            CreateBranch("s", BranchSeed("ada", pool=name), (BEGUN,)),
            Claim("s", "ada", "t", "1-1", name),
        ]
    for verb in verbs:
        with pytest.raises(ConfigError):
            exchange.call(verb)


SENSELESS: list[Verb[Any]] = [
    CreateSession("s", AUTO, cap=-1),
    CreateSession("s", {"delivery": "auto", "name": "half a \ud83d"}),
    UpdateSession("s", {"rounds": 3}),  # type: ignore[dict-item]  # what a caller might still do
    CreateBranch("s", BranchSeed("ada", fields={"age": 3}), (BEGUN,)),  # type: ignore[dict-item]  # the same
    UpdateSession("s", {"delivery": "pigeon"}),
    DeleteSession("s", limit=0),
    CreateBranch("s", BranchSeed("ada"), (BEGUN,), lease_ms=0),
    CreateBranch("s", BranchSeed("ada"), (BEGUN,), copies="a b"),
    CloseBranch("s", "s"),
    Post("s", "p", 0, (A_MAIL,)),
    Post("s", "p", 1, ()),
    Post("other", "p", 1, (A_MAIL,)),
    Collect("s", limit=0),
    Send("s", limit=0),
    Receive("s", limit=0),
    Claim("s", "ada", ""),
    Claim("s", "ada", "t", "no entry", "pool"),
    Claim("s", "ada", "t", "1-1"),
    Claim("s", "ada", "t", lease_ms=0),
    Claim("s", "ada", "t", batch=0),
    Promote("a:b"),
    Promote(limit=0),
    Pause("s", "ada", ""),
    Pause("s", "a:b", "why"),
    Resume("s", ""),
    Exhume("s", ()),
    Exhume("s", ("1",)),
    Drop("s", ("now",)),
    Exhume("s", ("01-1",)),
    Drop("s", ("1-\N{ARABIC-INDIC DIGIT ONE}",)),
    ReadReady("pool", "", 1),
    ReadReady("pool", "worker", 0),
    ReadReady("pool", "worker", 1, wait_ms=-1),
    Sweep("pool", idle_ms=-1),
    Sweep("pool", limit=0),
    Renew((Station("s", "ada", ""),)),
    Renew((Station("s", "ada", "t"),), lease_ms=0),
    ReadLog("s", "ada", version=-1),
    ReadLog("s", "ada", count=0),
    ReadInbox("s", "ada", after="$"),
    ReadDead("s", after=""),
    ReadEvents("s", after="now"),
    ReadBranches("s", start=-1),
    AwaitReply("s", "client", after="-1"),
    Step("s", "ada", "", "call"),
    Step("s", "ada", "t", ""),
    Say("s", "ada", "t", "a b", "asked", b"1"),
    Say("s", "ada", "t", "client", "", b"1"),
    Cancel("s", "ada", "a:b"),
    Progress("s", {"ada": "latest"}),
]


@pytest.mark.parametrize("number", range(len(SENSELESS)))
def test_senseless_values_are_refused(exchange: Exchange, number: int) -> None:
    """Numbers out of range, texts that are no entry ids, and empty tokens are refused."""
    with pytest.raises(ConfigError):
        exchange.call(SENSELESS[number])


SENSELESS_PARTS: list[dict[str, Any]] = [
    {"token": ""},
    {"records": ()},
    {"cursor": "0"},
    {"consumed": "1-x"},
    {"consumed": "18446744073709551616-0"},
    {"version": -1},
    {"handled": -1},
    {"batch": -1},
    {"lease_ms": 0},
    {"after": "$"},
    {"taken": ("first",)},
    {"aside": ("first",)},
    {"buried": (Burial("first", "poison", "words"),)},
    {"taken": ("1-1", "1-1")},
    {"aside": ("1-1",), "buried": (Burial("1-1", "poison", "words"),)},
    {"taken": ("1-1",), "buried": (Burial("1-1", "poison", "words", inbox=True),)},
    {"mails": (A_MAIL,)},
    {"mails": (OWN_MAIL,), "branch": "ben"},
]


@pytest.mark.parametrize("number", range(len(SENSELESS_PARTS)))
def test_senseless_turns_are_refused(exchange: Exchange, number: int) -> None:
    """A commit that contradicts itself is refused before anybody asks where the branch stands."""
    with pytest.raises(ConfigError):
        exchange.call(turn(**SENSELESS_PARTS[number]))


def test_one_bad_verb_stops_all(exchange: Exchange, auto: Road) -> None:
    """Verbs that go together are all checked before the first is done."""
    with pytest.raises(ConfigError):
        exchange.call_all((CreateBranch(auto.session, BranchSeed("ada"), (BEGUN,)), ReadSession("a b")))
    assert auto.record().branches == 0


def test_a_refusal_says_what_is_needed(exchange: Exchange) -> None:
    """The message names the verb, the value and what would do."""
    with pytest.raises(ConfigError, match=r"Sweep\.pool cannot be 'a pool': a name of 1 to 128 letters"):
        exchange.call(Sweep("a pool"))
