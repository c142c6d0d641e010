"""A contest: the same work done by each contender in turn, round after round, on the same server."""

from __future__ import annotations

import itertools
import socket
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from .peers.driver import Failed, Peer, started
from .peers.table import OURS, Contender
from .rig import Figure, Rig, WrongResult

__all__ = ["Contest", "Outcome"]

Sample = dict[str, float]
Work = Callable[["Round"], Sample]


@dataclass(slots=True)
class Outcome:
    """What a contender has done in all rounds of one work; or why it could not."""

    contender: Contender
    samples: list[Sample] = field(default_factory=list)
    error: str = ""

    def median(self, name: str) -> float:
        """Return the median of one of its measured values; not a number when it has failed."""
        return statistics.median(self.all(name)) if self.samples and not self.error else float("nan")

    def all(self, name: str) -> tuple[float, ...]:
        """Return all measured values of a name, in the order of the rounds."""
        return tuple(sample[name] for sample in self.samples)

    def figure(self, number: str, work: str, name: str, unit: str, goal: str = "", **target: float) -> Figure:
        """Return one of its measured values as a figure in its name."""
        who = self.contender.name
        samples = () if self.error else self.all(name)
        return Figure(number, work, self.median(name), unit, goal, who=who, samples=samples, error=self.error, **target)


class Contest:
    """Contenders on one server; `about` has the versions and settings that each of them has named."""

    def __init__(self, rig: Rig, contenders: Sequence[Contender], rounds: int) -> None:
        self.rig = rig
        self.contenders = tuple(contenders)
        self.rounds = rounds
        self.about: dict[str, dict[str, Any]] = {}
        self._names = itertools.count(1)

    def run(self, work: Work, who: Callable[[Contender], bool] = lambda _: True) -> list[Outcome]:
        """Have all contenders do a work, interleaved; one that fails is left out of the rounds that follow.

        Raises WrongResult when it is lion-broker that has failed: what is measured beside that is worth nothing.
        """
        outcomes = [Outcome(contender) for contender in self.contenders if who(contender)]
        for _ in range(self.rounds):
            for outcome in outcomes:
                if not outcome.error:
                    self._try(work, outcome)
        return outcomes

    def _try(self, work: Work, outcome: Outcome) -> None:
        contender = outcome.contender
        try:
            outcome.samples.append(work(Round(self, contender, f"bench-{next(self._names)}")))
        except Failed as error:
            if contender is OURS:
                raise WrongResult(f"{contender.name}: {error}") from error
            sys.stderr.write(f"{contender.name}: {error}\n")
            outcome.error = str(error)
        finally:
            self.rig.raw.flushall()


@dataclass(frozen=True, slots=True)
class Round:
    """One contender's turn: a queue of its own, and the programs that it needs."""

    contest: Contest
    contender: Contender
    queue: str

    @property
    def rig(self) -> Rig:
        """The server."""
        return self.contest.rig

    @contextmanager
    def cast(self, work: str, items: int) -> Iterator[Cast]:
        """Start and open the programs of one measurement."""
        contender = self.contender
        roles = (["hub"] if contender.hub else []) + (["client"] if contender.alone else ["worker", "client"])
        url = f"localhost:{_free_port()}" if contender.hub else f"unix://{self.rig.socket}"
        with ExitStack() as stack:
            peers = []
            for role in roles:
                peer = stack.enter_context(started(contender, url, self.rig.environment()))
                self.contest.about.setdefault(contender.name, {"kind": contender.kind.value, **peer.hello})
                peer.ask("open", queue=self.queue, role=role, work=work, items=items)
                peers.append(peer)
            yield Cast(peers[-1], peers[-1] if contender.alone else peers[-2], peers[0] if contender.hub else None)

    def server_cpu(self, cast: Cast) -> float:
        """Return the CPU seconds of whatever is between client and worker."""
        if cast.hub is not None:
            return float(cast.hub.ask("cpu")["cpu"])
        return 0.0 if self.contender.alone else self.rig.server_cpu()


@dataclass(frozen=True, slots=True)
class Cast:
    """The running programs of one measurement."""

    client: Peer
    worker: Peer
    hub: Peer | None


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return int(server.getsockname()[1])
