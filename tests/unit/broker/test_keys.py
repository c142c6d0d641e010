"""The key table: what Python builds, what the server-side functions build, and how sessions spread."""

from collections import Counter
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.broker.keys import Keys
from lion_broker.mail.records import Reply
from tests.conformance.road import Road
from tests.conformance.servers import KEYS
from tests.stage import Stage

names = st.text(st.sampled_from("abc019-_."), min_size=1, max_size=12)


@given(names, names, names, st.integers(1, 1024))
def test_every_key_of_a_session_has_one_hash_tag(namespace: str, session: str, branch: str, partitions: int) -> None:
    """So that a function may touch all of them, also on a cluster."""
    keys = Keys(namespace, partitions)
    found = [
        keys.session(session),
        keys.dead(session),
        keys.events(session),
        keys.branch(session, branch),
        keys.inbox(session, branch),
        keys.log(session, branch),
        keys.reply(session, branch),
        keys.ready(branch, keys.partition(session)),
        keys.sessions(keys.partition(session)),
    ]
    tag = f"{{{namespace}:{keys.partition(session)}}}"
    assert all(key.startswith(f"lion:{tag}:") and key.count("{") == 1 for key in found)
    assert all(KEYS.fullmatch(key) for key in found)
    assert len(set(found)) == len(found)


@given(names, names, names, names)
def test_two_branches_never_share_a_key(session: str, branch: str, other_session: str, other_branch: str) -> None:
    """Whatever their ids are."""
    keys = Keys("n")
    same = (session, branch) == (other_session, other_branch)
    assert (keys.branch(session, branch) == keys.branch(other_session, other_branch)) is same


def test_the_partition_never_changes() -> None:
    """Stored sessions are found by it, so these numbers are for ever."""
    assert Keys("n", 16).partition("01a20bab-9f5a-71c8-bd38-d58cc63a25d9") == 4
    assert Keys("n", 1).partition("anything") == 0
    assert all(Keys("n", 7).partition(str(n)) == crc32(str(n).encode()) % 7 for n in range(20))


def test_sessions_spread_over_partitions() -> None:
    """No partition has twice its share."""
    keys = Keys("n", 16)
    counts = Counter(keys.partition(f"session-{number}") for number in range(16_000))
    assert len(counts) == 16
    assert max(counts.values()) < 2000


@pytest.mark.redis
def test_the_server_builds_the_same_keys(stage: Stage) -> None:
    """A session with mail at every station has the keys that Python names, and no others."""
    road = Road(stage.exchange, "manual", pool="p").open()
    road.local("home")
    road.pooled("far", "gone")
    road.say("home", "far", "in the mailbox", "in the inbox")
    road.send()
    road.receive(limit=1)
    road.say("home", "far", "in transit")
    road.say("home", "gone", "dead")
    road.close("gone")
    road.collect()
    road.say("home", "far", "in the outbox")
    at = road.take("far")
    road.commit("far", "t1", at, take=0, replies=(Reply("client", "asked", b"1"),))
    keys = Keys(stage.exchange.namespace)
    one, far = keys.session(road.session), keys.branch(road.session, "far")
    expected = {keys.meta(), keys.sessions(0), keys.pools(0), keys.ready("p", 0), keys.overflow("p", 0)}
    expected |= {keys.reply(road.session, "client")}
    expected |= {one, keys.events(road.session), keys.dead(road.session)}
    expected |= {f"{one}:{part}" for part in ("branches", "producers", "outboxes", "transits", "inboxes")}
    expected |= {keys.branch(road.session, branch) for branch in (road.session, "home", "far", "gone")}
    expected |= {keys.log(road.session, branch) for branch in ("home", "far", "gone")}
    expected |= {keys.inbox(road.session, "far"), f"{far}:mailbox", f"{far}:transit"}
    expected |= {f"{keys.branch(road.session, 'home')}:outbox"}
    found = stage.server.client.keys(f"lion:{{{stage.exchange.namespace}:*")
    assert {key.decode() for key in found} == expected
