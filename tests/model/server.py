"""The server's functions as the protocol has them, each in one call; `variants.py` overrides one rule at a time."""

from __future__ import annotations

from typing import NamedTuple

from tests.model.state import CLOSED, OPEN, Ready, Request, State

__all__ = ["Answer", "Server"]


class Answer(NamedTuple):
    """What a function answers: a word, where the branch stands, and up to where mails were handed out, from where."""

    word: str
    cursor: int = 0
    version: int = 0
    first: int = 0
    held: int = 0


class Server:
    """One function a verb: from a state and a request to the next state and the answer."""

    batch = 2

    def post(self, s: State, mail: str) -> tuple[State, Answer]:
        """Append a mail and mark the branch, in one call."""
        if s.standing == CLOSED:
            return s, Answer("CLOSED")
        if s.trouble == "full":
            return s, Answer("OOM")
        return self.mark(s._replace(arrived=(*s.arrived, mail))), Answer("OK")

    def read(self, s: State) -> tuple[State, int]:
        """Give the oldest unread entry to a worker; it stays pending."""
        entry = next(ready.id for ready in s.ready if ready.seen == "unread")
        return self.see(s, entry, "read"), entry

    def claim(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Make the bearer of a token the owner, and hand out the first mails."""
        if s.standing == CLOSED:
            return self.drop(s, ask.entry), self.answer("CLOSED", s)
        if s.alive and s.token != ask.token:
            return self.held(s, ask), self.answer("HELD", s)
        if not s.alive and not self.is_mark(s, ask.entry):
            return self.drop(s, ask.entry), self.answer("GONE", s)
        s = self.hand_out(s)
        if not s.waiting:
            return self.let_go(s, ask, work=False), self.answer("EMPTY", s)
        # A head that was handed out before, without a commit, comes alone.
        again = s.handed > s.cursor
        held = s.cursor + (1 if again else min(self.batch, len(s.waiting)))
        answer = self.answer("OK", s)._replace(first=s.cursor, held=held)
        return s._replace(token=ask.token, alive=True, handed=max(s.handed, held)), answer

    def commit(self, s: State, turn: Request) -> tuple[State, Answer]:
        """Write a turn, or nothing of it, and hand out the next mails or end the lease."""
        if word := self.refusal(s, turn):
            return s, self.answer(word, s)
        return self.go_on(self.write(s, turn), turn)

    def renew(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Prolong a lease; an equal token is enough."""
        if not self.owns(s, ask):
            return s, Answer("FENCED")
        return s._replace(alive=True), Answer("OK")

    def release(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Hand the branch back; what waits is ready for others."""
        if not self.owns(s, ask):
            return s, Answer("FENCED")
        return self.let_go(s, ask, work=bool(s.waiting)), Answer("OK")

    def sweep(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Look at one entry that was read: drop it, leave it to its living owner, or give it to others."""
        if not self.is_mark(s, ask.entry):
            return self.drop(s, ask.entry), Answer("DROPPED")
        if s.alive:
            return s, Answer("LEFT")
        return self.give(s, ask)

    def give(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Replace an entry by a new one when there is work, else clear. The token stays until another claims."""
        if s.standing == OPEN and s.waiting:
            return self.mark(self.drop(s, ask.entry)._replace(mark=0)), Answer("GIVEN")
        return self.let_go(s, ask, work=False), Answer("DROPPED")

    def close(self, s: State, ask: Request) -> tuple[State, Answer]:
        """Accept no more; what waits becomes dead letters."""
        dead = (*s.dead, *s.waiting)
        s = self.let_go(s, ask, work=False)
        return s._replace(standing=CLOSED, dead=dead, trimmed=len(s.arrived)), Answer("OK")

    def retire(self, s: State, entry: int) -> State:
        """Forget a consumer; one that has entries pending is not forgotten."""
        return s

    def second(self, s: State, half: Request) -> State:
        """The second call of a variant that makes two of one."""
        raise NotImplementedError(half)

    # The rules that the functions are made of.

    def owns(self, s: State, ask: Request) -> bool:
        """Whether the caller is the owner: the token says so, never the clock."""
        return s.token == ask.token

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
        """Effects, cursor and version, and the mailbox trimmed exactly to after the cursor."""
        effects = s.arrived[turn.cursor : turn.consumed]
        return s._replace(
            log=(*s.log, *effects),
            cursor=turn.consumed,
            version=turn.version + 1,
            nonce=turn.nonce,
            trimmed=max(s.trimmed, turn.consumed),
            trouble="" if s.trouble == "full" and effects else s.trouble,
        )

    def go_on(self, s: State, turn: Request) -> tuple[State, Answer]:
        """Hand out what comes after the mails that the caller keeps, or end the lease."""
        keeps = turn.after > turn.consumed
        first = turn.after if keeps else turn.consumed
        batch = 1 if s.handed > first else self.batch
        held = first + min(batch, len(s.arrived) - first)
        if turn.leave or (held == first and not keeps):
            answer = self.answer("DRAINED", s)
            return self.let_go(s, turn, work=turn.leave and bool(s.waiting)), answer
        answer = self.answer("OK", s)._replace(first=first, held=held)
        return s._replace(alive=True, handed=max(s.handed, held)), answer

    def mark(self, s: State) -> State:
        """See to it that a branch with work has exactly one entry, whose id is the mark."""
        if s.mark or s.standing != OPEN:
            return s
        entry = max(s.entries()) + 1
        return s._replace(mark=entry, ready=(*s.ready, Ready(entry)))

    def is_mark(self, s: State, entry: int) -> bool:
        """Whether an entry is the branch's only one."""
        return entry != 0 and s.mark == entry

    def drop(self, s: State, entry: int) -> State:
        """Acknowledge and delete an entry, if it is there."""
        return s._replace(ready=tuple(ready for ready in s.ready if ready.id != entry))

    def see(self, s: State, entry: int, seen: str) -> State:
        """Note what has become of an entry."""
        return s._replace(ready=tuple(Ready(r.id, seen) if r.id == entry else r for r in s.ready))

    def held(self, s: State, ask: Request) -> State:
        """HELD acknowledges nothing."""
        return s

    def let_go(self, s: State, ask: Request, *, work: bool) -> State:
        """End a lease and clear the mark, with the entry that it names; with work left there is a new one."""
        s = self.drop(s, s.mark)._replace(mark=0, token=0, alive=False, handed=0)
        return self.mark(s) if work else s

    def hand_out(self, s: State) -> State:
        """A place for what comes due."""
        return s

    def answer(self, word: str, s: State) -> Answer:
        """Every answer carries where the branch stands."""
        return Answer(word, s.cursor, s.version)
