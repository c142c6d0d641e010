"""The one seam: what carries mail between branches.

An exchange answers the verbs of `lion_broker.mail.verbs`. What it promises, whoever implements it:

- A verb takes effect whole or not at all, and a repeated verb takes effect once.
- Mail that `Post` or `Commit` has accepted is applied, set aside, or kept as a dead letter; it is never dropped. How
  much of that survives a crash of the machine is the exchange's durability profile.
- Each mail takes effect at most once on its recipient's log: the commit compares cursor and version.
- Mail of one sender to one recipient is handed out in the order in which it was sent.
- A branch has at most one owner whose commits are accepted: the bearer of the newest token.

Programs that need several verbs are written once, as generators that yield verbs (`Steps`), and run by `run` or `arun`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final, TypeVar

from anyio.lowlevel import checkpoint

from .verbs import Verb

__all__ = ["PAUSE", "Exchange", "Heard", "Steps", "VerbPipeline", "arun", "ask", "ask_all", "run", "together"]

A = TypeVar("A")
T = TypeVar("T")

Steps = Generator[Sequence[Verb[Any]], list[Any], T]
"""A program over an exchange: yields verbs that may go together, is sent their answers, returns a T."""

Heard = Callable[[], Awaitable[None]]
"""What somebody does who hears that an answer has come."""

PAUSE: Final[Sequence[Verb[Any]]] = ()
"""What a program yields that asks nothing, but has worked for a while: in an event loop others have their turn then."""


class Exchange(ABC):
    """What carries mail; see the promises at the top of this module."""

    url: str
    """Where it is, without secrets."""

    profile: str
    """What an accepted mail survives: `memory` (nothing), `dev`, `durable`, `ha` …, as far as it is known by now."""

    @abstractmethod
    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs in order, in one round trip where possible, and return their answers.

        Blocks. Raises BrokerUnavailable when no server answers within the patience of the exchange; then each verb has
        taken effect or not, and asking again is safe.
        """

    @abstractmethod
    async def acall_all(self, verbs: Sequence[Verb[Any]], /, *, heard: Heard | None = None) -> list[Any]:
        """Do the same without blocking the event loop.

        `heard` is awaited when the answers have come, if it can be before they are read: reading many mails takes a
        while, in which the next verb may be on its way. It is left out where there are difficulties.
        """

    def call(self, verb: Verb[A], /) -> A:
        """Do one verb and return its answer; blocks."""
        answer: A = self.call_all((verb,))[0]
        return answer

    async def acall(self, verb: Verb[A], /, *, heard: Heard | None = None) -> A:
        """Do one verb and return its answer; `heard` as for `acall_all`."""
        answer: A = (await self.acall_all((verb,), heard=heard))[0]
        return answer

    def pipeline(self) -> VerbPipeline:
        """Return a VerbPipeline, which asks for verbs in order without waiting for each answer; close it when done."""
        return VerbPipeline(self)

    async def ainspect(self) -> str:
        """Look again at what an accepted mail survives, log what has changed, and return the profile.

        Raises ServerUnsafe when mail may be lost from now on, BrokerUnavailable. By itself an exchange does not change.
        """
        return self.profile

    def mailbox(self, session: str, branch: str) -> str:
        """Return the key of a branch's mailbox, as spans name it."""
        return f"lion:{session}:{branch}:mailbox"

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; what was accepted stays. May be called twice."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of connections that belong to the running event loop, and of the others. May be called twice."""

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url}, profile={self.profile})"


class VerbPipeline:
    """Verbs that are done in order while whoever asks for them goes on, and answers that are taken up later.

    This one does each as it is asked for; an exchange that has somebody to wait for brings one that does not. Not for
    several threads at once.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._answered: list[Any] = []

    def begin(self, verb: Verb[Any], /) -> None:
        """Ask for a verb behind those before; blocks until it is on its way. Raises BrokerUnavailable."""
        self._answered.append(self._exchange.call(verb))

    def answers(self, most: int = 0) -> list[Any]:
        """Return the answers that have come since the last time, in order; blocks until at most `most` are missing.

        Raises BrokerUnavailable when they do not come: then each verb has taken effect or not, and may be asked again.
        """
        answered, self._answered = self._answered, []
        return answered

    def close(self) -> None:
        """Let go of what it holds; answers that are missing never come. May be called twice."""


def ask(verb: Verb[A], /) -> Steps[A]:
    """Yield one verb from within a program; `answer = yield from ask(verb)`."""
    answers = yield (verb,)
    answer: A = answers[0]
    return answer


def ask_all(verbs: Sequence[Verb[A]], /) -> Steps[list[A]]:
    """Yield several verbs that may share a round trip; their answers in order."""
    return (yield verbs) if verbs else []


def together(programs: Sequence[Steps[T]], /) -> Steps[list[T]]:
    """Run programs side by side so that what they ask at the same time shares a round trip; their results in order.

    When one raises, the others are closed and the error is raised.
    """
    results: list[Any] = [None] * len(programs)
    asked: dict[int, Sequence[Verb[Any]]] = {}
    try:
        for place, program in enumerate(programs):
            _advance(program, None, place, asked, results)
        while asked:
            going, asked = asked, {}
            answers = yield [verb for verbs in going.values() for verb in verbs]
            at = 0
            for place, verbs in going.items():
                part, at = answers[at : at + len(verbs)], at + len(verbs)
                _advance(programs[place], part, place, asked, results)
    finally:
        for program in programs:
            program.close()
    return results


def _advance(
    program: Steps[Any],
    answers: list[Any] | None,
    place: int,
    asked: dict[int, Sequence[Verb[Any]]],
    results: list[Any],
) -> None:
    try:
        asked[place] = next(program) if answers is None else program.send(answers)
    except StopIteration as end:
        results[place] = end.value


Lock = AbstractContextManager[Any]
_FREE: Lock = nullcontext()


def run(exchange: Exchange | None, steps: Steps[T], /, lock: Lock = _FREE) -> T:
    """Run a program to its end, blocking; without an exchange only a program that asks nothing.

    With a `lock` programs of several threads take turns between what they ask, as tasks of an event loop do.
    """
    try:
        with lock:
            verbs = next(steps)
        while True:
            if exchange is None:
                raise RuntimeError("This program needs an exchange.")
            try:
                answers = exchange.call_all(verbs) if verbs else []
            except Exception as error:
                with lock:
                    verbs = steps.throw(error)
            else:
                with lock:
                    verbs = steps.send(answers)
    except StopIteration as end:
        result: T = end.value
        return result


async def _pause() -> list[Any]:
    await checkpoint()
    return []


async def arun(exchange: Exchange | None, steps: Steps[T], /, lock: Lock = _FREE) -> T:
    """Run a program to its end without blocking the event loop; see `run`."""
    try:
        with lock:
            verbs = next(steps)
        while True:
            if exchange is None:
                raise RuntimeError("This program needs an exchange.")
            try:
                answers = await exchange.acall_all(verbs) if verbs else await _pause()
            except Exception as error:
                with lock:
                    verbs = steps.throw(error)
            else:
                with lock:
                    verbs = steps.send(answers)
    except StopIteration as end:
        result: T = end.value
        return result
