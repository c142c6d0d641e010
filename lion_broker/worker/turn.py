"""One turn of a branch: from the mails that were handed out to the commit that writes what they did.

The steps, in order: `can_be_written_down` (as they are, or is the branch needed?); if so `write_down` and `written`,
else `work_through` (defer what has to wait for others, refuse what is no mail, too late or handed out too often, apply
the rest) and `result`: one Commit either way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final, Protocol

from lion_broker.branch.host import Host
from lion_broker.branch.journal import Kind
from lion_broker.branch.refusal import REPEATED, warn_rejected
from lion_broker.branch.registry import Behaviour
from lion_broker.branch.retry_policy import DEFAULT_RETRY_POLICY, OnFailure, RetryPolicy
from lion_broker.branch.turn_times import End, TurnClock, came_record
from lion_broker.core.numbers import counted
from lion_broker.core.portable import readable
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import START, Burial, Claimed, Deferral, Entry, Record, Rejected
from lion_broker.mail.verbs import Commit, Station
from lion_broker.mail.wire import WireMail
from lion_broker.messages import ActionRequest, ActionResponse, AssistantResponse, Instruction, System
from lion_broker.telemetry.acts import Act, collected

from .account import Account
from .attempt import Failure, attempt

__all__ = ["Stand", "Turn", "can_be_written_down", "result", "work_through", "write_down", "written"]

_KINDS: Final = frozenset(
    kind.class_name() for kind in (System, Instruction, AssistantResponse, ActionRequest, ActionResponse)
)


@dataclass(slots=True)
class Turn:
    """What one turn knows: the mails it holds, how far it is, and what it decided about each.

    `attempts` counts how often the first of them has been handed out, this time included. `lane` is the sender whose
    deferred mail they are, empty for those of the mailbox; `lanes` are all senders whose mail has to wait. `now` is the
    exchange's time in ms, `since` ours when we heard of it. A turn ends at a mail that failed; `pause` says why the
    branch is to take no more. `new` is the entry that came to the idle branch a moment ago, if one did. `seconds` is
    how long its mails took.
    """

    entries: list[Entry]
    attempts: int = 1
    lane: str = ""
    lanes: frozenset[str] = frozenset()
    now: int = 0
    since: float = field(default_factory=time.monotonic)
    done: int = 0
    handled: int = 0
    records: list[Record] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    buried: list[Burial] = field(default_factory=list)
    deferred: list[Deferral] = field(default_factory=list)
    failed: Failure | None = None
    pause: str = ""
    new: str = ""
    seconds: float = 0.0
    account: Account = field(default_factory=Account)

    @classmethod
    def given(cls, answer: Claimed, held: Sequence[Entry] = ()) -> Turn:
        """The turn that an answer begins, with the mails that are held from before it."""
        return cls([*held, *answer.entries], answer.attempts, answer.lane, answer.lanes, answer.now)

    @property
    def last_done(self) -> str:
        """The last mail that the turn is through with, or an empty text."""
        return self.entries[self.done - 1].id if self.done else ""

    @property
    def left(self) -> list[Entry]:
        """The mails that the turn holds and has not come to."""
        return self.entries[self.done :]

    @property
    def waited(self) -> float:
        """For how many seconds the oldest mail of the turn had waited when it was handed out."""
        return (self.now - int(self.entries[0].id.partition("-")[0])) / 1000

    def has_to_wait(self, mail: WireMail) -> bool:
        """Whether mail of its sender waits to be tried again; a command, which somebody waits for, goes ahead."""
        header = mail.header
        return not self.lane and header.sender in self.lanes and header.category != PackageCategory.COMMAND

    def is_late(self, entry: Entry, mail: WireMail) -> bool:
        """Whether a mail has waited longer than it may, by the exchange's clock."""
        return mail.is_late(entry.id, self.now + (time.monotonic() - self.since) * 1000)


def can_be_written_down(turn: Turn) -> bool:
    """Whether all mails are messages that only join the history, so that the branch itself is not needed."""
    if turn.attempts != 1 or turn.lane:
        return False
    lanes, message = turn.lanes, PackageCategory.MESSAGE
    for entry in turn.entries:
        mail = entry.mail
        if isinstance(mail, Rejected):
            return False
        header = mail.header
        if header.category != message or header.ttl is not None or header.sender in lanes:
            return False
        if not _is_message(mail.item()):
            return False
    return True


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a branch stands of which nothing else is known, nor needed, but who owns it."""

    station: Station
    cursor: str
    version: int
    lease_ms: int


def write_down(turn: Turn) -> None:
    """Take message mails into the history as the bytes that came."""
    known: dict[str, Record] = {}
    kind = Kind.MAIL
    for entry in turn.entries:
        mail = entry.mail
        if isinstance(mail, WireMail) and (mail_id := mail.header.id) not in known:
            known[mail_id] = Record(kind, mail.body, mail.head)
        else:
            turn.buried.append(Burial(entry.id, "duplicate", REPEATED))
    turn.records += known.values()
    turn.done, turn.handled = len(turn.entries), len(known)
    if turn.done > 1:
        # When a single one was delivered, the cursor tells: it is the mailbox's entry.
        buried = {burial.entry for burial in turn.buried}
        turn.records.insert(0, came_record(turn.now, [entry.id for entry in turn.entries if entry.id not in buried]))


class Pace(Protocol):
    """How long turns work before they are committed."""

    @property
    def slice_seconds(self) -> float:
        """For so many seconds a turn begins one mail after the other."""

    @property
    def turns(self) -> int:
        """How many turns have ended here."""

    def may_last(self, waited: float) -> float:
        """For so many seconds it goes on after that, letting others go first, if its mail has waited for `waited`."""


async def work_through(turn: Turn, host: Host, behaviour: Behaviour | None, pace: Pace) -> None:
    """Apply mails one after the other until all are done, the time for them is used up, or one fails.

    What a failing mail did is undone, but for the branch object: after a failure it is to be read anew.
    """
    clock, begun = TurnClock(turn.now, turn.since), time.monotonic()
    with collected() as acts:
        await _work_through(turn, host, behaviour, pace, clock, acts, begun)
    turn.records += clock.record()
    turn.seconds = time.monotonic() - begun


async def _work_through(
    turn: Turn, host: Host, behaviour: Behaviour | None, pace: Pace, clock: TurnClock, acts: list[Act], since: float
) -> None:
    policy = behaviour.retry_policy if behaviour else DEFAULT_RETRY_POLICY
    # Of a single mail nobody asks for how long it goes on with others.
    begun, ended = since, 0
    until = since + pace.slice_seconds if len(turn.entries) > 1 else since
    for entry in turn.entries[turn.done :] if turn.done else turn.entries:
        if turn.done:
            begun = time.monotonic()
            if begun > until and not await _goes_on(turn, host, pace, begun - since, ended):
                return
        ended = pace.turns
        attempts = 1 if turn.done else turn.attempts
        mail = entry.mail
        if isinstance(mail, Rejected):
            warn_rejected(host.branch.id, entry.id, mail)
            turn.buried.append(Burial(entry.id, mail.reason, mail.detail))
        elif mail.header.id in host.known:
            turn.buried.append(Burial(entry.id, "duplicate", REPEATED))
        elif turn.lanes and turn.has_to_wait(mail):
            turn.deferred.append(Deferral(entry.id, mail.header.sender))
        elif mail.header.ttl is not None and turn.is_late(entry, mail):
            _give_up_late(turn, host, entry, mail, attempts - 1)
        elif attempts > policy.attempts and _runs_code(behaviour, mail):
            detail = f"Handed out {counted(attempts - 1, 'time')} without an end."
            _give_up(turn, policy, entry, Burial(entry.id, "poison", detail, attempts - 1))
        else:
            turn.failed = await attempt(turn, host, behaviour, entry, mail)
            clock.note(mail.header.id, entry.id, begun, attempts)
            if turn.failed is not None:
                _retry_or_give_up(turn, policy, entry, mail, turn.failed, attempts)
            if acts or turn.failed is not None or turn.aside or turn.buried:
                clock.ended(_end_of(turn, entry), turn.failed.error if turn.failed else None, acts)
        if turn.failed is not None or turn.pause:
            return
        turn.done += 1


async def _goes_on(turn: Turn, host: Host, pace: Pace, worked: float, ended: int) -> bool:
    """Whether a turn that has used up its time begins one more mail: then others have been let go first.

    `ended` is how many turns had ended here when its last mail began: if there are more, its handler has waited itself.
    """
    if worked > pace.may_last(turn.waited) or turn.lane or host.answers:
        return False
    if pace.turns == ended:
        await asyncio.sleep(0)
    return True


def _end_of(turn: Turn, entry: Entry) -> End:
    """What has become of the mail that was tried last."""
    if turn.pause:
        return End.HALTED
    if turn.deferred and turn.deferred[-1].entry == entry.id:
        return End.RETRY
    if turn.buried and turn.buried[-1].entry == entry.id:
        return End.DEAD
    return End.ASIDE if turn.aside and turn.aside[-1] == entry.id else End.APPLIED


def _runs_code(behaviour: Behaviour | None, mail: WireMail) -> bool:
    """Whether a mail may be what ends its worker: one that only joins a history is none, however often it was cut."""
    return behaviour is not None or mail.header.category == PackageCategory.COMMAND


def _give_up_late(turn: Turn, host: Host, entry: Entry, mail: WireMail, attempts: int) -> None:
    """A late mail is a dead letter, also after attempts; a late command is dropped: whoever asked no longer waits."""
    if mail.header.category == PackageCategory.COMMAND:
        host.took_command(mail)
    else:
        turn.buried.append(Burial(entry.id, "expired", mail.too_late(), attempts))


def _retry_or_give_up(
    turn: Turn, policy: RetryPolicy, entry: Entry, mail: WireMail, failure: Failure, attempts: int
) -> None:
    """Decide what becomes of a mail that failed."""
    if not failure.final and policy.tries_again(attempts):
        turn.deferred.append(Deferral(entry.id, mail.header.sender, policy.pause_ms(attempts), attempts))
        # In a lane it stays where it is; of the mailbox it is through.
        turn.done += not turn.lane
        return
    burial = failure.burial(entry.id, attempts)
    if failure.theirs:
        turn.buried.append(burial)
        turn.done += 1
        return
    _give_up(turn, policy, entry, burial)
    turn.done += not turn.pause


def _give_up(turn: Turn, policy: RetryPolicy, entry: Entry, burial: Burial) -> None:
    """A mail that is not tried again is a dead letter, or what the branch stops at."""
    if policy.on_failure is OnFailure.HALT:
        turn.pause = readable(f"halted at a mail in entry {entry.id}: {burial.reason}: {burial.detail}")
    else:
        turn.buried.append(burial)


def result(turn: Turn, host: Host, batch: int) -> Commit:
    """Return the commit of the turn."""
    return host.commit_verb(
        consumed=turn.last_done if not turn.lane else "",
        lane=turn.lane,
        lane_done=turn.last_done if turn.lane and turn.done else START,
        aside=tuple(turn.aside),
        buried=tuple(turn.buried),
        deferred=tuple(turn.deferred),
        pause=turn.pause,
        handled=turn.handled,
        after=turn.entries[-1].id if not turn.lane else START,
        batch=batch,
        first=tuple(turn.records),
    )


def written(turn: Turn, stand: Stand, batch: int) -> Commit:
    """Return the commit of a turn that was written down."""
    return Commit(
        session=stand.station.session,
        branch=stand.station.branch,
        token=stand.station.token,
        cursor=stand.cursor,
        consumed=turn.last_done,
        version=stand.version,
        records=tuple(turn.records),
        buried=tuple(turn.buried),
        handled=turn.handled,
        after=turn.last_done,
        batch=batch,
        lease_ms=stand.lease_ms,
        nonce=token_hex(8),
    )


def _is_message(body: object) -> bool:
    item = body.get("item") if isinstance(body, dict) else None
    if isinstance(item, str):
        return item != ""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(metadata, dict):
        return False
    return metadata.get("lion_class") in _KINDS and isinstance(item.get("content"), dict)
