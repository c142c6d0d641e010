"""What a namespace answers to a program that opens it, and who may not go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import NoPermissionError, ResponseError

from lion_broker.errors import BrokerError, ProtocolMismatch, SigningKeyUnknown

from .library import PROTOCOL
from .signing import Signer, foreign_key

__all__ = ["KEY_ADVICE", "insist_on_functions", "partitions_of"]

KEY_ADVICE: Final = (
    "Set LION_BROKER_SECRET (or LION_BROKER_SECRET_FILE) to the same value for all programs, and while it is"
    " being changed the other one as LION_BROKER_SECRET_PREVIOUS; or use another namespace."
)


def partitions_of(answer: Sequence[Any], where: str, signer: Signer, accepted: Sequence[str], advice: str) -> int:
    """Return how many partitions a namespace has, by the answer of `open_namespace`; `where` says which one it is.

    Raises ProtocolMismatch for one of another protocol, SigningKeyUnknown where the newest key that signs in it is none
    of those that are `accepted`, with the `advice` what to do.
    """
    protocol, partitions = (int(value) for value in answer[:2])
    if protocol != PROTOCOL:
        raise ProtocolMismatch(
            f"The {where} speaks protocol {protocol}, this program {PROTOCOL}."
            " Use another namespace, or the version of lion-broker that made it: its sessions come along with"
            " `lion-broker session export` of that version and `session import` of this one."
        )
    newest = answer[2].decode("utf-8", "replace")
    if newest not in accepted:
        raise SigningKeyUnknown(foreign_key(newest, signer, f"the {where}", advice))
    return partitions


def insist_on_functions(reply: Any, url: str) -> None:
    """Raise the error that a server has answered to its library of functions, if it is one."""
    if isinstance(reply, NoPermissionError):
        raise BrokerError(
            f"The server at {url} lacks the functions of this version, and this user may not load them. Use"
            " it once as a user who may (`lion-broker session ls`), or allow this one +function|load."
        )
    if isinstance(reply, ResponseError):
        raise reply
