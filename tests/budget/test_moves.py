"""What a round of manual mail costs a server: a call for each 500 mails, and little but an XADD for each mail."""

from lion_broker import Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import Collect, Receive, Send
from tests.budget.counting import Counter
from tests.conformance.road import Road

BRANCHES = 20
EACH = 50
MAILS = BRANCHES * EACH


def filled(exchange: RedisExchange) -> Road:
    """A session whose branches have mail for each other in their outboxes."""
    road = Road(exchange, "manual").open()
    names = [f"b{number}" for number in range(BRANCHES)]
    road.pooled(*names)
    for place, sender in enumerate(names):
        others = names[place + 1 :] + names[:place]
        road.post(*(road.mail(sender, others[number % len(others)], number) for number in range(EACH)))
    return road


def test_a_round_takes_one_call_for_a_bounded_batch(exchange: RedisExchange, counter: Counter) -> None:
    """`collect_send_all` sends a call for each 500 mails; beside them one looks for mail that waits already."""
    session = Session(exchange=exchange)
    branches = [session.new_branch(pool="nobody") for _ in range(BRANCHES)]
    with session.batch():
        for sender in branches:
            for number in range(EACH):
                sender.send(branches[number % BRANCHES], "message", "hello")
    with counter.counting() as count:
        session.collect_send_all()
    assert session.counters()["posted"] == MAILS
    assert count["fcall"] <= MAILS / 500 + 2
    session.close()


def test_sending_costs_an_entry_a_mail(exchange: RedisExchange, counter: Counter) -> None:
    """Recipients, indexes and ends of outboxes are asked for once a call, and not once a mail."""
    road = filled(exchange)
    with counter.counting() as count:
        assert road.move_all(Send(road.session)).count == MAILS
    calls = MAILS // 500
    assert count["fcall"] == calls
    assert count["xadd"] == MAILS
    assert count["hmget"] <= calls * (BRANCHES + 1)
    assert count["sadd"] <= calls * BRANCHES
    assert count["xdel"] + count["xtrim"] <= calls * 2
    assert count.inner <= MAILS * 1.2


def test_collecting_costs_an_entry_a_mail(exchange: RedisExchange, counter: Counter) -> None:
    """The same into transit."""
    road = filled(exchange)
    with counter.counting() as count:
        assert road.move_all(Collect(road.session)).count == MAILS
    assert (count["fcall"], count["xadd"]) == (MAILS // 500, MAILS)
    assert count.inner <= MAILS * 1.2


def test_receiving_costs_an_entry_a_mail(exchange: RedisExchange, counter: Counter) -> None:
    """The same into mailboxes, with one ready entry a branch, and one attempt at that of a new pool."""
    road = filled(exchange)
    road.move_all(Send(road.session))
    with counter.counting() as count:
        assert road.move_all(Receive(road.session)).count == MAILS
    assert (count["fcall"], count["xadd"]) == (MAILS // 500, MAILS + BRANCHES + 1)
    assert count.inner <= MAILS * 1.3
