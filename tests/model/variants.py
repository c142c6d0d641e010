"""Variants of the protocol, each with one rule changed, that lose mail, double it, or leave entries behind."""

from __future__ import annotations

from tests.model.server import Answer, Server
from tests.model.state import PAUSED, Ready, Request, State
from tests.model.taking_out import (
    StopsAndHandsOn,
    StopsWhatNobodyHas,
    StopsWithoutFencing,
    WithdrawsTheHeadOnly,
    WithdrawsWhatIsHeld,
    WithdrawsWithItsMark,
    WithdrawsWithoutFencing,
)

__all__ = ["VARIANTS"]


class HeldAcknowledges(Server):
    """HELD removes the entry that it was asked with."""

    def held(self, s: State, ask: Request) -> State:
        return self.drop(s, ask.entry)


class BooleanMark(Server):
    """The mark says only that there is an entry; whoever clears it removes the entry that it has in its hands."""

    def is_mark(self, s: State, entry: int) -> bool:
        return s.mark != 0

    def let_go(self, s: State, ask: Request, *, work: bool) -> State:
        return super().let_go(self.drop(s, ask.entry)._replace(mark=0), ask, work=work)


class ReadingAcknowledges(Server):
    """An entry is acknowledged before there is a lease, which NOACK does as well."""

    def read(self, s: State, *, ahead: bool = False) -> tuple[State, Ready]:
        s, entry = super().read(s, ahead=ahead)
        return self.see(s, entry.id, "gone"), entry


class ClearsInASecondCall(Server):
    """A commit ends the lease, and a second call clears the mark."""

    def let_go(self, s: State, ask: Request, *, work: bool) -> State:
        if ask.verb != "commit" or work:
            return super().let_go(s, ask, work=work)
        second = Request("clear", entry=s.mark, half=True)
        return s._replace(token=0, alive=False, handed=0, flying=(*s.flying, second))

    def second(self, s: State, half: Request) -> State:
        return self.drop(s, s.mark)._replace(mark=0)


class PostsAndMarksInTwoCalls(Server):
    """One call appends the mail, another one marks the branch."""

    def post(self, s: State, mail: str) -> tuple[State, Answer]:
        s = s._replace(arrived=(*s.arrived, mail), flying=(*s.flying, Request("mark", half=True)))
        return s, Answer("OK")

    def second(self, s: State, half: Request) -> State:
        return self.mark(s)


class AcknowledgesWhatIsNamed(Server):
    """A commit removes the entry that its caller names, not the one that the mark does."""

    def let_go(self, s: State, ask: Request, *, work: bool) -> State:
        if ask.verb == "commit":
            s = self.drop(s, ask.entry)._replace(mark=0)
        return super().let_go(s, ask, work=work)


class SweepsInTwoCalls(Server):
    """One call looks which entries are abandoned, another one gives them away without looking again."""

    def give(self, s: State, ask: Request) -> tuple[State, Answer]:
        return s._replace(flying=(*s.flying, Request("give", entry=ask.entry, half=True))), Answer("FOUND")

    def second(self, s: State, half: Request) -> State:
        return self.mark(self.drop(s, half.entry)._replace(mark=0))


class SweepsWithoutLooking(Server):
    """A sweep gives away what belongs to a living owner."""

    def sweep(self, s: State, ask: Request) -> tuple[State, Answer]:
        return self.give(s, ask)


class DeletesConsumers(Server):
    """A consumer is deleted together with the entries that are pending for it."""

    def retire(self, s: State, entry: int) -> State:
        return self.see(s, entry, "gone")


class NoCompareAndSet(Server):
    """A commit with the right token is made, wherever the branch stands."""

    def made(self, s: State, turn: Request) -> bool:
        return False

    def elsewhere(self, s: State, turn: Request) -> bool:
        return False


class NoFence(Server):
    """Nobody asks for the token."""

    def owns(self, s: State, ask: Request) -> bool:
        return True


class AlreadyForAnybody(Server):
    """Any later version is taken for the caller's own commit."""

    def made(self, s: State, turn: Request) -> bool:
        return s.version > turn.version


class WritesBeforeItValidates(Server):
    """A commit writes its effects and then meets a key that refuses."""

    def refusal(self, s: State, turn: Request) -> str:
        return super().refusal(s._replace(trouble=""), turn)

    def write(self, s: State, turn: Request) -> State:
        written = super().write(s, turn)
        return s._replace(log=written.log) if s.trouble == "broken" else written

    def go_on(self, s: State, turn: Request) -> tuple[State, Answer]:
        return (s, Answer("ERROR")) if s.trouble == "broken" else super().go_on(s, turn)


class CommitsInTwoCalls(Server):
    """One call writes the effects, another one moves the cursor."""

    def commit(self, s: State, turn: Request) -> tuple[State, Answer]:
        if word := self.refusal(s, turn):
            return s, self.answer(word, s)
        second = turn._replace(verb="advance", half=True)
        return s._replace(log=self.write(s, turn).log, flying=(*s.flying, second)), Answer("WRITTEN")

    def second(self, s: State, half: Request) -> State:
        return s if self.refusal(s, half) else self.go_on(self.write(s, half)._replace(log=s.log), half)[0]


class TrimsByLength(Server):
    """A mailbox keeps its newest mail, read or not."""

    def post(self, s: State, mail: str) -> tuple[State, Answer]:
        s, answer = super().post(s, mail)
        return s._replace(trimmed=max(s.trimmed, len(s.arrived) - 1)), answer


class TrimsOneTooFar(Server):
    """A commit trims the mailbox to one entry past the cursor."""

    def write(self, s: State, turn: Request) -> State:
        s = super().write(s, turn)
        return s._replace(trimmed=min(len(s.arrived), s.cursor + 1))


class RefusesCommitsForMemory(Server):
    """A full server refuses commits like everything else."""

    def refusal(self, s: State, turn: Request) -> str:
        return "OOM" if s.trouble == "full" else super().refusal(s, turn)


class AcknowledgesForOthers(Server):
    """The effects of a turn are fenced, its acknowledgement is not."""

    def commit(self, s: State, turn: Request) -> tuple[State, Answer]:
        after, answer = super().commit(s, turn)
        if answer.word == "FENCED" and turn.consumed > s.cursor:
            after = s._replace(cursor=turn.consumed, trimmed=turn.consumed)
        return after, answer


class ReleasesWithoutMarking(Server):
    """A branch that is handed back with mail waiting gets no new entry."""

    def release(self, s: State, ask: Request) -> tuple[State, Answer]:
        if not self.owns(s, ask):
            return s, Answer("FENCED")
        return self.let_go(s, ask, work=False), Answer("OK")


class SweepDropsWork(Server):
    """A sweep drops an abandoned entry and asks nobody whether mail waits."""

    def give(self, s: State, ask: Request) -> tuple[State, Answer]:
        return self.let_go(s, ask, work=False), Answer("DROPPED")


class ClosesWithoutBurying(Server):
    """What waits for a branch goes with it."""

    def close(self, s: State, ask: Request) -> tuple[State, Answer]:
        after, answer = super().close(s, ask)
        return after._replace(dead=s.dead), answer


class ClosesWithItsMark(Server):
    """The ready entry of a closed branch is left to whoever reads it."""

    def close(self, s: State, ask: Request) -> tuple[State, Answer]:
        after, answer = super().close(s, ask)
        return after._replace(ready=s.ready), answer


class AppendsToTheClosed(Server):
    """Nobody asks whether a branch is still open before mail is put into its mailbox."""

    def post(self, s: State, mail: str) -> tuple[State, Answer]:
        return self.mark(s._replace(arrived=(*s.arrived, mail))), Answer("OK")


class MarksTwice(Server):
    """Marking does not look whether there is a mark."""

    def mark(self, s: State, *, first: bool = False) -> State:
        return super().mark(s._replace(mark=0), first=first)


class GivesAwayTwice(Server):
    """A sweep makes a new entry and forgets to drop the old one."""

    def give(self, s: State, ask: Request) -> tuple[State, Answer]:
        entry = max(s.entries()) + 1
        return s._replace(mark=entry, ready=(*s.ready, Ready(entry))), Answer("GIVEN")


class PausedLeavesTheMark(Server):
    """PAUSED removes the entry and leaves the mark."""

    def paused(self, s: State, ask: Request) -> State:
        return self.drop(s, ask.entry)._replace(token=0, alive=False, handed=0)


class ResumesWithoutMarking(Server):
    """Resuming changes the state of a branch and does not look what waits."""

    def resume(self, s: State, ask: Request) -> tuple[State, Answer]:
        after, answer = super().resume(s, ask)
        return after._replace(mark=s.mark, ready=s.ready), answer


class PromotesWithoutMarking(Server):
    """What comes due is noted, and wakes nobody."""

    def promote(self, s: State, ask: Request) -> tuple[State, Answer]:
        after, answer = super().promote(s, ask)
        return after._replace(mark=s.mark, ready=s.ready), answer


class PlansNothing(Server):
    """A commit defers mail and does not write down when somebody is to look at it."""

    def write(self, s: State, turn: Request) -> State:
        return super().write(s, turn)._replace(planned="")


class PromotesOnce(Server):
    """Whoever looks at a branch forgets what is due later."""

    def promote(self, s: State, ask: Request) -> tuple[State, Answer]:
        after, answer = super().promote(s, ask)
        return after._replace(planned=""), answer


class PutsFailedMailBack(Server):
    """Mail that failed goes to the end of the mailbox."""

    def write(self, s: State, turn: Request) -> State:
        again = tuple(s.arrived[place - 1] for place in turn.defers)
        return super().write(s._replace(arrived=(*s.arrived, *again)), turn._replace(defers=()))


class LosesWhatIsDeferred(Server):
    """Mail that is to be tried again is trimmed with the mailbox."""

    def write(self, s: State, turn: Request) -> State:
        return super().write(s, turn._replace(defers=()))


class ClosesWithItsLanes(Server):
    """Mail in lanes is forgotten when its branch is closed."""

    def close(self, s: State, ask: Request) -> tuple[State, Answer]:
        return super().close(s._replace(lanes=()), ask)


class HandsOutUncounted(Server):
    """A mark hands out a mail and does not note that it did."""

    def mark(self, s: State, *, first: bool = False) -> State:
        after = super().mark(s, first=first)
        return after._replace(handed=s.handed)


class HandsOutAgain(Server):
    """The entry that a sweep makes hands out the mail that the first reader has had."""

    def give(self, s: State, ask: Request) -> tuple[State, Answer]:
        if len(s.waiting) != 1 or not self.has_work(s):
            return super().give(s, ask)
        return self.mark(self.drop(s, ask.entry)._replace(mark=0, token=0), first=True), Answer("GIVEN")


class SweepForgetsTheAttempt(Server):
    """A sweep takes what a reader was given for a mail that nobody has had."""

    def note_reader(self, s: State, entry: int) -> State:
        return s._replace(handed=0, unused=False) if s.unused else s


class PausedHandsOut(Server):
    """A pause leaves a mark that hands out a mail to whoever reads it."""

    def pause(self, s: State, ask: Request) -> tuple[State, Answer]:
        return s._replace(standing=PAUSED), Answer("OK")


VARIANTS: dict[type[Server], tuple[str, str]] = {
    HeldAcknowledges: ("small", "one_entry"),
    BooleanMark: ("small", "one_entry"),
    ReadingAcknowledges: ("small", "handled_in_the_end"),
    ClearsInASecondCall: ("small", "work_is_marked"),
    PostsAndMarksInTwoCalls: ("small", "work_is_marked"),
    AcknowledgesWhatIsNamed: ("small", "one_entry"),
    SweepsInTwoCalls: ("small", "one_entry"),
    SweepsWithoutLooking: ("small", "the_living_keep_what_they_have"),
    DeletesConsumers: ("retiring", "handled_in_the_end"),
    NoCompareAndSet: ("small", "each_mail_once"),
    NoFence: ("small", "strangers_change_nothing"),
    AlreadyForAnybody: ("forking", "what_is_answered_is_true"),
    WritesBeforeItValidates: ("breaking", "each_mail_once"),
    CommitsInTwoCalls: ("small", "each_mail_once"),
    TrimsByLength: ("small", "nothing_lost"),
    TrimsOneTooFar: ("small", "nothing_lost"),
    RefusesCommitsForMemory: ("filling", "handled_in_the_end"),
    AcknowledgesForOthers: ("small", "nothing_lost"),
    ReleasesWithoutMarking: ("small", "work_is_marked"),
    SweepDropsWork: ("small", "work_is_marked"),
    ClosesWithoutBurying: ("closing", "nothing_lost"),
    ClosesWithItsMark: ("closing", "one_entry"),
    AppendsToTheClosed: ("closing", "closed_is_clear"),
    MarksTwice: ("small", "one_entry"),
    GivesAwayTwice: ("small", "one_entry"),
    PausedLeavesTheMark: ("pausing", "one_entry"),
    ResumesWithoutMarking: ("pausing", "work_is_marked"),
    PromotesWithoutMarking: ("lanes", "work_is_marked"),
    PlansNothing: ("lanes", "lanes_are_planned"),
    PromotesOnce: ("two lanes", "lanes_are_planned"),
    PutsFailedMailBack: ("lanes", "in_order"),
    LosesWhatIsDeferred: ("lanes", "nothing_lost"),
    ClosesWithItsLanes: ("lanes that close", "nothing_lost"),
    HandsOutUncounted: ("small", "what_is_held_is_counted"),
    HandsOutAgain: ("small", "handed_out_once"),
    SweepForgetsTheAttempt: ("small", "what_is_held_is_counted"),
    PausedHandsOut: ("pausing", "the_paused_begin_nothing"),
    WithdrawsWhatIsHeld: ("withdrawing", "each_mail_once"),
    WithdrawsWithoutFencing: ("withdrawing", "each_mail_once"),
    WithdrawsWithItsMark: ("withdrawing", "each_mail_once"),
    WithdrawsTheHeadOnly: ("withdrawing from lanes", "work_is_marked"),
    StopsWithoutFencing: ("stopping", "each_mail_once"),
    StopsAndHandsOn: ("stopping", "the_living_keep_what_they_have"),
    StopsWhatNobodyHas: ("stopping", "owners_are_marked"),
}
"""Each variant with the world in which it fails, and the law that it breaks there."""
