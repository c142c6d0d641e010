"""Finds the JSON in what a model wrote: strict, in a fenced block, repaired, with its keys put right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic_core import from_json

from lion_broker.errors import ConfigError, OutputInvalid

from .forms import Form

__all__ = ["Matching", "candidates", "match_keys", "read"]

_FENCED: Final = re.compile(r"```[ \t]*(?:json|JSON)?[ \t]*\n(.*?)```", re.DOTALL)
_LONGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Matching:
    """How keys that are not quite those of the form are treated.

    `unmatched`: keys that are like none are kept (`ignore`), dropped (`remove`), an error (`raise`); `fill` adds
    missing ones from `fill_mapping`, else `fill_value`; `force` does both of remove and fill.
    """

    fuzzy: bool = True
    threshold: float = 0.85
    algorithm: str = "jaro_winkler"
    unmatched: Literal["ignore", "raise", "remove", "fill", "force"] = "ignore"
    fill_value: Any = None
    fill_mapping: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False

    def __post_init__(self) -> None:
        if self.unmatched not in ("ignore", "raise", "remove", "fill", "force"):
            raise ConfigError(f"handle_unmatched is ignore, raise, remove, fill or force, not {self.unmatched!r}.")
        if not 0 < self.threshold <= 1:
            raise ConfigError(f"similarity_threshold is above 0 and at most 1, not {self.threshold}.")


def read(text: str, form: Form, matching: Matching | None = None) -> Any:
    """Return the value of the first JSON in a text that fits the form; raises OutputInvalid with the first fault."""
    fault: OutputInvalid | None = None
    for value in candidates(text):
        try:
            return form.take(match_keys(value, form.keys, matching or Matching()))
        except OutputInvalid as error:
            fault = fault or error
    raise fault or OutputInvalid("no JSON was found in the answer")


def candidates(text: str) -> Iterator[Any]:
    """Yield what may be meant: the whole text as JSON, each fenced block, then the same repaired."""
    pieces = [text.strip(), *(block.strip() for block in _FENCED.findall(text))]
    for piece in pieces:
        try:
            yield from_json(piece)
        except ValueError:
            continue
    # Repairing takes time and always finds something: only where there is an object or list to repair.
    for piece in [*pieces[1:], pieces[0]]:
        if len(piece) <= _LONGEST and ("{" in piece or "[" in piece):
            repaired = _repaired(piece)
            if repaired not in ("", [], {}, None):
                yield repaired


def match_keys(value: Any, keys: Sequence[str], matching: Matching) -> Any:
    """Return an object with its keys as the form spells them; anything else as it is."""
    if not isinstance(value, Mapping) or not keys:
        return value
    found = {key: value[key] for key in keys if key in value}
    odd = [key for key in value if key not in found]
    open_keys = [key for key in keys if key not in found]
    for key in odd.copy():
        close = _closest(str(key), open_keys, matching) if matching.fuzzy else None
        if close is not None:
            found[close] = value[key]
            open_keys.remove(close)
            odd.remove(key)
    return _completed(found, {key: value[key] for key in odd}, open_keys, matching)


def _completed(
    found: dict[str, Any], odd: Mapping[str, Any], missing: Sequence[str], matching: Matching
) -> dict[str, Any]:
    if matching.strict and missing:
        raise OutputInvalid(f"these fields are missing: {', '.join(missing)}")
    if odd and matching.unmatched == "raise":
        raise OutputInvalid(f"these fields are not known: {', '.join(map(str, odd))}")
    if matching.unmatched in ("fill", "force"):
        filled = {key: matching.fill_mapping.get(key, matching.fill_value) for key in missing}
        found.update({key: value for key, value in filled.items() if value is not None or key in matching.fill_mapping})
    return found if matching.unmatched in ("remove", "force") else {**found, **odd}


def _closest(key: str, keys: Sequence[str], matching: Matching) -> str | None:
    similarity = _similarity(matching.algorithm)
    best = max(keys, key=lambda known: similarity(_plain(key), _plain(known)), default=None)
    return best if best is not None and similarity(_plain(key), _plain(best)) >= matching.threshold else None


def _plain(key: str) -> str:
    """Letters and digits only: `firstName`, `First name` and `first_name` are the same key."""
    return re.sub(r"[\W_]+", "", key).lower()


def _similarity(algorithm: str) -> Any:
    from rapidfuzz import distance

    known = {
        "jaro_winkler": distance.JaroWinkler,
        "levenshtein": distance.Levenshtein,
        "hamming": distance.Hamming,
        "indel": distance.Indel,
    }
    if algorithm not in known:
        raise ConfigError(f"similarity_algo is one of {', '.join(known)}, not {algorithm!r}.")
    return known[algorithm].normalized_similarity


def _repaired(text: str) -> Any:
    from json_repair import repair_json

    try:
        return repair_json(text, return_objects=True)
    except (ValueError, RecursionError):
        return None
