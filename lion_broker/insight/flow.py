"""Who mails whom: counted over everything that was sent in a session and is not done away with."""

from __future__ import annotations

from collections import Counter

from lion_broker.mail.exchange import Steps

from .passages import Passages
from .views import Edge, Flow

__all__ = ["flow_of", "flow_steps"]


def flow_steps(session: str) -> Steps[Flow]:
    """Read who mails whom in a session: mail that was applied, waits, or is dead. Raises ItemNotFoundError."""
    passages = Passages(session)
    yield from passages.read_steps()
    return flow_of(passages)


def flow_of(passages: Passages) -> Flow:
    """Return who mails whom, of what was read already; the most frequent first."""
    history = passages.history
    edges: Counter[tuple[str, str, str]] = Counter(history.edges)
    for story in history.stories.values():
        if not story.done and story.sender and passages.state_of(story) != "gone":
            edges[(story.sender, story.recipient, story.category)] += 1
    rows = sorted(edges.items(), key=lambda row: (-row[1], row[0]))
    ends = {end for (sender, recipient, _), _ in rows for end in (sender, recipient)}
    names = {branch: history.name_of(branch) for branch in (*history.records, *sorted(ends))}
    return Flow(names, tuple(Edge(*edge, mails) for edge, mails in rows))
