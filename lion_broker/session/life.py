"""A session from its beginning to its end: founded or taken up, closed, deleted."""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import Any, Self

from pydantic import PrivateAttr

from lion_broker.branch.base import BaseBranch
from lion_broker.branch.registry import Registry
from lion_broker.broker.connect import connect
from lion_broker.config import Settings
from lion_broker.core.concepts import Communicatable, Relational
from lion_broker.core.element import Element
from lion_broker.core.ids import ID
from lion_broker.core.pile import Pile
from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange, Steps, arun, run
from lion_broker.telemetry.agent_spans import Workflow, workflow

from . import branches as acts
from . import views
from .estate import Estate, Limits

__all__ = ["SessionLife"]


class SessionLife(Element, Communicatable, Relational):
    """What a session is and how long; `Session` adds what it does."""

    user: Any = None
    name: str | None = None

    _estate: Estate = PrivateAttr()
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
            estate = Estate(
                carrier,
                self.id,
                delivery=delivery,
                registry=registry,
                timeout=timeout,
                lease_ms=int(settings.lease * 1000),
                owns_exchange=owned,
            )
            self._take(estate, pool)
            self._run(acts.found_steps(self, limits))
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
        return self._estate.branches

    @property
    def exchange(self) -> Exchange:
        """What carries the mail."""
        return self._estate.exchange

    @property
    def delivery(self) -> str:
        """How mail moves: "manual" or "auto"."""
        return self._estate.delivery

    def flush(self) -> None:
        """Store what branches of this process have done. Blocks."""
        self._run(self._estate.flush_steps())

    async def aflush(self) -> None:
        """Store without blocking the event loop."""
        await self._arun(self._estate.flush_steps())

    def delete(self) -> None:
        """Remove the session and everything it owns from the store, and close it. Blocks."""
        self._run(views.delete_steps(self._estate))
        self._estate.close()
        self._close_exchange()

    def close(self) -> None:
        """Store what local branches have done, hand them back, and close; the session stays. May be called twice."""
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
            if self._estate.owns_exchange:
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

    def _take(self, estate: Estate, pool: str | None) -> None:
        self._estate = estate
        self._pool = pool
        # A script that ends without closing keeps what its branches have done all the same.
        weakref.finalize(self, _leave, estate)

    def _close_exchange(self) -> None:
        if self._estate.owns_exchange:
            self.exchange.close()

    def _run(self, steps: Steps[Any]) -> Any:
        self._estate.check_open()
        return self._estate.around.run(steps)

    async def _arun(self, steps: Steps[Any]) -> Any:
        self._estate.check_open()
        return await self._estate.around.arun(steps)

    def __repr__(self) -> str:
        name = f"{self.name}, " if self.name else ""
        return f"Session({name}{self.id}, {self._estate.size} branches, {self.delivery}, {self.exchange!r})"


def _leave(estate: Estate) -> None:
    """Close what a session left open when it is collected or the program ends."""
    if estate.closed or os.getpid() != estate.around.process:
        # A forked process leaves what its parent has open.
        return
    try:
        run(estate.exchange, estate.flush_steps())
        estate.close()
    except LionError:
        estate.closed = True
    finally:
        if estate.owns_exchange:
            estate.exchange.close()
