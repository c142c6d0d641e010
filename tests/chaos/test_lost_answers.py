"""Answers and requests that are lost, connections that are cut: what is asked again has one effect."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lion_broker import BrokerUnavailable, RoundTimeout, Session
from lion_broker.branch.batch import MOST_ON_THEIR_WAY, PIECE
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.records import Rejected
from lion_broker.mail.verbs import ReadInbox
from lion_broker.mail.wire import WireMail
from lion_broker.testing import wait_until
from tests.chaos.ground import Ground
from tests.chaos.proxy import Way
from tests.ledger import Ledger

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.chaos]

APP = "tests.apps.desk:registry"
LOST = 3
STATIONS = ["_post", "_commit", "_collect", "_send", "_create_branch", "_close_branch", "_update_session"]


def work(session: Session) -> None:
    """Take a session through every station of the road: three mails a branch, in order, one branch removed."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    far = session.new_branch(name="far", pool="nobody")
    gone = session.new_branch(name="gone")
    for number in range(3):
        ada.send(ben, "message", f"ada:{number}")
        ben.send(ada, "message", f"ben:{number}")
        far.send(ada, "message", f"far:{number}")
        ada.send(far, "message", f"ada:{number}")
        session.collect(ada)
        session.send()
    session.collect(ada)
    session.collect(ben)
    session.remove_branch(gone)
    session.change_default_branch(ada)


def text_of(mail: WireMail | Rejected) -> str:
    """What a message mail says."""
    assert isinstance(mail, WireMail)
    said = mail.item()["item"]
    return said if isinstance(said, str) else str(said["content"]["instruction"])


def check(exchange: RedisExchange, session: str) -> None:
    """Insist that everything has happened once."""
    ledger = Ledger.of(exchange, session)
    with Session.open(session, exchange=exchange) as watcher:
        assert [branch.name for branch in watcher.branches] == [None, "ada", "ben", "far"]
        assert watcher.default_branch.name == "ada"
        ada, ben, far = (watcher.branches[name] for name in ("ada", "ben", "far"))
        assert sorted(ledger.texts[ada.id]) == [f"{name}:{number}" for name in ("ben", "far") for number in range(3)]
        assert ledger.texts[ben.id] == [f"ada:{number}" for number in range(3)]
        waiting = [entry.mail for entry in exchange.call(ReadInbox(session, far.id))]
        assert [text_of(mail) for mail in waiting] == [f"ada:{number}" for number in range(3)]
        assert ledger.doubles() == ledger.gaps() == []
        assert watcher.dead_letters == []


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("station", STATIONS)
def test_each_call_of_a_session(place: Ground, station: str, way: Way) -> None:
    """Whichever call of a session loses its request or its answer, three times in a row and whenever it is made."""
    session = Session(exchange=place.exchange(), delivery="manual", timeout=100)
    drop = place.proxy.drop_answer if way == Way.ANSWER else place.proxy.drop_request
    drop(station.encode(), times=LOST)
    work(session)
    session.close()
    assert place.proxy.injected[f"{way} dropped"] == LOST
    check(place.straight(), session.id)


WORKER_CALLS = ["_claim", "_commit", "_renew", "_release", "_sweep", "XREADGROUP"]


@pytest.mark.parametrize("call", WORKER_CALLS)
def test_each_call_of_a_worker(place: Ground, session: Session, call: str, tmp_path: Path) -> None:
    """Whichever call of a worker loses its answers, its mail takes effect once, in order, and the worker serves on."""
    echo = session.new_branch(name="echo", pool="p", behaviour="wait")
    moody = session.new_branch(name="moody", pool="p", behaviour="moody")
    home = session.default_branch
    worker = place.worker(APP, "p", "--grace", "1", DESK=str(tmp_path))
    worker.ready()
    # A read that finds nothing is answered in a few bytes, and such an answer is none to lose.
    place.proxy.drop_answer(call.encode(), times=LOST, longer_than=10 if call == "XREADGROUP" else 0)
    home.send(moody, "message", "fail")
    for number in range(3):
        home.send(echo, "message", f"home:{number}")
        home.send(moody, "message", f"home:{number}")
    wait_until((tmp_path / "home:0.begun").exists, 60)
    if call == "_release":
        assert worker.stop() == 0
        place.worker(APP, "p", DESK=str(tmp_path)).ready()
    wait_until(lambda: call in ("_commit", "XREADGROUP") or place.proxy.injected["answer dropped"] == LOST, 60)
    (tmp_path / "go").touch()
    session.wait_idle()
    home.receive_all()
    assert place.proxy.injected["answer dropped"] == LOST or call == "XREADGROUP"
    assert place.proxy.injected["answer dropped"] > 0
    ledger = Ledger.of(place.straight(), session.id)
    for branch in (echo, moody):
        assert ledger.texts[branch.id] == [f"home:{number}" for number in range(3)]
    assert ledger.doubles() == ledger.gaps() == []
    assert [(letter.reason, letter.branch) for letter in session.dead_letters] == [("failed", moody.id)]
    place.wait_closed(session.id)


def test_answers_of_an_operation(place: Ground, session: Session) -> None:
    """A command whose post, whose reply or whose very end is lost is done once."""
    branch = session.new_branch(name="far", pool="p", imodel="quote")
    place.worker(APP, "p").ready()
    for call in ("_post", "XREAD\r\n", "_commit"):
        place.proxy.drop_answer(call.encode(), longer_than=10)

        async def ask() -> None:
            await branch.communicate("What is tea?", context=["Tea is a drink."])

        asyncio.run(ask())
    wait_until(lambda: place.proxy.injected["answer dropped"] == 3)
    assert len(branch.messages) == 6


def test_a_round_whose_receiving_is_cut(place: Ground) -> None:
    """What is moved into mailboxes of workers is moved once."""
    with Session(exchange=place.exchange(), delivery="manual", timeout=100) as session:
        remote = session.new_branch(name="remote", pool="p", behaviour="echo")
        place.worker(APP, "p").ready()
        home = session.default_branch
        for number in range(250):
            home.send(remote, "message", f"home:{number}")
        session.send()
        place.proxy.drop_answer(b"_receive", times=LOST)
        session.collect()
        assert place.proxy.injected["answer dropped"] == LOST
        session.wait_idle()
        session.collect_send_all(receive_all=True)
        assert [message.instruction for message in home.messages] == [f"re home:{number}" for number in range(250)]
        ledger = Ledger.of(place.straight(), session.id)
        assert ledger.texts[remote.id] == [f"home:{number}" for number in range(250)]
        assert ledger.doubles() == ledger.gaps() == []


@pytest.mark.parametrize("call", ["_receive", "_send"])
def test_a_round_waits_for_what_a_lost_answer_has_moved(place: Ground, call: str) -> None:
    """Without a worker nothing settles, so the round must not return as if all had."""
    with Session(exchange=place.exchange(), delivery="manual", timeout=0.2) as session:
        remote = session.new_branch(name="remote", pool="nobody")
        session.default_branch.send(remote, "message", "hello")
        if call == "_receive":
            session.send()
        place.proxy.drop_answer(call.encode())
        with pytest.raises(RoundTimeout):
            session.collect_send_all(receive_all=True)


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("name", ["home", "far"])
def test_the_pieces_of_a_batch(place: Ground, name: str, way: Way) -> None:
    """Whatever of them or of their answers is lost, and a cut on top of that: each mail comes once, in order."""
    with Session(exchange=place.exchange(), delivery="auto", timeout=100) as session:
        ben, far = session.new_branch(name="ben"), session.new_branch(name="far", pool="nobody")
        sender, call = (session.default_branch, b"_dispatch") if name == "home" else (far, b"_post")
        drop = place.proxy.drop_answer if way == Way.ANSWER else place.proxy.drop_request
        with session.batch():
            for number in range(3000):
                if number in (500, 1500):
                    drop(call, times=2)
                if number == 1000:
                    place.proxy.cut()
                sender.send(ben, "message", f"{name}:{number}")
            assert session.counters()["posted"] >= 1000
        ben.receive_all()
        session.flush()
        assert place.proxy.injected[f"{way} dropped"] == 4
        ledger = Ledger.of(place.straight(), session.id)
        assert ledger.texts[ben.id] == [f"{name}:{number}" for number in range(3000)]
        assert ledger.doubles() == ledger.gaps() == []
        assert session.counters()["posted"] == 3000


def test_a_block_whose_server_is_slow(place: Ground) -> None:
    """Mail that goes a piece at a time does not heap up while each answer takes long: whoever sends waits."""
    with Session(exchange=place.exchange(), delivery="auto", timeout=100) as session:
        ben, far = session.new_branch(name="ben"), session.new_branch(name="far", pool="nobody")
        postbox, most = session._state.postbox, 0
        place.proxy.delay(0.2)
        with session.batch():
            for number in range(5000):
                far.send(ben, "message", f"far:{number}")
                most = max(most, len(postbox._held))
            place.proxy.heal()
        assert most <= (MOST_ON_THEIR_WAY + 2) * PIECE
        ben.receive_all()
        session.flush()
        assert Ledger.of(place.straight(), session.id).texts[ben.id] == [f"far:{number}" for number in range(5000)]


def test_a_block_whose_server_falls_silent(place: Ground) -> None:
    """The block holds what comes then. Pieces that the network has kept and brings late are none more."""
    with Session(exchange=place.exchange(patience=0.2), delivery="auto") as session:
        ben, home = session.new_branch(name="ben"), session.default_branch
        with session.batch():
            for number in range(4000):
                if number == 700:
                    place.proxy.hold(Way.REQUEST)
                if number == 3500:
                    assert len(home.mailbox) >= 2000
                    place.proxy.heal()
                home.send(ben, "message", f"home:{number}")
        assert place.proxy.injected["black hole"] > 0
        ben.receive_all()
        place.flush(session)
        ledger = Ledger.of(place.straight(), session.id)
        assert ledger.texts[ben.id] == [f"home:{number}" for number in range(4000)]
        assert ledger.doubles() == ledger.gaps() == []
        assert session.counters()["posted"] == 4000


def test_a_post_that_arrives_after_its_sender_has_given_up(place: Ground) -> None:
    """What the network has kept is delivered late: the same post again, after it, is none more."""
    with Session(exchange=place.exchange(patience=0.2), delivery="auto") as session:
        remote = session.new_branch(name="remote", pool="p")

        def batch() -> None:
            with session.batch():
                for number in range(3):
                    remote.send(remote, "message", f"home:{number}")
                place.proxy.hold(Way.REQUEST)

        with pytest.raises(BrokerUnavailable):
            batch()
        assert place.proxy.injected["black hole"] > 0
        place.proxy.heal()
        place.flush(session)
        place.worker(APP, "p").ready()
        place.wait_idle(session)
        ledger = Ledger.of(place.straight(), session.id)
        assert ledger.texts[remote.id] == [f"home:{number}" for number in range(3)]
        assert session.counters()["posted"] == 3
