"""What an exchange does for a verb, told step by step: commands to send, or a pause. No I/O."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from lion_broker.errors import BrokerError, LionError
from lion_broker.mail import verbs as v
from lion_broker.mail.checks import check

from .blobs import carries_blobs
from .functions import FUNCTIONS
from .namespace import OpenNamespace
from .reads import READS
from .requests import Command, Later, Request, are_many_mails, never, together

__all__ = ["PROMISING", "RoundTrip", "ServerSteps", "answer_of", "request_of", "simple_request"]

T = TypeVar("T")

_FEW: Final = 3
"""Verbs that go together on the shortest way; of more, what they have in common costs little beside themselves."""

_FLEETING: Final = (
    v.Cancel,
    v.Claim,
    v.Enrol,
    v.Progress,
    v.Promote,
    v.Release,
    v.Renew,
    v.Reserve,
    v.Say,
    v.Settle,
    v.Sweep,
    v.Tidy,
)
"""Verbs whose effect need not be on a replica: what is lost of it comes by itself, or is of no use any more."""

PROMISING: Final = FUNCTIONS.keys() - set(_FLEETING)
"""Those whose effect is to be on as many replicas as are asked for before they are answered."""


class RoundTrip(NamedTuple):
    """Commands for the server, for how many ms it may hold them, and whether their answer promises what they wrote.

    What is to be sent `then` is made meanwhile.
    """

    commands: tuple[Command, ...]
    wait_ms: int = 0
    promises: bool = False
    then: Later | None = None


ServerSteps = Generator[RoundTrip | float, list[Any], T]
"""Yields commands or a pause in seconds, is sent replies, returns a T."""


def request_of(namespace: OpenNamespace, verb: v.Verb[Any]) -> Request:
    """Return what to send for a verb, and how to read the replies."""
    return (FUNCTIONS.get(type(verb)) or READS[type(verb)])(namespace, verb)


def simple_request(namespace: OpenNamespace, verbs: Sequence[v.Verb[Any]]) -> Request | None:
    """Return one request for a few verbs that are done with their first replies, and have no blob; else None."""
    several = verbs[1:]
    if verbs[_FEW:] or (several and are_many_mails(verbs)):
        return None
    requests = []
    for verb in verbs:
        if carries_blobs(verb):
            return None
        check(verb)
        request = request_of(namespace, verb)
        if request.again is not never:
            return None
        if not several:
            return request
        requests.append(request)
    return together(requests) if requests else None


def answer_of(request: Request, replies: Sequence[Any], url: str) -> Any:
    """Return what the replies to a request mean; raises BrokerError for what no function of ours would answer."""
    try:
        return request.parse(replies)
    except LionError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise BrokerError(
            f"The server at {url} answered what this program does not understand ({type(error).__name__}): its"
            " keys or its function library were changed by something else than lion-broker."
        ) from error
