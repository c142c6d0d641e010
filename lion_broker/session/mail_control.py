"""What a session takes back of its mail: what waits is withdrawn, what is worked on is stopped."""

from __future__ import annotations

from typing import Any

from lion_broker.core.ids import ID

from .monitoring import SessionMonitoring
from .stopping import stop_mail_steps
from .withdrawing import TakenOut, withdraw_steps

__all__ = ["SessionMailControl"]


class SessionMailControl(SessionMonitoring):
    """How mail is taken back: it becomes dead letters, which can be sent again."""

    def withdraw(
        self, mails: Any, *, branch: ID.Ref | None = None, category: str = "", reason: str = "", by: str = ""
    ) -> TakenOut:
        """Withdraw mail that waits, given as itself or by id (None: all that waits for `branch`, or of `category`).

        Each becomes a dead letter, `withdrawn`, before anybody handles it; whoever waits for an answer to it gets
        OperationCancelled. What a worker has in hand stays there. The result says which letter each mail became, and
        why others stay. `by` and `reason` go into the audit. Blocks for a round trip a hundred. Raises ConfigError, and
        ItemNotFoundError for an unknown branch.
        """
        done: TakenOut = self._run(withdraw_steps(self._state, mails, branch, category, reason, by))
        return done

    async def awithdraw(
        self, mails: Any, *, branch: ID.Ref | None = None, category: str = "", reason: str = "", by: str = ""
    ) -> TakenOut:
        """Withdraw mail without blocking the event loop."""
        done: TakenOut = await self._arun(withdraw_steps(self._state, mails, branch, category, reason, by))
        return done

    def stop_mail(self, mails: Any = None, *, branch: ID.Ref | None = None, reason: str = "", by: str = "") -> TakenOut:
        """Stop mails, given as themselves or by id, that workers have in hand; None: the one that `branch` is at.

        Each becomes a dead letter, `stopped`, at once, and nothing that its turn has done takes effect; whoever waits
        for an answer to it gets OperationCancelled. Its worker cancels what it does within about a second, but for code
        that does not wait for anything, and later mail of the branch goes on. A named mail that waits is withdrawn. The
        result says which letter each mail became, and why others stay; it is empty when the branch is at nothing.
        Blocks, for three seconds at most beyond its round trips. Raises ConfigError, and ItemNotFoundError for an
        unknown branch.
        """
        done: TakenOut = self._run(stop_mail_steps(self._state, mails, branch, reason, by))
        return done

    async def astop_mail(
        self, mails: Any = None, *, branch: ID.Ref | None = None, reason: str = "", by: str = ""
    ) -> TakenOut:
        """Stop mail without blocking the event loop."""
        done: TakenOut = await self._arun(stop_mail_steps(self._state, mails, branch, reason, by))
        return done
