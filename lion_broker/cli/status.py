"""`status`: what a deployment does now, once or on and on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import BrokerUnavailable, ConfigError

from .age import seconds_of
from .exits import Code
from .options import AsJson, Namespace, Url, exchange_at
from .printing import ago, cell, print_json, room_of_terminal
from .running import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from lion_broker.insight.overview import Overview
    from lion_broker.mail.exchange import Exchange

    from .status_report import StatusReport

__all__ = ["Alarms", "status"]

_BUSIEST = 10


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="The time between two looks of --watch.")
    ] = 1.0,
    fail_if_waiting: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="End with 8 when a branch has waited so long for a worker: 60s, 5m."),
    ] = None,
    fail_if_dead: Annotated[
        bool, typer.Option("--fail-if-dead", help="End with 8 when there are dead letters.")
    ] = False,
    fail_if_lost: Annotated[
        bool,
        typer.Option(
            "--fail-if-lost", help="End with 8 when a worker was lost within the last ten minutes; `forget` ends it."
        ),
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show what a deployment does: workers, pools with what waits, mail in numbers, the sessions with most to do.

    With --watch it is a live screen with rates; where stdout is no terminal, lines of text for each look. A server
    that stops answering is waited for. Ctrl-C and SIGTERM end it with 0. With --json, stdout gets one object, or one
    a line for each look. With --fail-if-… it looks once, says on stderr what is the case of them, and ends with 8; a
    cron job or a probe needs no more. Example: lion-broker status --fail-if-waiting 60s --fail-if-dead
    """
    from lion_broker.config import Settings

    alarms = Alarms(None if fail_if_waiting is None else seconds_of(fail_if_waiting), fail_if_dead, fail_if_lost)
    if watch and alarms.any:
        raise ConfigError("--watch looks on and on and ends with 0: leave it out with --fail-if-….")
    used = Settings.load(url=url, namespace=namespace).namespace
    with exchange_at(url, namespace) as exchange:
        if not watch:
            seen = _look(exchange, used, None)
            _show(seen, as_json)
            told = list(alarms.of(seen.seen))
            for text in told:
                typer.echo(f"Alarm: {text}", err=True)
            if told:
                raise typer.Exit(Code.ALARM)
            return
        with ended_by_signals():
            _watch(exchange, used, interval, as_json)


@dataclass(frozen=True, slots=True)
class Alarms:
    """What is not to be the case; the seconds that work may wait, None for any time."""

    waiting: float | None = None
    dead: bool = False
    lost: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is looked for."""
        return self.waiting is not None or self.dead or self.lost

    def of(self, seen: Overview) -> Iterator[str]:
        """Yield what is the case, a sentence each."""
        from lion_broker.insight.overview import LOST

        if self.waiting is not None:
            for pool in seen.pools:
                if pool.ready and pool.oldest_seconds >= self.waiting:
                    oldest = ago(pool.oldest_seconds)
                    yield f"{counted(pool.ready, 'branch')} of the pool {pool.pool} waiting, the oldest for {oldest}."
        if self.dead and seen.dead:
            yield f"{counted(seen.dead, 'dead letter')}: `lion-broker dead ls` lists them."
        lost = [cell(worker.owner) for worker in seen.workers if worker.state == LOST]
        if self.lost and lost:
            yield f"{counted(len(lost), 'worker')} lost: {', '.join(lost)}; `lion-broker forget --all` ends this alarm."


def _look(exchange: Exchange, namespace: str, before: Overview | None) -> StatusReport:
    from lion_broker.insight.limits import limits_steps
    from lion_broker.insight.overview import overview_steps, rates
    from lion_broker.insight.unreceived import unreceived_steps
    from lion_broker.mail.exchange import run
    from lion_broker.mail.verbs import ReadSession

    from .status_report import StatusReport

    seen = run(exchange, unreceived_steps(run(exchange, overview_steps())))
    busiest = seen.busiest(_BUSIEST)
    records = exchange.call_all([ReadSession(tally.session) for tally in busiest]) if busiest else []
    names = {record.id: record.fields.get("name", "") for record in records if record is not None}
    speed = rates(before, seen) if before else None
    return StatusReport(
        exchange.url, exchange.profile, namespace, seen, speed, busiest, names, run(exchange, limits_steps())
    )


def _show(sight: StatusReport, as_json: bool) -> None:
    if as_json:
        print_json(sight.plain())
    else:
        typer.echo(sight.text(room_of_terminal()))


def _watch(exchange: Exchange, namespace: str, interval: float, as_json: bool) -> None:
    """Look until a signal; a server that did not answer at all is an error, one that stops answering is waited for."""
    before: StatusReport | None = None
    with _screen(as_json) as draw:
        while True:
            began = time.monotonic()
            try:
                before = _look(exchange, namespace, before.seen if before else None)
                draw(before, "")
            except BrokerUnavailable as error:
                if before is None:
                    raise
                draw(before, str(error))
            time.sleep(max(0.0, interval - (time.monotonic() - began)))


@contextmanager
def _screen(as_json: bool) -> Iterator[Callable[[StatusReport, str], None]]:
    """Yield what shows a look, or that there is none: as a line of JSON, as text, or on a screen of its own."""
    if as_json:
        yield _as_line
    elif not sys.stdout.isatty():
        yield _as_text
    else:
        from .screen import screen

        with screen() as draw:
            yield draw


def _as_line(sight: StatusReport, trouble: str) -> None:
    told: dict[str, Any] = {"error": "BrokerUnavailable", "message": trouble} if trouble else sight.plain()
    print_json(told)


def _as_text(sight: StatusReport, trouble: str) -> None:
    typer.echo(f"{trouble} Looking again." if trouble else sight.text())
    typer.echo()
