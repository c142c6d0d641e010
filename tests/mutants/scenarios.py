"""What the functions do about harm from outside of the port; each scenario fails on the mutants that name it."""

from __future__ import annotations

from dataclasses import replace

from lion_broker.errors import BrokerError, MailboxFull
from lion_broker.mail.answers import Swept
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Deferral, Reply
from lion_broker.mail.verbs import Cancel, DeleteSession, Exhume, Pause, Post, Promote, Resume, Say, Send, Step
from tests.conformance.road import Road, Stand, texts
from tests.mutants.rig import Rig

LAST = "18446744073709551615-18446744073709551615"
"""Nothing comes after an entry of this id: it ends a stream."""


def refused(rig: Rig, verb: object) -> None:
    """Insist on an error."""
    try:
        rig.road.call(verb)  # type: ignore[arg-type]
    except BrokerError:
        return
    raise AssertionError(f"{verb} was not refused")


def a_stray_entry_is_gone_when_it_is_claimed(rig: Rig) -> None:
    """GONE takes an entry away that is no mark, so that nobody meets it again; the mark is untouched."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    stray = rig.add_ready(s=rig.road.session, b="ada")
    mark, read = (ready.id for ready in rig.road.ready())
    assert read == stray
    assert rig.road.claim("ada", "t1", stray).outcome is Outcome.GONE
    assert rig.client.xlen(rig.ready) == 1
    assert rig.road.claim("ada", "t2", mark).outcome is Outcome.OK


def a_stray_entry_of_the_overflow_is_gone_when_it_is_claimed(rig: Rig) -> None:
    """So is one behind the ready stream."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    rig.client.xadd(rig.overflow, {"s": rig.road.session, "b": "ada"})
    mark, stray = (ready.id for ready in rig.road.ready())
    assert rig.road.claim("ada", "t1", stray).outcome is Outcome.GONE
    assert rig.client.xlen(rig.overflow) == 0
    assert rig.road.claim("ada", "t2", mark).outcome is Outcome.OK


def a_stray_entry_of_the_overflow_is_swept(rig: Rig) -> None:
    """Whatever somebody has put there."""
    rig.road.ready()
    for fields in ({"odd": "field"}, {"s": "nobody", "b": "nowhere"}):
        rig.client.xadd(rig.overflow, fields)
    assert [ready.branch for ready in rig.road.ready()] == ["nowhere"]
    assert rig.road.sweep() == Swept(seen=2, dropped=2)
    assert rig.client.xlen(rig.overflow) == 0


def an_overflow_that_is_none_holds_nothing_up(rig: Rig) -> None:
    """Where it takes no entry, all branches stand in the ready stream."""
    names = [f"b{number}" for number in range(150)]
    rig.road.pooled(*names)
    with rig.broken(rig.overflow):
        for name in names:
            rig.road.say("x", name, 1, 2)
    assert [ready.branch for ready in rig.road.ready(count=1000)] == names


def a_stray_entry_is_swept(rig: Rig) -> None:
    """A sweep drops an entry that is no mark, and gives only the mark to others."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    rig.add_ready(s=rig.road.session, b="ada")
    assert len(rig.road.ready()) == 2
    assert rig.road.sweep() == Swept(seen=2, dropped=1, renewed=1)
    assert len(rig.road.ready()) == 1


def an_entry_that_names_nobody_is_swept(rig: Rig) -> None:
    """Whatever somebody has put into the ready stream, it goes."""
    rig.road.pooled("ada")
    rig.road.ready()
    rig.add_ready(odd="field")
    rig.client.xreadgroup("workers", "somebody", {rig.ready: ">"})
    assert rig.road.sweep() == Swept(seen=1, dropped=1)
    assert rig.road.sweep() == Swept()
    assert rig.client.xlen(rig.ready) == 0


def a_mailbox_that_was_emptied_leaves_no_mark(rig: Rig) -> None:
    """EMPTY clears the mark, so that the next mail makes a new one."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    entry = rig.road.entry("ada")
    rig.client.xtrim(rig.key("ada", "mailbox"), maxlen=0, approximate=False)
    assert rig.road.claim("ada", "t1", entry).outcome is Outcome.EMPTY
    rig.road.say("ben", "ada", 2)
    assert texts(rig.road.take("ada", "t2").entries) == [2]


def a_log_that_refuses_stops_the_turn(rig: Rig) -> None:
    """When somebody has written a later version, the turn is STALE and nothing of it is written."""
    rig.road.pooled("ada", "ben")
    rig.road.say("ben", "ada", 1)
    claimed = rig.road.take("ada")
    rig.client.xadd(rig.key("ada", "log"), {"k": "foreign", "d": "{}"}, id="9-1")
    before = rig.road.state()
    turn = rig.road.turn("ada", "t1", claimed, mails=(rig.road.mail("ada", "ben"),))
    assert rig.road.call(turn).outcome is Outcome.STALE
    assert rig.road.state() == before


def a_turn_meets_a_broken_key_before_it_writes(rig: Rig) -> None:
    """An error, nothing written; when the key is mended the same turn is made, once."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    turn = rig.road.turn("ada", "t1", rig.road.take("ada"), mails=(rig.road.mail("ada", "nobody"),))
    log, where = rig.road.log("ada"), rig.road.branch("ada")
    with rig.broken(rig.keys.dead(rig.road.session)):
        refused(rig, turn)
        assert (rig.road.log("ada"), rig.road.branch("ada")) == (log, where)
    assert rig.road.call(turn).outcome is Outcome.DRAINED
    assert len(rig.road.log("ada")) == len(log) + 1
    assert [letter.reason for letter in rig.road.dead()] == ["unknown_branch"]


def a_broken_mailbox_harms_no_sender(rig: Rig) -> None:
    """What a turn sends to a branch whose mailbox is of another kind becomes a dead letter; the turn is made."""
    rig.road.pooled("ada", "ben")
    rig.road.say("ben", "ada", 1)
    turn = rig.road.turn("ada", "t1", rig.road.take("ada"), mails=(rig.road.mail("ada", "ben", "hello"),))
    with rig.broken(rig.key("ben", "mailbox")):
        answer = rig.road.call(turn)
    assert answer.outcome is Outcome.DRAINED
    assert [(letter.reason, letter.branch) for letter in rig.road.dead()] == [("broken_mailbox", "ben")]
    assert texts(rig.road.dead()) == ["hello"]


def a_broken_mailbox_takes_no_post(rig: Rig) -> None:
    """A post to such a branch is refused whole, and its number can be used again."""
    rig.road.pooled("ada", "ben")
    mails = (rig.road.mail("x", "ada"), rig.road.mail("x", "ben"))
    with rig.broken(rig.key("ben", "mailbox")):
        assert rig.road.post(*mails).outcome is Outcome.FULL
    assert (rig.road.branch("ada").waiting, rig.road.dead()) == (0, ())


def producers_that_post_no_more_are_forgotten(rig: Rig) -> None:
    """With more than a thousand, those that have not posted for ten minutes, and twenty at most, are dropped."""
    rig.road.local("ada")
    mail = rig.road.mail("x", "ada")
    producers = f"{rig.keys.session(rig.road.session)}:producers"

    def post(*names: str, seq: int = 1) -> set[Outcome]:
        verbs = [Post(rig.road.session, name, seq, (mail,)) for name in names]
        return {answer.outcome for answer in rig.road.exchange.call_all(verbs)}

    first, second = ([f"{word}-{number}" for number in range(1000)] for word in ("first", "second"))
    assert post("old", *first) == {Outcome.OK}
    rig.client.hset(producers, "", 1)  # a long time ago
    assert post("old", seq=2) == {Outcome.OK}
    assert rig.client.hlen(producers) == 1002
    assert post(second[0]) == {Outcome.OK}
    assert (rig.client.hlen(producers), rig.client.hlen(f"{producers}:before")) == (0, 1003)
    assert post(*first) == {Outcome.DUPLICATE}
    assert post("old", seq=3) == {Outcome.OK}
    rig.client.hset(producers, "", 1)
    assert post(*second[1:]) == {Outcome.OK}
    assert (rig.client.hlen(producers), rig.client.hlen(f"{producers}:before")) == (0, 1001)
    assert post("old", seq=3) == {Outcome.DUPLICATE}
    assert post(first[0], seq=2) == {Outcome.GAP}
    rig.road.call(DeleteSession(rig.road.session))
    assert rig.client.exists(producers, f"{producers}:before") == 0


def the_live_tail_fails_nothing(rig: Rig) -> None:
    """With a broken tail mail is posted, handled and buried as ever."""
    rig.road.pooled("ada")
    with rig.broken(rig.keys.events(rig.road.session)):
        rig.road.say("ben", "ada", 1)
        turn = rig.road.turn("ada", "t1", rig.road.take("ada"), mails=(rig.road.mail("ada", "nobody"),))
        assert rig.road.call(turn).outcome is Outcome.DRAINED
    assert rig.road.counter("dead") == 1


def a_client_that_reads_nothing_fails_nothing(rig: Rig) -> None:
    """A broken stream of replies loses the reply; the turn is made."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    turn = rig.road.turn("ada", "t1", rig.road.take("ada"), replies=(Reply("client", "asked", b"{}"),))
    with rig.broken(rig.keys.reply(rig.road.session, "client")):
        assert rig.road.call(turn).outcome is Outcome.DRAINED


def what_nobody_fetches_goes_by_itself(rig: Rig) -> None:
    """Replies, and the names of cancelled commands, have an expiry."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    rig.road.take("ada")
    assert rig.road.call(Say(rig.road.session, "ada", "t1", "client", "asked", b"{}")) is Outcome.OK
    assert rig.road.call(Cancel(rig.road.session, "ada", "asked")) is Outcome.OK
    assert rig.client.pttl(rig.keys.reply(rig.road.session, "client")) > 0
    assert rig.client.pttl(rig.keys.cancelled(rig.road.session, "ada")) > 0


def a_step_meets_a_broken_key_before_it_writes(rig: Rig) -> None:
    """An error, and no word that there are steps."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    rig.road.take("ada")
    with rig.broken(rig.key("ada", "steps")):
        refused(rig, Step(rig.road.session, "ada", "t1", "ask", b""))
    assert not rig.client.hexists(rig.key("ada"), "stepped")


def a_repeated_claim_stays_with_the_mailbox(rig: Rig) -> None:
    """An owner that asks again is given the same, though a lane has come due meanwhile."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    claimed = rig.road.take("ada", "t1")
    rig.road.commit("ada", "t1", claimed, deferred=(Deferral(claimed.entries[0].id, "ben", 60_000, 1),), handled=0)
    rig.road.say("cleo", "ada", 2)
    entry = rig.road.entry("ada")
    assert texts(rig.road.claim("ada", "t2", entry).entries) == [2]
    rig.client.zadd(rig.key("ada", "lanes"), {"ben": 1})
    again = rig.road.claim("ada", "t2", entry)
    assert (again.lane, texts(again.entries)) == ("", [2])


def a_full_server_drains(rig: Rig) -> None:
    """Whatever finishes work or gives memory back is done without memory; only new mail is refused."""
    road = rig.road
    road.pooled("ada", "ben", "cleo")
    road.say("ben", "ada", 1, 2, 3)
    road.say("ada", "ben", 1)
    road.say("ada", "cleo", 1)
    entries = {ready.branch: ready.id for ready in road.ready()}
    post = road.mail("ada", "ben", "more")
    with rig.full():
        claimed = road.claim("ada", "t1", entries["ada"], batch=1)
        assert road.call(Step(road.session, "ada", "t1", "ask", b"{}")).outcome is Outcome.OK
        assert road.call(Say(road.session, "ada", "t1", "client", "asked", b"{}")) is Outcome.OK
        assert road.call(Cancel(road.session, "ada", "asked")) is Outcome.OK
        assert road.renew("ada", "t1") is Outcome.CANCELLED
        answer = road.commit("ada", "t1", claimed, mails=(road.mail("ada", "nobody"),), batch=1)
        assert texts(answer.entries) == [2]
        assert road.release("ada", "t1") is Outcome.OK
        assert road.sweep() == Swept(seen=2, renewed=2)
        road.call(Promote(road.session))
        (letter,) = road.dead()
        assert road.call(Exhume(road.session, (letter.id,))) == (Outcome.UNKNOWN,)
        assert road.close("ben") is Outcome.OK
    rig.client.config_set("maxmemory", 1)
    try:
        road.post(post)
    except MailboxFull:
        return
    finally:
        rig.client.config_set("maxmemory", 0)
    raise AssertionError("new mail was taken on a full server")


def a_round_goes_on_without_memory(rig: Rig) -> None:
    """What was accepted comes to its recipients, whatever else is refused."""
    road = Road(rig.exchange, "manual").open()
    road.pooled("ada", "ben")
    road.say("ada", "ben", 1)
    with rig.full():
        assert road.collect().count == 1
        assert road.send().count == 1
        assert road.receive().count == 1


def a_step_moves_about_a_mebibyte(rig: Rig) -> None:
    """Large mails hold the server no longer than small ones; what a step leaves comes with the next, in order."""
    road = Road(rig.exchange, "manual").open()
    road.pooled("ada", "ben")
    road.say("ben", "ada", *("x" * 40_000 + str(number) for number in range(60)))
    moved = road.send()
    assert moved.more
    assert moved.count == 27
    assert road.move_all(Send(road.session)).count == 33
    assert texts(road.inbox("ada")) == ["x" * 40_000 + str(number) for number in range(60)]


def a_person_can_mend_a_full_server(rig: Rig) -> None:
    """A branch that was paused with its mail is resumed, of which nothing is left, and sessions are deleted."""
    rig.road.pooled("ada")
    with rig.full():
        assert rig.road.call(Pause(rig.road.session, "ada", "a rest")) is Outcome.OK
        assert rig.road.call(Resume(rig.road.session, "ada")) is Outcome.OK
        assert list(rig.client.scan_iter("lion:*:paused")) == []
        rig.road.call(DeleteSession(rig.road.session))
    assert rig.client.exists(rig.key("ada")) == 0


def a_worker_can_start_on_a_full_server(rig: Rig) -> None:
    """The first worker of a pool opens the namespace, makes the pool's group, and begins to drain it."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    with rig.another() as exchange, rig.full():
        road = replace(rig.road, exchange=exchange)
        assert road.commit("ada", "t1", road.take("ada")).outcome is Outcome.DRAINED


def a_batch_is_what_its_caller_holds(rig: Rig) -> None:
    """An owner that names an entry to come as held does not skip it."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1, 2)
    turn = rig.road.turn("ada", "t1", rig.road.take("ada", batch=1))
    answer = rig.road.call(replace(turn, after="18446744073709551615-1"))
    assert texts(answer.entries) == [2]


def entries_are_in_the_order_of_their_numbers(rig: Rig) -> None:
    """However many digits they have: a turn takes away where it ends and what is before it, and nothing else."""
    rig.road.pooled("ada")
    large = f"11-{2**63}"
    ids = ["9-1", "9-2", "10-1", "10-5", "10-12", "11-2", large, f"11-{2**63 + 1}", "12-0"]
    for entry in ids:
        rig.client.xadd(rig.key("ada", "mailbox"), {"odd": "field"}, id=entry)
    rig.road.say("ben", "ada", 1)
    stand: Stand = rig.road.take("ada", batch=1)
    for take in (*((entry,) for entry in ids[:5]), ("11-2", large), *((entry,) for entry in ids[7:])):
        if len(take) > len(stand.entries):
            more = rig.road.commit("ada", "t1", stand, take=0, batch=1, after=stand.entries[-1].id)
            stand = replace(more, entries=(*stand.entries, *more.entries))
        assert tuple(entry.id for entry in stand.entries) == take
        stand = rig.road.commit("ada", "t1", stand, batch=1)
        left = [entry.decode() for entry, _ in rig.client.xrange(rig.key("ada", "mailbox"))]
        assert left[:-1] == ids[ids.index(take[-1]) + 1 :]
    assert texts(stand.entries) == [1]


def a_branch_that_cannot_be_marked_is_tried_again(rig: Rig) -> None:
    """A ready stream that has ended fails nobody who hands work back; once mended, promoting makes the branch ready."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    rig.road.take("ada")
    rig.client.xadd(rig.ready, {"odd": "field"}, id=LAST)
    assert rig.road.release("ada", "t1") is Outcome.OK
    due, name = rig.keys.due(0), f"{rig.road.session}/ada"
    assert rig.client.zscore(due, name) is not None
    rig.client.delete(rig.ready)
    rig.client.zadd(due, {name: 1})
    rig.road.call(Promote(rig.road.session))
    assert texts(rig.road.take("ada", "t2").entries) == [1]


def an_entry_that_ends_the_ready_stream_stays(rig: Rig) -> None:
    """It shows why there is no room: without it, verbs would begin what they cannot end."""
    rig.road.pooled("ada")
    rig.road.ready()
    rig.client.xadd(rig.ready, {"odd": "field"}, id=LAST)
    rig.client.xreadgroup("workers", "somebody", {rig.ready: ">"})
    rig.road.sweep()
    assert rig.client.xlen(rig.ready) == 1


def a_mailbox_that_has_ended_begins_anew(rig: Rig) -> None:
    """When all of it is done, and the cursor with it; what comes then was never handed out."""
    rig.road.pooled("ada")
    mailbox = rig.key("ada", "mailbox")
    rig.client.xadd(mailbox, {"odd": "field"}, id=LAST)
    rig.client.xdel(mailbox, LAST)
    rig.client.hset(rig.key("ada"), mapping={"cursor": LAST, "handed": LAST, "tries": 1})
    rig.road.say("ben", "ada", 1, 2)
    assert rig.road.dead() == ()
    claimed = rig.road.take("ada")
    assert (texts(claimed.entries), claimed.attempts) == ([1, 2], 1)


def a_mailbox_that_has_ended_loses_nothing(rig: Rig) -> None:
    """As long as mail waits in it, it stays, and what comes is a dead letter."""
    rig.road.pooled("ada")
    rig.road.say("ben", "ada", 1)
    rig.client.xadd(rig.key("ada", "mailbox"), {"odd": "field"}, id=LAST)
    rig.road.say("ben", "ada", 2)
    assert [letter.reason for letter in rig.road.dead()] == ["broken_mailbox"]
    assert texts(rig.road.take("ada").entries[:1]) == [1]


def what_ends_a_mailbox_wakes_its_branch(rig: Rig) -> None:
    """What is in the way of mail may be something that a worker buries."""
    rig.road.pooled("ada")
    rig.client.xadd(rig.key("ada", "mailbox"), {"odd": "field"}, id=LAST)
    rig.road.say("ben", "ada", 1)
    assert [ready.branch for ready in rig.road.ready()] == ["ada"]


def the_answer_of_a_move_goes_by_itself(rig: Rig) -> None:
    """Who asks again after a lost answer does so soon."""
    road = Road(rig.exchange, "manual").open()
    road.pooled("ada", "ben")
    road.say("ben", "ada", 1)
    assert road.send(nonce="this one").targets
    assert rig.client.pttl(f"{rig.keys.session(road.session)}:moved") > 0
