"""Bodies over 64 KiB: they arrive like others, and on a server leave nothing behind when their mail is gone."""

from collections.abc import Callable
from typing import Any

import pytest

from lion_broker.broker.blobs import put
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Burial, Deferral, Rejected
from lion_broker.mail.verbs import Commit, DeleteSession, Dispatch, Drop, Exhume, Post, Promote, ReadDead, ReadInbox
from lion_broker.mail.wire import BLOB_BYTES
from tests.conformance.road import TURN, Road, Stand, texts, wait_until
from tests.conformance.servers import Server

LARGE = "x" * (BLOB_BYTES + 1)


def larges(*items: object) -> list[Any]:
    """Items that are too large to travel in a stream."""
    return [[item, LARGE] for item in items]


def names(said: list[Any]) -> list[Any]:
    """What tells large items apart."""
    return [item[0] for item in said]


@pytest.fixture
def server(request: pytest.FixtureRequest, exchange: Exchange) -> Server | None:
    """A plain client of the server under the exchange, if there is one."""
    if not isinstance(exchange, RedisExchange):
        return None
    param = request.node.callspec.params["exchange"]
    found: Server = request.getfixturevalue(f"{param}_server")
    return found


def blobs(server: Server | None) -> int:
    """How many blobs are stored; none where there is no server."""
    return sum(1 for _ in server.client.scan_iter("*:blob:*", count=1000)) if server else 0


def expect(server: Server | None, count: int) -> None:
    """Insist on so many blobs, and that they stay as long as they are named."""
    if server is not None:
        keys = list(server.client.scan_iter("*:blob:*", count=1000))
        assert len(keys) == count
        assert {server.client.ttl(key) for key in keys} <= {-1}


def test_they_arrive_and_are_gone_afterwards(auto: Road, server: Server | None) -> None:
    """Posted, handed out with the claim and with a commit, and let go when they have taken effect."""
    auto.pooled("ada")
    auto.say("ben", "ada", *larges(1, 2), "small", *larges(3))
    expect(server, 3)
    claimed = auto.take("ada", batch=2)
    assert names(texts(claimed.entries)) == [1, 2]
    answer = auto.commit("ada", "t1", claimed)
    assert texts(answer.entries)[0] == "small"
    assert names(texts(answer.entries)[1:]) == [3]
    expect(server, 1)
    assert auto.commit("ada", "t1", answer).outcome is Outcome.DRAINED
    expect(server, 0)


def test_a_batch_is_bounded_by_their_size(auto: Road) -> None:
    """A part holds about a mebibyte, blobs counted."""
    auto.pooled("ada")
    auto.say("ben", "ada", *[[number, "x" * 300_000] for number in range(10)])
    stand: Stand = auto.take("ada")
    heard: list[int] = []
    while stand.outcome is Outcome.OK:
        assert 1 <= len(stand.entries) <= 4
        heard += names(texts(stand.entries))
        stand = auto.commit("ada", "t1", stand)
    assert heard == list(range(10))


def test_the_same_body_is_stored_once(auto: Road, server: Server | None) -> None:
    """And stays until the last mail that names it is gone."""
    auto.pooled("ada", "ben")
    auto.say("x", "ada", *larges(1))
    auto.say("x", "ben", *larges(1))
    expect(server, 1)
    entries = {ready.branch: ready.id for ready in auto.ready()}
    for left, name in ((1, "ada"), (0, "ben")):
        auto.commit(name, f"t-{name}", auto.claim(name, f"t-{name}", entries[name]))
        expect(server, left)


def test_through_the_stations_of_a_round(manual: Road, server: Server | None) -> None:
    """Outbox, transit, inbox, mailbox: the body is not moved, and goes in the end."""
    manual.pooled("ada")
    manual.local("ben")
    manual.say("ben", "ada", *larges(1))
    manual.collect()
    manual.send()
    assert names(texts(manual.inbox("ada"))) == [1]
    manual.receive()
    manual.commit("ada", "t1", manual.take("ada"))
    expect(server, 0)


def test_a_turn_may_send_them(auto: Road, server: Server | None) -> None:
    """To a local branch, whose taking them lets them go."""
    auto.pooled("ada")
    auto.local("ben")
    auto.say("x", "ada", 1)
    mails = (auto.mail("ada", "ben", larges(2)[0]),)
    auto.commit("ada", "t1", auto.take("ada"), mails=mails)
    expect(server, 1)
    stand = auto.claim("ben", "mine")
    auto.commit("ben", "mine", stand, taken=tuple(entry.id for entry in auto.inbox("ben")))
    expect(server, 0)


def test_the_body_that_came_is_sent_on(auto: Road, server: Server | None) -> None:
    """It stays, though the only mail that named it goes in the same commit."""
    auto.pooled("ada", "ben")
    auto.say("x", "ada", *larges(1))
    auto.commit("ada", "t1", auto.take("ada"), mails=(auto.mail("ada", "ben", larges(1)[0]),))
    expect(server, 1)
    stand = auto.take("ben", "t2")
    assert names(texts(stand.entries)) == [1]
    auto.commit("ben", "t2", stand)
    expect(server, 0)


def test_aside_deferred_and_delayed(auto: Road, server: Server | None) -> None:
    """They go with their mail, wherever it waits."""
    auto.pooled("ada")
    auto.post(*(auto.mail("ben", "ada", item) for item in larges("aside", "deferred")))
    auto.post(auto.mail("ben", "ada", larges("delayed")[0], delay_ms=1))
    claimed = auto.take("ada")
    first, second = claimed.entries[:2]
    auto.commit(
        "ada", "t1", claimed, 2, aside=(first.id,), deferred=(Deferral(second.id, "ben", 1, 1),), handled=0, batch=0
    )  # fmt: skip
    expect(server, 3)
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    stand: Stand = auto.take("ada", "t2")
    assert names(texts(stand.entries)) == ["deferred"]
    verb = {"lane": stand.lane, "lane_done": stand.entries[-1].id, "consumed": stand.cursor}
    stand = auto.commit("ada", "t2", stand, None, **verb)
    assert names(texts(stand.entries)) == ["delayed"]
    expect(server, 2)
    waiting = auto.inbox("ada")
    assert names(texts(waiting)) == ["aside"]
    auto.commit("ada", "t2", stand, taken=(waiting[0].id,))
    expect(server, 0)


def test_dead_letters_keep_them(auto: Road, server: Server | None) -> None:
    """Until they are dropped, edited, or sent again and done."""
    auto.pooled("ada")
    auto.say("ben", "ada", *larges(1, 2, 3))
    claimed = auto.take("ada")
    burials = tuple(Burial(entry.id, "failed", "no") for entry in claimed.entries)
    auto.commit("ada", "t1", claimed, buried=burials, handled=0)
    letters = auto.dead()
    assert names(texts(letters)) == [1, 2, 3]
    expect(server, 3)
    auto.call(Drop(auto.session, (letters[0].id,)))
    expect(server, 2)
    edited = auto.mail("ben", "ada", larges("better")[0])
    ids = tuple(letter.id for letter in letters[1:])
    assert auto.call(Exhume(auto.session, ids, ((ids[0], edited),))) == (Outcome.OK, Outcome.OK)
    expect(server, 2)
    claimed = auto.take("ada", "t2")
    assert names(texts(claimed.entries)) == ["better", 3]
    auto.commit("ada", "t2", claimed)
    expect(server, 0)


def test_a_removed_session_leaves_none(auto: Road, server: Server | None) -> None:
    """Whatever waited in it."""
    auto.pooled("ada")
    auto.say("ben", "ada", *larges(1))
    while auto.call(DeleteSession(auto.session)):
        pass
    expect(server, 0)


@pytest.mark.parametrize("harm", ["deleted", "changed"])
def test_a_blob_that_is_not_what_it_was(auto: Road, server: Server | None, harm: str) -> None:
    """The mail is none any more; the one behind it is."""
    if server is None:
        pytest.skip("in process a body stays with its mail")
    auto.local("ada")
    auto.say("ben", "ada", *larges(1), 2)
    (key,) = server.client.scan_iter("*:blob:*")
    server.client.delete(key) if harm == "deleted" else server.client.set(key, b'["other"]')
    lost, fine = auto.call(ReadInbox(auto.session, "ada"))
    assert isinstance(lost.mail, Rejected)
    assert lost.mail.reason == "lost_blob"
    assert texts([fine]) == [2]


def test_a_body_that_goes_before_its_mail_comes(
    auto: Road, server: Server | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last other mail that named it has taken effect in between: it is put again, and nobody hears of it."""
    if server is None:
        pytest.skip("in process nothing is put before it is accepted")
    auto.pooled("ada")
    puts: list[object] = []

    def put_too_early(*asked: Any) -> tuple[Any, ...]:
        puts.append(asked)
        return put(*asked) if len(puts) > 1 else ()

    monkeypatch.setattr("lion_broker.broker.exchange.put", put_too_early)
    auto.say("ben", "ada", *larges(1))
    assert len(puts) == 2
    assert names(texts(auto.take("ada").entries)) == [1]


def test_an_entry_that_says_it_is_huge(open_road: Callable[..., Road], server: Server | None) -> None:
    """Whoever has written it past all verbs breaks off no commit with it."""
    if server is None:
        pytest.skip("in process nobody else writes")
    road = open_road(cap_bytes=100_000)
    road.pooled("ada")
    road.say("ben", "ada", 1)
    (mailbox,) = server.client.scan_iter("*:mailbox")
    server.client.xadd(mailbox, {"m": "", "x": f"ab:{'9' * 20}"})
    road.say("ben", "ada", 2)
    stand: Stand = road.take("ada")
    assert texts(stand.entries) == [1, 2]
    (bad,) = [entry.id for entry in stand.entries if isinstance(entry.mail, Rejected)]
    stand = road.commit("ada", "t1", stand, buried=(Burial(bad, "malformed", "no"),), handled=2)
    assert stand.outcome is Outcome.DRAINED


@pytest.mark.parametrize("by", ["post", "commit", "dispatch"])
def test_a_body_that_nobody_accepts_goes_at_once(
    open_road: Callable[..., Road], server: Server | None, by: str
) -> None:
    """Who asks again and again where a mailbox is full does not fill the server; what others name stays."""
    road = open_road(cap=1)
    road.pooled("ada")
    road.local("ben")
    road.say("ben", "ada", *larges(1))
    stand = road.claim("ben", "mine")
    for item in larges(1, 2):
        mail = road.mail("ben", "ada", item)
        verb: Post | Commit | Dispatch = Post(road.session, "road", 2, (mail,))
        if by == "commit":
            verb = road.turn("ben", "mine", stand, mails=(mail,), strict=True)
        elif by == "dispatch":
            verb = Dispatch(road.session, "ben", "mine", stand.version, (TURN,), (mail,), nonce="n")
        assert road.exchange.call_all([verb])[0].outcome is Outcome.FULL
        expect(server, 1)
    road.commit("ada", "t1", road.take("ada"))
    expect(server, 0)


def test_an_edited_letter_that_finds_no_room(open_road: Callable[..., Road], server: Server | None) -> None:
    """It stays, and what was to be sent instead leaves no body."""
    road = open_road(cap=1)
    road.pooled("ada")
    road.say("ben", "ada", 1)
    stand = road.take("ada")
    road.commit("ada", "t1", stand, buried=(Burial(stand.entries[0].id, "failed", "no"),), handled=0)
    road.say("ben", "ada", 2)
    (letter,) = road.dead()
    edited = road.mail("ben", "ada", larges(1)[0])
    assert road.call(Exhume(road.session, (letter.id,), ((letter.id, edited),))) == (Outcome.FULL,)
    expect(server, 0)


def test_a_body_whose_mail_never_came_goes_by_itself(auto: Road, server: Server | None) -> None:
    """It was put with an expiry, and then whoever put it was gone."""
    if server is None:
        pytest.skip("in process nothing is put before it is accepted")
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.commit("ada", "another", auto.take("ada"), mails=(auto.mail("ada", "ben", larges(1)[0]),))
    (key,) = server.client.scan_iter("*:blob:*")
    assert 0 < server.client.ttl(key) <= 3600


def test_letters_are_read_without_large_bodies(auto: Road) -> None:
    """Where they are not asked for; all else is there."""
    auto.pooled("ada")
    auto.say("ben", "ada", "x" * 100_000, "small")
    stand = auto.take("ada")
    burials = tuple(auto.burial(entry.id) for entry in stand.entries)
    auto.commit("ada", "t1", stand, buried=burials, handled=0)
    large, small = auto.call(ReadDead(auto.session, whole=False))
    whole = auto.dead()[0].mail
    assert large.mail is not None
    assert whole is not None
    assert (large.mail.body, large.mail.header) == (b"", whole.header)
    assert small == auto.dead()[1]
