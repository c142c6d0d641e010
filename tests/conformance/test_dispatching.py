"""Dispatch: what an owner has done by itself, whole or not at all; several in a row, each on top of the one before."""

from typing import Any

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Dispatched, Record
from lion_broker.mail.verbs import Dispatch, ReadLog
from lion_broker.mail.wire import WireMail
from tests.conformance.road import TURN, Road, texts


def opened(exchange: Exchange, delivery: str = "auto", **limits: Any) -> Road:
    """A session with a local branch `ada`, whose token is `mine` and whose version 1."""
    road = Road(exchange, delivery, **limits).open()
    road.local("ada", token="mine", lease_ms=60_000)
    road.pooled("ben")
    return road


def row(road: Road, *numbers: int, version: int = 1, nonce: str = "n") -> list[Dispatch]:
    """Dispatches of one mail each to `ben`, each on top of the one before."""
    return [
        Dispatch(
            road.session,
            "ada",
            "mine",
            version + place,
            (TURN,),
            (road.mail("ada", "ben", number),),
            nonce=nonce,
            follows=place > 0,
        )
        for place, number in enumerate(numbers)
    ]


def outcomes(answers: list[Any]) -> list[Outcome]:
    """What became of each."""
    return [answer.outcome for answer in answers]


def test_it_writes_and_sends(auto: Road) -> None:
    """Records in the log as one version, mail where `Post` would put it, the lease prolonged, the inbox as it was."""
    auto.local("ada", token="mine", lease_ms=1)
    auto.pooled("ben")
    auto.local("eve")
    auto.say("ben", "ada", 0)
    mails = tuple(auto.mail("ada", name, number) for number, name in enumerate(("ben", "eve", auto.session, "ben")))
    records = (Record("log", b'{"a":1}'), Record("mail", b"{}", b"head"))
    verb = Dispatch(auto.session, "ada", "mine", 1, records, mails, 60_000, "n")
    assert auto.call(verb) == Dispatched(Outcome.OK, 2)
    rows = auto.call(ReadLog(auto.session, "ada", 1, 2**31))
    assert [(row.version, row.place, row.record) for row in rows] == [(2, 1, records[0]), (2, 2, records[1])]
    assert (rows[0].stamp is None, rows[1].stamp is None) == (False, True)
    assert texts(auto.take("ben").entries) == [0, 3]
    assert [entry.mail for entry in auto.inbox("eve")] == [mails[1]]
    assert texts(auto.inbox(auto.session)) == [2]
    assert auto.branch("ada").leased is True
    assert texts(auto.inbox("ada")) == [0]
    assert (auto.counter("posted"), auto.counter("inflight"), auto.counter("applied")) == (5, 2, 0)


def test_the_tail_tells_of_it(auto: Road) -> None:
    """As of a turn that has handled nothing."""
    auto.local("ada", token="mine")
    auto.pooled("ben")
    auto.call(row(auto, 1)[0])
    (last,) = [event for event in auto.events() if event.kind == "turn"]
    assert {name: last.fields[name] for name in ("branch", "version", "handled", "sent", "deferred")} == {
        "branch": "ada",
        "version": "2",
        "handled": "0",
        "sent": "1",
        "deferred": "0",
    }


def test_manual_mail_waits_in_the_outbox(exchange: Exchange) -> None:
    """Mail waits for the round, commands do not."""
    road = opened(exchange, "manual")
    mails = (road.mail("ada", "ben", 1), road.command("ben", "now", "ada"))
    assert road.call(Dispatch(road.session, "ada", "mine", 1, (TURN,), mails, nonce="n")).outcome is Outcome.OK
    assert (road.branch("ada").outbox, texts(road.take("ben").entries)) == (1, ["now"])


def test_several_in_a_row(exchange: Exchange) -> None:
    """All of them in one call, in order."""
    road = opened(exchange)
    assert outcomes(road.exchange.call_all(row(road, 1, 2, 3))) == [Outcome.OK] * 3
    assert (road.branch("ada").version, texts(road.take("ben").entries)) == (4, [1, 2, 3])


@pytest.mark.parametrize("made", [1, 2, 3])
def test_a_row_that_comes_again(exchange: Exchange, made: int) -> None:
    """However much of it was made when the answers were lost, the rest is made and nothing twice."""
    road = opened(exchange)
    verbs = row(road, 1, 2, 3)
    road.exchange.call_all(verbs[:made])
    again = outcomes(road.exchange.call_all(verbs))
    assert again == [Outcome.ALREADY] * made + [Outcome.OK] * (3 - made)
    assert outcomes(road.exchange.call_all(verbs)) == [Outcome.ALREADY] * 3
    assert texts(road.take("ben").entries) == [1, 2, 3]


def test_a_row_behind_a_row(exchange: Exchange) -> None:
    """Once another has been made, the one before is STALE: nobody asks for it any more."""
    road = opened(exchange)
    road.exchange.call_all(row(road, 1, 2))
    road.exchange.call_all(row(road, 3, version=3, nonce="m"))
    before = road.state()
    assert outcomes(road.exchange.call_all(row(road, 1, 2))) == [Outcome.STALE] * 2
    assert road.state() == before


def test_what_follows_in_a_row_builds_on_no_other(exchange: Exchange) -> None:
    """Where the one before it was refused and another row has made its version, one that comes late is STALE."""
    road = opened(exchange, cap=1)
    late = row(road, 1, 2)
    road.say("ada", "ben", 0)
    assert outcomes(road.exchange.call_all(late[:1])) == [Outcome.FULL]
    road.exchange.call(Dispatch(road.session, "ada", "mine", 1, (TURN,), nonce="m"))
    road.commit("ben", "t1", road.take("ben"))
    before = road.state()
    assert outcomes(road.exchange.call_all(late[1:])) == [Outcome.STALE]
    assert road.state() == before


def test_a_full_recipient_stops_the_row(exchange: Exchange) -> None:
    """The one that does not fit and those behind it write nothing; when there is room they are made."""
    road = opened(exchange, cap=2)
    verbs = row(road, 1, 2, 3, 4)
    answers = road.exchange.call_all(verbs)
    assert outcomes(answers) == [Outcome.OK, Outcome.OK, Outcome.FULL, Outcome.STALE]
    assert answers[2] == Dispatched(Outcome.FULL, 3, "ben")
    assert (road.branch("ada").version, road.dead()) == (3, ())
    road.commit("ben", "t1", road.take("ben"))
    assert outcomes(road.exchange.call_all(verbs)) == [Outcome.ALREADY, Outcome.ALREADY, Outcome.OK, Outcome.OK]


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ({"token": "theirs"}, Outcome.FENCED),
        ({"branch": "nobody"}, Outcome.FENCED),
        ({"version": 0}, Outcome.STALE),
        ({"version": 2}, Outcome.STALE),
        ({"session": "other"}, Outcome.UNKNOWN),
    ],
    ids=str,
)
def test_what_does_not_fit_writes_nothing(exchange: Exchange, parts: dict[str, Any], outcome: Outcome) -> None:
    """Fence and place, as for a commit."""
    road = opened(exchange)
    given = {"session": road.session, "branch": "ada", "token": "mine", "version": 1, **parts}
    mail = WireMail(road.mail("ada", "ben").header._replace(session=given["session"], sender=given["branch"]), b"1")
    before = road.state()
    assert road.call(Dispatch(**given, records=(TURN,), mails=(mail,), nonce="n")).outcome is outcome
    assert road.state() == before


def test_nobody_there(exchange: Exchange) -> None:
    """Mail to an unknown or a closed branch is a dead letter, and no refusal."""
    road = opened(exchange)
    road.local("eve", token="hers")
    road.close("eve", token="hers")
    lost = (road.mail("ada", "nobody", 1), road.mail("ada", "eve", 2))
    verb = Dispatch(road.session, "ada", "mine", 1, (TURN,), (*lost, road.mail("ada", "ben", 3)), nonce="n")
    assert road.call(verb).outcome is Outcome.OK
    assert {letter.reason: letter.mail for letter in road.dead()} == {"unknown_branch": lost[0], "closed": lost[1]}
    assert texts(road.take("ben").entries) == [3]


def test_delayed_mail_waits(exchange: Exchange) -> None:
    """It is delivered when it is due."""
    road = opened(exchange)
    wire = road.mail("ada", "ben", 1)
    verb = Dispatch(
        road.session, "ada", "mine", 1, (TURN,), (WireMail(wire.header, wire.body, delay_ms=60_000),), nonce="n"
    )
    assert road.call(verb).outcome is Outcome.OK
    assert (road.counter("delayed"), road.branch("ben").waiting, road.ready()) == (1, 0, ())


def test_an_owner_may_do_both(exchange: Exchange) -> None:
    """A branch with a pool dispatches between its turns: what it holds of the mailbox stays as it is."""
    road = opened(exchange)
    road.say("ada", "ben", 1, 2)
    stand = road.take("ben", "t1")
    verb = Dispatch(road.session, "ben", "t1", stand.version, (TURN,), (road.mail("ben", "ada", 3),), nonce="n")
    assert road.call(verb) == Dispatched(Outcome.OK, stand.version + 1)
    answer = road.commit("ben", "t1", stand, version=stand.version + 1)
    assert answer.outcome is Outcome.DRAINED
    assert texts(road.inbox("ada")) == [3]
