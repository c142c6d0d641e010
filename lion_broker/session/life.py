"""A session from its beginning to its end: founded or taken up, closed, deleted."""

from __future__ import annotations

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
from lion_broker.errors import ItemNotFoundError, LionError
from lion_broker.mail.exchange import Exchange, Steps, arun, run

from . import branches as acts
from . import views
from .estate import Estate

__all__ = ["SessionLife"]


class SessionLife(Element, Communicatable, Relational):
    """What a session is and how long; `Session` adds what it does."""

    user: Any = None
    name: str | None = None

    _estate: Estate = PrivateAttr()
    _default: BaseBranch | None = PrivateAttr(default=None)
    _pool: str | None = PrivateAttr(default=None)
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

        `exchange` is an Exchange or a URL (see `connect`); left out, LION_BROKER_URL, else the embedded server.
        `delivery` is "manual" (mail moves when the session commands it) or "auto" (at once). `pool` is where new
        branches live unless they say otherwise: None is this process. `registry` finds tools and models that are
        named by text. `timeout` is how many seconds rounds and remote operations may take. `estate` is for `open`.
        Raises ConfigError, BrokerUnavailable, ServerNotFound.
        """
        super().__init__(**{"user": user, "name": name, "metadata": metadata or {}, **fields})
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
        """The branches in order of creation; keys are ids, names, places or branches."""
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
        self._run(self._estate.household.flush_steps())

    async def aflush(self) -> None:
        """Store without blocking the event loop."""
        await self._arun(self._estate.household.flush_steps())

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
        # A script that ends without closing keeps what its branches have done all the same.
        weakref.finalize(self, _leave, estate, owned)

    def _close_exchange(self) -> None:
        if self._owned:
            self.exchange.close()

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
