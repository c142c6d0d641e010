"""What the model knows: one branch as the server has it, and what its workers have in their hands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.lanes import Lanes

__all__ = ["CLOSED", "IDLE", "OPEN", "PAUSED", "Mails", "Ready", "Request", "State", "Worker"]

OPEN, PAUSED, CLOSED = "open", "paused", "closed"

Mails = tuple[str, ...]
"""Mails by name: `b2` is the second mail of the sender b."""


class Ready(NamedTuple):
    """An entry of the ready stream. `seen` is `unread`, `read` (pending), `ahead` (the same, by a reader that claims
    whatever it is given) or `gone` (of no group's concern any more). With a `token` it hands out the first `mail`, by
    the place of its entry.
    """

    id: int
    seen: str = "unread"
    token: int = 0
    mail: int = 0

    @property
    def pending(self) -> bool:
        """Whether it was read and not acknowledged."""
        return self.seen in ("read", "ahead")


class Request(NamedTuple):
    """One call of a server's function, as it travels. Ids and tokens are numbers, 0 is none.

    `cursor`, `consumed` and `after` count mailbox entries. `nonce` is the place of the worker that made the commit.
    `effects` and `defers` are the mails that took effect and those that are to be tried again, as places of entries. A
    turn of a `lane` has done its first `done` mails; then the next has `failed` so often. `mail` is the place of an
    entry that is to be withdrawn or stopped. A `half` is the second call of what the protocol does in one; only
    variants have it.
    """

    verb: str
    entry: int = 0
    token: int = 0
    cursor: int = 0
    consumed: int = 0
    version: int = 0
    after: int = 0
    leave: bool = False
    nonce: int = 0
    effects: tuple[int, ...] = ()
    defers: tuple[int, ...] = ()
    lane: str = ""
    done: int = 0
    failed: int = 0
    mail: int = 0
    half: bool = False


class Worker(NamedTuple):
    """What a worker has in its hands: nothing, a ready entry with the token made for it, or a branch.

    With a branch it knows `cursor` and `version` and holds the mails between `cursor` and `held`, or those `given` of a
    `lane`, of which the first was tried `tries` times with this one. `lanes` are the senders that have one. `sent` is
    the request whose answer it waits for. `gone` had been withdrawn when it was given the others.
    """

    entry: int = 0
    token: int = 0
    version: int = -1
    cursor: int = 0
    held: int = 0
    lane: str = ""
    given: tuple[int, ...] = ()
    tries: int = 1
    lanes: frozenset[str] = frozenset()
    sent: Request | None = None
    gone: tuple[int, ...] = ()

    @property
    def in_hand(self) -> list[int]:
        """The places of the mails of the mailbox that it holds, or of a lane."""
        if self.lane:
            return [*self.given]
        return [place for place in range(self.cursor + 1, self.held + 1) if place not in self.gone]

    @property
    def hosts(self) -> bool:
        """Whether it has been given the branch."""
        return self.version >= 0


IDLE = Worker()


class State(NamedTuple):
    """Everything at one moment; `workers` and `flying` are outside of the server, the rest is in it.

    `arrived` is every mail that ever came, in order: its place there is the id of its entry. `trimmed` of them are gone
    from the mailbox, `log` are the effects. `mark` is the field q. `flying` are requests that may still arrive.
    `coming` has not been posted, `trouble` is what the server suffers from. `lane` is the one that was handed out last,
    `planned` the one at whose time somebody is to look at the branch. `unused`: the mark hands out the first mail, and
    of whoever has it nothing was heard. `gone` are the places of entries that were withdrawn from the mailbox.
    `stopped`: the turn of the token's bearer was, and nobody else begins one as long as its lease lives.
    """

    coming: Mails
    workers: tuple[Worker, ...]
    arrived: Mails = ()
    trimmed: int = 0
    cursor: int = 0
    version: int = 0
    nonce: int = 0
    handed: int = 0
    log: Mails = ()
    dead: Mails = ()
    standing: str = OPEN
    token: int = 0
    alive: bool = False
    unused: bool = False
    mark: int = 0
    ready: tuple[Ready, ...] = ()
    flying: tuple[Request, ...] = ()
    trouble: str = ""
    lanes: Lanes = ()
    lane: str = ""
    planned: str = ""
    gone: tuple[int, ...] = ()
    stopped: bool = False

    @property
    def waiting(self) -> Mails:
        """The mails that the mailbox holds past the cursor."""
        first = max(self.cursor, self.trimmed)
        return tuple(self.arrived[place - 1] for place in self.between(first, len(self.arrived)))

    def between(self, first: int, last: int) -> list[int]:
        """The places of the entries after one up to another, without those that were withdrawn."""
        return [place for place in range(first + 1, last + 1) if place not in self.gone]

    @property
    def deferred(self) -> Mails:
        """The mails that wait in lanes."""
        return tuple(self.arrived[place - 1] for lane in self.lanes for place in lane.mails)

    @property
    def served(self) -> State:
        """The server's side alone."""
        return self._replace(workers=(), flying=(), coming=())

    @property
    def halfway(self) -> bool:
        """Whether the second half of a call has not arrived yet."""
        return any(request.half for request in self.flying)

    def put(self, place: int, worker: Worker) -> State:
        """Change what one worker has in its hands."""
        return self._replace(workers=(*self.workers[:place], worker, *self.workers[place + 1 :]))

    def entries(self) -> Iterator[int]:
        """Every id of a ready entry that somebody knows."""
        yield self.mark
        yield from (ready.id for ready in self.ready)
        yield from (worker.entry for worker in self.workers)
        yield from (request.entry for request in self.flying)

    def tokens(self) -> Iterator[int]:
        """Every token that somebody knows."""
        yield self.token
        yield from (ready.token for ready in self.ready)
        yield from (worker.token for worker in self.workers)
        yield from (request.token for request in self.flying)

    def canonical(self) -> State:
        """The same with ids and tokens renamed in order of appearance: which numbers they are makes no difference.

        So the states are finitely many, however often entries and owners are replaced. A nonce that nobody can repeat
        makes none either.
        """
        entry = {0: 0}
        token = {0: 0}
        for known in self.entries():
            entry.setdefault(known, len(entry))
        for known in self.tokens():
            token.setdefault(known, len(token))

        nonce = self.nonce if self._repeatable() else 0
        if nonce == self.nonce and all(old == new for names in (entry, token) for old, new in names.items()):
            return self

        def renamed(request: Request) -> Request:
            return request._replace(entry=entry[request.entry], token=token[request.token])

        def known_by(worker: Worker) -> Worker:
            if not worker.token:
                return worker
            sent = worker.sent and renamed(worker.sent)
            return worker._replace(entry=entry[worker.entry], token=token[worker.token], sent=sent)

        return self._replace(
            workers=tuple(map(known_by, self.workers)),
            token=token[self.token],
            mark=entry[self.mark],
            ready=tuple(ready._replace(id=entry[ready.id], token=token[ready.token]) for ready in self.ready),
            flying=tuple(map(renamed, self.flying)),
            nonce=nonce,
        )

    def _repeatable(self) -> bool:
        """Whether the last commit, or another of its version, may still be asked for."""
        asked = (*self.flying, *(worker.sent for worker in self.workers if worker.sent))
        return any(asking.version + 1 == self.version and asking.token == self.token for asking in asked)
