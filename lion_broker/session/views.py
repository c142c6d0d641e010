"""The messages of a session, gathered over its branches: as a pile, as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lion_broker.branch.branch import Branch
from lion_broker.core.ids import IDType
from lion_broker.core.pile import Pile, pile
from lion_broker.mail.exchange import Steps, together
from lion_broker.messages import RoledMessage

from .gathered import Gathered, MessageSource
from .remote import RemoteBranch
from .state import SessionState

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["chosen_steps", "concat", "to_df"]

Chosen = tuple[IDType, ...] | None

_READ_TOGETHER = 50


def concat(state: SessionState, chosen: Chosen, exclude_clone: bool, exclude_load: bool) -> Pile[RoledMessage]:
    """Return messages of branches in order of creation, none twice."""
    with state.context.lock:
        return pile(_gathered(state, chosen, exclude_clone, exclude_load).messages())


def to_df(state: SessionState, chosen: Chosen, exclude_clone: bool, exclude_load: bool) -> DataFrame:
    """Return what `concat` does as a frame, with the branch in which each message was first found."""
    with state.context.lock:
        return _gathered(state, chosen, exclude_clone, exclude_load).frame()


def chosen_steps(state: SessionState, branches: Any) -> Steps[Chosen]:
    """Return the ids of branches and read what is new in them; for all of them (None) also which there are now."""
    versions: dict[str, int] | None = None
    if branches is None:
        versions = {record.id: record.version for record in (yield from state.sync_steps())}
    chosen = yield from state.chosen_steps(branches)
    readers = [
        one.chronicle
        for one in _among(state, chosen)
        if isinstance(one, RemoteBranch) and (versions is None or versions.get(one.id) != one.version_read)
    ]
    if _is_own(state, chosen):
        readers.append(state.inbox.chronicle)
    # So many at once as are sure to fit into memory, each with a whole page of large messages.
    for first in range(0, len(readers), _READ_TOGETHER):
        yield from together([reader.read_steps() for reader in readers[first : first + _READ_TOGETHER]])
    return chosen


def _gathered(state: SessionState, chosen: Chosen, exclude_clone: bool, exclude_load: bool) -> Gathered:
    """Gather the messages of branches; the last that was gathered on the same terms is gone on with."""
    terms = (exclude_clone, exclude_load)
    if state.gathered is None or state.gathered.terms != terms:
        state.gathered = Gathered(*terms)
    sources = [
        MessageSource(
            one.msgs.messages if isinstance(one, Branch) else one.chronicle.msgs.messages, one.name or str(one.id)
        )
        for one in _among(state, chosen)
        if isinstance(one, Branch) or one.version_read
    ]
    if _is_own(state, chosen):
        sources.append(MessageSource(state.inbox.chronicle.msgs.messages, "session"))
    state.gathered.take(sources)
    return state.gathered


def _among(state: SessionState, chosen: Chosen) -> list[Any]:
    wanted = None if chosen is None else set(chosen)
    return [one for one in state.found if wanted is None or one.id in wanted]


def _is_own(state: SessionState, chosen: Chosen) -> bool:
    return chosen is None or state.session in chosen
