"""Who is in a session: ids, names, and where each branch lives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lion_broker.core.concepts import Observable
from lion_broker.core.ids import ID, IDType
from lion_broker.core.numbers import counted
from lion_broker.errors import BranchClosed, IDError, ItemNotFoundError
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.records import BranchRecord, SessionRecord
from lion_broker.mail.verbs import ReadBranches, ReadSession

__all__ = ["Directory", "Place", "gone", "session_steps"]

_PAGE = 1000
_SHORTEST_ID = 32
"""A text with less signs is a name."""


@dataclass(frozen=True, slots=True)
class Place:
    """A branch as others see it; `pool` is empty when it lives in the process that created it."""

    id: IDType
    name: str = ""
    pool: str = ""


class Directory:
    """Finds the branches of one session by id or name; remembers them, and asks the exchange about unknown ones.

    A branch's id, name and pool never change, so what is remembered stays true until the branch is removed.
    """

    def __init__(self, session: str) -> None:
        self._session = IDType(session)
        self._places: dict[str, Place] = {self._session: Place(self._session)}
        self._by_name: dict[str, dict[str, Place]] = {}

    @property
    def session(self) -> IDType:
        """The id of the session."""
        return self._session

    def shown(self, branch: str) -> str:
        """Return what a person knows a branch by: its name, or else its id, and its pool."""
        place = self._places.get(branch)
        if place is None:
            return branch
        return f"{place.name or branch} (pool {place.pool})" if place.pool else place.name or branch

    def add(self, records: Iterable[BranchRecord]) -> None:
        """Remember branches."""
        for record in records:
            self.know(Place(IDType(record.id), record.seed.name, record.seed.pool))

    def know(self, place: Place) -> None:
        """Remember a branch."""
        self.forget(place.id)
        self._places[place.id] = place
        if place.name:
            self._by_name.setdefault(place.name, {})[place.id] = place

    def forget(self, branch: str) -> None:
        """Remember a branch no longer."""
        place = self._places.pop(branch, None)
        if place is not None and place.name:
            alike = self._by_name[place.name]
            del alike[branch]
            if not alike:
                del self._by_name[place.name]

    def named(self, name: str) -> list[Place]:
        """Return the branches with a name among those that are remembered; no search, however many there are."""
        return list(self._by_name.get(name, {}).values())

    def known(self, ref: Any) -> Place | None:
        """Return the branch that an id, a name or an object names, if that can be seen at a glance."""
        if isinstance(ref, str):
            place = self._places.get(ref)
            if place is None and len(ref) < _SHORTEST_ID and len(alike := self.named(ref)) == 1:
                return alike[0]
            return place
        kind: Any = type(ref)
        return self._places.get(ref.id) if _has_id(kind) else None

    def locate_steps(self, ref: Any) -> Steps[Place]:
        """Return the branch that an id, a name or an object names; asks the exchange if it is unknown.

        Raises ItemNotFoundError for an unknown one, BranchClosed for a removed one, ValueError when several branches
        have the name.
        """
        branch_id = _as_id(ref)
        if branch_id is not None:
            if branch_id not in self._places:
                yield from self._ask_for(branch_id)
            return self._places[branch_id]
        named = self._named(ref)
        if not named:
            yield from self.read_steps()
            named = self._named(ref)
        if not named:
            yield from session_steps(self._session)
            raise ItemNotFoundError(f"The session has no branch named {ref!r}.")
        if len(named) > 1:
            raise ValueError(f"{counted(len(named), 'branch')} are named {ref!r}; use an id.")
        return named[0]

    def read_steps(self) -> Steps[list[BranchRecord]]:
        """Read and return the records of all branches, and remember those that are new."""
        found: list[BranchRecord] = []
        while True:
            page = yield from ask(ReadBranches(self._session, start=len(found), count=_PAGE))
            found += page
            if len(page) < _PAGE:
                break
        self.add(record for record in found if record.id not in self._places)
        return found

    def record_steps(self, branch_id: str) -> Steps[BranchRecord]:
        """Read where a branch stands. Raises ItemNotFoundError for an unknown one."""
        records = yield from ask(ReadBranches(self._session, ids=(branch_id,)))
        if not records:
            yield from session_steps(self._session)
            raise ItemNotFoundError(f"The session has no branch with the id {branch_id}.")
        return records[0]

    def _ask_for(self, branch_id: IDType) -> Steps[None]:
        record = yield from self.record_steps(branch_id)
        if record.state != "open":
            raise BranchClosed(f"The branch {branch_id} was removed from the session and takes no more mail.")
        self.add([record])

    def _named(self, name: Any) -> list[Place]:
        if not isinstance(name, str) or not name:
            raise ItemNotFoundError(f"{name!r} names no branch: an id, a name or a branch is needed.")
        return self.named(name)


def gone(session: str) -> ItemNotFoundError:
    """Return the error for a session that was there and is no more."""
    return ItemNotFoundError(f"There is no session {session} any more: it was deleted, or the server was emptied.")


def session_steps(session: str) -> Steps[SessionRecord]:
    """Read the record of a session that was there; raises ItemNotFoundError when it is no more."""
    record = yield from ask(ReadSession(session))
    if record is None:
        raise gone(session)
    return record


@lru_cache(maxsize=256)
def _has_id(kind: type) -> bool:
    return issubclass(kind, Observable)


def _as_id(ref: Any) -> IDType | None:
    try:
        return ID.get_id(ref)
    except (IDError, ValueError):
        return None
