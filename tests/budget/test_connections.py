"""What connections cost: one for calls in a row, none shared with a forked process, none taken that has ended."""

import os

from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import ListSessions
from tests.budget.counting import Counter
from tests.conformance.servers import Server


def test_calls_in_a_row_use_one_connection(exchange: RedisExchange, counter: Counter) -> None:
    """Nothing is connected anew, and nothing but the calls themselves is sent."""
    with counter.counting() as count:
        for _ in range(50):
            exchange.call(ListSessions())
    assert count.connections == 0
    assert sum(count.commands.values()) == 50 + count.own


def test_a_connection_that_has_ended_is_replaced(exchange: RedisExchange, server: Server, counter: Counter) -> None:
    """Also when it was used a moment ago: the call is made again."""
    exchange.call(ListSessions())
    server.client.client_kill_filter(_type="normal", skipme=True)
    with counter.counting() as count:
        assert exchange.call(ListSessions()) == ()
    assert count.connections == 1


def test_a_forked_process_has_connections_of_its_own(exchange: RedisExchange, counter: Counter) -> None:
    """Two processes that read from one connection would take each other's answers."""
    exchange.call(ListSessions())
    with counter.counting() as count:
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            try:
                os._exit(exchange.call(ListSessions()) != ())
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert exchange.call(ListSessions()) == ()
    assert count.connections == 1
