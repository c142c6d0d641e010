"""Why mail is dead: the words that dead letters have for it, and what each means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["MEANINGS"]

MEANINGS: Final[Mapping[str, str]] = {
    "failed": "Its behaviour has raised as often as it may.",
    "poison": "It was handed out as often as it may be, and its worker died each time. See why before you retry it.",
    "expired": "It was not taken up within its time to live.",
    "unknown_branch": "There never was such a branch in the session.",
    "closed": "The branch was removed before it took this mail.",
    "full": "The branch had as much mail waiting as the session allows.",
    "broken_mailbox": "The key of the recipient's mailbox holds something else.",
    "unknown_outcome": "A call that must not be made twice was cut: look whether it took effect before you retry.",
    "unknown_behaviour": "The worker's registry has no behaviour of that name. Start workers that have it, then retry.",
    "unknown_tool": "The worker's registry has no tool of that name. Start workers that have it, then retry.",
    "unknown_model": "The worker's registry has no model of that name. Start workers that have it, then retry.",
    "not_applied": "The item does not fit the branch, such as another tool of the same name.",
    "bad_signature": "It is not signed by somebody who has the secret.",
    "misdirected": "It was written for another branch.",
    "malformed": "The bytes are no mail of this protocol.",
    "too_large": "It is larger than a mail may be.",
    "lost_blob": "Its large body is not there any more, or is another.",
    "withdrawn": "Somebody took it out while it waited. Nothing was done with it: retry it if that was a slip.",
    "stopped": "Somebody stopped it at work. Calls that it made outside stay made: look at them, then retry.",
    "duplicate": "A mail with the same id waits already, or has taken effect before: somebody has copied it.",
}
"""A sentence for each reason; a letter of a later version, or of an import, may have another one."""
