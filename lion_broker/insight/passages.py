"""The way of each mail of a session: what its logs tell, put together with where it waits now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lion_broker.branch.turn_times import End
from lion_broker.mail.exchange import Steps
from lion_broker.mail.waiting import WaitsAt

from .history import MOST, History, Story
from .pending import PendingMail
from .views import Passage

__all__ = ["Passages", "time_of"]

_STATES: Final = {WaitsAt.LANES: "retrying", WaitsAt.DELAYED: "delayed"}
_ROUNDS: Final = 2
"""How often it is looked again for mail that moved between one look and the next."""


class Passages:
    """The mail of one session with its way, bounded; `read_steps` may be called again and again, and reads what is new.

    `most` and `since` as in `History`, or a `history` of one's own. Of what waits, `pending` mails are looked at.
    """

    def __init__(
        self,
        session: str,
        *,
        most: int = MOST,
        since: str = "",
        history: History | None = None,
        pending: int | None = None,
    ) -> None:
        self.history = history or History(session, most=most, since=since)
        self.pending = PendingMail(self.history, pending or most)
        self._gone: set[str] = set()

    def read_steps(self) -> Steps[None]:
        """Read the logs, and what waits. Raises ItemNotFoundError when there is no such session."""
        yield from self.history.read_steps()
        yield from self.pending.read_steps()
        lost = self._lost()
        for _ in range(_ROUNDS):
            # What waited when the logs were read may have been applied when the stations were, and the other way round.
            if lost:
                yield from self.history.read_steps()
                lost = self._lost()
            if lost:
                yield from self.pending.read_steps()
                lost = self._lost()
        self._gone |= lost

    def place_steps(self, mails: Sequence[str]) -> Steps[None]:
        """Find out where mails stand of which only the sending is known, as more waits than was looked at."""
        if self.pending.left_out:
            stories = [self.history.stories[one] for one in mails]
            yield from self.pending.look_steps(one for one in stories if self.state_of(one) == "sent")

    def all(self) -> list[Passage]:
        """Every mail, in the order of sending."""
        return [self.of(story) for _, story in sorted(self.history.stories.items())]

    def newest(self, fits: Callable[[Passage], bool], most: int) -> list[Passage]:
        """The newest mails that fit, at most so many, in the order of sending; the others are not put together."""
        found: list[Passage] = []
        stories = self.history.stories
        for mail in sorted(stories, reverse=True):
            if len(found) == most:
                break
            if fits(passage := self.of(stories[mail])):
                found.append(passage)
        return found[::-1]

    def of(self, story: Story) -> Passage:
        """The way of one mail."""
        waits, dead = self.pending.waits.get(story.mail), self.pending.dead.get(story.mail)
        first = story.attempts[0] if story.attempts else None
        held = story.done is False and waits is not None and waits.held
        owner = story.owner
        if held and waits is not None and (record := self.history.records.get(waits.branch)) is not None:
            owner = record.owner
        return Passage(
            mail=story.mail,
            sender=story.sender,
            recipient=story.recipient,
            category=story.category,
            text=story.text,
            state=self.state_of(story),
            sent=story.sent or story.posted or time_of(story.mail),
            delivered=story.delivered,
            begun=first.begun if first else None,
            applied=story.applied,
            attempts=self._attempts(story),
            owner=owner,
            in_reply_to=story.cause,
            reason=f"{dead.reason}: {dead.detail}" if dead and not story.done else self._trouble(story),
            where=str(waits.where) if waits and not story.done else "",
            due=waits.due if waits and not story.done else None,
            letter=dead.letter if dead and not story.done else "",
            expires=waits.expires if waits and not story.done else None,
            since=waits.since if waits and not story.done else None,
        )

    def state_of(self, story: Story) -> str:
        """Where a mail is on its way, in a word of `Passage`."""
        if story.done:
            return "applied"
        if story.mail in self.pending.dead:
            return "dead"
        waits = self.pending.waits.get(story.mail)
        if waits is None:
            return "gone" if self._is_told(story) else "sent"
        return "working" if waits.held else _STATES.get(waits.where, "waiting")

    def _is_told(self, story: Story) -> bool:
        """Whether what was read tells what became of a mail, wherever it is."""
        return not self.pending.left_out and self.history.knows_end_of(story)

    def _attempts(self, story: Story) -> int:
        dead = self.pending.dead.get(story.mail)
        waits = None if story.done else self.pending.waits.get(story.mail)
        numbers = [one.number for one in story.attempts]
        return max([*numbers, dead.attempts if dead else 0, waits.attempts if waits else 0, 1 if story.done else 0])

    def _trouble(self, story: Story) -> str:
        """What is wrong with a mail that is not dead: who had it and was lost, or how its last attempt ended."""
        waits = None if story.done else self.pending.waits.get(story.mail)
        if waits is not None and waits.tried:
            return f"WorkerLost: {', '.join(waits.tried)}"
        return _error_of(story)

    def _lost(self) -> set[str]:
        """Mails that are nowhere, but for those that were looked for before."""
        pending = self.pending
        open_ = {mail for mail, story in self.history.stories.items() if not story.done and self._is_told(story)}
        return open_ - pending.dead.keys() - pending.waits.keys() - self._gone


def _error_of(story: Story) -> str:
    last = story.attempts[-1] if story.attempts else None
    if last is None or last.end is End.APPLIED:
        return ""
    return f"{last.error}: {last.detail}" if last.detail else last.error


def time_of(mail: str) -> float:
    """When an id was made, which it begins with (RFC 9562, version 7); 0 for other ids."""
    digits = mail.replace("-", "")[:12]
    try:
        return int(digits, 16) / 1000
    except ValueError:
        return 0.0
