"""The record of a turn's times: what is written comes back, bounded, with little of what was said."""

from __future__ import annotations

import time

import pytest

from lion_broker.branch.turn_times import End, TurnClock, came_record, delivered_at, read_times
from lion_broker.telemetry.acts import Act, ActKind

NOW = 1_764_000_000_000


def test_attempts_come_back() -> None:
    """When they were given, begun and ended, how, and their acts, in the exchange's time; and what was said."""
    clock = TurnClock(NOW, time.monotonic())
    assert clock.record() == ()
    clock.note("mail-1", "5-0", clock.since + 0.001, 1)
    clock.note("mail-2", "6-0", clock.since + 0.002, 2)
    acts = [
        Act(ActKind.MODEL, "scripted", time.time(), 0.25, "", {"prompt_tokens": 3}),
        Act(ActKind.WAIT, "limits", time.time(), 0.0001),
        Act(ActKind.TOOL, "search", time.time(), 0.5, "LookupError"),
    ]
    clock.ended(End.RETRY, ValueError("what was said,\n\x1b[31mwith api_key=abcdefgh12345678 " + "x" * 500), acts)
    (record,) = clock.record()
    assert b"abcdefgh" not in record.body
    first, second = read_times(record.body).attempts
    assert (first.mail, first.entry, first.number, first.end, first.error) == ("mail-1", "5-0", 1, End.APPLIED, "")
    assert first.given == NOW / 1000
    assert first.begun == pytest.approx(NOW / 1000 + 0.001, abs=1e-5)
    assert first.ended >= first.given
    assert (second.number, second.end, second.error) == (2, End.RETRY, "ValueError")
    assert (first.detail, len(second.detail)) == ("", 200)
    assert second.detail.startswith(r"what was said, \x1b[31mwith api_key=*** xxx")
    assert [(one.kind, one.name, one.error) for one in second.acts] == [
        (ActKind.MODEL, "scripted", ""),
        (ActKind.TOOL, "search", "LookupError"),
    ]
    assert (second.acts[0].seconds, second.acts[0].fields) == (0.25, {"prompt_tokens": 3})


def test_acts_belong_to_the_attempt_in_which_they_came() -> None:
    """Those that were there before are the earlier one's; very many are cut, and so are long names and fields."""
    clock = TurnClock(NOW, time.monotonic())
    acts = [Act(ActKind.TOOL, "first", time.time())]
    clock.note("mail-1", "5-0", clock.since, 1)
    clock.ended(End.APPLIED, None, acts)
    acts += [Act(ActKind.TOOL, "n" * 1000, time.time(), fields={"long": "x" * 5000})] * 300
    clock.note("mail-2", "6-0", clock.since, 1)
    clock.ended(End.APPLIED, None, acts)
    clock.note("mail-3", "7-0", clock.since, 1)
    clock.ended(End.APPLIED, None, acts)
    attempts = read_times(clock.record()[0].body).attempts
    assert [len(one.acts) for one in attempts] == [1, 200, 0]
    assert all(len(one.name) == 200 and one.fields == {} for one in attempts[1].acts)


def test_when_mail_came() -> None:
    """An entry's id begins with the time at which it was given; other texts are no time."""
    assert read_times(came_record(NOW, ["1764000000001-0", "1764000000002-3"]).body).came == (
        1764000000.001,
        1764000000.002,
    )
    assert [delivered_at(text) for text in ("x", "", "0-0", "-1", "9" * 30)] == [None] * 5


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"at":1}', b'{"at":"x","came":[]}', b'{"at":1,"mails":[[1]]}'])
def test_what_is_no_record_of_times(body: bytes) -> None:
    """Whoever reads a log hears so, and leaves it out."""
    with pytest.raises((ValueError, TypeError, LookupError)):
        read_times(body)
