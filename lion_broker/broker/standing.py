"""What a claim and a commit answer, read: where the branch stands, and the mails that it is given. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Entry
from lion_broker.mail.verbs import Claim, Commit

from .codec import Codec

__all__ = ["stand_of"]

_OUTCOMES: Final = {str(outcome).encode(): outcome for outcome in Outcome}
_NO_LANES: Final[frozenset[str]] = frozenset()


def stand_of(codec: Codec, verb: Claim | Commit, replies: Sequence[Any]) -> tuple[Any, ...]:
    """Return the parts of a Claimed or Committed, in order."""
    word, cursor, version, attempts, behaviour, now, lane, lanes, *entries = replies[0]
    return (
        _OUTCOMES[word],
        cursor.decode(),
        version,
        attempts,
        behaviour.decode(),
        _given(codec, entries, verb.session, verb.branch),
        now,
        lane.decode("utf-8", "replace"),
        frozenset([name.decode("utf-8", "replace") for name in lanes]) if lanes else _NO_LANES,
    )


def _given(codec: Codec, parts: list[Any], session: str, branch: str) -> tuple[Entry, ...]:
    """Return the mails of an answer: four values in a row each, or a whole entry, where it is not like all others."""
    found, at = [], 0
    while at < len(parts):
        if type(parts[at]) is list:
            found.append(codec.open(parts[at], session, branch))
            at += 1
        else:
            found.append(Entry(parts[at].decode(), codec.open_parts(parts[at + 1 : at + 4], session, branch)))
            at += 4
    return tuple(found)
