"""A session from its beginning to its end: founded or taken up, closed, deleted."""

from __future__ import annotations

import os
import weakref
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import PrivateAttr

from lion_broker.branch.base import BaseBranch
from lion_broker.branch.registry import Registry
from lion_broker.broker.connect import connect
from lion_broker.broker.outage import leaving
from lion_broker.config import Settings
from lion_broker.core.concepts import Communicatable, Relational
from lion_broker.core.element import Element
from lion_broker.core.ids import ID
from lion_broker.core.numbers import counted
from lion_broker.core.pile import Pile
from lion_broker.core.progress import progress
from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange, Steps, arun, run
from lion_broker.telemetry.agent_spans import Workflow, workflow

from . import branches as acts
from .exporting import Exported, checked, export_steps, fork_steps, import_steps, lines_to, writer_of
from .state import Limits, SessionState

__all__ = ["SessionLifecycle"]


class SessionLifecycle(Element, Communicatable, Relational):
    """What a session is and how long; `Session` adds what it does."""

    user: Any = None
    name: str | None = None

    _state: SessionState = PrivateAttr()
    _default: BaseBranch | None = PrivateAttr(default=None)
    _pool: str | None = PrivateAttr(default=None)
    _workflow: Workflow | None = PrivateAttr(default=None)

    def _begin(
        self,
        exchange: Exchange | str | None,
        pool: str | None,
        delivery: str,
        registry: Registry | None,
        timeout: float | None,
        limits: Limits,
    ) -> None:
        """Found the session in the exchange."""
        settings = Settings.load()
        carrier = exchange if isinstance(exchange, Exchange) else connect(exchange, settings)
        owned = carrier is not exchange
        try:
            state = SessionState(
                carrier,
                self.id,
                delivery=delivery,
                registry=registry,
                timeout=timeout,
                lease_ms=int(settings.lease * 1000),
                owns_exchange=owned,
            )
            self._take(state, pool)
            self._run(acts.create_steps(self, limits))
        except BaseException:
            if owned:
                carrier.close()
            raise

    @classmethod
    def open(
        cls, session: ID.Ref, *, exchange: Exchange | str | None = None, host: bool = False, **options: Any
    ) -> Self:
        """Take up a session that exists: branches, messages, default branch and mail in flight are as they were left.

        Branches of another living process can be read and mailed; with `host` those whose process is gone live here
        from now on. `options` are `registry`, `timeout` and `pool` as for a new session. Raises ItemNotFoundError.
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
        """The branches in order of creation; keys are ids, names, places or branches.

        Of a session that was taken up with more than a thousand of them they are read the first time. Blocks then.
        """
        return self._state.branches

    @property
    def exchange(self) -> Exchange:
        """What carries the mail."""
        return self._state.exchange

    @property
    def delivery(self) -> str:
        """How mail moves: "manual" or "auto"."""
        return self._state.delivery

    def flush(self) -> None:
        """Store what the branches of this process have done since their last commit. Blocks; may raise LeaseLost."""
        self._run(self._state.flush_steps())

    async def aflush(self) -> None:
        """Store without blocking the event loop."""
        await self._arun(self._state.flush_steps())

    def export(self, file: str | os.PathLike[str]) -> Exported:
        """Write all that the session holds to a file of JSON lines, and return how much that was.

        Blocks. Each branch is read as it stands after a turn; `steady` says whether nothing changed meanwhile. The same
        as `lion-broker session export`. Raises OSError for a file that cannot be written.
        """
        self.flush()
        # As private as a mailbox: it holds all that was said.
        opener = partial(os.open, mode=0o600)
        with open(file, "wb", opener=opener) as written, progress(f"exporting {self.id}") as step:
            done: Exported = self._run(export_steps(self.id, lines_to(written, step)))
        return done

    @classmethod
    def import_(
        cls,
        file: str | os.PathLike[str],
        *,
        exchange: Exchange | str | None = None,
        same_id: bool = False,
        **options: Any,
    ) -> Self:
        """Make a session of what `export` has written, and open it with `options` as for `open`. Blocks.

        The file is read to its end first; an import that fails leaves nothing. Waiting mail is handled here again.
        Raises ConfigError, naming the line, for a file that is not whole, ItemExistsError for an id that is taken.
        """
        carrier = exchange if isinstance(exchange, Exchange) else connect(exchange)
        try:
            with Path(file).open("rb") as read:
                plan = checked(read)
                read.seek(0)
                with progress(f"importing {plan.session}", plan.size) as step:
                    made = run(carrier, import_steps(plan, read, writer_of(plan, same_id), step))
            session = cls.open(made.session, exchange=carrier, **options)
        except BaseException:
            if carrier is not exchange:
                carrier.close()
            raise
        session._state.owns_exchange = carrier is not exchange
        return session

    def fork(self, name: str | None = None) -> Self:
        """Return a new session whose branches begin with the histories that this one's have now. Blocks.

        Its branches have the same ids, names, tools, models, pools and behaviours. It has no mail: what is on its way
        stays with this session, which alone handles it. Its local branches live in this process; register plain
        functions again. It uses this session's exchange.
        """
        self.flush()
        made = self._run(fork_steps(self.id, name))
        return type(self).open(made.session, exchange=self.exchange, host=True, **self._fork_options())

    async def afork(self, name: str | None = None) -> Self:
        """Fork without blocking the event loop; see `fork`."""
        await self.aflush()
        made = await self._arun(fork_steps(self.id, name))
        return await type(self).aopen(made.session, exchange=self.exchange, host=True, **self._fork_options())

    def _fork_options(self) -> dict[str, Any]:
        state = self._state
        return {"registry": state.context.registry, "timeout": state.timeout, "pool": self._pool}

    def delete(self) -> None:
        """Remove the session and everything it owns from the store, and close it. Blocks."""
        self._run(self._state.delete_steps())
        self._state.close()
        self._close_exchange()

    def close(self) -> None:
        """Store what local branches have done, hand them back, and close; the session stays. May be called twice."""
        if self._state.closed:
            return
        with leaving():
            try:
                self._run(self._state.leave_steps())
            finally:
                self._state.close()
                self._close_exchange()

    async def aclose(self) -> None:
        """Close without blocking the event loop."""
        if self._state.closed:
            return
        try:
            with leaving():
                await self._arun(self._state.leave_steps())
        finally:
            with leaving():
                self._state.close()
            if self._state.owns_exchange:
                await self.exchange.aclose()

    def __enter__(self) -> Self:
        self._workflow = workflow(self.id, self.name or "")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.close()
        finally:
            self._end_workflow(error)

    async def __aenter__(self) -> Self:
        self._workflow = workflow(self.id, self.name or "")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        finally:
            self._end_workflow(error)

    def _end_workflow(self, error: BaseException | None) -> None:
        if self._workflow is not None:
            self._workflow.end(error)
            self._workflow = None

    def _take(self, state: SessionState, pool: str | None) -> None:
        self._state = state
        self._pool = pool
        # A script that ends without closing keeps what its branches have done all the same.
        weakref.finalize(self, _leave, state)

    def _close_exchange(self) -> None:
        if self._state.owns_exchange:
            self.exchange.close()

    def _run(self, steps: Steps[Any]) -> Any:
        self._state.check_open()
        return self._state.context.run(steps)

    async def _arun(self, steps: Steps[Any]) -> Any:
        self._state.check_open()
        return await self._state.context.arun(steps)

    def __repr__(self) -> str:
        name = f"{self.name}, " if self.name else ""
        return f"Session({name}{self.id}, {counted(self._state.size, 'branch')}, {self.delivery}, {self.exchange!r})"


def _leave(state: SessionState) -> None:
    """Close what a session left open when it is collected or the program ends."""
    if state.closed or os.getpid() != state.context.process:
        # A forked process leaves what its parent has open.
        return
    try:
        with leaving():
            run(state.exchange, state.leave_steps())
            state.close()
    except LionError:
        state.closed = True
    finally:
        if state.owns_exchange:
            state.exchange.close()
