"""What the functions do about bodies beside the streams when something is in their way; used like `scenarios`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from lion_broker.errors import MailboxFull
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import DeadLetter, Posted
from lion_broker.mail.verbs import IMPORTING, Post, Restore, UpdateSession
from lion_broker.mail.wire import BLOB_BYTES, WireMail
from tests.conformance.road import Road, texts
from tests.mutants.rig import Rig
from tests.mutants.scenarios import refused

LARGE = "x" * (BLOB_BYTES + 1)


def large(rig: Rig, recipient: str, delay_ms: int = 0) -> WireMail:
    """A mail whose body travels as a blob."""
    return rig.road.mail("ben", recipient, LARGE, delay_ms=delay_ms)


def blob_of(rig: Rig, mail: WireMail) -> str:
    """The key of its blob."""
    return rig.keys.blob(rig.road.session, hashlib.sha256(mail.body).hexdigest())


def counts_of(rig: Rig) -> str:
    """The key that counts who names each blob."""
    return f"{rig.keys.session(rig.road.session)}:blobs"


def blobs_of(rig: Rig) -> int:
    """How many blobs the session believes to have."""
    return int(rig.client.hget(rig.keys.session(rig.road.session), "blobs") or 0)


def a_blob_leaves_nothing_behind(rig: Rig) -> None:
    """When its mail is done there is no count of it either, and the session reads no more of each turn than before."""
    rig.road.pooled("ada")
    rig.road.post(large(rig, "ada"))
    assert blobs_of(rig) == 1
    rig.road.commit("ada", "t1", rig.road.take("ada"))
    assert (blobs_of(rig), rig.client.exists(counts_of(rig))) == (0, 0)


def a_refused_copy_takes_no_blob_away(rig: Rig) -> None:
    """A body that stays already stays, though a second mail that has it is refused."""
    rig.road.pooled("ada")
    mail = large(rig, "ada")
    rig.road.post(mail)
    assert rig.road.post(large(rig, "nobody")).outcome is Outcome.UNKNOWN
    assert rig.client.pttl(blob_of(rig, mail)) == -1


def a_session_that_is_not_there_keeps_no_blob(rig: Rig) -> None:
    """What is posted to nowhere leaves nothing, not even for an hour."""
    nowhere = replace(rig, road=Road(rig.exchange))
    mail = large(nowhere, "ada")
    assert nowhere.road.post(mail).outcome is Outcome.UNKNOWN
    assert not rig.client.exists(blob_of(nowhere, mail))


def a_mail_without_its_blob_is_refused(rig: Rig) -> None:
    """When a key of another kind is in the blob's place nothing is posted or overwritten; once mended, it is."""
    rig.road.pooled("ada")
    mail = large(rig, "ada")
    post = Post(rig.road.session, "road", 1, (mail,))
    rig.client.rpush(blob_of(rig, mail), "of another kind")
    rig.client.pexpire(blob_of(rig, mail), 60_000)
    refused(rig, post)
    assert (rig.client.type(blob_of(rig, mail)), rig.road.branch("ada").waiting) == (b"list", 0)
    rig.client.delete(blob_of(rig, mail))
    assert rig.road.call(post) == Posted(Outcome.OK)


def a_post_meets_broken_counts_before_it_writes(rig: Rig) -> None:
    """Its number is not used up: when the key is mended the same post is made."""
    rig.road.pooled("ada")
    post = Post(rig.road.session, "road", 1, (large(rig, "ada"),))
    with rig.broken(counts_of(rig)):
        refused(rig, post)
    assert rig.road.call(post) == Posted(Outcome.OK)


def a_turn_meets_broken_counts_before_it_writes(rig: Rig) -> None:
    """A turn whose mails have blobs is an error, made once when the key is mended."""
    rig.road.pooled("ada")
    rig.road.post(large(rig, "ada"))
    turn = rig.road.turn("ada", "t1", rig.road.take("ada"))
    before = rig.road.log("ada")
    with rig.broken(counts_of(rig)):
        refused(rig, turn)
    assert rig.road.log("ada") == before
    assert rig.road.call(turn).outcome is Outcome.DRAINED


def an_entry_that_names_what_is_not_counted(rig: Rig) -> None:
    """An entry that no verb has written takes no blob with it, and the session goes on counting right."""
    rig.road.pooled("ada", "cleo")
    rig.road.post(large(rig, "cleo"))
    rig.road.say("ben", "ada", 1)
    entries = {ready.branch: ready.id for ready in rig.road.ready()}
    foreign = {"m": "", "x": f"{'0' * 64}:70000"}
    rig.client.xadd(rig.key("ada", "mailbox"), foreign)
    rig.road.commit("ada", "t1", rig.road.claim("ada", "t1", entries["ada"]))
    assert blobs_of(rig) == 1


def the_bytes_of_a_blob_count(rig: Rig) -> None:
    """A limit of bytes is one of bodies, wherever they are kept."""
    road = Road(rig.exchange, cap_bytes=BLOB_BYTES).open()
    road.pooled("ada")
    assert road.post(road.mail("ben", "ada", LARGE)).outcome is Outcome.FULL


def delayed_blobs_are_buried_with_their_mail(rig: Rig) -> None:
    """A branch that is closed leaves dead letters which can still be read."""
    rig.road.pooled("ada")
    rig.road.post(large(rig, "ada", delay_ms=60_000))
    assert rig.road.close("ada") is Outcome.OK
    assert texts(rig.road.dead()) == [LARGE]


def one_call_puts_a_body_into_each_session(rig: Rig) -> None:
    """Posts to two sessions that carry the same body are both made."""
    other = replace(rig, road=Road(rig.exchange).open())
    for one in (rig, other):
        one.road.pooled("ada")
    posts = tuple(Post(one.road.session, "road", 1, (large(one, "ada"),)) for one in (rig, other))
    assert rig.exchange.call_all(posts) == [Posted(Outcome.OK), Posted(Outcome.OK)]
    for one in (rig, other):
        assert texts(one.road.take("ada").entries) == [LARGE]


def a_turn_with_a_blob_ends_on_a_full_server(rig: Rig) -> None:
    """What a turn sends is never refused for memory, however large; what is posted is, and leaves no blob."""
    rig.road.pooled("ada", "cleo")
    rig.road.say("ben", "ada", 1)
    turn = rig.road.turn("ada", "t1", rig.road.take("ada"), mails=(rig.road.mail("ada", "cleo", LARGE),))
    with rig.full():
        assert rig.road.call(turn).outcome is Outcome.DRAINED
    assert texts(rig.road.take("cleo", "t2").entries) == [LARGE]
    other = rig.road.mail("ben", "ada", "y" + LARGE)
    rig.client.config_set("maxmemory", 1)
    try:
        rig.road.post(other)
    except MailboxFull:
        assert not rig.client.exists(blob_of(rig, other))
        return
    finally:
        rig.client.config_set("maxmemory", 0)
    raise AssertionError("new mail was taken on a full server")


def what_is_imported_stays(rig: Rig) -> None:
    """The body of a dead letter that was put back is not gone an hour later."""
    rig.exchange.call(UpdateSession(rig.road.session, {IMPORTING: "1"}))
    rig.road.pooled("ada")
    mail = large(rig, "ada")
    letter = DeadLetter("5-1", "failed", "", "ada", 1, (), mail)
    assert rig.road.call(Restore(rig.road.session, "ada", 1, dead=(letter,), done=True)) is Outcome.OK
    assert rig.client.pttl(blob_of(rig, mail)) == -1
