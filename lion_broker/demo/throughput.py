"""A figure for the server that is configured: how many mails one worker process takes in a second, and what they cost.

The branches do nothing with their mail, so that what is seen is the road and not the work. Processor time is asked of
the processes themselves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lion_broker.branch.branch import Branch
from lion_broker.branch.registry import Registry
from lion_broker.core.numbers import counted
from lion_broker.core.progress import progress
from lion_broker.errors import RoundTimeout
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.mail import Mail
from lion_broker.session.remote import RemoteBranch
from lion_broker.session.session import Session

from .crew import Crew

__all__ = ["POOL", "Figure", "measure", "registry"]

POOL: Final = "lion-broker-bench"
_WARM: Final = 200
"""Mails before the clock runs: the first ones find nothing warm."""
_LOOK_SECONDS: Final = 1.0
_PIECE: Final = 100

registry = Registry()


@registry.behaviour("grind", record=False)
async def take(branch: Branch, mail: Mail) -> None:
    """Do nothing: what is measured is the way here."""


@registry.behaviour("weigh", record=False)
async def weigh(branch: Branch, mail: Mail) -> None:
    """Answer with the seconds of processor time that this process has used so far."""
    branch.send(mail.sender, "message", repr(time.process_time()))


@dataclass(frozen=True, slots=True)
class Figure:
    """What a run has shown; processor time is in microseconds a mail."""

    exchange: str
    profile: str
    mails: int
    branches: int
    bytes: int
    post_seconds: float
    seconds: float
    mails_per_second: float
    sender_cpu_us: float
    worker_cpu_us: float


def measure(
    exchange: Exchange, environ: Mapping[str, str], mails: int, branches: int, size: int, timeout: float
) -> Figure:
    """Send mails to branches on one worker process, and see how long they take; removes what it made. Blocks.

    `environ` is the worker's environment, `size` the length of a mail's text, `timeout` in seconds for each wait.
    Raises RoundTimeout, and BrokerError when the worker ends.
    """
    session = Session(name="bench", exchange=exchange, delivery="auto")
    words = ["--app", f"{__name__}:registry", "--pool", POOL]
    try:
        with Crew(1, words, dict(environ)) as crew:
            return _measured(session, crew, mails, branches, size, timeout)
    finally:
        session.delete()


def _measured(session: Session, crew: Crew, mails: int, branches: int, size: int, timeout: float) -> Figure:
    homes = [session.new_branch(pool=POOL, behaviour="grind") for _ in range(branches)]
    scales = session.new_branch(pool=POOL, behaviour="weigh")
    text = "x" * size
    _send(session, homes, text, _WARM)
    _await_worker(session, crew, timeout)
    before = _cpu(session, scales, timeout)
    own, began = time.process_time(), time.monotonic()
    _send(session, homes, text, mails)
    sent, posted = time.process_time() - own, time.monotonic() - began
    _await_work(session, crew, mails, timeout)
    seconds = time.monotonic() - began
    used = _cpu(session, scales, timeout) - before
    return Figure(
        exchange=session.exchange.url,
        profile=session.exchange.profile,
        mails=mails,
        branches=branches,
        bytes=size,
        post_seconds=round(posted, 6),
        seconds=round(seconds, 6),
        mails_per_second=round(mails / seconds, 1),
        sender_cpu_us=round(sent / mails * 1e6, 1),
        worker_cpu_us=round(used / mails * 1e6, 1),
    )


def _send(session: Session, homes: Sequence[RemoteBranch], text: str, mails: int) -> None:
    me = session.default_branch
    with session.batch(), progress("sending", mails) as step:
        for first in range(0, mails, _PIECE):
            piece = range(first, min(mails, first + _PIECE))
            for number in piece:
                me.send(homes[number % len(homes)], "message", text)
            step(len(piece))


def _cpu(session: Session, scales: RemoteBranch, timeout: float) -> float:
    """Ask the worker what processor time it has used."""
    me = session.default_branch
    me.send(scales, "message", "now")
    session.wait_idle(timeout)
    me.receive_all()
    return float(me.messages[-1].text)


def _await_work(session: Session, crew: Crew, mails: int, timeout: float) -> None:
    """Wait until all mails are taken, and say how many are."""
    deadline = time.monotonic() + timeout
    done = left = session.counters()["inflight"]
    with progress("working", left) as step:
        while True:
            crew.check()
            try:
                session.wait_idle(_LOOK_SECONDS)
                return
            except RoundTimeout as error:
                if time.monotonic() > deadline:
                    text = f"After {timeout:g} s {left:,} of {counted(mails, 'mail')} had not been taken"
                    raise RoundTimeout(f"{text}; --timeout gives them longer.") from error
            left = session.counters()["inflight"]
            step(done - left)
            done = left


def _await_worker(session: Session, crew: Crew, timeout: float) -> None:
    """Wait until the first mails are taken; a worker that ends instead says why."""
    deadline = time.monotonic() + timeout
    while True:
        crew.check()
        try:
            session.wait_idle(_LOOK_SECONDS)
            return
        except RoundTimeout:
            if time.monotonic() > deadline:
                raise
