"""What a claim, a commit and a ready entry say, read: where the branch stands, and the mails it is given. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lion_broker.mail.checks import is_entry
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Entry
from lion_broker.mail.verbs import Claim, Commit

from .codec import Codec

__all__ = ["read_ready_entry", "read_turn_reply"]

_OUTCOMES: Final = {str(outcome).encode(): outcome for outcome in Outcome}
_NO_LANES: Final[frozenset[str]] = frozenset()
_VERSION_DIGITS: Final = 16
_GIVEN: Final = (b"s", b"b", b"e", b"m", b"c", b"v", b"f")


def read_turn_reply(codec: Codec, verb: Claim | Commit, replies: Sequence[Any]) -> tuple[Any, ...]:
    """Return the parts of a Claimed or Committed, in order."""
    word, cursor, version, attempts, behaviour, now, lane, lanes, *entries = replies[0]
    return (
        _OUTCOMES[word],
        cursor.decode(),
        version,
        attempts,
        behaviour.decode(),
        _mails(codec, entries, verb.session, verb.branch),
        now,
        lane.decode("utf-8", "replace"),
        frozenset([name.decode("utf-8", "replace") for name in lanes]) if lanes else _NO_LANES,
    )


def read_ready_entry(codec: Codec, ready: bytes, fields: Sequence[bytes], session: str, branch: str) -> Claimed | None:
    """Return what a ready entry hands out with it, as a claim would have answered; None where it is a mere mark.

    What is none of ours is taken for a mark: whoever claims with it is told what it is worth.
    """
    if tuple(fields[0::2]) != _GIVEN or len(fields) % 2:
        return None
    _, _, entry, sealed, cursor, version, behaviour = fields[1::2]
    try:
        place, where, name = entry.decode(), cursor.decode(), behaviour.decode()
        if not (is_entry(place) and is_entry(where) and version.isdigit() and len(version) <= _VERSION_DIGITS):
            return None
        mail = Entry(place, codec.open_mail(sealed, session, branch))
        came = int(ready.partition(b"-")[0])
        return Claimed(Outcome.OK, where, int(version), 1, name, (mail,), came)
    except ValueError:
        return None


def _mails(codec: Codec, parts: list[Any], session: str, branch: str) -> tuple[Entry, ...]:
    """Return the mails of an answer: two values in a row each, or a whole entry, where it is not like all others."""
    found, left = [], iter(parts)
    for part in left:
        if type(part) is bytes:
            found.append(Entry(part.decode(), codec.open_mail(next(left, b""), session, branch)))
        else:
            found.append(codec.open(part, session, branch))
    return tuple(found)
