"""Sessions and branches: made, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping

from lion_broker.core.lean import lean
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed, Record

from .verb import LEASE_MS, Verb

__all__ = ["CloseBranch", "CreateBranch", "CreateSession", "DeleteSession", "UpdateSession"]


@lean(frozen=True, slots=True)
class CreateSession(Verb[Outcome]):
    """Create a session with its own mailbox. OK, or DUPLICATE when the id is taken.

    `fields` holds at least `delivery` (manual or auto); `cap` is the most mails that may wait for one branch,
    `cap_bytes` the most bytes of them (0: no limit).
    """

    session: str
    fields: Mapping[str, str]
    cap: int = 0
    cap_bytes: int = 0


@lean(frozen=True, slots=True)
class UpdateSession(Verb[Outcome]):
    """Set fields of a session. OK or UNKNOWN."""

    session: str
    fields: Mapping[str, str]


@lean(frozen=True, slots=True)
class DeleteSession(Verb[bool]):
    """Remove up to `limit` branches of a session with everything they own, then the session.

    True when more is left to remove; ask again until False.
    """

    session: str
    limit: int = 100


@lean(frozen=True, slots=True)
class CreateBranch(Verb[Outcome]):
    """Create a branch whose log begins with `records` as version 1.

    A branch without a pool is born leased to `token` (its creator's); one with a pool belongs to nobody.
    OK, DUPLICATE when this very branch exists, UNKNOWN when there is no such session. `copies` names a branch whose log
    the records refer to, so that it is kept as long as they do.
    """

    session: str
    seed: BranchSeed
    records: tuple[Record, ...]
    token: str = ""
    owner: str = ""
    copies: str = ""
    lease_ms: int = LEASE_MS


@lean(frozen=True, slots=True)
class CloseBranch(Verb[Outcome]):
    """Remove a branch from the session: what waits for it becomes dead letters (`closed`), later mail is refused.

    Mail that it has sent itself still goes out. With `delete` its log goes too, unless another branch's log refers to
    it. OK, CLOSED (before), UNKNOWN, or HELD when another owner's lease on a branch without a pool is alive. Whoever
    asks again with the `nonce` that closed it is answered OK again.
    """

    session: str
    branch: str
    token: str = ""
    delete: bool = False
    nonce: str = ""
