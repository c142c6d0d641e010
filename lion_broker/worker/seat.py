"""A branch at work: claimed, taken through turns until nothing waits, and handed back."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

from lion_broker.branch.branch import Branch
from lion_broker.branch.directory import gone
from lion_broker.branch.host import Host
from lion_broker.branch.refusal import lease_lost
from lion_broker.branch.registry import Behaviour
from lion_broker.core.ids import IDType
from lion_broker.errors import BehaviourUnknown, LeaseLost, LionError
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, ReadyEntry
from lion_broker.mail.verbs import Claim, Commit, Release, Station
from lion_broker.mail.wire import WireMail
from lion_broker.telemetry import logger

from .account import Account
from .loading import loaded
from .turn import Stand, Turn, can_be_written_down, result, work_through, write_down, written
from .workplace import Workplace

__all__ = ["Seat"]

log = logger("worker")

_DONE: Final = frozenset((Outcome.OK, Outcome.ALREADY, Outcome.DRAINED))
"""The answers to a commit that has been made."""
_SHARE: Final = 1000
"""Mails after which a branch goes to the end of the queue, so that a busy one starves nobody."""
_NEW_MS: Final = 50
"""For how long a mail that was handed out with its mark is new: who cancels it meanwhile is heard with the lease."""


class Seat:
    """Serves one ready branch.

    A branch whose first mail has come with its ready entry is not claimed: the entry's id is the token. Of others it is
    made before the claim and kept, so that a lost answer can be asked for again.
    """

    def __init__(self, place: Workplace, ready: ReadyEntry) -> None:
        self._place = place
        self._ready = ready
        self._token = ready.id
        self._host: Host | None = None
        self._behaviour: Behaviour | None = None
        self._cursor = ""
        self._version = 0
        self._served, self._since = 0, time.monotonic()
        self._new = ""
        self._read: list[Any] = []
        self._turn: Turn | None = None
        self._task: asyncio.Task[object] | None = None
        self._dropped = self._lost = False

    async def serve(self) -> None:
        """Claim the branch, take turns until it is drained, and hand it back."""
        claimed = await self._accept() if self._ready.given is not None else None
        if claimed is None:
            self._token = str(IDType.create())
            claimed = await self._claim()
        if claimed.outcome != Outcome.OK:
            log.debug("branch %s not claimed: %s", self._ready.branch, claimed.outcome)
            return
        station = self._station()
        self._place.seats[station] = self
        self._place.keeper.add(station)
        try:
            await self._take_turns(claimed)
        except LeaseLost:
            self._lost = True
            raise
        finally:
            del self._place.seats[station]
            # A worker that stops hands back by itself what its keeper still holds.
            if not self._place.stopping:
                self._place.keeper.remove(station)
            self._let_go()
            if self._lost:
                await self._leave(station)

    @property
    def at(self) -> str:
        """The mail that is worked on, by its id, or nothing."""
        turn = self._turn
        mail = turn.entries[turn.done].mail if turn is not None and turn.done < len(turn.entries) else None
        return mail.id if isinstance(mail, WireMail) else ""

    def drop(self) -> None:
        """Stop the turn that is worked on: it is not going to be committed. One that is written already is left."""
        if self._turn is not None and self._task is not None and not self._dropped:
            self._dropped = True
            self._task.cancel()

    def _let_go(self) -> None:
        """Retire the branch, unless it is kept warm: what only a collection frees waits very long for one here."""
        if self._host is not None:
            self._host.retire()
            self._host = None

    async def _leave(self, station: Station) -> None:
        """Let go of a branch whose turn was stopped, so that it goes on at once; one that another has is theirs."""
        with suppress(LionError):  # its lease ends by itself
            if await self._place.exchange.acall(Release((station,))) == (Outcome.OK,):
                log.warning("branch %s: its turn was stopped", station.branch)

    async def _accept(self) -> Claimed | None:
        """Begin with what has come with the ready entry; None where nothing has, or nobody knows how long ago."""
        place, given, now = self._place, self._ready.given, self._place.time.now_ms
        if given is None or now is None or abs(now - given.now) > place.lease_ms / 2:
            return None
        if now - given.now < _NEW_MS:
            self._new = given.entries[0].id
        session, mails = self._ready.session, len(given.entries)
        if not place.schedule.brought(session, mails):
            passage = place.schedule.passage(session)
            async with passage:
                passage.mails = mails
        Account.received(place.exchange, self._ready, place.owner, given, time.time())
        now, where, version, name = max(now, given.now), given.cursor, given.version, given.behaviour
        return Claimed(given.outcome, where, version, given.attempts, name, given.entries, now)

    async def _claim(self) -> Claimed:
        place, began = self._place, time.time()
        passage = place.schedule.passage(self._ready.session, asks=place.claims(self._ready.session))
        async with passage:
            claim = Claim(
                self._ready.session,
                self._ready.branch,
                self._token,
                entry=self._ready.id,
                pool=place.pool,
                owner=place.owner,
                lease_ms=place.lease_ms,
                batch=place.claims(self._ready.session),
            )
            verbs = (claim, *(place.reads_ahead(self._ready) if self._host is None else ()))
            answers = await place.exchange.acall_all(verbs, heard=passage.heard)
            claimed: Claimed = answers[0]
            self._read = answers[1:]
            passage.mails = len(claimed.entries)
        Account.received(place.exchange, self._ready, place.owner, claimed, began)
        return claimed

    async def _commit(self, turn: Turn, host: Host | None) -> tuple[Commit, Claimed]:
        """Commit a turn when it is this session's time; what it asks for is decided then, not before the wait."""
        place = self._place
        passage = place.schedule.passage(self._ready.session, commits=turn.done)
        async with passage:
            crowds = place.schedule.crowds(self._ready.session) or place.load.leaves(self._since, place.schedule.active)
            stop = place.stopping or self._served >= _SHARE or crowds
            session, most, left = self._ready.session, place.schedule.batch, len(turn.entries) - turn.done
            batch = 0 if stop else place.prefetch.of_commit(session, most, turn.seconds, turn.done, left)
            verb = result(turn, host, batch) if host is not None else written(turn, self._stand(), batch)
            turn.account.commits()
            answer: Claimed = await place.exchange.acall(verb, heard=passage.heard)
            passage.mails = len(answer.entries)
        return verb, answer

    async def _take_turns(self, claimed: Claimed) -> None:
        self._cursor, self._version = claimed.cursor, claimed.version
        self._behaviour = self._find_behaviour(claimed.behaviour)
        turn = Turn.given(claimed)
        turn.new = self._new
        while True:
            host = await self._work(turn)
            try:
                verb, answer = await self._commit(turn, host)
            except BaseException as error:
                turn.account.written(type(error).__name__)
                raise
            turn.account.written("" if answer.outcome in _DONE else answer.outcome)
            if verb.deferred and self._place.until_idle:
                self._place.retrying.add((self._ready.session, self._ready.branch))
            if not self._absorb(verb, answer, turn, host):
                return
            if turn.failed is not None:
                # What the failed mail did to the branch object is not to be trusted: it is read anew.
                self._let_go()
            # An answer with a lane means that what is held of the mailbox comes again.
            held = turn.left if not turn.lane and not answer.lane else []
            if answer.outcome == Outcome.ALREADY:
                # The answer that was lost had the next mails.
                held, answer = [], await self._claim()
                if answer.outcome != Outcome.OK or answer.version != self._version:
                    return
            turn = Turn.given(answer, held)
            await self._place.schedule.give_way()

    def _find_behaviour(self, name: str) -> Behaviour | None:
        if not name:
            return None
        try:
            return self._place.registry.resolve_behaviour(name)
        except BehaviourUnknown as error:
            return _unknown_behaviour(name, error)

    async def _work(self, turn: Turn) -> Host | None:
        """Do the work of a turn; returns the host of the branch, or None where the branch was not needed."""
        # A branch that has been read is told everything, or it would go on with less than its log says.
        if self._host is None and self._behaviour is None and can_be_written_down(turn):
            with turn.account.writing_down(self._place.exchange, self._ready, self._place.owner, turn.entries):
                write_down(turn)
            self._place.foresight.note(self._ready.session, needed=False)
            return None
        host = await self._loaded()
        self._turn, self._task = turn, asyncio.current_task()
        try:
            with host.turns.enter(), turn.account:
                await work_through(turn, host, self._behaviour, self._place)
        except asyncio.CancelledError:
            if self._task is None or not self._dropped or self._task.uncancel() > 0:
                raise
            raise LeaseLost(
                f"The branch {self._ready.branch} is hosted elsewhere now, or its turn was stopped; it is cancelled."
            ) from None
        finally:
            self._turn = None
        if turn.pause:
            log.error("branch %s is paused until somebody resumes it", self._ready.branch)
        return host

    def _station(self) -> Station:
        return Station(self._ready.session, self._ready.branch, self._token)

    def _stand(self) -> Stand:
        return Stand(self._station(), self._cursor, self._version, self._place.lease_ms)

    async def _loaded(self) -> Host:
        """The host with the branch as its log says, warm from an earlier turn if nobody has changed it since."""
        if self._host is not None:
            return self._host
        host = self._place.take_warm(self._ready.branch, self._version)
        if host is None:
            context = self._place.context(self._ready.session)
            host = await loaded(context, self._station(), self._place.pool, self._version, self._read)
            self._read = []
            self._place.foresight.note(self._ready.session, needed=True)
        host.token, host.cursor, host.version = self._token, self._cursor, self._version
        self._host = host
        return host

    def _absorb(self, verb: Commit, answer: Claimed, turn: Turn, host: Host | None) -> bool:
        """Take note of a commit's answer; False when the branch is no longer ours."""
        try:
            if host is not None:
                host.absorb(verb, answer)
            elif answer.outcome == Outcome.UNKNOWN:
                raise gone(self._ready.session)
            elif answer.outcome in (Outcome.FENCED, Outcome.STALE):
                raise lease_lost(self._ready.branch, answer)
        except LionError as error:
            # Somebody else took over, or has stopped it: this copy is void, and so is everything it did here.
            self._lost = answer.outcome == Outcome.FENCED
            branch = self._ready.branch
            said = f"branch {branch} is hosted elsewhere now, or its turn was stopped; what it did here has no effect"
            log.warning("%s", said if isinstance(error, LeaseLost) else error)
            return False
        self._cursor, self._version, self._read = verb.consumed, verb.version + 1, []
        turn.account.committed(self._place.exchange, self._ready, self._place.owner, turn)
        turn.account.received(self._place.exchange, self._ready, self._place.owner, answer)
        self._served += turn.done
        self._place.turns += 1
        self._place.mails += turn.done
        if answer.outcome == Outcome.DRAINED:
            if self._host is not None and not turn.failed:
                self._place.keep_warm(self._host)
                self._host = None
            return False
        return answer.outcome in (Outcome.OK, Outcome.ALREADY)


def _unknown_behaviour(name: str, error: BehaviourUnknown) -> Behaviour:
    """A behaviour that refuses every mail with the reason that there is no such behaviour here."""

    async def refuse(branch: Branch, mail: object) -> None:
        raise error

    return Behaviour(name, refuse)
