"""Everything that a session holds in this process, apart from its interface."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from lion_broker.branch.branch import Branch
from lion_broker.branch.contents import message_records, model_record, tool_record
from lion_broker.branch.directory import Directory, gone, session_steps
from lion_broker.branch.items import LocalObjects
from lion_broker.branch.journal import copy_record
from lion_broker.branch.registry import Registry
from lion_broker.branch.session_context import SessionContext
from lion_broker.core.concepts import Observable
from lion_broker.core.ids import ID, IDType
from lion_broker.core.numbers import is_amount
from lion_broker.core.pile import Pile
from lion_broker.core.portable import to_portable
from lion_broker.errors import ConfigError, ItemExistsError, ItemNotFoundError
from lion_broker.mail.checks import DELIVERIES
from lion_broker.mail.exchange import Exchange, Steps, ask
from lion_broker.mail.naming import DEFAULT_BRANCH, default_of
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord, BranchSeed, Record, SessionRecord
from lion_broker.mail.verbs import IMPORTING, CreateBranch, CreateSession, DeleteSession, ReadBranches, ReadSession

from .command import Commander
from .gathered import Gathered
from .inbox import SessionInbox
from .local_branches import LocalBranches
from .postbox import Postbox
from .remote import RemoteBranch, RemoteContext

__all__ = ["Limits", "SessionState"]

_NAMES_SHOWN = 5
_READ_AT_ONCE = 1000
"""Branches that whoever takes a session up reads in one round trip."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many mails, and how many bytes of them, may wait for one branch; None is no limit. Raises ConfigError."""

    mails: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("mailbox_limit", self.mails), ("mailbox_bytes", self.bytes)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigError(f"{name} is {value!r:.80}; it is a number from 1 on, or None for no limit.")


class SessionState:
    """A session's exchange, branches, local hosts and posts: made by `create_steps`, taken up by `open_steps`."""

    def __init__(
        self,
        exchange: Exchange,
        session: IDType,
        *,
        delivery: str,
        registry: Registry | None = None,
        timeout: float | None = 60.0,
        lease_ms: int = 10_000,
        owns_exchange: bool = False,
    ) -> None:
        if delivery not in DELIVERIES:
            raise ConfigError(f"delivery is {delivery!r}; it is {' or '.join(map(repr, DELIVERIES))}.")
        if registry is not None and not isinstance(registry, Registry):
            raise ConfigError(f"registry is a Registry or None, not a {type(registry).__name__}.")
        if timeout is not None and not is_amount(timeout):
            raise ConfigError(f"timeout is {timeout!r:.80}; it is a number of seconds from 0 on, or None for ever.")
        self.exchange = exchange
        self.delivery = delivery
        self.owns_exchange = owns_exchange
        self.timeout = timeout
        self.context = SessionContext(
            exchange=exchange,
            session=session,
            directory=Directory(session),
            registry=registry if registry is not None else Registry(),
            owner=f"{socket.gethostname()}:{os.getpid()}",
            objects=LocalObjects(),
            lease_ms=lease_ms,
        )
        self.context.registry.share_limits(exchange)
        self.local_branches = LocalBranches(self.context, manual=delivery == "manual")
        self.postbox = Postbox(session)
        self.remote = RemoteContext(
            self.context, self.postbox, Commander(self.context, self.postbox), timeout, self.check_open
        )
        self.inbox = SessionInbox(self.context)
        self.found: Pile[Any] = Pile()
        """The branches that are known here; all of them, but for a large session that was taken up."""
        self._unread = 0
        self.gathered: Gathered | None = None
        self.closed = False

    @property
    def session(self) -> IDType:
        """The session's id."""
        return self.context.session

    @property
    def branches(self) -> Pile[Any]:
        """All branches, in order of creation. Those of a large session that was taken up are read now, blocking."""
        if self._unread and not self.closed:
            self.context.run(self.read_all_steps())
        return self.found

    @property
    def size(self) -> int:
        """How many branches there are, as far as it is known without asking."""
        return max(len(self.found), self._unread)

    def create_steps(self, limits: Limits, fields: Mapping[str, Any]) -> Steps[None]:
        """Create the session; raises ItemExistsError when its id is taken."""
        texts = {name: _written(name, value) for name, value in fields.items() if value is not None}
        given = {"delivery": self.delivery, **texts}
        outcome = yield from ask(CreateSession(self.session, given, limits.mails or 0, limits.bytes or 0))
        if outcome == Outcome.DUPLICATE:
            raise ItemExistsError(f"The session {self.session} exists already; take it up with Session.open().")

    def open_steps(self, host: bool, count: int) -> Steps[None]:
        """Take up the `count` branches of a session; with `host` those whose process is gone live here from now on.

        The branches of a large session are read when somebody asks for all of them, or one by one by their ids.
        """
        if count > _READ_AT_ONCE and not host:
            self._unread = count
            return
        for record in (yield from self.context.directory.read_steps()):
            branch: Any = None
            if host and not record.seed.pool:
                branch = yield from self.local_branches.take_over_steps(record)
            self.found.include(branch or self.remote_branch(record))

    def read_all_steps(self) -> Steps[None]:
        """Read the branches of a large session, if that has not been done."""
        if self._unread:
            yield from self.sync_steps()

    def sync_steps(self) -> Steps[list[BranchRecord]]:
        """Take note of branches that other processes have created or removed; returns where all of them stand."""
        records = yield from self.context.directory.read_steps()
        self.found.include([self.remote_branch(record) for record in records if record.id not in self.found])
        open_ids = {record.id for record in records}
        self.found.exclude([one for one in self.found if isinstance(one, RemoteBranch) and one.id not in open_ids])
        if self._unread:
            # Some were found before the others, which are older.
            places = {record.id: place for place, record in enumerate(records)}
            self.found.progression = sorted(self.found.keys(), key=lambda one: places.get(one, len(places)))
            self._unread = 0
        return records

    def find_steps(self, ref: Any) -> Steps[Any]:
        """Return a branch by id, name or object; raises ItemNotFoundError, ValueError when a name is ambiguous."""
        if isinstance(ref, (list, tuple, set, frozenset, Pile)):
            raise ConfigError(f"One branch is needed here, not a {type(ref).__name__} of {len(ref)}.")
        if not isinstance(ref, (str, int, UUID, Observable)):
            raise ConfigError(f"A branch is named by its id, its name or itself, not by a {type(ref).__name__}.")
        if ref == "":
            raise ItemNotFoundError("An empty text names no branch.")
        if isinstance(ref, str) and not self._unread:
            # A pile searches for names; this is no search, and is right unless somebody has renamed a branch.
            named = self.context.directory.named(ref)
            branch = self.found.get(named[0].id, None) if len(named) == 1 else None
            if branch is not None and branch.name == ref:
                return branch
        yield from self._look_steps(ref)
        try:
            return self.found[ref]
        except ItemNotFoundError:
            record = yield from session_steps(self.session)
            raise ItemNotFoundError(self._no_branch(ref, default_of(record))) from None

    def look_up_steps(self, branch: IDType) -> Steps[None]:
        """Take note of one open branch that may be among those which have not been read."""
        if branch not in self.found:
            records = yield from ask(ReadBranches(self.session, ids=(branch,)))
            self.context.directory.add(records)
            self.found.include([self.remote_branch(record) for record in records if record.state == "open"])

    def _look_steps(self, ref: Any) -> Steps[None]:
        """Take note of a branch that is named; where it is not found by its id, of all that there are."""
        if self._unread and isinstance(ref, (Observable, UUID, str)) and (isinstance(ref, Observable) or ID.is_id(ref)):
            yield from self.look_up_steps(ID.get_id(ref))
        elif self._unread or ref not in self.found:
            yield from self.sync_steps()
        if ref not in self.found:
            yield from self.read_all_steps()

    def _no_branch(self, ref: Any, default: str) -> str:
        """Say that a branch is not there, and which are; the nameless one that stands for the session comes last."""
        bare = [branch for branch in self.found if not branch.name and branch.id == default]
        names = [branch.name or str(branch.id) for branch in self.found if branch not in bare]
        names += [DEFAULT_BRANCH for _ in bare]
        there = ", ".join(names[:_NAMES_SHOWN]) + (
            f" and {len(names) - _NAMES_SHOWN} more" * (len(names) > _NAMES_SHOWN)
        )
        if isinstance(ref, int):
            return f"The session has no branch at position {ref}; it has {len(names)}."
        what = (
            f"named {ref!r:.80}"
            if isinstance(ref, str) and not ID.is_id(ref)
            else f"with the id {getattr(ref, 'id', ref)}"
        )
        return f"The session has no branch {what}; it has {there or 'none'}."

    def check_branch(self, branch: Any) -> None:
        """Raise ConfigError for a branch that nobody could reach by its name or id."""
        name = branch.name
        if name is not None and (name == "" or ID.is_id(name)):
            raise ConfigError(
                f"A branch cannot be named {name!r}: an empty text names nothing, and an id is looked up as an id. Give"
                " another name, or none."
            )
        if branch.id == self.session:
            raise ConfigError("A branch cannot have the id of its session, which stands for the session itself.")

    def chosen_steps(self, refs: Any) -> Steps[tuple[IDType, ...] | None]:
        """Return the ids of one branch or several; None, which stands for all, as it is."""
        if refs is None:
            return None
        ids: list[IDType] = []
        for ref in refs if isinstance(refs, (list, tuple, set, frozenset, Pile)) else [refs]:
            if getattr(ref, "id", ref) == self.session:
                ids.append(self.session)
            else:
                ids.append((yield from self.find_steps(ref)).id)
        return tuple(ids)

    def remote_branch(self, record: BranchRecord) -> RemoteBranch:
        """Return the remote form of a branch."""
        seed = record.seed
        return RemoteBranch(
            self.remote,
            id=IDType(record.id),
            name=seed.name or None,
            user=seed.fields.get("user"),
            pool=seed.pool,
            behaviour=seed.behaviour,
        )

    def add_steps(self, branch: Branch, copied_from: Branch | None = None) -> Steps[Branch]:
        """Make a branch of this process part of the session."""
        self.check_branch(branch)
        yield from self.local_branches.add_steps(branch, copied_from)
        self.found.include(branch)
        return branch

    def create_remote_steps(
        self, model: Branch, pool: str, behaviour: str, tools: list[Any], models: Mapping[str, Any], metadata: Any
    ) -> Steps[RemoteBranch]:
        """Create a branch on the workers of a pool: messages and names as in `model`, tools and models by reference."""
        self.check_branch(model)
        records = message_records(model.messages)
        records += [tool_record(tool) for tool in tools]
        records += [model_record(slot, one) for slot, one in models.items() if one is not None]
        fields = {"metadata": to_json(to_portable(metadata or {}, what="The metadata of the branch")).decode()}
        if model.user is not None:
            fields["user"] = str(to_portable(model.user, what="The user of the branch"))
        seed = BranchSeed(model.id, model.name or "", pool, behaviour, fields)
        return (yield from self._create_remote_steps(seed, tuple(records)))

    def copy_steps(self, source: RemoteBranch, sender: IDType) -> Steps[RemoteBranch]:
        """Split a branch off one on workers: the new log refers to the old one, so no message crosses the network."""
        record = yield from source.record_steps()
        seed = BranchSeed(IDType.create(), "", source.pool, source.behaviour, record.seed.fields)
        copy = copy_record(source.id, record.version, sender)
        return (yield from self._create_remote_steps(seed, (copy,), copies=source.id))

    def _create_remote_steps(
        self, seed: BranchSeed, records: tuple[Record, ...], copies: str = ""
    ) -> Steps[RemoteBranch]:
        """Create a branch on workers from its seed and first records."""
        outcome = yield from ask(CreateBranch(self.session, seed, records, copies=copies))
        if outcome == Outcome.UNKNOWN:
            raise gone(self.session)
        record = BranchRecord(seed, "open", "", False, "0-0", 1 if records else 0, 0, 0, 0)
        self.context.directory.add([record])
        branch = self.remote_branch(record)
        self.found.include(branch)
        return branch

    def flush_steps(self) -> Steps[None]:
        """Store what branches of this process have done, and post what a batch could not."""
        yield from self.local_branches.flush_steps()
        if not self.context.batches.holding:
            yield from self.postbox.post_held_steps()

    def leave_steps(self) -> Steps[None]:
        """The same, and take along what this process was answered."""
        yield from self.flush_steps()
        yield from self.remote.commander.leave_steps()

    def end_batch_steps(self) -> Steps[None]:
        """Post what a batch has held back: mail of local branches with their commits, of remote ones in their names."""
        if self.delivery == "auto":
            yield from self.local_branches.flush_steps()
        yield from self.postbox.post_held_steps()

    def delete_steps(self) -> Steps[None]:
        """Remove everything that the session owns, in bounded pieces."""
        while (yield from ask(DeleteSession(self.session))):
            pass
        yield from self.remote.commander.leave_steps()

    def check_open(self) -> None:
        """Raise ItemNotFoundError when the session is closed here."""
        if self.closed:
            raise ItemNotFoundError(f"The session {self.session} is closed here; take it up with Session.open(id).")

    def close(self) -> None:
        """Hand local branches back; what they had not committed is gone."""
        if not self.closed:
            self.closed = True
            self.context.batches.drop()
            self.local_branches.close()

    @staticmethod
    def read_steps(session: str) -> Steps[SessionRecord]:
        """Read a session's record; raises ItemNotFoundError."""
        record = yield from ask(ReadSession(session))
        if record is None:
            raise ItemNotFoundError(f"There is no session {session} here; `lion-broker session ls` lists them.")
        if IMPORTING in record.fields:
            raise ItemNotFoundError(
                f"The session {session} is being imported, or its import was broken off: then begin it again, or"
                f" remove it with `lion-broker session rm {session}`."
            )
        return record

    @staticmethod
    def fields_of(record: SessionRecord) -> dict[str, Any]:
        """Return the fields of a session as they were given."""
        return {name: from_json(text) for name, text in record.fields.items() if name != "delivery"}


def _written(name: str, value: Any) -> str:
    """A field of a session as JSON; raises ConfigError, naming it, for one that cannot be written."""
    try:
        return to_json(to_portable(value)).decode()
    except ValueError as error:
        raise ConfigError(f"The session's {name} cannot be stored: {str(error).rstrip(' .')}.") from None
