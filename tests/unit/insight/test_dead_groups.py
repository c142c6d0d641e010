"""Dead letters in groups: by reason, behaviour, and the error without its numbers and ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lion_broker.insight.dead_groups import GROUPS, Groups, group_steps, kind_of, masked
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import START, Burial, DeadLetter
from tests.conformance.road import Road

UUID = "01a21af4-886b-727c-a596-c4a110e4e7a4"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("ValueError: no row 17 of 1,000.50", "ValueError: no row # of #"),
        (f"KeyError: '{UUID}'", "KeyError: '<id>'"),
        (f"KeyError: '{UUID.upper()}'", "KeyError: '<id>'"),
        ("at 0x7f60f8252710 in worker-3", "at <id> in worker-#"),
        ("order ord_8fk2m1x9qq7 is gone", "order <id> is gone"),
        ("TimeoutError: the read timed out\n  File x, line 3", "TimeoutError: the read timed out"),
        ("", ""),
        ("   \n7", "#"),
        ("no such branch in the session", "no such branch in the session"),
        ("x" * 1000, "x" * 299 + "…"),
    ],
)
def test_what_is_masked(said: str, shown: str) -> None:
    """Numbers and ids; words stay, and so does the first line only."""
    assert masked(said) == shown


@pytest.mark.parametrize("piece", ["a1", "-", "9" * 3, "a-", "0x", "\u0661", "<script>", "a\x00"])
def test_hostile_text_is_masked_all_the_same(piece: str) -> None:
    """However long it is and whatever it repeats."""
    assert 0 < len(masked(piece * 100_000)) <= 300


def test_what_they_have_in_common() -> None:
    """Another reason, behaviour or text is another group; another number is not."""

    def kind(reason: str, behaviour: str, detail: str, error: str = "") -> str:
        return kind_of(DeadLetter("1-1", reason, detail, "ada", 1, (), None, error), behaviour).id

    one = kind("failed", "teller", "ValueError: 17")
    assert kind("failed", "teller", "ValueError: 18") == one
    others = [kind("poison", "teller", "ValueError: 17"), kind("failed", "x", "ValueError: 17")]
    others += [kind("failed", "teller", "KeyError: 17"), kind("failed", "teller", "", "ValueError")]
    assert len({one, *others}) == 5


@pytest.fixture
def road() -> Road:
    """A session with a branch of the behaviour `echo`."""
    road = Road(MemoryExchange(), "auto").open()
    road.pooled("ada")
    return road


def die(road: Road, count: int, said: Callable[[int], str], reason: str = "failed") -> None:
    """Have mails die."""
    token = f"t{len(road.dead())}"
    road.say("ben", "ada", *range(count))
    stand: Any = road.take("ada", token, batch=1_000_000)
    burials = tuple(Burial(entry.id, reason, said(n), 3) for n, entry in enumerate(stand.entries))
    road.commit("ada", token, stand, buried=burials, handled=0)


def grouped(road: Road, *sessions: str, **options: Any) -> Groups:
    """The groups of some sessions, or of the road's."""
    found: Groups = run(road.exchange, group_steps(sessions or (road.session,), **options))
    return found


def test_groups_are_counted(road: Road) -> None:
    """The largest first, with an example, the times, and the sessions that have any."""
    die(road, 3, lambda n: f"ValueError: {n}")
    die(road, 5, lambda n: f"KeyError: '{UUID}'", "poison")
    other = Road(road.exchange, "auto").open()
    other.pooled("ada")
    die(other, 1, lambda n: "ValueError: 99")
    found = grouped(road, road.session, other.session)
    assert [(one.kind.reason, one.kind.behaviour, one.kind.error, one.count, one.touched) for one in found.groups] == [
        ("poison", "echo", "KeyError: '<id>'", 5, 1),
        ("failed", "echo", "ValueError: #", 4, 2),
    ]
    failed = found.groups[1]
    assert (failed.example, failed.sessions) == ("ValueError: 0", [road.session, other.session])
    assert failed.newest == other.dead()[-1].id
    assert 0 < failed.first <= failed.last
    assert (found.letters, found.others, found.more) == (9, 0, False)


def test_ten_thousand_letters(road: Road) -> None:
    """They are looked at in pages; of very many groups the first are told apart, and the rest is counted."""
    words = ["".join(chr(97 + int(digit)) for digit in str(n)) for n in range(10_000)]
    for _ in range(2):
        die(road, 5_000, lambda n: words[n] if n < GROUPS + 20 else f"ValueError: {n}")
    found = grouped(road)
    assert (len(found.groups), found.letters) == (GROUPS, 10_000)
    assert sum(one.count for one in found.groups) + found.others == 10_000
    assert grouped(road, most=2_000) == grouped(road, most=1_001)
    assert (grouped(road, most=2_000).letters, grouped(road, most=2_000).more) == (2_000, True)


def test_only_those_that_fit(road: Road) -> None:
    """And of a session without letters, or that is none, there are no groups."""
    die(road, 3, lambda n: "ValueError")
    assert grouped(road, fits=lambda letter: letter.reason == "poison").groups == ()
    assert grouped(road, "nobody") == Groups((), 0)
    assert START == "0-0"
