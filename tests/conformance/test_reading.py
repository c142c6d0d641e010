"""What can be read: counters, progress, pages of inboxes and dead letters, ready entries."""

from concurrent.futures import ThreadPoolExecutor

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START, Burial
from lion_broker.mail.verbs import Progress, ReadDead, ReadInbox, ReadReady
from tests.conformance.road import Road, texts


def counters(road: Road) -> tuple[int, ...]:
    """Posted, applied, redelivered, dead, inflight."""
    return tuple(road.counter(name) for name in ("posted", "applied", "redelivered", "dead", "inflight"))


def test_counters_follow_the_mail(auto: Road) -> None:
    """Posted at delivery, in flight until committed, applied as the turn says, redelivered when lost."""
    auto.pooled("ada")
    auto.local("ben")
    auto.post(*(auto.mail("x", "ada", number) for number in range(3)), auto.mail("x", "ben"))
    assert counters(auto) == (4, 0, 0, 0, 3)
    auto.take("ada", "t1", lease_ms=1)
    assert counters(auto) == (4, 0, 0, 0, 3)
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert counters(auto) == (4, 0, 1, 0, 3)
    stand = auto.commit("ada", "t2", claimed)
    assert counters(auto) == (4, 1, 1, 0, 2)
    burial = Burial(stand.entries[0].id, "poison", "words")
    auto.commit("ada", "t2", stand, take=1, buried=(burial,), handled=0, batch=0)
    assert counters(auto) == (4, 1, 1, 1, 1)
    auto.close("ada")
    assert counters(auto) == (4, 1, 1, 2, 0)


def test_the_turn_says_how_much_took_effect(auto: Road) -> None:
    """`applied` grows by `handled`, whatever was consumed."""
    auto.pooled("ada")
    auto.say("x", "ada", 1, 2, 3)
    claimed = auto.take("ada")
    auto.commit("ada", "t1", claimed, aside=(claimed.entries[1].id,), handled=2)
    assert counters(auto) == (3, 2, 0, 0, 0)


def test_progress_names_who_is_behind(auto: Road) -> None:
    """A branch is behind until it has committed past the entry; others are left out."""
    auto.pooled("ada", "ben")
    auto.say("x", "ada", 1, 2)
    claimed = auto.take("ada")
    first, second = (entry.id for entry in claimed.entries)
    assert auto.call(Progress(auto.session, {"ada": second, "ben": START})) == ("ada",)
    auto.commit("ada", "t1", claimed, take=1)
    assert auto.call(Progress(auto.session, {"ada": second})) == ("ada",)
    assert auto.call(Progress(auto.session, {"ada": first})) == ()
    auto.commit("ada", "t1", claimed, consumed=second, cursor=first, version=2)
    assert auto.call(Progress(auto.session, {"ada": second})) == ()


def test_nobody_waits_for_what_is_gone(exchange: Exchange, auto: Road) -> None:
    """Closed and unknown branches are not behind: nothing more is to be expected of them."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    target = auto.take("ada").entries[0].id
    auto.close("ada")
    assert auto.call(Progress(auto.session, {"ada": target, "nobody": target})) == ()
    assert exchange.call(Progress("nowhere", {"ada": target})) == ()
    assert auto.call(Progress(auto.session)) == ()


def test_an_inbox_is_read_in_pages(exchange: Exchange, auto: Road) -> None:
    """`after` is exclusive and `count` bounds a page; an unknown branch has nothing."""
    auto.local("ada")
    auto.say("x", "ada", *range(5))
    first = exchange.call(ReadInbox(auto.session, "ada", count=2))
    second = exchange.call(ReadInbox(auto.session, "ada", first[-1].id, count=2))
    third = exchange.call(ReadInbox(auto.session, "ada", second[-1].id))
    assert [texts(page) for page in (first, second, third)] == [[0, 1], [2, 3], [4]]
    assert exchange.call(ReadInbox(auto.session, "ada", third[-1].id)) == ()
    assert exchange.call(ReadInbox(auto.session, "nobody")) == ()


def test_dead_letters_are_read_in_pages(exchange: Exchange, auto: Road) -> None:
    """`after` is exclusive and `count` bounds a page; an unknown session has none."""
    auto.pooled("ada")
    auto.say("x", "ada", *range(5))
    auto.close("ada")
    first = exchange.call(ReadDead(auto.session, count=3))
    rest = exchange.call(ReadDead(auto.session, first[-1].id))
    assert (texts(first), texts(rest)) == ([0, 1, 2], [3, 4])
    assert exchange.call(ReadDead(auto.session, rest[-1].id)) == ()
    assert exchange.call(ReadDead("nowhere")) == ()


def test_ready_entries_are_given_out_once(auto: Road) -> None:
    """However many owners read, each entry goes to one of them; `count` bounds what one takes."""
    names = ["a", "b", "c", "d", "e"]
    auto.pooled(*names)
    for name in names:
        auto.say("x", name, 1)
    reads = [auto.ready("one", 2), auto.ready("two", 2), auto.ready("one", 2), auto.ready("two", 2)]
    assert [[ready.branch for ready in read] for read in reads] == [["a", "b"], ["c", "d"], ["e"], []]


def test_pools_are_apart(exchange: Exchange, auto: Road) -> None:
    """A worker sees the branches of its own pool only."""
    other = Road(exchange).open()
    other.pooled("ben")
    other.say("x", "ben", 1)
    assert auto.ready() == ()
    assert len(other.ready()) == 1


def test_a_worker_waits_for_work(auto: Road) -> None:
    """A waiting read returns as soon as a branch becomes ready, also in a pool that was never used before."""
    auto.pooled("ada")
    with ThreadPoolExecutor(1) as worker:
        ready = worker.submit(auto.call, ReadReady(auto.pool, "worker", 1, 120_000))
        auto.say("x", "ada", 1)
        assert [entry.branch for entry in ready.result(60)] == ["ada"]


def test_waiting_for_work_ends_in_time(auto: Road) -> None:
    """When no work comes, the answer is empty."""
    assert auto.ready(wait_ms=20) == ()
