"""The server's functions as the protocol has them, each in one call; `variants.py` overrides one rule at a time."""

from __future__ import annotations

from typing import NamedTuple

from tests.model.lanes import MOST_TRIES, Lane, deferred, due, next_due, trimmed, without
from tests.model.state import CLOSED, OPEN, PAUSED, Ready, Request, State

__all__ = ["Answer", "Server"]


class Answer(NamedTuple):
    """What a function answers: a word, where the branch stands, and what is handed out.

    That are the mailbox entries from `first` to `held` but for those `gone`, or those `given` of a `lane`.
    """

    word: str
    cursor: int = 0
    version: int = 0
    first: int = 0
    held: int = 0
    lane: str = ""
    given: tuple[int, ...] = ()
    tries: int = 1
    lanes: frozenset[str] = frozenset()
    gone: tuple[int, ...] = ()


class Server:
    """One function a verb: from a state and a request to the next state and the answer."""

    batch = 2

    def post(self, s: State, mail: str) -> tuple[State, Answer]:
        """Append a mail and mark the branch, in one call; the mark of an idle one hands it out."""
        if s.standing == CLOSED:
            return s, Answer("CLOSED")
        if s.trouble == "full":
            return s, Answer("OOM")
        s = s._replace(arrived=(*s.arrived, mail))
        return self.mark(s, first=True), Answer("OK")

    def read(self, s: State, *, ahead: bool = False) -> tuple[State, Ready]:
        """Give the oldest unread entry to a worker; it stays pending."""
        entry = next(ready for ready in s.ready if ready.seen == "unread")
        return self.see(s, entry.id, "ahead" if ahead else "read"), entry

    def claim(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Make the bearer of a token the owner, and hand out the first mails."""
        if s.standing == CLOSED:
            return self.drop(s, ask.entry), self.answer("CLOSED", s)
        if s.alive and not self.owns(s, ask):
            return self.held(s, ask), self.answer("HELD", s)
        if not s.alive and not self.is_mark(s, ask.entry):
            return self.drop(s, ask.entry), self.answer("GONE", s)
        if s.standing == PAUSED and not s.alive:
            return self.paused(s, ask), self.answer("PAUSED", s)
        # Who asks again is given the same again.
        lane = next((lane for lane in s.lanes if lane.sender == s.lane), None) if s.alive else due(s.lanes)
        if lane:
            s, answer = self.hand_out_lane(s, lane, again=s.alive)
            return s._replace(token=ask.token, alive=True, stopped=False), answer
        if not s.waiting:
            return self.let_go(s, ask, work=False), self.answer("EMPTY", s)
        # A head that was handed out before, without a commit, comes alone; not where the reader has not used it.
        handed = 0 if s.unused else s.handed
        held = s.between(s.cursor, len(s.arrived))[:1][0]
        if handed < held:
            held = self.upto(s, s.cursor, self.batch)
        answer = self.answer("OK", s)._replace(first=s.cursor, held=held)
        s = s._replace(token=ask.token, alive=True, unused=False, stopped=False)
        return s._replace(handed=max(handed, held), lane=""), answer

    def commit(self, s: State, turn: Request) -> tuple[State, Answer]:
        """Write a turn, or nothing of it, and hand out the next mails or end the lease."""
        if word := self.refusal(s, turn):
            return s, self.answer(word, s)
        return self.go_on(self.write(s, turn), turn)

    def renew(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Prolong a lease; an equal token is enough."""
        if not self.owns(s, ask):
            return s, Answer("FENCED")
        return s._replace(alive=True, unused=False), Answer("OK")

    def release(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Hand the branch back, also after a turn that was stopped; what waits is ready for others."""
        if s.token != ask.token:
            return s, Answer("FENCED")
        return self.let_go(s, ask, work=self.has_work(s)), Answer("OK")

    def sweep(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Look at one entry that was read: drop it, leave it to its living owner, or give it to others."""
        if not self.is_mark(s, ask.entry):
            return self.drop(s, ask.entry), Answer("DROPPED")
        if s.alive:
            return s, Answer("LEFT")
        return self.give(s, ask)

    def give(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Replace an entry by a new one when there is work, else clear. The token stays until another claims."""
        if self.has_work(s):
            s = self.note_reader(s, ask.entry)
            return self.mark(self.drop(s, ask.entry)._replace(mark=0)), Answer("GIVEN")
        return self.let_go(s, ask, work=False), Answer("DROPPED")

    def note_reader(self, s: State, entry: int) -> State:
        """What was handed out with an entry was tried by its reader, unless that one was to claim first."""
        if s.unused and any(ready.seen == "ahead" for ready in s.ready if ready.id == entry):
            s = s._replace(token=0, handed=0)
        return s._replace(unused=False)

    def close(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Accept no more; what waits becomes dead letters."""
        dead = (*s.dead, *s.deferred, *s.waiting)
        s = self.let_go(s, ask, work=False)._replace(lanes=(), lane="", planned="")
        return s._replace(standing=CLOSED, dead=dead, trimmed=len(s.arrived)), Answer("OK")

    def pause(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Take no more turns. The mark is cleared by whoever claims it: only that one knows that nobody is at work.

        One that hands out a mail is taken back while nobody has read it.
        """
        if s.unused and any(ready.seen == "unread" for ready in s.ready if ready.id == s.mark):
            s = self.let_go(s, ask, work=False)
        return s._replace(standing=PAUSED), Answer("OK")

    def resume(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Take turns again; what has failed before is tried afresh, at once."""
        lanes = tuple(lane._replace(due=True, tries=0) for lane in sorted(s.lanes))
        s = s._replace(standing=OPEN, lanes=lanes, planned="")
        return (self.mark(s) if self.has_work(s) else s), Answer("OK")

    def promote(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Mark the branch at the time that was planned, and plan the next."""
        if any(lane.due for lane in s.lanes if lane.sender == s.planned):
            s = self.mark(s)._replace(planned=next_due(s.lanes))
        return s, Answer("OK")

    def withdraw(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Make a mail that waits a dead letter, unless its owner may have it in hand."""
        holder, given = self.holder(s), self.is_given(s, ask.mail)
        if given and holder == "alive":
            return s, Answer("HELD")
        return self.take(s, ask, holder, given=given)

    def stop(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Make a mail that its owner has in hand a dead letter; the owner loses the branch, and its lease goes on."""
        holder, given = self.holder(s), self.is_given(s, ask.mail)
        if not given or holder == "unread":
            return s, Answer("UNKNOWN")
        if holder == "over":
            return self.take(s, ask, holder, given=given)
        return self.fence_living(self.take_out(s, ask.mail)), Answer("OK")

    def take(self, s: State, ask: Request, holder: str, *, given: bool) -> tuple[State, Answer]:
        """Take a mail out that nobody is at work at, and see to the mark."""
        s = self.take_out(s, ask.mail)
        if given and holder == "over":
            s, holder = self.fence(s), ""
        if holder in ("alive", "over", "leaving"):
            return s, Answer("OK")
        left = bool(s.waiting) or due(s.lanes) is not None
        if (given and holder == "unread") or (s.mark and not left):
            return self.let_go(s, ask, work=left and s.standing == OPEN), Answer("OK")
        return (self.mark(s) if left else s), Answer("OK")

    def retire(self, s: State, entry: int) -> State:
        """Forget a consumer; one that has entries pending is not forgotten."""
        return s

    def second(self, s: State, half: Request) -> State:
        """The second call of a variant that makes two of one."""
        raise NotImplementedError(half)

    # The rules that the functions are made of.

    def owns(self, s: State, ask: Request) -> bool:
        """Whether the caller is the owner: the token says so, never the clock."""
        return s.token == ask.token and not s.stopped

    def made(self, s: State, turn: Request) -> bool:
        """Whether the last commit was this very one."""
        return s.version == turn.version + 1 and s.nonce == turn.nonce

    def elsewhere(self, s: State, turn: Request) -> bool:
        """Whether the branch stands elsewhere than the caller believes: the compare-and-set of cursor and version."""
        return s.version != turn.version or s.cursor != turn.cursor

    def refusal(self, s: State, turn: Request) -> str:
        """Decide without writing."""
        if not self.owns(s, turn):
            return "FENCED"
        if self.made(s, turn):
            return "ALREADY"
        if self.elsewhere(s, turn):
            return "STALE"
        return "ERROR" if s.trouble == "broken" else ""

    def write(self, s: State, turn: Request) -> State:
        """Effects, cursor and version, lanes, and the mailbox trimmed exactly to after the cursor."""
        lanes = s.lanes
        for place in turn.defers:
            lanes = deferred(lanes, s.arrived[place - 1][0], place)
        if turn.lane:
            lanes = trimmed(lanes, turn.lane, turn.done, turn.failed)
        return s._replace(
            log=(*s.log, *(s.arrived[place - 1] for place in turn.effects)),
            cursor=turn.consumed,
            version=turn.version + 1,
            nonce=turn.nonce,
            trimmed=max(s.trimmed, turn.consumed),
            lanes=lanes,
            planned=next_due(lanes),
            unused=False,
            trouble="" if s.trouble == "full" and turn.effects else s.trouble,
        )

    def go_on(self, s: State, turn: Request) -> tuple[State, Answer]:
        """Hand out a lane that is due, or what comes after the mails that the caller keeps, or end the lease."""
        if turn.leave or s.standing == PAUSED:
            return self.let_go(s._replace(lane=""), turn, work=self.has_work(s)), self.answer("DRAINED", s)
        if lane := due(s.lanes):
            s, answer = self.hand_out_lane(s, lane, again=False)
            return s._replace(alive=True, handed=s.cursor), answer
        keeps = not turn.lane and turn.after > turn.consumed
        first = turn.after if keeps else turn.consumed
        batch = 1 if s.handed > first else self.batch
        held = self.upto(s, first, batch)
        s = s._replace(lane="")
        if held == first and not keeps:
            return self.let_go(s, turn, work=False), self.answer("DRAINED", s)
        answer = self.answer("OK", s)._replace(first=first, held=held)
        return s._replace(alive=True, handed=max(s.handed, held)), answer

    def hand_out_lane(self, s: State, lane: Lane, *, again: bool) -> tuple[State, Answer]:
        """Hand out a lane, which stays where it is: what was tried before alone."""
        tries = lane.tries if again else min(lane.tries + 1, MOST_TRIES)
        lanes = tuple(lane._replace(tries=tries) if one == lane else one for one in s.lanes)
        given = lane.mails[: 1 if tries > 1 else self.batch]
        answer = self.answer("OK", s)._replace(lane=lane.sender, given=given, tries=tries)
        return s._replace(lanes=lanes, lane=lane.sender), answer

    def holder(self, s: State) -> str:
        """Who has what was handed out: nobody, one that is alive or whose lease is over, or the mark: it is unread."""
        if not s.token:
            return ""
        if s.stopped:
            return "leaving"
        if s.unused:
            return "alive" if any(one.seen == "read" for one in s.ready if one.id == s.mark) else "unread"
        return "alive" if s.alive else "over"

    def is_given(self, s: State, place: int) -> bool:
        """Whether the owner may have a mail in hand."""
        if not s.token or s.stopped:
            return False
        sender = next((lane.sender for lane in s.lanes if place in lane.mails), "")
        return s.lane == sender if sender else place <= s.handed

    def take_out(self, s: State, place: int) -> State:
        """Take a mail out of the mailbox, or of its lane, which goes on at once when that was its head."""
        dead = (*s.dead, s.arrived[place - 1])
        lanes = without(s.lanes, place)
        if lanes == s.lanes:
            return s._replace(dead=dead, gone=tuple(sorted((*s.gone, place))))
        return s._replace(dead=dead, lanes=lanes, planned=next_due(lanes))

    def fence(self, s: State) -> State:
        """Take the branch from an owner whose lease is over."""
        return s._replace(token=0)

    def fence_living(self, s: State) -> State:
        """Take the branch from an owner at work; its lease goes on."""
        return s._replace(stopped=True, alive=True, unused=False)

    def upto(self, s: State, first: int, count: int) -> int:
        """The place of the last of so many mails after another place; that one where there are none."""
        return [first, *s.between(first, len(s.arrived))[:count]][-1]

    def has_work(self, s: State) -> bool:
        """Whether a worker would find something to do."""
        return s.standing == OPEN and (bool(s.waiting) or due(s.lanes) is not None)

    def mark(self, s: State, *, first: bool = False) -> State:
        """See to it that a branch with work has exactly one entry, whose id is the mark.

        With the `first` mail of an idle branch the entry hands it out: whoever is given the entry is the owner.
        """
        if s.mark or s.standing != OPEN:
            return s
        entry = max(s.entries()) + 1
        if not first or not self.is_idle(s):
            return s._replace(mark=entry, ready=(*s.ready, Ready(entry)))
        token = max(s.tokens()) + 1
        ready = (*s.ready, Ready(entry, token=token, mail=len(s.arrived)))
        return s._replace(mark=entry, ready=ready, token=token, unused=True, handed=len(s.arrived))

    def is_idle(self, s: State) -> bool:
        """Whether the mail that has just come is all there is."""
        return len(s.waiting) == 1 and not (s.token or s.lanes or s.lane)

    def is_mark(self, s: State, entry: int) -> bool:
        """Whether an entry is the branch's only one."""
        return entry != 0 and s.mark == entry

    def drop(self, s: State, entry: int) -> State:
        """Acknowledge and delete an entry, if it is there."""
        return s._replace(ready=tuple(ready for ready in s.ready if ready.id != entry))

    def see(self, s: State, entry: int, seen: str) -> State:
        """Note what has become of an entry."""
        return s._replace(ready=tuple(r._replace(seen=seen) if r.id == entry else r for r in s.ready))

    def held(self, s: State, ask: Request) -> State:
        """HELD acknowledges nothing."""
        return s

    def let_go(self, s: State, ask: Request, *, work: bool) -> State:
        """End a lease and clear the mark, with the entry that it names; with work left there is a new one."""
        s = self.drop(s, s.mark)._replace(mark=0, token=0, alive=False, unused=False, handed=0, stopped=False)
        return self.mark(s) if work else s

    def paused(self, s: State, ask: Request) -> State:
        """PAUSED clears the mark, so that resuming makes a new one."""
        return self.let_go(s, ask, work=False)

    def answer(self, word: str, s: State) -> Answer:
        """Every answer carries where the branch stands."""
        return Answer(word, s.cursor, s.version, lanes=frozenset(lane.sender for lane in s.lanes), gone=s.gone)
