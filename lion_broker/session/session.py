"""The leader of many branches: creates them, commands rounds of mail, and gathers what was said."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr

from lion_broker.branch.base import BaseBranch
from lion_broker.branch.branch import Branch
from lion_broker.branch.registry import Registry
from lion_broker.broker.connect import connect
from lion_broker.config import Settings
from lion_broker.core.concepts import Communicatable, Relational
from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType
from lion_broker.core.pile import Pile
from lion_broker.errors import ItemNotFoundError, LionError
from lion_broker.mail.exchange import Exchange, Steps, arun, run
from lion_broker.mail.mailbox import Mailbox
from lion_broker.mail.records import DeadLetter
from lion_broker.messages import RoledMessage

from . import branches as acts
from . import views
from .estate import Estate
from .mail import SessionMailManager
from .rounds import collect_steps, gather_steps, round_steps, send_steps
from .settle import idle_steps
from .tail import Tail

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["Session"]


class Session(Element, Communicatable, Relational):
    """Branches that exchange mail, kept by an exchange, wherever the branches live.

    The methods without an `a` in front block for a round trip or two, in a plain script as well as inside a running event
    loop; their twins with the `a` do not. A session is a context manager; leaving it commits and closes, and the session
    stays in the store until `delete`.
    """

    user: Any = None
    name: str | None = None

    _estate: Estate = PrivateAttr()
    _default: BaseBranch | None = PrivateAttr(default=None)
    _pool: str | None = PrivateAttr(default=None)
    _mail: SessionMailManager = PrivateAttr()
    _owned: bool = PrivateAttr(default=False)

    def __init__(
        self,
        *,
        user: Any = None,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        exchange: Exchange | str | None = None,
        pool: str | None = None,
        delivery: str = "manual",
        registry: Registry | None = None,
        timeout: float | None = 60.0,
        estate: Estate | None = None,
        **fields: Any,
    ) -> None:
        """Make a session with a first branch, its default.

        `exchange` is an Exchange or a URL (see `connect`); left out, LION_BROKER_URL, else the embedded server. `delivery`
        is "manual" (mail moves when the session commands it) or "auto" (at once). `pool` is where new branches live unless
        they say otherwise: None is this process. `registry` finds tools and models that are named by text. `timeout` is
        how many seconds rounds and remote operations may take. `estate` is for `open`. Raises ConfigError,
        BrokerUnavailable, ServerNotFound.
        """
        super().__init__(user=user, name=name, metadata=metadata or {}, **fields)
        self._pool = pool
        if estate is not None:
            self._take(estate, owned=estate.owns_exchange)
            return
        settings = Settings.load()
        carrier = exchange if isinstance(exchange, Exchange) else connect(exchange, settings)
        try:
            self._take(
                Estate(
                    carrier,
                    self.id,
                    delivery=delivery,
                    registry=registry,
                    timeout=timeout,
                    lease_ms=int(settings.lease * 1000),
                    owns_exchange=carrier is not exchange,
                ),
                owned=carrier is not exchange,
            )
            self._run(acts.found_steps(self))
        except BaseException:
            if carrier is not exchange:
                carrier.close()
            raise

    @classmethod
    def open(cls, session: ID.Ref, *, exchange: Exchange | str | None = None, host: bool = False, **options: Any) -> Self:
        """Take up a session that exists: branches, messages, default branch and mail in flight are as they were left.

        Branches of another living process can be read and mailed; with `host` those whose process is gone live here from
        now on. `options` are `registry`, `timeout` and `pool` as for a new session. Raises ItemNotFoundError.
        """
        carrier = exchange if isinstance(exchange, Exchange) else connect(exchange)
        owns = carrier is not exchange
        try:
            return run(carrier, acts.open_steps(cls, carrier, ID.get_id(session), host, owns, options))
        except BaseException:
            if owns:
                carrier.close()
            raise

    @classmethod
    async def aopen(
        cls, session: ID.Ref, *, exchange: Exchange | str | None = None, host: bool = False, **options: Any
    ) -> Self:
        """Take up a session without blocking the event loop; see `open`."""
        carrier = exchange if isinstance(exchange, Exchange) else connect(exchange)
        owns = carrier is not exchange
        try:
            return await arun(carrier, acts.open_steps(cls, carrier, ID.get_id(session), host, owns, options))
        except BaseException:
            if owns:
                carrier.close()
            raise

    @property
    def branches(self) -> Pile[Any]:
        """The branches in order of creation; keys are ids, names, places or branches."""
        return self._estate.branches

    @property
    def default_branch(self) -> Any:
        """The branch that stands for the session, a Branch or a RemoteBranch; None when the last one was removed."""
        return self._default

    @property
    def exchange(self) -> Exchange:
        """What carries the mail."""
        return self._estate.exchange

    @property
    def mail_transfer(self) -> Exchange:
        """What carries the mail: LionAGI's name for `exchange`."""
        return self._estate.exchange

    @property
    def mail_manager(self) -> SessionMailManager:
        """The mail verbs by branch; `async with session.mail_manager.sources:` keeps other tasks out."""
        return self._mail

    @property
    def delivery(self) -> str:
        """How mail moves: "manual" or "auto"."""
        return self._estate.delivery

    @property
    def messages(self) -> Pile[RoledMessage]:
        """Messages that were mailed to the session itself; one round trip."""
        self._run(self._estate.desk.chronicle.read_steps())
        return self._estate.desk.chronicle.msgs.messages

    @property
    def mailbox(self) -> Mailbox:
        """A picture of the mail that waits for the session itself; one round trip."""
        return self._run(views.mailbox_steps(self._estate))

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Mail that could not be delivered or applied, oldest first, each with its reason; a round trip a thousand."""
        return self._run(views.dead_letter_steps(self._estate))

    def new_branch(
        self,
        system: Any = None,
        system_sender: Any = None,
        system_datetime: bool | str | None = None,
        user: Any = None,
        name: str | None = None,
        imodel: Any = None,
        messages: Any = None,
        progress: Any = None,
        tool_manager: Any = None,
        tools: Any = None,
        **config: Any,
    ) -> Any:
        """Create a branch: a Branch of this process, or with `pool=` a RemoteBranch on the workers of that pool.

        `imodel` (or `chat_model`) answers, `parse_model` repairs; for a remote branch both go by registered name or as
        "provider/model", tools by registered name. `behaviour=` names what a remote branch does with its mail, `metadata=`
        travels with it. It becomes the default branch if there is none. Blocks for a round trip. Raises ConfigError for
        what does not fit together, NotPortable for a function that would have to travel, ToolUnknown.
        """
        given = dict(system=system, system_sender=system_sender, system_datetime=system_datetime, user=user, name=name)
        given.update(imodel=imodel, messages=messages, progress=progress, tool_manager=tool_manager, tools=tools, **config)
        return self._run(acts.new_steps(self, given))

    async def anew_branch(self, **config: Any) -> Any:
        """Create a branch without blocking the event loop; see `new_branch`."""
        return await self._arun(acts.new_steps(self, config))

    def include_branches(self, branches: Any) -> None:
        """Make branches that were created alone part of this session; those that are already stay."""
        self._run(acts.include_steps(self, branches))

    def get_branch(self, ref: Any) -> Any:
        """Return a branch by id, name or object, also one that another process has created since. ItemNotFoundError."""
        if ref not in self.branches:
            self._run(self._estate.sync_steps())
        return self.branches[ref]

    def split(self, branch: ID.Ref) -> Any:
        """Return a new branch that begins with clones of a branch's messages, and with its tools and models. Blocks."""
        return self._run(acts.split_steps(self, branch))

    async def asplit(self, branch: ID.Ref) -> Any:
        """Split without blocking the event loop."""
        return await self._arun(acts.split_steps(self, branch))

    def merge(self, into: ID.Ref, from_: ID.Ref, delete: bool = False) -> Any:
        """Give a branch of this process the messages, tools and models of another; returns the first. Blocks.

        Messages are united in order of creation without doubles. With `delete` the other branch is removed.
        """
        return self._run(acts.merge_steps(self, into, from_, delete))

    async def amerge(self, into: ID.Ref, from_: ID.Ref, delete: bool = False) -> Any:
        """Merge without blocking the event loop."""
        return await self._arun(acts.merge_steps(self, into, from_, delete))

    def remove_branch(self, branch: ID.Ref, delete: bool = False) -> None:
        """Remove a branch: what waits for it becomes dead letters, later mail to it is refused. Blocks.

        Mail that it has sent still goes out. With `delete` its history goes too. Raises ItemNotFoundError, BranchOwned.
        """
        self._run(acts.remove_steps(self, branch, delete))

    async def aremove_branch(self, branch: ID.Ref, delete: bool = False) -> None:
        """Remove a branch without blocking the event loop."""
        await self._arun(acts.remove_steps(self, branch, delete))

    def change_default_branch(self, branch: ID.Ref) -> None:
        """Make a branch the default one. Raises ItemNotFoundError, which is a ValueError. Blocks."""
        self._run(acts.default_steps(self, branch))

    async def achange_default_branch(self, branch: ID.Ref) -> None:
        """Change the default branch without blocking the event loop."""
        await self._arun(acts.default_steps(self, branch))

    def send(self, to_: ID.RefSeq = None) -> None:
        """Deliver outgoing mail to the given branches (None: to all), collected or still in an outbox. Blocks.

        Mail of one sender to one recipient keeps its order; mail to a removed branch becomes a dead letter. Raises
        ItemNotFoundError, a ValueError, for an unknown branch before anything moves.
        """
        self._run(send_steps(self._estate, self._chosen(to_)))

    async def asend(self, to_: ID.RefSeq = None) -> None:
        """Deliver without blocking the event loop."""
        await self._arun(send_steps(self._estate, self._chosen(to_)))

    def collect(self, from_: ID.RefSeq = None) -> None:
        """Take outgoing mail of the given branches (None: of all) into the exchange, and apply what they have got. Blocks.

        Applied by category: a message joins the history, a tool or model is registered; what cannot be applied becomes a
        dead letter, other categories stay pending. Returns when branches on workers have settled; raises RoundTimeout, and
        ItemNotFoundError for an unknown branch before anything moves.
        """
        self._run(collect_steps(self._estate, self._chosen(from_), self._estate.timeout))

    async def acollect(self, from_: ID.RefSeq = None) -> None:
        """Collect without blocking the event loop."""
        await self._arun(collect_steps(self._estate, self._chosen(from_), self._estate.timeout))

    def collect_send_all(self, receive_all: bool = False) -> None:
        """Collect from all branches, send to all, and with `receive_all` have all apply what they got. Blocks."""
        self._run(round_steps(self._estate, receive_all, self._estate.timeout))

    async def acollect_send_all(self, receive_all: bool = False) -> None:
        """Do the whole round without blocking the event loop, and with no other task changing the branches."""
        async with self.branches:
            await self._arun(round_steps(self._estate, receive_all, self._estate.timeout))

    def take_outgoing(self, branches: tuple[IDType, ...] | None) -> None:
        """Take outgoing mail into the exchange and nothing else: LionAGI's narrow collect. Blocks."""
        self._run(gather_steps(self._estate, branches))

    def flush(self) -> None:
        """Store what branches of this process have done. Blocks."""
        self._run(self._estate.household.flush_steps())

    async def aflush(self) -> None:
        """Store without blocking the event loop."""
        await self._arun(self._estate.household.flush_steps())

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold back the mail that is sent inside and post it together at the end, in bounded pieces."""
        self._estate.around.batch.depth += 1
        try:
            yield
        finally:
            self._estate.around.batch.depth -= 1
        if not self._estate.around.batch.depth:
            self._run(views.post_batch_steps(self._estate))

    @asynccontextmanager
    async def abatch(self) -> AsyncIterator[None]:
        """The same without blocking the event loop."""
        self._estate.around.batch.depth += 1
        try:
            yield
        finally:
            self._estate.around.batch.depth -= 1
        if not self._estate.around.batch.depth:
            await self._arun(views.post_batch_steps(self._estate))

    def concat_messages(
        self, branches: ID.RefSeq = None, exclude_clone: bool = False, exclude_load: bool = False
    ) -> Pile[RoledMessage]:
        """Return the messages of branches (None: of all, and of the session itself) in order of creation, none twice.

        `exclude_clone` leaves out copies and received messages, `exclude_load` those read from a file. Raises
        ItemNotFoundError, a ValueError.
        """
        return views.concat(self._estate, self._chosen(branches), exclude_clone, exclude_load)

    def to_df(
        self, branches: ID.RefSeq = None, exclude_clone: bool = False, exclude_load: bool = False
    ) -> DataFrame:
        """Return the same as a frame: role content sender recipient created_at id branch; times in UTC."""
        return views.to_df(self._estate, self._chosen(branches), exclude_clone, exclude_load)

    def events(self, after: str | None = None, timeout: float | None = None) -> Tail:
        """Return the live tail of the session, for `for` and `async for`; see `Tail`."""
        return Tail(self.exchange, self.id, after, timeout)

    def wait_idle(self, timeout: float | None = 60.0) -> None:
        """Wait until no mail is in flight between branches on workers. Blocks. Raises RoundTimeout."""
        self.flush()
        self._run(idle_steps(self.id, timeout))

    async def await_idle(self, timeout: float | None = 60.0) -> None:
        """Wait without blocking the event loop."""
        await self.aflush()
        await self._arun(idle_steps(self.id, timeout))

    def counters(self) -> dict[str, int]:
        """Return how many mails were posted, applied, redelivered, became dead letters, and are in flight."""
        return dict(self._run(Estate.read_steps(self.id)).counters)

    def locate(self, ref: Any) -> IDType:
        """Return the id of a branch of this session, named by id, name or object. Raises ItemNotFoundError."""
        if isinstance(ref, str) and ref == self.id:
            return self.id
        found: IDType = self.get_branch(ref).id
        return found

    def delete(self) -> None:
        """Remove the session and everything it owns from the store, and close it. Blocks."""
        self._run(views.delete_steps(self._estate))
        self._estate.close()
        self._close_exchange()

    def close(self) -> None:
        """Store what local branches have done, hand them back, and close; the session stays in the store. Idempotent."""
        if self._estate.closed:
            return
        try:
            self.flush()
        finally:
            self._estate.close()
            self._close_exchange()

    async def aclose(self) -> None:
        """Close without blocking the event loop."""
        if self._estate.closed:
            return
        try:
            await self.aflush()
        finally:
            self._estate.close()
            if self._owned:
                await self.exchange.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    def _take(self, estate: Estate, owned: bool) -> None:
        self._estate = estate
        self._owned = owned
        self._mail = SessionMailManager(self)
        # A script that ends without closing keeps what its branches have done all the same.
        weakref.finalize(self, _leave, estate, owned)

    def _close_exchange(self) -> None:
        if self._owned:
            self.exchange.close()

    def _chosen(self, refs: Any) -> tuple[IDType, ...] | None:
        if refs is None:
            return None
        many = refs if isinstance(refs, (list, tuple, set, frozenset, Pile)) else [refs]
        return tuple(self.locate(ref) for ref in many)

    def _run(self, steps: Steps[Any]) -> Any:
        self._check_open()
        return run(self.exchange, steps)

    async def _arun(self, steps: Steps[Any]) -> Any:
        self._check_open()
        return await arun(self.exchange, steps)

    def _check_open(self) -> None:
        if self._estate.closed:
            raise ItemNotFoundError(f"The session {self.id} is closed here; take it up with Session.open(id).")

    def __repr__(self) -> str:
        name = f"{self.name}, " if self.name else ""
        return f"Session({name}{self.id}, {len(self.branches)} branches, {self.delivery}, {self.exchange!r})"


def _leave(estate: Estate, owned: bool) -> None:
    """Close what a session left open when it is collected or the program ends."""
    if estate.closed:
        return
    try:
        run(estate.exchange, estate.household.flush_steps())
        estate.close()
    except LionError:
        estate.closed = True
    finally:
        if owned:
            estate.exchange.close()
