"""A walk through the model, done at the same time with the real functions; after each step both stand alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from lion_broker.mail.answers import Swept
from lion_broker.mail.records import START, Claimed, Committed, Deferral, Record
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.verbs import Commit, Pause, Post, Promote, ReadWaiting, Resume, Withdraw
from lion_broker.mail.waiting import WaitsAt, Withdrawal
from lion_broker.mail.wire import WireMail, encode_json
from tests.conformance.road import Road, texts
from tests.model.server import Answer, Server
from tests.model.sites import Site
from tests.model.state import PAUSED, Request, State, Worker
from tests.model.walks import home
from tests.model.world import Action, World

__all__ = ["replay"]

LATER = 3_600_000
"""A pause that does not end by itself, in ms."""

SWEPT = {"DROPPED": Swept(1, 1, 0), "LEFT": Swept(1, 0, 0), "GIVEN": Swept(1, 0, 1)}


def replay(world: World, site: Site, walk: Iterable[Action]) -> int:
    """Do a walk and go home; the number of steps. Raises AssertionError, with what was done, where both differ."""
    twin = Twin(world, site)
    try:
        for action in walk:
            twin.step(action)
        for action in home(world, twin.server, twin.state):
            twin.step(action)
        twin.compare_log()
    except AssertionError as error:
        done = "\n".join(f"  {number}. {action}" for number, action in enumerate(twin.done, 1))
        raise AssertionError(f"{error}\nafter\n{done}\n{twin.state}") from error
    return len(twin.done)


@dataclass
class Twin:
    """The branch `ada` twice, in the model and in an exchange.

    `entries` are the real ids of ready entries, `places` those of mailbox entries, `tokens` the real tokens.
    """

    world: World
    site: Site
    server: Server = field(default_factory=Server)
    done: list[Action] = field(default_factory=list)
    entries: dict[int, str] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=lambda: {0: START})
    tokens: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = self.world.start()
        self.road = Road(self.site.exchange).open()
        self.road.pooled("ada")

    def step(self, action: Action) -> None:
        """Let one thing happen in both, and compare."""
        self.done.append(action)
        before = self.state
        step = self.world.step(self.server, before, action)
        self.state = step.state
        if step.request is not None and step.answer is not None:
            self._ask(before, step.request, step.answer)
        else:
            self._let_happen(before, action, step.answer)
        if step.request is not None or self.state.served != before.served:
            self.compare()

    def _let_happen(self, before: State, action: Action, answer: Answer | None) -> None:
        match action.verb:
            case "post":
                mail = before.coming[action.place]
                number = len(before.arrived) + 1
                verb = Post(self.road.session, "outside", number, (self.road.mail(mail[0], "ada", mail),))
                assert answer is not None
                assert self.road.call(verb).outcome == answer.word
            case "read" | "read ahead":
                worker = self.state.workers[action.place]
                seats = 0 if action.verb == "read ahead" else None
                (ready,) = self.road.ready(f"worker {action.place}", count=1, seats=seats)
                assert ready.id == self.entries[worker.entry]
                self.tokens[worker.token] = uuid4().hex
                if worker.hosts:
                    self.tokens[worker.token] = ready.id
                    self._compare_given(worker, ready.given)
                else:
                    assert ready.given is None
            case "expire":
                self.site.expire(self.road, "ada")
            case "ripen":
                self.site.ripen(self.road, "ada")

    def _ask(self, before: State, request: Request, answer: Answer) -> None:
        token = self.tokens.get(request.token, "")
        match request.verb:
            case "claim":
                self._compare_stand(answer, self.road.claim("ada", token, self.entries[request.entry], batch=2))
            case "commit":
                self._compare_stand(answer, self.road.call(self._turn(before, request)))
            case "renew":
                assert self.road.renew("ada", token) == answer.word
            case "release":
                assert self.road.release("ada", token) == answer.word
            case "sweep":
                assert self.road.sweep() == SWEPT[answer.word]
            case "close":
                assert self.road.close("ada") == answer.word
            case "pause":
                assert self.road.call(Pause(self.road.session, "ada", "a rest")) == answer.word
            case "resume":
                assert self.road.call(Resume(self.road.session, "ada")) == answer.word
            case "withdraw" | "stop" as verb:
                assert self._take_out(before.arrived[request.mail - 1], stop=verb == "stop") == answer.word
            case "promote":
                self.road.call(Promote(self.road.session))
            case verb:
                raise AssertionError(f"{verb} cannot be replayed")

    def _take_out(self, mail: str, *, stop: bool) -> str:
        """Withdraw or stop a mail wherever it is; what became of it."""
        for where in (WaitsAt.MAILBOX, WaitsAt.LANES):
            rows = self.road.call(ReadWaiting(self.road.session, "ada", where))
            for row in rows:
                if isinstance(row.mail, WireMail) and row.mail.item() == mail:
                    named = Withdrawal(row.mail.id, where, row.place, row.lane)
                    verb = Withdraw(self.road.session, "ada", (named,), stop=stop, lease_ms=LATER)
                    return self.road.call(verb)[0].outcome
        raise AssertionError(f"{mail} waits nowhere")

    def _turn(self, before: State, request: Request) -> Commit:
        token = self.tokens[request.token]
        effects = [before.arrived[place - 1] for place in request.effects]
        return Commit(
            session=self.road.session,
            branch="ada",
            token=token,
            cursor=self.places[request.cursor],
            consumed=self.places[request.consumed],
            version=request.version + 1,
            records=tuple(Record("heard", encode_json(mail, "mail")) for mail in effects) or (Record("turn", b"{}"),),
            handled=len(effects),
            after=self.places[request.after],
            batch=0 if request.leave else self.server.batch,
            nonce=f"{token}-{request.version}-{request.nonce}",
            **self._deferred(before, request),
        )

    def _deferred(self, before: State, request: Request) -> dict[str, Any]:
        """The parts of a commit that are about lanes."""
        if not request.lane:
            places = {place: before.arrived[place - 1][0] for place in request.defers}
            first = {
                place
                for place, sender in places.items()
                if sender not in list(places.values())[: list(places).index(place)]
            }
            return {
                "deferred": tuple(
                    Deferral(self.places[place], sender, LATER if place in first else 0, 1 if place in first else 0)
                    for place, sender in places.items()
                )
            }
        mails = next(lane.mails for lane in before.lanes if lane.sender == request.lane)
        done = self.places[mails[request.done - 1]] if request.done else START
        failed: tuple[Deferral, ...] = ()
        if request.failed:
            failed = (Deferral(self.places[mails[request.done]], request.lane, LATER, request.failed),)
        return {"lane": request.lane, "lane_done": done, "deferred": failed}

    def _compare_stand(self, answer: Answer, real: Claimed | Committed) -> None:
        assert real.outcome == answer.word
        given = answer.given or tuple(self.state.between(answer.first, answer.held))
        assert texts(real.entries) == [self.state.arrived[place - 1] for place in given]
        self.places.update(zip(given, (entry.id for entry in real.entries), strict=True))
        if answer.word == "OK":
            assert (real.lane, real.lanes) == (answer.lane, answer.lanes)
        # A branch begins with a version of its own.
        assert (real.cursor, real.version) == (self.places[answer.cursor], answer.version + 1)

    def _compare_given(self, worker: Worker, given: Claimed | None) -> None:
        assert given is not None
        assert texts(given.entries) == [self.state.arrived[worker.held - 1]]
        self.places[worker.held] = given.entries[0].id
        assert (given.cursor, given.version) == (self.places[worker.cursor], worker.version + 1)

    def compare(self) -> None:
        """Where the branch stands, its mark, and the ready entries."""
        s, view = self.state, self.site.look(self.road, "ada")
        assert [read for _, read in view.ready] == [entry.pending for entry in s.ready]
        self.entries.update((entry.id, real) for (real, _), entry in zip(view.ready, s.ready, strict=True))
        assert view.mark == (self.entries[s.mark] if s.mark else "")
        assert (view.cursor, view.version) == (self.places[s.cursor], s.version + 1)
        assert (view.waiting, view.leased) == (len(s.waiting), s.alive)
        assert (view.paused, view.deferred) == (s.standing == PAUSED, len(s.deferred))

    def compare_log(self) -> None:
        """The effects and the dead letters, in the end."""
        heard = [entry.record for entry in self.road.log("ada") if entry.record.kind == "heard"]
        bodies: list[Any] = [read_json(record.body, "record") for record in heard]
        assert bodies == list(self.state.log)
        assert texts(self.road.dead()) == list(self.state.dead)
