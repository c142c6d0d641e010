"""An exchange for one process: every verb is a function over one store, under one lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Event
from typing import Any, Final

import anyio
import anyio.to_thread

from lion_broker.mail import verbs as v
from lion_broker.mail.checks import check
from lion_broker.mail.exchange import Exchange, Heard

from . import archive, audit, budgets, delivery, deployment, reads, roster, turns, waiting, withdrawing
from .store import Store

__all__ = ["MemoryExchange"]

Act = Callable[[Store, Any], Any]

_CHANGES: Final[Mapping[type[v.Verb[Any]], Act]] = {
    v.CreateSession: roster.create_session,
    v.UpdateSession: roster.update_session,
    v.DeleteSession: roster.delete_session,
    v.CreateBranch: roster.create_branch,
    v.CloseBranch: roster.close_branch,
    v.Post: delivery.post,
    v.Collect: delivery.collect,
    v.Send: delivery.send,
    v.Receive: delivery.receive,
    v.Claim: turns.claim,
    v.Commit: turns.commit,
    v.Dispatch: turns.dispatch,
    v.Step: turns.step,
    v.Say: turns.say,
    v.Cancel: turns.cancel,
    v.Renew: turns.renew,
    v.Release: turns.release,
    v.Sweep: turns.sweep,
    v.Promote: waiting.promote,
    v.Pause: waiting.pause,
    v.Resume: waiting.resume,
    v.Exhume: delivery.exhume,
    v.Drop: delivery.drop,
    v.Withdraw: withdrawing.withdraw,
    v.Reserve: budgets.reserve,
    v.Settle: budgets.settle,
    v.WriteAudit: audit.write_audit,
    v.Enrol: deployment.enrol,
    v.OrderWorkers: deployment.order_workers,
    v.SetWanted: deployment.set_wanted,
    v.PausePool: deployment.pause_pool,
    v.ResumePool: deployment.resume_pool,
    v.Tidy: deployment.tidy,
    v.Restore: archive.restore,
}
_READS: Final[Mapping[type[v.Verb[Any]], Act]] = {
    v.ReadSession: reads.read_session,
    v.ListSessions: reads.list_sessions,
    v.ReadBranches: reads.read_branches,
    v.ReadReady: reads.read_ready,
    v.ReadLog: reads.read_log,
    v.ReadInbox: reads.read_inbox,
    v.ReadWaiting: reads.read_waiting,
    v.ReadDead: reads.read_dead,
    v.ReadEvents: reads.read_events,
    v.Progress: reads.progress,
    v.AwaitReply: reads.await_reply,
    v.DropReplies: reads.drop_replies,
    v.ReadCancelled: reads.read_cancelled,
    v.ReadAudit: audit.read_audit,
    v.ReadWorkers: deployment.read_workers,
    v.ReadPools: deployment.read_pools,
    v.CountMail: deployment.count_mail,
    v.ReadDue: deployment.read_due,
    v.ReadBudgets: budgets.read_budgets,
}


class MemoryExchange(Exchange):
    """Carries mail between the threads and event loops of one process; nothing survives its end.

    Each verb is done under one lock, so it is whole by itself. A verb that waits sleeps until something has
    changed; from an event loop it sleeps in a thread, which takes nothing for a call that was cancelled.
    """

    def __init__(self) -> None:
        self.url = "memory://"
        self.profile = "memory"
        self._store = Store()
        self._changed = Condition()

    def call_all(self, verbs: Sequence[v.Verb[Any]], /) -> list[Any]:
        """Do the verbs in order and return their answers."""
        for verb in verbs:
            check(verb)
        return [self._answer(verb, _wait_of(verb)) for verb in verbs]

    async def acall_all(self, verbs: Sequence[v.Verb[Any]], /, *, heard: Heard | None = None) -> list[Any]:
        """Do the same without blocking the event loop."""
        for verb in verbs:
            check(verb)
        answers = [await self._answer_later(verb) for verb in verbs]
        if heard is not None:
            await heard()
        return answers

    def close(self) -> None:
        """Do nothing: there are no connections, and what was accepted stays."""

    async def aclose(self) -> None:
        """Do nothing, like `close`."""

    async def _answer_later(self, verb: v.Verb[Any]) -> Any:
        answer = self._answer(verb, 0)
        if answer or not _wait_of(verb):
            return answer
        left = Event()
        try:
            return await anyio.to_thread.run_sync(
                self._answer,
                verb,
                _wait_of(verb),
                left,
                abandon_on_cancel=True,
                limiter=anyio.CapacityLimiter(1),
            )
        finally:
            # A caller that was cancelled is not there to do the work: its thread must take none from now on.
            with self._changed:
                left.set()
                self._changed.notify_all()

    def _answer(self, verb: v.Verb[Any], wait_ms: int, left: Event | None = None) -> Any:
        end = time.monotonic() + wait_ms / 1000
        with self._changed:
            self._store.tick()
            if act := _CHANGES.get(type(verb)):
                self._changed.notify_all()
                return act(self._store, verb)
            read = _READS[type(verb)]
            answer = read(self._store, verb)
            while not answer and (remaining := end - time.monotonic()) > 0:
                self._changed.wait(remaining)
                if left is not None and left.is_set():
                    break
                self._store.tick()
                answer = read(self._store, verb)
            return answer


def _wait_of(verb: v.Verb[Any]) -> int:
    wait_ms: int = getattr(verb, "wait_ms", 0)
    return wait_ms
