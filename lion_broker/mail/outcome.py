"""The closed set of words with which the exchange answers, from the server-side functions upwards."""

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """What became of a verb; nothing else is ever answered."""

    OK = "OK"
    DUPLICATE = "DUPLICATE"  # this producer posted this sequence number before, with the same content
    CONFLICT = "CONFLICT"  # the same number with other content, or an id that is taken
    GAP = "GAP"  # a sequence number was left out
    FULL = "FULL"  # the recipient takes no more
    CLOSED = "CLOSED"  # the branch was removed
    UNKNOWN = "UNKNOWN"  # no such session or branch
    HELD = "HELD"  # another owner's lease is alive; nothing was acknowledged
    GONE = "GONE"  # the ready entry is no longer the branch's mark
    PAUSED = "PAUSED"  # the branch takes no turns until it is resumed
    EMPTY = "EMPTY"  # nothing waits
    DRAINED = "DRAINED"  # committed, and the lease has ended
    ALREADY = "ALREADY"  # this very commit has been made before, or things stand as they were to be
    STALE = "STALE"  # the branch stands elsewhere than the caller believes
    CANCELLED = "CANCELLED"  # renewed; and somebody has cancelled a command of the branch
    FENCED = "FENCED"  # the token is not the branch's; drop your copy
