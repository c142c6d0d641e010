"""The coordinator of the research desk: places the branches, asks the question, and waits for the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from lion_broker.branch.branch import Branch
from lion_broker.demo import roles
from lion_broker.demo.audit import Audit, audit
from lion_broker.demo.corpus import Corpus
from lion_broker.demo.corpus_tools import CORPUS
from lion_broker.demo.crew import Crew
from lion_broker.demo.findings import Quote
from lion_broker.demo.model import Tokens
from lion_broker.demo.notes import Kind, order, said
from lion_broker.demo.picture import Picture
from lion_broker.demo.quotes import verify
from lion_broker.demo.research import APP
from lion_broker.errors import BrokerError, RoundTimeout
from lion_broker.mail.exchange import Exchange, run
from lion_broker.mail.records import BranchRecord, Occurrence
from lion_broker.mail.verbs import ReadBranches
from lion_broker.session.session import Session
from lion_broker.worker.forgetting import forget_pool_steps

__all__ = ["Brief", "Kill", "Result", "place", "research"]

READERS: Final = 3
_LOOK_SECONDS: Final = 0.05
_SETTLE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Brief:
    """What a desk is to do, and how: `corpus` is a directory, or empty for the Python language reference.

    `pace` is how many seconds a reader takes for each call of a tool, `lease` how many a worker owns a branch without
    renewing, `timeout` how many the whole may take.
    """

    question: str
    corpus: str = ""
    workers: int = 3
    kill_one: bool = False
    keep: bool = False
    pace: float = 0.05
    lease: float = 2.0
    timeout: float = 120.0


@dataclass(slots=True)
class Kill:
    """A worker that was killed, the branch whose mail it had in hand, and who had done that how many seconds later."""

    worker: str
    branch: str
    at: float
    successor: str = ""
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """The report, and how its mail fared; `fidelity` is the share of quotes that stand in the corpus word for word."""

    report: str
    session: str
    audit: Audit
    redelivered: int
    quotes: int
    fidelity: float
    seconds: float
    kills: tuple[Kill, ...]
    kept: bool
    tokens: Tokens = field(default_factory=Tokens)

    @property
    def kept_its_promise(self) -> bool:
        """Whether no mail was lost or applied twice, and every quote is one."""
        return self.audit.lost == self.audit.duplicates == 0 and self.fidelity == 1.0

    def summary(self) -> dict[str, Any]:
        """Return the figures and the report as plain values."""
        return {
            "mails": self.audit.mails,
            "redelivered": self.redelivered,
            "lost": self.audit.lost,
            "duplicates": self.audit.duplicates,
            "quote_fidelity": self.fidelity,
            "seconds": round(self.seconds, 2),
            "workers_killed": len(self.kills),
            "report": self.report,
        }


def research(
    brief: Brief,
    corpus: Corpus,
    exchange: Exchange,
    environ: Mapping[str, str],
    watch: Callable[[Picture], None] | None = None,
) -> Result:
    """Have a desk of its own write a report: start workers, ask, wait, count, and remove everything but the report.

    With `brief.keep` the session stays, and what happened to its mail; its workers leave the register in any case.
    `corpus` is what `brief.corpus` names, `environ` the environment of the workers, which names the same exchange;
    `watch` is shown the desk at work some times a second. Blocks. Raises RoundTimeout after `brief.timeout`,
    BrokerError when all workers are gone or a mail could not be applied.
    """
    started = time.monotonic()
    with Session(name="research desk", exchange=exchange, delivery="auto") as session:
        pool = f"desk-{session.id[-12:]}"
        options = {"--app": APP, "--pool": pool, "--concurrency": 1, "--lease": brief.lease, "--grace": 5}
        arguments = [str(part) for option in options.items() for part in option]
        try:
            with Crew(brief.workers, arguments, {**environ, CORPUS: brief.corpus}) as crew:
                desk = _Desk(session, crew, brief, corpus, watch, started)
                return desk.work(pool)
        finally:
            if not brief.keep:
                session.delete()
            # Nobody is to look for a worker that was killed for show.
            run(exchange, forget_pool_steps(pool))


def place(session: Session, pool: str, pace: float) -> None:
    """Create the desk's branches on the workers of a pool; blocks."""
    readers = [roles.reader_name(number) for number in range(1, READERS + 1)]
    for name in (roles.PLANNER, *readers, roles.CRITIC, roles.WRITER):
        role = name.partition("-")[0]
        session.new_branch(
            name=name,
            pool=pool,
            behaviour=role,
            system=roles.SYSTEM[role],
            tools=["search", "open_passage"] if role == roles.PLANNER else None,
            metadata={"readers": READERS, "pace": pace},
        )


class _Desk:
    """One desk at work: what it knows of its branches, and whether it has killed a worker yet."""

    def __init__(
        self,
        session: Session,
        crew: Crew,
        brief: Brief,
        corpus: Corpus,
        watch: Callable[[Picture], None] | None,
        started: float,
    ) -> None:
        self._session = session
        self._crew = crew
        self._brief = brief
        self._corpus = corpus
        self._watch = watch
        self._picture = Picture(self._worker_of, self._latest_of, started)
        self._coordinator: Branch = session.default_branch
        self._kills: list[Kill] = []

    def work(self, pool: str) -> Result:
        """Place the branches, ask, wait for the report and count."""
        place(self._session, pool, self._brief.pace)
        question = order(self._brief.question, Kind.QUESTION)
        self._coordinator.send(roles.PLANNER, "message", question)
        report = self._wait()
        seconds = self._picture.seconds
        self._session.wait_idle(_SETTLE_SECONDS)
        quotes = [Quote.from_dict(quote) for quote in report["quotes"]]
        genuine = sum(verify(quote, self._corpus) for quote in quotes)
        return Result(
            report=report["markdown"],
            session=str(self._session.id),
            audit=audit(self._session.exchange, self._session.id),
            redelivered=self._session.counters()["redelivered"],
            quotes=len(quotes),
            fidelity=genuine / len(quotes) if quotes else 1.0,
            seconds=seconds,
            kills=tuple(self._kills),
            kept=self._brief.keep,
            tokens=Tokens(**report["tokens"]),
        )

    def _wait(self) -> dict[str, Any]:
        """Return the values of the report mail."""
        deadline = time.monotonic() + self._brief.timeout
        tail = self._session.events(timeout=_LOOK_SECONDS)
        while time.monotonic() < deadline:
            records = list(self._session.exchange.call(ReadBranches(self._session.id)))
            self._picture.place(records)
            if self._brief.kill_one and not self._kills:
                self._kill_one(records)
            for event in tail:
                self._take_note(event)
            if self._watch is not None:
                self._watch(self._picture)
            self._coordinator.receive_all()
            for _, report in said(self._coordinator, Kind.REPORT):
                return report
            self._crew.check()
        raise RoundTimeout(
            f"The desk has not finished in {self._brief.timeout:g} s. Give it more with --timeout, or more --workers."
        )

    def _take_note(self, event: Occurrence) -> None:
        if event.kind == "dead":
            letter = self._session.dead_letters[0]
            name = self._session.branches[letter.branch].name
            raise BrokerError(f"A mail to {name} could not be applied ({letter.reason}): {letter.detail}")
        self._picture.note(event)
        for kill in self._kills:
            row = self._picture.rows.get(event.fields.get("branch", ""))
            if row is not None and row.name == kill.branch and event.kind == "turn" and not kill.successor:
                kill.successor = self._worker_of(event.fields["owner"])
                kill.after = self._picture.seconds - kill.at

    def _kill_one(self, records: list[BranchRecord]) -> None:
        """Kill the worker of a reader that has a mail in hand, if there is one at this moment."""
        for record in records:
            number = self._crew.number_of(record.owner)
            reads = record.seed.behaviour == "reader" and record.leased and record.waiting
            if number and reads and self._crew.kill(number, partial(self._is_held, record)):
                self._kills.append(Kill(f"worker {number}", record.seed.name, self._picture.seconds))
                self._picture.say(f"worker {number} is killed (kill -9) while {record.seed.name} reads")
                return

    def _is_held(self, before: BranchRecord) -> bool:
        """Whether the mail that a branch had in hand is still not committed, and with the same worker."""
        (now,) = self._session.exchange.call(ReadBranches(self._session.id, ids=(before.id,)))
        return now.leased and now.waiting > 0 and (now.owner, now.version) == (before.owner, before.version)

    def _worker_of(self, owner: str) -> str:
        number = self._crew.number_of(owner)
        return f"worker {number}" if number else ""

    def _latest_of(self, branch: str) -> str:
        logs = self._session.branches[branch].logs
        return str(logs[-1]) if self._watch is not None and logs else ""
