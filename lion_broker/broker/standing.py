"""What a claim and a commit answer, read: where the branch stands, and the mails that it is given. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Claim, Commit

from .codec import Codec

__all__ = ["stand_of"]

_OUTCOMES: Final = {str(outcome).encode(): outcome for outcome in Outcome}
_NO_LANES: Final[frozenset[str]] = frozenset()


def stand_of(codec: Codec, verb: Claim | Commit, replies: Sequence[Any]) -> tuple[Any, ...]:
    """Return the parts of a Claimed or Committed, in order."""
    word, cursor, version, attempts, behaviour, now, lane, lanes, *entries = replies[0]
    open_one, session, branch = codec.open, verb.session, verb.branch
    return (
        _OUTCOMES[word],
        cursor.decode(),
        version,
        attempts,
        behaviour.decode(),
        tuple([open_one(entry, session, branch) for entry in entries]),
        now,
        lane.decode("utf-8", "replace"),
        frozenset([name.decode("utf-8", "replace") for name in lanes]) if lanes else _NO_LANES,
    )
