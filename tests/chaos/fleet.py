"""The processes of the storm: workers that are struck with work in hand, programs in the middle of a command."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lion_broker.broker.exchange import RedisExchange
from lion_broker.testing import wait_until
from tests.stage import Program

from .ground import Ground
from .journal import Account
from .world import POOLS, World

__all__ = ["Crew", "Fleet", "Station"]

APP = "tests.apps.chaotic:registry"
_OPTIONS = (
    (),
    ("--batch", "1"),
    ("--batch", "7", "--concurrency", "4"),
    ("--concurrency", "1"),
)
Station = tuple[str, str]
"""A session and a branch in it."""


@dataclass(eq=False)
class Member:
    """A worker; `asleep` holds the branches that it owned when it was frozen."""

    program: Program
    pool: str
    asleep: frozenset[Station] = frozenset()


def _halt(program: Program) -> bool:
    """Stop a process where it is; False when it has ended."""
    program.process.send_signal(signal.SIGSTOP)

    def stopped() -> bool:
        ended = not program.alive
        return ended or os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    wait_until(stopped, 60)
    return program.alive


@dataclass
class Fleet:
    """So many workers for each pool; who is killed has a successor at once."""

    ground: Ground
    exchange: RedisExchange
    dice: random.Random
    size: int = 3
    members: list[Member] = field(default_factory=list)
    kills: int = 0
    zombies: int = 0
    unexpected: list[str] = field(default_factory=list)

    def fill(self) -> None:
        """Start what is missing; a worker that ended by itself is written down."""
        for member in [one for one in self.members if not one.program.alive]:
            self.unexpected.append(
                f"a worker ended with {member.program.process.returncode}: {member.program.errors[-2000:]}"
            )
            self._remove(member)
        for pool in POOLS:
            for _ in range(self.size - sum(member.pool == pool for member in self.members)):
                options = self.dice.choice(_OPTIONS)
                self.members.append(Member(self.ground.worker(APP, pool, "--log-level", "warning", *options), pool))

    def strike(self, worlds: Iterable[World], kill: bool) -> bool:
        """Kill a worker that has work in hand, or freeze it; False when there is none to be found now."""
        worlds = list(worlds)
        for pid in self.dice.sample(found := sorted(self._owned(worlds)), len(found)):
            member = next((one for one in self.members if one.program.pid == pid and not one.asleep), None)
            if member is None or (not kill and not self._may_sleep(member.pool)):
                continue
            if not _halt(member.program):
                continue
            held = self._owned(worlds).get(pid)
            if not held:
                member.program.thaw()
                continue
            if kill:
                member.program.kill()
                self._remove(member)
                self.kills += 1
                self.fill()
            else:
                member.asleep = frozenset(held)
            return True
        return False

    def wake(self, worlds: Iterable[World], at_once: bool = False) -> None:
        """Let those run on whose branches others have taken over; `at_once` all of them, whatever they missed."""
        owned = None
        for member in [one for one in self.members if one.asleep]:
            owned = self._owned(worlds) if owned is None else owned
            if member.asleep - owned.get(member.program.pid, set()):
                self.zombies += 1
            elif not at_once:
                continue
            member.asleep = frozenset()
            member.program.thaw()

    @property
    def asleep(self) -> int:
        """How many are frozen now."""
        return sum(bool(member.asleep) for member in self.members)

    def _may_sleep(self, pool: str) -> bool:
        return sum(member.pool == pool and not member.asleep for member in self.members) > 1

    def _remove(self, member: Member) -> None:
        member.program.end()
        self.members.remove(member)
        self.ground.programs.remove(member.program)

    def _owned(self, worlds: Iterable[World]) -> dict[int, set[Station]]:
        """The branches that each process owns, by its number."""
        owned: dict[int, set[Station]] = {}
        for world in worlds:
            for record in self.ground.records(self.exchange, world.session):
                if record.seed.pool and record.owner:
                    owned.setdefault(int(record.owner.split(":")[1]), set()).add((world.session, record.id))
        return owned


@dataclass(eq=False)
class Hand:
    """A sender or postman: how it is started, and the file that says whether it is in the middle of something."""

    words: tuple[str, ...]
    path: Path
    patience: str
    program: Program


@dataclass
class Crew:
    """The senders and postmen of a wave."""

    ground: Ground
    dice: random.Random
    folder: Path
    senders: list[Hand] = field(default_factory=list)
    postmen: list[Hand] = field(default_factory=list)
    allowed: int = 0
    kills: int = 0
    unexpected: list[str] = field(default_factory=list)

    def hire(self, world: World) -> None:
        """Start the senders of a session, and a postman for one with manual delivery."""
        names = [("local", f"local-{world.delivery}"), *(("named", name) for name in world.places if "named" in name)]
        for kind, name in names:
            path = self.folder / f"{world.session}.{name}"
            plan = {"session": world.session, "name": name, "kind": kind, "journal": str(path)}
            words = json.dumps({**plan, "to": world.ears, "seed": self.dice.random()})
            self.senders.append(self._start(("-m", "tests.chaos.sender", words), path))
        if world.delivery == "manual":
            path = self.folder / f"{world.session}.postman"
            words = str(self.dice.random())
            self.postmen.append(self._start(("-m", "tests.chaos.postman", world.session, str(path), words), path))

    def allow(self, mails: int) -> None:
        """Let every sender send up to so many mails, and every postman do a round."""
        self.allowed = mails
        for hand in self.senders:
            self._tell(hand, str(mails))
        for hand in self.postmen:
            self._tell(hand, "round")

    def strike(self) -> bool:
        """Kill one that is in the middle of a post or a round; False when there is none."""
        everybody = [*self.senders, *self.postmen]
        for hand in self.dice.sample(everybody, len(everybody)):
            if not hand.program.alive or not _halt(hand.program):
                continue
            if not self._busy(hand):
                hand.program.thaw()
                continue
            hand.program.kill()
            self.kills += 1
            self.revive()
            return True
        return False

    def revive(self) -> None:
        """Start again who has ended; who ended by itself is written down."""
        for hand in (*self.senders, *self.postmen):
            if hand.program.alive:
                continue
            if hand.program.process.returncode != -signal.SIGKILL:
                self.unexpected.append(
                    f"{hand.words} ended with {hand.program.process.returncode}: {hand.program.errors[-2000:]}"
                )
            hand.program.end()
            self.ground.programs.remove(hand.program)
            hand.program = self.ground.start(*hand.words, LION_BROKER_PATIENCE=hand.patience)
            self._tell(hand, str(self.allowed) if hand in self.senders else "round")

    def sent(self) -> int:
        """How many mails the journals have settled."""
        return sum(len(Account.read(hand.path).fates) for hand in self.senders)

    def finish(self) -> None:
        """Wait until everybody has done what was asked, and end them."""
        for hand in (*self.senders, *self.postmen):
            self._tell(hand, "end")
            if hand.program.process.stdin is not None:
                with suppress(BrokenPipeError):
                    hand.program.process.stdin.close()
        for hand in (*self.senders, *self.postmen):
            code = hand.program.wait(300)
            if code:
                self.unexpected.append(f"{hand.words} ended with {code}: {hand.program.errors[-2000:]}")
            hand.program.end()
            self.ground.programs.remove(hand.program)

    def accounts(self, session: str) -> dict[str, Account]:
        """What the senders of a session know."""
        return {
            hand.path.name.partition(".")[2]: Account.read(hand.path)
            for hand in self.senders
            if hand.path.name.startswith(session)
        }

    def _start(self, words: tuple[str, ...], path: Path) -> Hand:
        patience = self.dice.choice(("0.5", "5"))
        return Hand(words, path, patience, self.ground.start(*words, LION_BROKER_PATIENCE=patience))

    def _tell(self, hand: Hand, line: str) -> None:
        stdin = hand.program.process.stdin
        with suppress(BrokenPipeError):
            if stdin is not None and not stdin.closed:
                stdin.write(f"{line}\n")
                stdin.flush()

    def _busy(self, hand: Hand) -> bool:
        if hand in self.senders:
            return bool(Account.read(hand.path).open)
        return hand.path.exists() and hand.path.read_text().endswith("begun\n")
