"""What people do to a namespace is written down, once, and read newest first."""

from __future__ import annotations

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import ReadAudit, WriteAudit


def note(exchange: Exchange, number: int) -> str:
    """Write down the act with a number."""
    return exchange.call(WriteAudit("ada", f"act {number}", "pool desk", nonce=f"n{number}", detail="because"))


def test_an_act_is_written_and_read(exchange: Exchange) -> None:
    """Who, what, on what and why come back, with the exchange's time."""
    assert exchange.call(ReadAudit()) == ()
    first = note(exchange, 1)
    (entry,) = exchange.call(ReadAudit())
    assert (entry.id, entry.who, entry.what, entry.target) == (first, "ada", "act 1", "pool desk")
    assert entry.detail == "because"
    assert entry.at == int(first.partition("-")[0]) / 1000


def test_an_act_is_written_once(exchange: Exchange) -> None:
    """Who asks again after a lost answer gets the same id, also when others wrote in between."""
    first, second = note(exchange, 1), note(exchange, 2)
    assert note(exchange, 1) == first
    assert [entry.id for entry in exchange.call(ReadAudit())] == [second, first]


def test_it_is_read_in_pages_from_the_newest(exchange: Exchange) -> None:
    """`before` goes on where the last page ended."""
    for number in range(5):
        note(exchange, number)
    page = exchange.call(ReadAudit(count=2))
    rest = exchange.call(ReadAudit(before=page[-1].id))
    assert [entry.what for entry in (*page, *rest)] == [f"act {number}" for number in (4, 3, 2, 1, 0)]
    assert exchange.call(ReadAudit(before=rest[-1].id)) == ()


def test_the_oldest_go(exchange: Exchange) -> None:
    """Of very many acts the newest ten thousand are kept, and on a server up to a hundred more."""
    acts = [WriteAudit("ada", "act", str(number), nonce=str(number)) for number in range(10_250)]
    for first in range(0, len(acts), 500):
        exchange.call_all(acts[first : first + 500])
    entries = exchange.call(ReadAudit(count=20_000))
    assert 10_000 <= len(entries) <= 10_100
    assert entries[0].target == "10249"


@pytest.mark.parametrize("odd", [{"who": ""}, {"what": ""}, {"nonce": ""}, {"target": "\ud800"}])
def test_an_act_needs_who_and_what(exchange: Exchange, odd: dict[str, str]) -> None:
    """What nobody could read later is refused."""
    given = {"who": "ada", "what": "act", "target": "", "nonce": "n", **odd}
    with pytest.raises(ConfigError, match=f"WriteAudit.{next(iter(odd))}"):
        exchange.call(WriteAudit(**given))
