"""What `bench` says while it waits for its worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker.core import progress
from lion_broker.demo import throughput
from lion_broker.errors import BrokerError, RoundTimeout
from tests.unit.core.test_progress import terminal


class Working:
    """Stands in for a session with so many mails in flight, each time that somebody looks, and for its crew."""

    def __init__(self, *left: int, ends: bool = False) -> None:
        self._left: Iterator[int] = iter(left)
        self._now = next(self._left)
        self._ends = ends

    def counters(self) -> dict[str, int]:
        """How much it has left."""
        return {"inflight": self._now}

    def wait_idle(self, timeout: float) -> None:
        """Have some of it done."""
        self._now = next(self._left)
        if self._now:
            raise RoundTimeout("there is more")

    def check(self) -> None:
        """Say that it has ended."""
        if self._ends:
            raise BrokerError("1 worker has ended")


def wait(working: Any, timeout: float = 60.0) -> None:
    """Wait until all is done."""
    throughput._await_work(working, working, 9, timeout)


def test_what_is_left_is_told_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it grows less."""
    shown = terminal(monkeypatch)
    wait(Working(9, 7, 4, 0))
    assert "working" in shown.getvalue()
    assert "5/9" in shown.getvalue()


def test_a_worker_that_is_too_slow_or_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how much is left, and what gives it longer; one that has ended is not waited for."""
    monkeypatch.setattr(progress, "AFTER_SECONDS", 0.0)
    with pytest.raises(
        RoundTimeout, match=r"^After -1 s 8 of 9 mails had not been taken; --timeout gives them longer\.$"
    ):
        wait(Working(8, 8), timeout=-1.0)
    with pytest.raises(BrokerError, match="1 worker has ended"):
        wait(Working(9, 9, ends=True))
