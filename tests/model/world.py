"""What may happen around the server: what workers do next, what gets lost, who dies, what runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tests.model.lanes import promoted_by_time
from tests.model.server import Answer, Server
from tests.model.state import CLOSED, IDLE, PAUSED, Mails, Request, State, Worker

__all__ = ["Action", "Step", "World"]


class Action(NamedTuple):
    """One thing that happens. `place` is that of a worker, a sender's next mail, an entry or a flying request.

    `take` mails are handled by a commit, which leaves the branch with `leave`. The `fate` of a request: it is answered,
    its answer is `lost`, or it is `late`, on its way still when its sender has long asked again.
    """

    verb: str
    place: int = 0
    take: int = 0
    leave: bool = False
    fate: str = ""

    def __str__(self) -> str:
        took = f" after {self.take} of its mails" if self.take else ""
        left = " and leaves" if self.leave else ""
        fate = {"": "", "lost": ", the answer is lost", "late": ", the request is late"}[self.fate]
        return f"{self.verb} ({self.place}){took}{left}{fate}"


class Step(NamedTuple):
    """What came of an action: the next state, and the request with its answer if one was made."""

    state: State
    request: Request | None = None
    answer: Answer | None = None


HARM = frozenset({"post", "crash", "fork", "close", "pause", "suffer", "retire", "withdraw", "stop"})
"""What a world may be spared from some moment on: without it, all mail is to be handled in the end."""


@dataclass(frozen=True)
class World:
    """How much there is of everything, and which faults there are: `crash`, `lost`, `late`, `fork`, `close`, `pause`,
    `full`, `broken`, `retire`, `withdraw` or `stop`. The mails that are `failing` do so when they are tried for the
    first time, those that are named twice also the second time, and so on.
    """

    name: str
    mails: Mails
    workers: int = 2
    faults: frozenset[str] = frozenset({"crash", "lost"})
    failing: Mails = ()

    def start(self) -> State:
        """Nothing has happened yet."""
        return State(self.mails, (IDLE,) * self.workers)

    def actions(self, s: State) -> Iterator[Action]:
        """Everything that may happen next."""
        for place, mail in enumerate(s.coming):
            if all(other[0] != mail[0] for other in s.coming[:place]):
                yield Action("post", place)
        for place, worker in enumerate(s.workers):
            yield from self._of_worker(s, place, worker)
        for place, ready in enumerate(s.ready):
            if ready.pending:
                yield Action("sweep", place)
        for place in range(len(s.flying)):
            yield Action("arrive", place)
            yield Action("vanish", place)
        if s.alive:
            yield Action("expire")
        yield from self._from_outside(s)

    def _of_worker(self, s: State, place: int, worker: Worker) -> Iterator[Action]:
        if worker == IDLE:
            unread = next((ready for ready in s.ready if ready.seen == "unread"), None)
            if unread:
                yield Action("read", place)
            if unread and unread.token:
                yield Action("read ahead", place)
            return
        if "crash" in self.faults:
            yield Action("crash", place)
        if worker.sent:
            yield Action("repeat", place)
            return
        fates = ["", *(fate for fate in ("lost", "late") if fate in self.faults and not s.flying)]
        for fate in fates:
            if not worker.hosts:
                yield Action("claim", place, fate=fate)
                continue
            most = len(worker.in_hand)
            for take in {1, most} - {0}:
                yield Action("commit", place, take, fate=fate)
            yield Action("commit", place, most, leave=True, fate=fate)
            yield Action("release", place, fate=fate)
        if worker.hosts and not (s.alive and s.token == worker.token and not s.stopped):
            yield Action("renew", place)
        if worker.hosts and "fork" in self.faults and IDLE in s.workers:
            yield Action("fork", place)

    def _from_outside(self, s: State) -> Iterator[Action]:
        if "close" in self.faults and s.standing != CLOSED:
            yield Action("close")
        if "pause" in self.faults and s.standing != CLOSED:
            yield Action("resume" if s.standing == PAUSED else "pause")
        for act in ("withdraw", "stop"):
            if act in self.faults and s.standing != CLOSED:
                waiting = s.between(max(s.cursor, s.trimmed), len(s.arrived))
                yield from (Action(act, at) for at in (*waiting, *(one for lane in s.lanes for one in lane.mails)))
        if any(not lane.due for lane in s.lanes):
            yield Action("ripen")
        if any(lane.due for lane in s.lanes if lane.sender == s.planned):
            yield Action("promote")
        if "full" in self.faults and not s.trouble and s.waiting:
            yield Action("suffer")
        if "broken" in self.faults:
            yield Action("mend" if s.trouble else "suffer")
        in_hand = {worker.entry for worker in s.workers}
        for place, ready in enumerate(s.ready):
            if "retire" in self.faults and ready.pending and ready.id not in in_hand:
                yield Action("retire", place)

    def step(self, server: Server, s: State, action: Action) -> Step:
        """Let one thing happen."""
        place = action.place
        match action.verb:
            case "post":
                after, answer = server.post(s, s.coming[place])
                if answer.word != "OK":
                    return Step(s, answer=answer)
                return Step(after._replace(coming=(*s.coming[:place], *s.coming[place + 1 :])), answer=answer)
            case "read" | "read ahead":
                return Step(_read(server, s, action))
            case "crash":
                return Step(s.put(place, IDLE))
            case "fork":
                return Step(s.put(s.workers.index(IDLE), s.workers[place]))
            case "arrive":
                return _arrived(server, s, place)
            case "vanish":
                return Step(_landed(s, place))
            case "claim" | "commit" | "renew" | "release" | "repeat":
                return self._worked(server, s, action)
        return self._happened(server, s, action)

    def _happened(self, server: Server, s: State, action: Action) -> Step:
        """What no worker of the branch does."""
        match action.verb:
            case "sweep":
                return _asked(server.sweep, s, Request("sweep", s.ready[action.place].id))
            case "close" | "pause" | "resume" | "promote" as verb:
                return _asked(getattr(server, verb), s, Request(verb))
            case "withdraw" | "stop" as verb:
                return _asked(getattr(server, verb), s, Request(verb, mail=action.place))
            case "ripen":
                return Step(s._replace(lanes=promoted_by_time(s.lanes)))
            case "retire":
                return Step(server.retire(s, s.ready[action.place].id))
            case "expire":
                return Step(s._replace(alive=False))
            case "suffer":
                return Step(s._replace(trouble="full" if "full" in self.faults else "broken"))
            case "mend":
                return Step(s._replace(trouble=""))
        raise AssertionError(f"{action} never happens")

    def _worked(self, server: Server, s: State, action: Action) -> Step:
        """A worker asks, and learns the answer or does not."""
        worker = s.workers[action.place]
        request = worker.sent or self._request(s, worker, action)
        waits = s.put(action.place, worker._replace(sent=request))
        if action.fate == "late":
            return Step(waits._replace(flying=(*s.flying, request)))
        after, answer = getattr(server, request.verb)(waits, request)
        if action.fate == "lost":
            return Step(after, request, answer)
        return Step(after.put(action.place, absorbed(worker._replace(sent=None), request, answer)), request, answer)

    def _request(self, s: State, worker: Worker, action: Action) -> Request:
        """What a worker asks for; with a commit, what came of its turn."""
        if action.verb != "commit":
            return Request(action.verb, entry=worker.entry, token=worker.token)
        turn = Request(
            "commit",
            entry=worker.entry,
            token=worker.token,
            cursor=worker.cursor,
            consumed=worker.cursor,
            version=worker.version,
            leave=action.leave,
            nonce=action.place + 1,
        )
        if worker.lane:
            return self._lane_turn(s, worker, action.take, turn)
        places = worker.in_hand[: action.take]
        consumed = [worker.cursor, *places][-1]
        lanes, effects, defers = set(worker.lanes), list[int](), list[int]()
        for place in places:
            mail = s.arrived[place - 1]
            # What is behind a mail that failed is deferred without being tried.
            fails = mail in self.failing and s.arrived.index(mail) == place - 1
            if mail[0] in lanes or fails:
                lanes.add(mail[0])
                defers.append(place)
            else:
                effects.append(place)
        after = consumed if action.leave else worker.held
        return turn._replace(consumed=consumed, after=after, effects=tuple(effects), defers=tuple(defers))

    def _lane_turn(self, s: State, worker: Worker, take: int, turn: Request) -> Request:
        """A turn of a lane ends before the first mail that fails."""
        given = worker.given[:take]
        for done, place in enumerate(given):
            times = self.failing.count(s.arrived[place - 1])
            if (2 <= worker.tries <= times) if done == 0 else times:
                failed = worker.tries if done == 0 else 1
                return turn._replace(lane=worker.lane, done=done, effects=given[:done], failed=failed)
        return turn._replace(lane=worker.lane, done=len(given), effects=given)

    def spares(self, action: Action) -> bool:
        """Whether the action does no harm."""
        return action.verb not in HARM and not action.fate

    def rests(self, s: State) -> bool:
        """Whether all mail that was accepted has been handled, and nothing is left of it."""
        nobody = (IDLE,) * self.workers
        return not (s.waiting or s.lanes or s.mark or s.token or s.ready or s.flying) and s.workers == nobody


def _read(server: Server, s: State, action: Action) -> State:
    """A worker reads an entry: with what is handed out it begins a turn, else it makes a token to claim with."""
    after, ready = server.read(s, ahead=action.verb == "read ahead")
    if ready.token and action.verb == "read":
        # The entry carries the mail, whatever has become of it in the mailbox.
        gone = tuple(place for place in s.gone if place != ready.mail)
        return after.put(action.place, Worker(ready.id, ready.token, s.version, s.cursor, ready.mail, gone=gone))
    return after.put(action.place, Worker(ready.id, max(s.tokens()) + 1))


def _asked(function: Callable[[State, Request], tuple[State, Answer]], s: State, request: Request) -> Step:
    after, answer = function(s, request)
    return Step(after, request, answer)


def _arrived(server: Server, s: State, place: int) -> Step:
    """A request comes that nobody waits for, or the second half of a call."""
    request = s.flying[place]
    if request.half:
        return Step(server.second(_landed(s, place), request), request)
    return _asked(getattr(server, request.verb), _landed(s, place), request)


def _landed(s: State, place: int) -> State:
    return s._replace(flying=(*s.flying[:place], *s.flying[place + 1 :]))


def absorbed(worker: Worker, request: Request, answer: Answer) -> Worker:
    """What a worker has in its hands when it knows the answer."""
    given = worker._replace(
        version=answer.version,
        cursor=answer.cursor,
        lane=answer.lane,
        given=answer.given,
        tries=answer.tries,
        lanes=answer.lanes,
        gone=answer.gone,
    )
    match request.verb, answer.word:
        case (("claim" | "commit"), "OK") if answer.lane:
            return given._replace(held=answer.cursor)
        case "claim", "OK":
            return given._replace(held=answer.held)
        case "commit", "OK":
            return given._replace(held=answer.held if worker.lane else max(worker.held, answer.held))
        case "commit", "ALREADY" if not worker.lane and worker.held > request.consumed and not answer.lanes:
            return given._replace(cursor=request.consumed)
        case "renew", "OK":
            return worker
    return IDLE
