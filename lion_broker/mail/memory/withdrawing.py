"""Mail that waits is withdrawn, or what an owner has in hand stopped: it becomes a dead letter."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from lion_broker.mail import verbs as v
from lion_broker.mail.answers import Withdrawn
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Burial, Reply, is_after
from lion_broker.mail.waiting import STOPPED, WaitsAt, Withdrawal
from lion_broker.mail.wire import WireMail

from .store import Branch, Session, Store, Stream, with_owner

__all__ = ["withdraw"]

_UNKNOWN = Withdrawn(Outcome.UNKNOWN)


class Holder(Enum):
    """Who has the mail that was handed out: somebody at work, somebody whose lease is over, or still the mark.

    Nobody has it where a turn was stopped, and who did the turn is leaving.
    """

    ALIVE = auto()
    OVER = auto()
    UNREAD = auto()
    LEAVING = auto()


def withdraw(store: Store, verb: v.Withdraw) -> tuple[Withdrawn, ...]:
    """All is decided before anything is moved; an owner at work keeps what it was given."""
    session = store.sessions.get(verb.session)
    branch = session.branches.get(verb.branch) if session else None
    if session is None or branch is None:
        return (_UNKNOWN,) * len(verb.mails)
    if verb.nonce and session.moved[0] == verb.nonce:
        again: tuple[Withdrawn, ...] = session.moved[1]
        return again
    holder = _holder_of(store, branch)
    named = [one.mail for one in verb.mails]
    words = [
        Outcome.UNKNOWN if one.mail in named[:place] else _word_for(session, branch, holder, one, stop=verb.stop)
        for place, one in enumerate(verb.mails)
    ]
    chosen = [one for one, word in zip(verb.mails, words, strict=True) if word is Outcome.OK]
    if not chosen:
        return tuple(map(Withdrawn, words))
    given = any(_is_given(branch, holder, one) for one in chosen)
    stopped = verb.stop and holder is Holder.ALIVE
    if stopped:
        branch.owner, holder = store.owner_of(branch), Holder.LEAVING
    head = branch.mailbox.after(limit=1)
    first = head[0][0] if head and not is_after(head[0][0], branch.handed) else ""
    # What is told of a lane's head is told of the one that was there before.
    heads = {name: lane.mails.after(limit=1)[0][0] for name, lane in branch.lanes.items()}
    letters = {
        one.mail: _bury(store, session, branch, one, verb, _tries_at(branch, holder, one, first, heads), holder)
        for one in chosen
    }
    _settle_lanes(store, branch, chosen, heads)
    if stopped:
        _take_token(branch, verb.lease_ms)
    if holder is not Holder.ALIVE:
        _settle_turn(branch, holder if given else None, headless=any(one.place == first for one in _in_mailbox(chosen)))
    _settle_mark(store, session, branch, holder, given=given)
    answer = tuple(
        Withdrawn(word, letters[one.mail] if word is Outcome.OK else "")
        for one, word in zip(verb.mails, words, strict=True)
    )
    if verb.nonce:
        session.moved = (verb.nonce, answer)
    return answer


def _holder_of(store: Store, branch: Branch) -> Holder | None:
    if not branch.token:
        return None
    if branch.token.endswith(STOPPED):
        return Holder.LEAVING
    if branch.unused:
        return Holder.ALIVE if store.pools[branch.seed.pool].reader(branch.mark) else Holder.UNREAD
    return Holder.ALIVE if branch.leased else Holder.OVER


def _in_mailbox(chosen: Iterable[Withdrawal]) -> list[Withdrawal]:
    return [one for one in chosen if one.where is WaitsAt.MAILBOX]


def _is_given(branch: Branch, holder: Holder | None, one: Withdrawal) -> bool:
    """Whether the owner was given what is at a place, or may have read it there."""
    if holder in (None, Holder.LEAVING):
        return False
    if one.where is WaitsAt.MAILBOX:
        return not is_after(one.place, branch.handed)
    if one.where is WaitsAt.LANES:
        return branch.lane == one.lane
    return one.where is WaitsAt.INBOX and not branch.seed.pool


def _take_token(branch: Branch, lease_ms: int) -> None:
    """What the owner would commit is not made; its lease goes on until it lets go."""
    if branch.lease_end:
        branch.token += STOPPED
    else:
        branch.lease(branch.token + STOPPED, branch.owner, lease_ms)


def _word_for(session: Session, branch: Branch, holder: Holder | None, one: Withdrawal, *, stop: bool) -> Outcome:
    # What a removed branch has sent still goes out.
    if not branch.open and one.where is not WaitsAt.OUTBOX:
        return Outcome.CLOSED
    found = _find(session, branch, one)
    if found is None or found.id != one.mail:
        return Outcome.UNKNOWN
    given = _is_given(branch, holder, one)
    if stop and (not given or holder is Holder.UNREAD):
        return Outcome.UNKNOWN
    # A program has read more than it is at.
    return Outcome.HELD if given and holder is Holder.ALIVE and not (stop and branch.seed.pool) else Outcome.OK


def _station(session: Session, branch: Branch, one: Withdrawal) -> Stream[WireMail]:
    if one.where is WaitsAt.LANES:
        return _lane(branch, one.lane)
    if one.where is WaitsAt.TRANSIT:
        return session.transits.get(branch.id, Stream())
    stations = {WaitsAt.MAILBOX: branch.mailbox, WaitsAt.INBOX: branch.inbox, WaitsAt.OUTBOX: branch.outbox}
    return stations[one.where]


def _lane(branch: Branch, name: str) -> Stream[WireMail]:
    return branch.lanes[name].mails if name in branch.lanes else Stream()


def _find(session: Session, branch: Branch, one: Withdrawal) -> WireMail | None:
    if one.where is WaitsAt.DELAYED:
        return next((late.mail for late in branch.delayed if f"{late.due}-{late.number}" == one.place), None)
    station = _station(session, branch, one)
    if one.place not in station:
        return None
    return station[one.place]


def _tries_at(
    branch: Branch, holder: Holder | None, one: Withdrawal, first: str, heads: dict[str, str]
) -> tuple[int, tuple[str, ...]]:
    """Who has tried a mail and how often, as its dead letter says."""
    if one.where is WaitsAt.LANES:
        lane = branch.lanes[one.lane]
        return (lane.attempts, lane.owners) if one.place == heads[one.lane] else (0, ())
    if one.where is not WaitsAt.MAILBOX or one.place != first or holder is Holder.UNREAD:
        return 0, ()
    return branch.tries, with_owner(branch.tried_by, branch.owner if holder in (Holder.OVER, Holder.LEAVING) else "")


def _bury(
    store: Store,
    session: Session,
    branch: Branch,
    one: Withdrawal,
    verb: v.Withdraw,
    tried: tuple[int, tuple[str, ...]],
    holder: Holder | None,
) -> str:
    calls = [] if holder is Holder.ALIVE else [name for name in branch.steps if name.startswith(one.mail)]
    for name in calls:
        del branch.steps[name]
    detail = verb.detail
    if calls:
        detail += f" Calls outside that its turn had begun, and that are not undone: {len(calls)}."
    if verb.stop and not tried[0]:
        # What is stopped was begun, also behind the first mail of its turn.
        tried = (1, with_owner((), branch.owner))
    mail = _take_out(session, branch, one)
    if one.client:
        store.reply(session, Reply(one.client, one.mail, verb.answer))
    home = mail.header.recipient if one.where is WaitsAt.OUTBOX else branch.id
    return store.bury(
        session, home, Burial(START, "stopped" if verb.stop else "withdrawn", detail, tried[0]), mail, tried[1]
    )


def _take_out(session: Session, branch: Branch, one: Withdrawal) -> WireMail:
    if one.where is WaitsAt.DELAYED:
        late = next(late for late in branch.delayed if f"{late.due}-{late.number}" == one.place)
        branch.delayed.remove(late)
        session.counters["delayed"] -= 1
        return late.mail
    session.due.pop(one.mail, None)
    session.counters["inflight"] -= one.where in (WaitsAt.MAILBOX, WaitsAt.LANES)
    return _station(session, branch, one).pop(one.place)


def _settle_lanes(store: Store, branch: Branch, chosen: Iterable[Withdrawal], heads: dict[str, str]) -> None:
    """A lane without mail is none; one whose head has gone goes on at once."""
    for one in (one for one in chosen if one.where is WaitsAt.LANES):
        lane = branch.lanes.get(one.lane)
        if lane is not None and not lane.mails:
            del branch.lanes[one.lane]
        elif lane is not None and one.place == heads[one.lane]:
            lane.due, lane.attempts, lane.owners = store.now(), 0, ()


def _settle_turn(branch: Branch, given: Holder | None, *, headless: bool) -> None:
    """What is known of the head of the mailbox, and of a turn that was cut, where nobody is at work."""
    if given is Holder.OVER:
        if branch.tries and not branch.lane:
            branch.tried_by = with_owner(branch.tried_by, branch.owner)
        branch.token = branch.owner = ""
        branch.at, branch.notice = ("", "", 0), False
    if headless:
        branch.tries, branch.tried_by = 0, ()
    if branch.seed.pool and not (_lane(branch, branch.lane) if branch.lane else branch.mailbox):
        branch.steps.clear()


def _settle_mark(store: Store, session: Session, branch: Branch, holder: Holder | None, *, given: bool) -> None:
    """What is left has a mark, and nothing has none; an owner sees to it with its commit, or a sweep after it."""
    at_work = holder in (Holder.ALIVE, Holder.LEAVING) or (holder is Holder.OVER and not given)
    if at_work or not branch.open or not branch.seed.pool:
        return
    left = bool(branch.mailbox or branch.due_lane(store.now()))
    if (given and holder is Holder.UNREAD) or (branch.mark and not left):
        store.end_lease(session, branch)
    elif left:
        store.mark(session, branch)
