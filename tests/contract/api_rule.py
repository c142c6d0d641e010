"""What the reference leaves out: members and parameters of public classes that are for the package's own use.

Three things keep one out: it is a program over the exchange (`…_steps`, or it returns Steps); a parameter is of a class
that nobody outside the package has; or it stands in `INSIDE`, with those that look like others and are not for users.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import lion_broker
import lion_broker.testing

__all__ = ["HAD", "INSIDE", "foreign_in", "is_inside", "kept"]

INSIDE: Final = {
    "Branch": {"bind", "leave", "join", "ask", "listen", "act", "settle"},
    "Exchange": {"pipeline", "ainspect"},
    "Mail": {"of_valid"},
    "Mailbox": {"append_written", "let_go"},
    "MessageManager": {"begin_with"},
    "Pile": {"edits", "recall", "tail"},
    "Progression": {"of_ids"},
    "Registry": {"share_limits", "received_model"},
    "RemoteBranch": {"chronicle", "version_read"},
    "RoledMessage": {"holds_more", "is_built_in"},
    "iModel": {"share"},
}
"""What connects a branch with its host, a pile with its store, and the like."""

HAD: Final = frozenset(
    {"ActionRequestModel", "ActionResponseModel", "Calibration", "Collective", "DeadLetter", "EndPoint", "OnFailure"}
    | {"Observable", "Order", "Ordering", "PileChange", "Verb"}
)
"""Classes without a public name that users have all the same: as values, as words for them, or as what they may be."""


def is_inside(value: type, member: str, found: Callable[..., Any]) -> bool:
    """Whether a member of a public class is for the package's own use."""
    if any(member in INSIDE.get(base.__name__, ()) for base in value.__mro__):
        return True
    given = _signature_of(found)
    return member.endswith("_steps") or bool(given and ("Steps[" in str(given.return_annotation) or foreign_in(found)))


def foreign_in(found: Callable[..., Any]) -> bool:
    """Whether a call needs something of a class that only the package has."""
    given = _signature_of(found)
    return any(_is_foreign(one) and one.default is one.empty for one in given.parameters.values()) if given else False


def kept(given: inspect.Signature) -> inspect.Signature:
    """Return a signature without what its caller has not got."""
    shown = [one for one in given.parameters.values() if one.name not in ("self", "cls") and not _is_foreign(one)]
    return given.replace(parameters=shown)


def _is_foreign(parameter: inspect.Parameter) -> bool:
    return not _words(parameter.annotation).isdisjoint(_hidden())


def _words(annotation: Any) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", annotation if isinstance(annotation, str) else f"{annotation}"))


def _signature_of(found: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(found)
    except (TypeError, ValueError):
        return None


@cache
def _hidden() -> frozenset[str]:
    """The names of the package's classes that are neither public nor had."""
    sources = Path(lion_broker.__file__).parent.rglob("*.py")
    nodes = (node for source in sources for node in ast.walk(ast.parse(source.read_text())))
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    return frozenset(classes - {*lion_broker.__all__, *lion_broker.testing.__all__} - HAD)
