"""Variants of how mail is withdrawn, and of how what its owner is at is stopped, each known to do harm."""

from __future__ import annotations

from tests.model.server import Answer, Server
from tests.model.state import Request, State

__all__ = [
    "StopsAndHandsOn",
    "StopsWhatNobodyHas",
    "StopsWithoutFencing",
    "WithdrawsTheHeadOnly",
    "WithdrawsWhatIsHeld",
    "WithdrawsWithItsMark",
    "WithdrawsWithoutFencing",
]


class WithdrawsWhatIsHeld(Server):
    """Mail is withdrawn that its owner has in hand."""

    def is_given(self, s: State, place: int) -> bool:
        return False


class WithdrawsWithoutFencing(Server):
    """An owner whose lease is over keeps the branch when mail that it has is withdrawn."""

    def fence(self, s: State) -> State:
        return s


class WithdrawsWithItsMark(Server):
    """A mark goes on handing out a mail that was withdrawn."""

    def withdraw(self, s: State, ask: Request) -> tuple[State, Answer]:
        if self.holder(s) == "unread" and self.is_given(s, ask.mail):
            return self.take_out(s, ask.mail), Answer("OK")
        return super().withdraw(s, ask)


class WithdrawsTheHeadOnly(Server):
    """A lane whose head was withdrawn is due, and nobody is told of it."""

    def withdraw(self, s: State, ask: Request) -> tuple[State, Answer]:
        after, answer = super().withdraw(s, ask)
        return (after._replace(mark=0, ready=()) if after.mark and not s.mark else after), answer


class StopsWithoutFencing(Server):
    """Whoever is at a mail that is stopped keeps the branch."""

    def fence_living(self, s: State) -> State:
        return s


class StopsAndHandsOn(Server):
    """A branch whose turn was stopped is free at once, though its worker is still at it."""

    def fence_living(self, s: State) -> State:
        return self.let_go(s, Request("stop"), work=self.has_work(s))


class StopsWhatNobodyHas(Server):
    """What waits is stopped, as if somebody had it: its mark goes on handing it out."""

    def stop(self, s: State, ask: Request) -> tuple[State, Answer]:
        return self.fence_living(self.take_out(s, ask.mail)), Answer("OK")
