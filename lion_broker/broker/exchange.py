"""The Exchange over Redis streams: verbs become commands, commands go over a line, replies become answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import anyio
from redis.exceptions import RedisError, ResponseError

from lion_broker.mail.checks import check
from lion_broker.mail.exchange import Convoy, Exchange, Heard
from lion_broker.mail.verbs import ReadReady, Verb

from . import patience
from .async_line import AsyncLine
from .blobs import fetch, missing, put, with_bodies
from .checkup.facts import QUESTIONS, read_facts
from .checkup.inspection import Inspection
from .checkup.profile import Profile
from .codec import Codec
from .connection import SyncLine, is_passing, without_secrets
from .convoy import LineConvoy
from .copies import Copies
from .errand import PROMISING, Asked, Errand, answer_of, request_of, simple_request
from .keys import Keys
from .library import PROTOCOL, library
from .opening import KEY_ADVICE, insist_on_functions, partitions_of
from .outage import outage_of
from .reads import create_group
from .requests import Argument, Command, Later, Request, are_many_mails, never
from .road import Road, call
from .signing import UNSIGNED, Signer

__all__ = ["RedisExchange"]

_MENDED: Final = 3
"""How often what is missing is made: a pool that nobody has read yet may be forgotten again before it is read."""

T = TypeVar("T")
Verbs = Sequence[Verb[Any]]


class RedisExchange(Exchange):
    """Carries mail over Redis 7.0 or Valkey 7.2 and later.

    `secret` signs the mail, `None` leaves it unsigned; `previous` are older secrets that are still accepted.
    A namespace remembers which keys sign in it: whoever lacks the newest is refused with SigningKeyUnknown before the
    first verb does anything. `begins_signing` lets a secret into a namespace that was unsigned so far.
    The server is inspected before the first verb, for one round trip: `profile` is `assumed` until then, and a server
    that is too old or may lose mail is refused with ServerUnsafe, or with `unsafe` warned of. `replicas` is how many
    replicas must have what a verb has written before it is answered.
    `patience` is how many seconds a verb is repeated, with growing pauses, while no server answers; one that is silent
    costs as many, and two more. Opens no connection before the first verb. Safe to use from several threads and event
    loops.
    """

    def __init__(
        self,
        url: str,
        secret: bytes | None,
        *,
        previous: Sequence[bytes] = (),
        begins_signing: bool = False,
        namespace: str = "default",
        partitions: int = 1,
        assumed: Profile = Profile.UNVERIFIED,
        unsafe: bool = False,
        replicas: int = 0,
        patience: float = 5.0,
    ) -> None:
        self.url = without_secrets(url)
        self.profile = assumed
        self.namespace = namespace
        secrets = () if secret is None else (secret, *previous)
        self._full_url = url
        self._patience = patience
        self._codec = Codec(Signer(*secrets, namespace=namespace))
        self._begins_signing = begins_signing
        self._wanted_partitions = partitions
        self._outage = outage_of(self.url)
        self._inspection = Inspection(self.url, assumed, replicas, unsafe)
        self._replicas = replicas
        self._road: Road | None = None
        self._sync: SyncLine | None = None
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncLine] = WeakKeyDictionary()

    def call_all(self, verbs: Verbs, /) -> list[Any]:
        """Do the verbs in order and return their answers; see `Exchange`."""
        if (request := self._simple(verbs)) is not None:
            return self._ask_now(verbs, request)
        deadline = self._deadline(verbs)
        return self._drive(self._errand(verbs, deadline), deadline)

    async def acall_all(self, verbs: Verbs, /, *, heard: Heard | None = None) -> list[Any]:
        """Do the same without blocking the event loop."""
        line = self._lines.get(asyncio.get_running_loop())
        if line is not None and (request := self._simple(verbs)) is not None:
            return await self._ask_once(line, verbs, request, heard)
        deadline = self._deadline(verbs)
        answers = await self._adrive(self._errand(verbs, deadline), deadline)
        if heard is not None:
            await heard()
        return answers

    async def ainspect(self) -> str:
        """Look again at what the server promises; see `Exchange`."""
        deadline = self._deadline(())
        await self._adrive(self._patiently(self._inspect, deadline), deadline)
        return self.profile

    def mailbox(self, session: str, branch: str) -> str:
        """Return the key of a branch's mailbox; before the first verb as if the namespace had one partition."""
        keys = self._road.keys if self._road is not None else Keys(self.namespace)
        return keys.mailbox(session, branch)

    def revive(self) -> None:
        """Do what can be done from here to bring a server back that does not answer: nothing, unless it is ours."""

    def close(self) -> None:
        """Close the connections of ordinary code, and of event loops that do not run now.

        Those of a running loop are closed by `aclose` in it, at the latest when it ends.
        """
        if self._sync is not None:
            self._sync.close()
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # none runs in this thread, so another one can
            for loop, line in list(self._lines.items()):
                if not loop.is_running() and not loop.is_closed():
                    loop.run_until_complete(line.aclose())

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and the others."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.aclose()
        self.close()

    def convoy(self) -> Convoy:
        """Return a way to ask for verbs that does not wait for each answer; see `Exchange`."""
        seconds = self._patience + patience.SLACK
        return LineConvoy(self, lambda: self._sync_line().lane(), self._simple, self._read, seconds)

    def _sync_line(self) -> SyncLine:
        line = self._sync = self._sync or SyncLine(self._full_url, self._patience + patience.SLACK)
        return line

    def _drive(self, errand: Errand[T], deadline: float) -> T:
        line = self._sync_line()
        try:
            step = next(errand)
            while True:
                if isinstance(step, float):
                    time.sleep(step)
                    step = next(errand)
                    continue
                try:
                    copies = self._copies(step, deadline)
                    replies = line.call(step.commands, patience.left_of(deadline), copies=copies, then=step.then or ())
                except Exception as error:
                    step = errand.throw(error)
                else:
                    step = errand.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _adrive(self, errand: Errand[T], deadline: float) -> T:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            for ended in [one for one in self._lines if one.is_closed()]:
                del self._lines[ended]
            line = self._lines[loop] = AsyncLine(self._full_url, self._patience + patience.SLACK)
        try:
            step = next(errand)
            while True:
                if isinstance(step, float):
                    await anyio.sleep(step)
                    step = next(errand)
                    continue
                copies = self._copies(step, deadline)
                try:
                    replies = await line.call(
                        step.commands, patience.left_of(deadline), held=step.wait_ms > 0, copies=copies, then=step.then
                    )
                except Exception as error:
                    step = errand.throw(error)
                else:
                    step = errand.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result

    def _simple(self, verbs: Verbs) -> Request | None:
        """Return one request for verbs whose first replies are all that there is to them, as a rule, else None."""
        if self._road is None or self._replicas or self._outage.goes_on:
            return None
        return simple_request(self._road, verbs)

    def _ask_now(self, verbs: Verbs, request: Request) -> list[Any]:
        """Do a few verbs on the shortest way; where it does not end there, the same go the way of all others."""
        seconds = request.wait_ms / 1000 + self._patience
        deadline = time.monotonic() + seconds
        try:
            replies: Any = self._sync_line().call(request.commands, seconds + patience.SLACK)
        except (RedisError, OSError) as error:
            replies = error
        done = self._concluded(verbs, request, replies, deadline)
        del replies  # an error and what it was raised in are not to hold each other
        return done if isinstance(done, list) else self._drive(done, deadline)

    async def _ask_once(self, line: AsyncLine, verbs: Verbs, request: Request, heard: Heard | None) -> list[Any]:
        """Do the same without blocking the event loop."""
        seconds = request.wait_ms / 1000 + self._patience
        deadline = time.monotonic() + seconds
        try:
            replies: Any = await line.call(request.commands, seconds + patience.SLACK, held=request.wait_ms > 0)
            if heard is not None:
                await heard()
        except (RedisError, OSError) as error:
            replies = error
        done = self._concluded(verbs, request, replies, deadline)
        del replies
        return done if isinstance(done, list) else await self._adrive(done, deadline)

    def _concluded(
        self, verbs: Verbs, request: Request, replies: Any, deadline: float
    ) -> list[Any] | Errand[list[Any]]:
        """Return the answers that replies are, or where these are an error or not all, what brings them."""
        if isinstance(replies, Exception):
            return self._patiently(partial(self._attempt, verbs), deadline, replies)
        if [reply for reply in replies if isinstance(reply, ResponseError)]:
            return self._patiently(partial(self._attempt, verbs), deadline)
        read = self._read(request, replies)
        answers: list[Any] = read if verbs[1:] else [read]
        if not missing(verbs, answers):
            return answers
        return self._patiently(partial(self._with_blobs, verbs, answers), deadline)

    def _copies(self, step: Asked, deadline: float) -> Copies | None:
        """How many replicas a step waits for, as long as there is patience and at least as long as a short answer."""
        if not (self._replicas and step.promises):
            return None
        left = max(deadline - time.monotonic(), patience.SLACK / 2)
        return Copies(self._replicas, int(left * 1000))

    def _deadline(self, verbs: Verbs) -> float:
        """When the patience with a server that does not answer ends; what it may hold an answer for is added."""
        held_ms = max((getattr(verb, "wait_ms", 0) for verb in verbs), default=0)
        return time.monotonic() + held_ms / 1000 + self._patience

    def _errand(self, verbs: Verbs, deadline: float) -> Errand[list[Any]]:
        """Do the verbs, and repeat them while no server answers."""
        for verb in verbs:
            check(verb)
        self._outage.check(self._patience)
        return self._patiently(partial(self._attempt, verbs), deadline)

    def _patiently(
        self, attempt: Callable[[], Errand[T]], deadline: float, failed: Exception | None = None
    ) -> Errand[T]:
        """Attempt something; while no server answers, again until the patience is used up.

        The first attempt may have `failed` already.
        """
        pauses = patience.pauses_until(deadline)
        while True:
            try:
                if failed is not None:
                    raise failed
                done = yield from attempt()
                self._outage.ends()
                return done
            except (RedisError, OSError) as error:
                failed = None
                passing = is_passing(error)
                if passing:
                    self._outage.disturbs(error, self._full_url)
                pause = next(pauses, None) if passing else None
                if pause is None:
                    raise self._outage.found(error, self._full_url, self._patience) from error
            yield pause
            self.revive()

    def _attempt(self, verbs: Verbs) -> Errand[list[Any]]:
        road = self._road or (yield from self._open_namespace())
        if not verbs:
            # Nothing is asked but whether the namespace is open to us.
            return []
        now = 1 if are_many_mails(verbs) else len(verbs)
        requests = [request_of(road, verb) for verb in verbs[:now]]
        later = Later(partial(request_of, road), verbs[now:]) if now < len(verbs) else None
        # Blobs go first: a mail that names one is accepted only when it is there.
        blobs = put(road, verbs)
        commands = (*blobs, *(command for request in requests for command in request.commands))
        wait_ms = max(request.wait_ms for request in requests)
        replies = yield from self._send(road, verbs, commands, wait_ms, later)
        answers = []
        requests += later.requests if later is not None else []
        at = len(blobs)
        for request in requests:
            part = replies[at : at + len(request.commands)]
            at += len(request.commands)
            answers.append(self._read(request, part))
            if request.again is not never:
                yield from self._finish(road, verbs, request, part)
        return (yield from self._with_blobs(verbs, answers)) if missing(verbs, answers) else answers

    def _with_blobs(self, verbs: Verbs, answers: list[Any]) -> Errand[list[Any]]:
        """Return answers with the bodies of their mails that travel as blobs."""
        road = self._road or (yield from self._open_namespace())
        wanted = missing(verbs, answers)
        found = yield from self._send(road, verbs, fetch(road, wanted), 0)
        bodies = dict(zip(wanted, found, strict=True))
        return [with_bodies(answer, bodies) for answer in answers]

    def _read(self, request: Request, replies: Sequence[Any]) -> Any:
        return answer_of(request, replies, self.url)

    def _finish(self, road: Road, verbs: Verbs, request: Request, replies: Sequence[Any]) -> Errand[None]:
        while request.again(replies):
            replies = yield from self._send(road, verbs, request.commands, request.wait_ms)

    def _send(
        self,
        road: Road,
        verbs: Verbs,
        commands: tuple[Command, ...],
        wait_ms: int,
        then: Later | None = None,
    ) -> Errand[list[Any]]:
        """Send commands; where the server lacks the functions or a pool's group, make them and send again."""
        promises = bool(self._replicas) and any(type(verb) in PROMISING for verb in verbs)
        asked = Asked(commands, wait_ms, promises, then)
        replies = yield asked
        for _ in range(_MENDED):
            errors = [str(reply) for reply in replies if isinstance(reply, ResponseError)]
            no_functions = any("Function not found" in text for text in errors)
            no_group = any(text.startswith("NOGROUP") for text in errors)
            if not (no_functions or no_group):
                break
            if no_functions:
                yield from self._load()
            if no_group:
                pools = {verb.pool for verb in verbs if isinstance(verb, ReadReady)}
                yield from self._send(road, (), tuple(one for pool in pools for one in create_group(road, pool)), 0)
            replies = yield asked
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def _load(self) -> Errand[None]:
        (reply,) = yield Asked((("FUNCTION", "LOAD", "REPLACE", library().source),))
        insist_on_functions(reply, self.url)

    def _inspect(self) -> Errand[None]:
        """Ask the server what it promises; what is new is kept in the namespace, if it is open, for others to see."""
        facts = read_facts((yield Asked(QUESTIONS)))
        try:
            news = self._inspection.take(facts)
        finally:
            self.profile = self._inspection.profile
        if news and self._road is not None:
            yield from self._note(self._road)

    def _note(self, road: Road) -> Errand[None]:
        if self.profile != Profile.UNVERIFIED:
            # Only a note: a server that takes no writes now, or not from this user, is no reason to stop.
            yield Asked((("HSET", road.keys.meta(), "profile", self.profile),))

    def _open_namespace(self) -> Errand[Road]:
        yield from self._inspect()
        keys, signer = Keys(self.namespace), self._codec.signer
        accepted = (*signer.key_ids, UNSIGNED) if self._begins_signing else signer.key_ids
        named: tuple[Argument, ...] = (signer.key_id, len(accepted), *accepted)
        command = call("open_namespace", [keys.meta()], PROTOCOL, self._wanted_partitions, *named)
        replies = yield from self._send(Road(keys, self._codec), (), (command,), 0)
        where = f"namespace {self.namespace!r} at {self.url}"
        partitions = partitions_of(replies[0], where, signer, accepted, self._key_advice())
        self._road = Road(Keys(self.namespace, partitions), self._codec)
        yield from self._note(self._road)
        return self._road

    def _key_advice(self) -> str:
        return KEY_ADVICE

    def __repr__(self) -> str:
        unsigned = "" if self._codec.signer.signs else ", UNSIGNED"
        return f"{type(self).__name__}({self.url}, profile={self.profile}{unsigned})"
