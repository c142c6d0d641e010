"""What must hold in every state, and over every step; each law is a function that says whether it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.model.state import CLOSED, OPEN, PAUSED, Mails, State
from tests.model.world import Step

__all__ = ["OF_STATES", "OF_STEPS"]


_OF_OTHERS = ("claim", "sweep", "withdraw", "stop")


def each_mail_once(s: State) -> bool:
    """A mail has one effect at most, or becomes one dead letter, and then it waits nowhere."""
    places = (*s.log, *s.dead, *s.deferred, *s.waiting)
    return len(set(places)) == len(places)


def in_order(s: State) -> bool:
    """The effects of one sender's mails come in the order of sending."""
    return all(sorted(mails) == mails for mails in _by_sender(s.log))


def nothing_lost(s: State) -> bool:
    """Each mail that was accepted waits, has had its effect, or is a dead letter."""
    return {*s.waiting, *s.deferred, *s.log, *s.dead} == {*s.arrived}


def one_entry(s: State) -> bool:
    """The mark is the id of the branch's only ready entry; without a mark there is none."""
    return s.halfway or [ready.id for ready in s.ready] == [s.mark] * bool(s.mark)


def work_is_marked(s: State) -> bool:
    """An open branch with mail waiting has a mark; so has one with a lane that is due, once somebody has looked."""
    if s.halfway or s.standing != OPEN or s.mark:
        return True
    due = {lane.sender for lane in s.lanes if lane.due}
    return not s.waiting and (not due or s.planned in due)


def lanes_are_planned(s: State) -> bool:
    """While a lane is not due yet, the branch is among those that somebody will look at."""
    return s.standing != OPEN or all(lane.due for lane in s.lanes) or s.planned != ""


def owners_are_marked(s: State) -> bool:
    """A living lease has a mark, and a token."""
    return s.halfway or not s.alive or (s.mark != 0 and s.token != 0)


def what_is_held_is_counted(s: State) -> bool:
    """What the owner has in its hands is known to have been handed out: when it dies, that was an attempt."""
    owners = [worker for worker in s.workers if worker.hosts and worker.token == s.token and not worker.sent]
    return s.stopped or all(s.handed >= owner.held for owner in owners if owner.version == s.version and not owner.lane)


def closed_is_clear(s: State) -> bool:
    """A closed branch has no mail, no mark and no owner."""
    return s.standing != CLOSED or not (s.waiting or s.lanes or s.mark or s.token)


def _by_sender(mails: Mails) -> list[list[str]]:
    return [[mail for mail in mails if mail[0] == sender] for sender in {mail[0] for mail in mails}]


def strangers_change_nothing(before: State, step: Step) -> bool:
    """What asks with a token that is not the owner's is FENCED, and the server is as it was."""
    request = step.request
    if request is None or request.half or request.verb not in ("commit", "renew", "release"):
        return True
    owns = request.token == before.token and (not before.stopped or request.verb == "release")
    return owns or before.served == step.state.served


def the_living_keep_what_they_have(before: State, step: Step) -> bool:
    """While a lease lives, nobody else's claim, no sweep and no withdrawal takes the branch or its entry away.

    Nor does a stop: who was stopped is still at it for a moment, and nobody begins anything beside it.
    """
    request, after = step.request, step.state
    if not before.alive or request is None or request.verb not in _OF_OTHERS:
        return True
    if request.token == before.token and not before.stopped:
        return True
    return (after.token, after.alive, after.mark) == (before.token, True, before.mark)


def handed_out_once(before: State, step: Step) -> bool:
    """A mark hands out only what nobody has had before."""
    known = {ready.id for ready in before.ready}
    new = any(ready.token for ready in step.state.ready if ready.id not in known)
    return not new or before.handed <= before.cursor or not before.waiting


def the_paused_begin_nothing(before: State, step: Step) -> bool:
    """Whoever reads an entry of a paused branch begins no turn with it."""
    if before.standing != PAUSED or step.request is not None or before.ready == step.state.ready:
        return True
    return sum(worker.hosts for worker in step.state.workers) <= sum(worker.hosts for worker in before.workers)


def cursors_only_advance(before: State, step: Step) -> bool:
    """Neither cursor nor version ever goes back, and effects are never taken back."""
    after = step.state
    kept = after.log[: len(before.log)] == before.log
    return kept and after.cursor >= before.cursor and after.version >= before.version


def what_is_answered_is_true(before: State, step: Step) -> bool:
    """Whoever is told OK, DRAINED or ALREADY finds its turn in the log."""
    request, answer = step.request, step.answer
    if request is None or answer is None or request.verb != "commit":
        return True
    effects = (before.arrived[place - 1] for place in request.effects)
    return answer.word not in ("OK", "DRAINED", "ALREADY") or set(effects) <= set(step.state.log)


OF_STATES: Mapping[str, Callable[[State], bool]] = {
    law.__name__: law
    for law in (
        each_mail_once,
        in_order,
        nothing_lost,
        one_entry,
        work_is_marked,
        lanes_are_planned,
        owners_are_marked,
        what_is_held_is_counted,
        closed_is_clear,
    )
}

OF_STEPS: Mapping[str, Callable[[State, Step], bool]] = {
    law.__name__: law
    for law in (
        strangers_change_nothing,
        the_living_keep_what_they_have,
        handed_out_once,
        the_paused_begin_nothing,
        cursors_only_advance,
        what_is_answered_is_true,
    )
}
