"""The Exchange over Redis streams: verbs become commands, commands go over a connection, replies become answers."""

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
from lion_broker.mail.exchange import Exchange, Heard, VerbPipeline
from lion_broker.mail.verbs import ReadReady, Verb

from . import backoff
from .async_client import AsyncClient
from .blobs import fetch, missing, put, with_bodies
from .checkup.facts import QUESTIONS, read_facts
from .checkup.inspection import Inspection
from .checkup.profile import Profile
from .codec import Codec
from .connection import SyncClient, is_passing, without_secrets
from .keys import Keys
from .library import PROTOCOL, library
from .namespace import OpenNamespace, call
from .opening import KEY_ADVICE, insist_on_functions, partitions_of
from .outage import outage_of
from .quorum import Quorum
from .reads import create_group
from .requests import Argument, Command, Later, Request, are_many_mails, never
from .server_steps import PROMISING, RoundTrip, ServerSteps, answer_of, request_of, simple_request
from .signing import UNSIGNED, Signer
from .verb_pipeline import ServerPipeline

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
        self._opened: OpenNamespace | None = None
        self._sync: SyncClient | None = None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()

    def call_all(self, verbs: Verbs, /) -> list[Any]:
        """Do the verbs in order and return their answers; see `Exchange`."""
        if (request := self._simple(verbs)) is not None:
            return self._ask_now(verbs, request)
        deadline = self._deadline(verbs)
        return self._drive(self._steps(verbs, deadline), deadline)

    async def acall_all(self, verbs: Verbs, /, *, heard: Heard | None = None) -> list[Any]:
        """Do the same without blocking the event loop."""
        client = self._clients.get(asyncio.get_running_loop())
        if client is not None and (request := self._simple(verbs)) is not None:
            return await self._ask_once(client, verbs, request, heard)
        deadline = self._deadline(verbs)
        answers = await self._adrive(self._steps(verbs, deadline), deadline)
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
        keys = self._opened.keys if self._opened is not None else Keys(self.namespace)
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
            for loop, client in list(self._clients.items()):
                if not loop.is_running() and not loop.is_closed():
                    loop.run_until_complete(client.aclose())

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and the others."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
        self.close()

    def pipeline(self) -> VerbPipeline:
        """Return a way to ask for verbs that does not wait for each answer; see `Exchange`."""
        seconds = self._patience + backoff.SLACK
        return ServerPipeline(self, lambda: self._sync_client().dedicated(), self._simple, self._read, seconds)

    def _sync_client(self) -> SyncClient:
        client = self._sync = self._sync or SyncClient(self._full_url, self._patience + backoff.SLACK)
        return client

    def _drive(self, steps: ServerSteps[T], deadline: float) -> T:
        client = self._sync_client()
        try:
            step = next(steps)
            while True:
                if isinstance(step, float):
                    time.sleep(step)
                    step = next(steps)
                    continue
                try:
                    quorum = self._quorum(step, deadline)
                    replies = client.call(step.commands, backoff.left_of(deadline), quorum=quorum, then=step.then or ())
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _adrive(self, steps: ServerSteps[T], deadline: float) -> T:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            for ended in [one for one in self._clients if one.is_closed()]:
                del self._clients[ended]
            client = self._clients[loop] = AsyncClient(self._full_url, self._patience + backoff.SLACK)
        try:
            step = next(steps)
            while True:
                if isinstance(step, float):
                    await anyio.sleep(step)
                    step = next(steps)
                    continue
                quorum = self._quorum(step, deadline)
                try:
                    replies = await client.call(
                        step.commands, backoff.left_of(deadline), held=step.wait_ms > 0, quorum=quorum, then=step.then
                    )
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result

    def _simple(self, verbs: Verbs) -> Request | None:
        """Return one request for verbs whose first replies are all that there is to them, as a rule, else None."""
        if self._opened is None or self._replicas or self._outage.goes_on:
            return None
        return simple_request(self._opened, verbs)

    def _ask_now(self, verbs: Verbs, request: Request) -> list[Any]:
        """Do a few verbs on the shortest way; where it does not end there, the same go the way of all others."""
        seconds = request.wait_ms / 1000 + self._patience
        deadline = time.monotonic() + seconds
        try:
            replies: Any = self._sync_client().call(request.commands, seconds + backoff.SLACK)
        except (RedisError, OSError) as error:
            replies = error
        done = self._concluded(verbs, request, replies, deadline)
        del replies  # an error and what it was raised in are not to hold each other
        return done if isinstance(done, list) else self._drive(done, deadline)

    async def _ask_once(self, client: AsyncClient, verbs: Verbs, request: Request, heard: Heard | None) -> list[Any]:
        """Do the same without blocking the event loop."""
        seconds = request.wait_ms / 1000 + self._patience
        deadline = time.monotonic() + seconds
        try:
            replies: Any = await client.call(request.commands, seconds + backoff.SLACK, held=request.wait_ms > 0)
            if heard is not None:
                await heard()
        except (RedisError, OSError) as error:
            replies = error
        done = self._concluded(verbs, request, replies, deadline)
        del replies
        return done if isinstance(done, list) else await self._adrive(done, deadline)

    def _concluded(
        self, verbs: Verbs, request: Request, replies: Any, deadline: float
    ) -> list[Any] | ServerSteps[list[Any]]:
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

    def _quorum(self, step: RoundTrip, deadline: float) -> Quorum | None:
        """How many replicas a step waits for, as long as there is patience and at least as long as a short answer."""
        if not (self._replicas and step.promises):
            return None
        left = max(deadline - time.monotonic(), backoff.SLACK / 2)
        return Quorum(self._replicas, int(left * 1000))

    def _deadline(self, verbs: Verbs) -> float:
        """When the patience with a server that does not answer ends; what it may hold an answer for is added."""
        held_ms = max((getattr(verb, "wait_ms", 0) for verb in verbs), default=0)
        return time.monotonic() + held_ms / 1000 + self._patience

    def _steps(self, verbs: Verbs, deadline: float) -> ServerSteps[list[Any]]:
        """Do the verbs, and repeat them while no server answers."""
        for verb in verbs:
            check(verb)
        self._outage.check(self._patience)
        return self._patiently(partial(self._attempt, verbs), deadline)

    def _patiently(
        self, attempt: Callable[[], ServerSteps[T]], deadline: float, failed: Exception | None = None
    ) -> ServerSteps[T]:
        """Attempt something; while no server answers, again until the patience is used up.

        The first attempt may have `failed` already.
        """
        pauses = backoff.pauses_until(deadline)
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

    def _attempt(self, verbs: Verbs) -> ServerSteps[list[Any]]:
        opened = self._opened or (yield from self._open_namespace())
        if not verbs:
            # Nothing is asked but whether the namespace is open to us.
            return []
        now = 1 if are_many_mails(verbs) else len(verbs)
        requests = [request_of(opened, verb) for verb in verbs[:now]]
        later = Later(partial(request_of, opened), verbs[now:]) if now < len(verbs) else None
        # Blobs go first: a mail that names one is accepted only when it is there.
        blobs = put(opened, verbs)
        commands = (*blobs, *(command for request in requests for command in request.commands))
        wait_ms = max(request.wait_ms for request in requests)
        replies = yield from self._send(opened, verbs, commands, wait_ms, later)
        answers = []
        requests += later.requests if later is not None else []
        at = len(blobs)
        for request in requests:
            part = replies[at : at + len(request.commands)]
            at += len(request.commands)
            answers.append(self._read(request, part))
            if request.again is not never:
                yield from self._finish(opened, verbs, request, part)
        return (yield from self._with_blobs(verbs, answers)) if missing(verbs, answers) else answers

    def _with_blobs(self, verbs: Verbs, answers: list[Any]) -> ServerSteps[list[Any]]:
        """Return answers with the bodies of their mails that travel as blobs."""
        opened = self._opened or (yield from self._open_namespace())
        wanted = missing(verbs, answers)
        found = yield from self._send(opened, verbs, fetch(opened, wanted), 0)
        bodies = dict(zip(wanted, found, strict=True))
        return [with_bodies(answer, bodies) for answer in answers]

    def _read(self, request: Request, replies: Sequence[Any]) -> Any:
        return answer_of(request, replies, self.url)

    def _finish(
        self, opened: OpenNamespace, verbs: Verbs, request: Request, replies: Sequence[Any]
    ) -> ServerSteps[None]:
        while request.again(replies):
            replies = yield from self._send(opened, verbs, request.commands, request.wait_ms)

    def _send(
        self,
        opened: OpenNamespace,
        verbs: Verbs,
        commands: tuple[Command, ...],
        wait_ms: int,
        then: Later | None = None,
    ) -> ServerSteps[list[Any]]:
        """Send commands; where the server lacks the functions or a pool's group, make them and send again."""
        promises = bool(self._replicas) and any(type(verb) in PROMISING for verb in verbs)
        asked = RoundTrip(commands, wait_ms, promises, then)
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
                yield from self._send(opened, (), tuple(one for pool in pools for one in create_group(opened, pool)), 0)
            replies = yield asked
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def _load(self) -> ServerSteps[None]:
        (reply,) = yield RoundTrip((("FUNCTION", "LOAD", "REPLACE", library().source),))
        insist_on_functions(reply, self.url)

    def _inspect(self) -> ServerSteps[None]:
        """Ask the server what it promises; what is new is kept in the namespace, if it is open, for others to see."""
        facts = read_facts((yield RoundTrip(QUESTIONS)))
        try:
            news = self._inspection.take(facts)
        finally:
            self.profile = self._inspection.profile
        if news and self._opened is not None:
            yield from self._note(self._opened)

    def _note(self, opened: OpenNamespace) -> ServerSteps[None]:
        if self.profile != Profile.UNVERIFIED:
            # Only a note: a server that takes no writes now, or not from this user, is no reason to stop.
            yield RoundTrip((("HSET", opened.keys.meta(), "profile", self.profile),))

    def _open_namespace(self) -> ServerSteps[OpenNamespace]:
        yield from self._inspect()
        keys, signer = Keys(self.namespace), self._codec.signer
        accepted = (*signer.key_ids, UNSIGNED) if self._begins_signing else signer.key_ids
        named: tuple[Argument, ...] = (signer.key_id, len(accepted), *accepted)
        command = call("open_namespace", [keys.meta()], PROTOCOL, self._wanted_partitions, *named)
        replies = yield from self._send(OpenNamespace(keys, self._codec), (), (command,), 0)
        where = f"namespace {self.namespace!r} at {self.url}"
        partitions = partitions_of(replies[0], where, signer, accepted, self._key_advice())
        self._opened = OpenNamespace(Keys(self.namespace, partitions), self._codec)
        yield from self._note(self._opened)
        return self._opened

    def _key_advice(self) -> str:
        return KEY_ADVICE

    def __repr__(self) -> str:
        unsigned = "" if self._codec.signer.signs else ", UNSIGNED"
        return f"{type(self).__name__}({self.url}, profile={self.profile}{unsigned})"
