"""The storm: waves of sessions in which mail flows while workers, programs, server and connections are struck.

A wave has its share of mails and faults, dealt out in steps: each step lets the senders send a little more and
injects what is due. A fault counts when it has met something; what met nothing is tried again. After a wave the faults
end, everything has to come to rest, and the checker compares the journals with the logs.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lion_broker import Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import ReadSession
from lion_broker.testing import wait_until

from .checker import Findings, check
from .evidence import Evidence, Tail
from .fleet import Crew, Fleet
from .ground import Ground, ground
from .mortal import MortalServer
from .world import World, found

__all__ = ["Plan", "Result", "storm"]

_WORK_SECONDS = 120.0
"""How long mail may take to move on at all before the storm is given up."""
_REST_SECONDS = 120.0
_MOST_IN_FLIGHT = 400
_EXTRA_MAILS = 10
"""Mails a sender that are sent beyond the plan for each step in which a fault met nothing."""
_TRY_SECONDS = 1.0
"""How long a fault waits for something that it could meet."""
_DROPPED = (b"_commit", b"_claim", b"_post", b"_collect", b"_send", b"_receive", b"_renew", b"XREADGROUP")


@dataclass(frozen=True)
class Plan:
    """How many mails, and how many faults of each kind, in how many waves."""

    mails: int
    worker_kills: int
    server_kills: int
    zombies: int
    cuts: int
    dropped_answers: int
    program_kills: int
    waves: int
    seed: int
    workers: int = 3
    lease: float = 0.75
    fsync: str = "always"

    def share(self, wave: int) -> Plan:
        """What is due in one wave, so that the sum over all is the plan."""
        values = asdict(self)
        for name in ("mails", *FAULTS):
            values[name] = self.__dict__[name] * (wave + 1) // self.waves - self.__dict__[name] * wave // self.waves
        return Plan(**values)


FAULTS = ("worker_kills", "server_kills", "zombies", "cuts", "dropped_answers", "program_kills")


@dataclass
class Result:
    """What was planned, what was injected, and what was found."""

    plan: Plan
    injected: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0
    cpu: float = 0.0
    waves: int = 0
    server: str = ""
    points: int = 0

    @property
    def short(self) -> list[str]:
        """Faults of which fewer were injected than planned; a storm without them shows nothing."""
        planned = asdict(self.plan)
        return [
            f"{name}: {self.injected[name]} of {planned[name]}"
            for name in FAULTS
            if self.injected[name] < planned[name]
        ]

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return not self.findings.faults and not self.short


Say = Callable[[str], None]


def storm(plan: Plan, say: Say) -> Result:
    """Go through all waves, or until one has gone wrong."""
    result = Result(plan)
    begun = time.monotonic()
    dice = random.Random(plan.seed)
    with (
        MortalServer("everysec" if plan.fsync == "both" else plan.fsync) as server,
        ground(server, lease=plan.lease, patience=5.0) as place,
    ):
        result.server = _name_of(server)
        exchange = place.straight()
        fleet = Fleet(place, exchange, dice, plan.workers)
        fleet.fill()
        for wave in range(plan.waves):
            with tempfile.TemporaryDirectory(prefix="lion-journals-") as folder:
                one = Wave(plan.share(wave), place, exchange, fleet, dice, Path(folder), result, say, begun)
                try:
                    one.run()
                except AssertionError as error:
                    # Something that had to come did not come in time: what waits says what it was.
                    left = [line for world in one.worlds for line in place.left_open(world.session)]
                    result.findings.odd += [f"wave {wave + 1} was given up: {error}", *left]
            result.waves += 1
            result.findings.odd += fleet.unexpected
            result.seconds = time.monotonic() - begun
            if result.findings.faults:
                break
        result.cpu = sum(os.times()[:4])
        result.injected.update(
            {"connections made": place.proxy.accepted, "requests through the proxy": place.proxy.asked}
        )
    return result


def _name_of(server: MortalServer) -> str:
    stored = server.client.info("server")
    name = stored.get("server_name", "redis")
    return f"{name} {stored.get(f'{name}_version', stored['redis_version'])}"


@dataclass
class Wave:
    """Some sessions, from their founding to the judgement."""

    plan: Plan
    place: Ground
    exchange: RedisExchange
    fleet: Fleet
    dice: random.Random
    folder: Path
    result: Result
    say: Say
    begun: float
    worlds: list[World] = field(default_factory=list)
    tails: list[Tail] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    due: dict[str, int] = field(default_factory=dict)
    said: float = 0.0

    def run(self) -> None:
        """Found, storm, rest, judge, delete."""
        self.worlds = [found(self.exchange, delivery) for delivery in ("auto", "auto", "manual")]
        self.tails = [Tail(world.session) for world in self.worlds]
        self.crew = Crew(self.place, self.dice, self.folder)
        for world in self.worlds:
            self.crew.hire(world)
        self._blow()
        self._rest()
        for world, tail in zip(self.worlds, self.tails, strict=True):
            self._judge(world, tail)
        self.result.findings.odd += self.crew.unexpected
        self._speak(force=True)

    def _blow(self) -> None:
        """Deal mails and faults out in steps, when everybody has begun."""
        steps = max(1, *(getattr(self.plan, name) for name in FAULTS))
        mails, senders = 1.0, len(self.crew.senders)
        self.crew.allow(1)
        wait_until(lambda: self.crew.sent() >= senders, _WORK_SECONDS, "nobody sends")
        step = 0
        while step < steps or self._behind(steps, steps):
            mails += self.plan.mails / senders / steps if step < steps else _EXTRA_MAILS
            step += 1
            self.crew.allow(round(mails))
            for name in self._behind(min(step, steps), steps):
                self._inject(name, last=step >= steps)
            self._tend()
            wait_until(self._moves, _WORK_SECONDS, "mail does not move on")

    def _behind(self, step: int, steps: int) -> list[str]:
        """The faults of which fewer were injected than are due; who sleeps is a zombie when he has woken up."""
        done = self._injected()
        self.due = {name: getattr(self.plan, name) * step // steps for name in FAULTS}
        return [name for name in FAULTS if done[name] < self.due[name]]

    def _injected(self) -> Counter[str]:
        return Counter(
            {
                "worker_kills": self.fleet.kills - self.result.injected["worker_kills"],
                "zombies": self.fleet.zombies - self.result.injected["zombies"],
                "program_kills": self.crew.kills,
                "cuts": self.place.proxy.injected["cut"] - self.result.injected["cuts"],
                "dropped_answers": self.place.proxy.injected["answer dropped"]
                - self.result.injected["dropped_answers"],
                "server_kills": self.done["server_kills"],
            }
        )

    def _inject(self, name: str, last: bool) -> None:
        """Inject a fault, unless there is nothing that it could meet; then the next step tries again."""
        if name == "zombies" and self.fleet.asleep:
            if last:
                wait_until(self._all_awake, _WORK_SECONDS, "nobody takes over")
            elif self._injected()[name] + self.fleet.asleep >= self.due[name]:
                return
        with suppress(AssertionError):
            wait_until(lambda: self._strike(name), _TRY_SECONDS)

    def _strike(self, name: str) -> bool:
        """Try to inject a fault; whether it met anything, or is on its way."""
        if name == "worker_kills":
            return self.fleet.strike(self.worlds, kill=True)
        if name == "zombies":
            return self.fleet.strike(self.worlds, kill=False)
        if name == "program_kills":
            return self.crew.strike()
        if name == "cuts":
            return self.place.proxy.cut_one() == 1
        if name == "dropped_answers":
            self.place.proxy.drop_answer(self.dice.choice(_DROPPED), longer_than=5)
            return True
        return self._kill_server()

    def _kill_server(self) -> bool:
        """Kill the server with mail in flight, and start it again, if so planned with the other of two profiles."""
        if not self._in_flight():
            return False
        server = self.place.server
        server.kill()
        self.result.injected[f"server kills, appendfsync {server.fsync}"] += 1
        self.done["server_kills"] += 1
        if self.plan.fsync == "both":
            server.fsync = "always" if server.fsync == "everysec" else "everysec"
        server.start()
        return True

    def _in_flight(self) -> int:
        records = [self.exchange.call(ReadSession(world.session)) for world in self.worlds]
        return sum(record.counters["inflight"] for record in records if record)

    def _moves(self) -> bool:
        """Whether little enough is in flight for more."""
        self._tend()
        return self._in_flight() < _MOST_IN_FLIGHT

    def _all_awake(self) -> bool:
        self._tend()
        return not self.fleet.asleep

    def _tend(self) -> None:
        """Wake those whose time has come, put successors in their places, and read the tails."""
        self.fleet.wake(self.worlds)
        self.fleet.fill()
        self.crew.revive()
        for tail in self.tails:
            tail.read(self.exchange)
        self._speak()

    def _rest(self) -> None:
        """No more faults: everybody wakes, sends what is left, and all mail comes to an end."""
        self.fleet.wake(self.worlds, at_once=True)
        for name, count in self._injected().items():
            self.result.injected[name] += count
        self.place.proxy.heal()
        self.crew.finish()
        for world in self.worlds:
            with Session.open(world.session, exchange=self.exchange, timeout=_REST_SECONDS) as session:
                # The first round is for what a postman has collected and not sent, which no record shows.
                more = world.delivery == "manual"
                while more:
                    session.collect_send_all(receive_all=True)
                    more = self._unsent(session)
        wait_until(lambda: not self._in_flight(), _REST_SECONDS, "mail stays in flight")

    def _unsent(self, session: Session) -> bool:
        records = self.place.records(self.exchange, session.id)
        return any(one.outbox or one.waiting or (one.inbox and one.seed.pool) for one in records)

    def _judge(self, world: World, tail: Tail) -> None:
        tail.read(self.exchange)
        evidence = Evidence.read(self.exchange, world.session)
        findings = check(world, self.crew.accounts(world.session), evidence, tail)
        try:
            self.place.wait_closed(world.session)
        except AssertionError:
            findings.odd += self.place.left_open(world.session)
        self.result.findings.add(findings)
        if not findings.faults:
            with Session.open(world.session, exchange=self.exchange) as session:
                session.delete()
            left = list(self.place.server.client.scan_iter(f"*{world.session}*"))
            self.result.findings.odd += [f"{key!r} outlives its session" for key in left]

    def _speak(self, force: bool = False) -> None:
        """Say how far it is, every ten seconds."""
        now = time.monotonic() - self.begun
        if not force and now - self.said < 10:
            return
        self.said = now
        done = self.result.injected if force else self._injected() + self.result.injected
        mails = self.result.findings.counts["mails acked"] + (0 if force else self.crew.sent())
        counts = ", ".join(f"{name.replace('_', ' ')} {done[name]}" for name in FAULTS)
        self.say(f"{now:5.0f} s  wave {self.result.waves + 1}  mails {mails}  {counts}")
