"""Signs in English prose: which sentences define, explain, restrict or contrast, and which lean on others."""

import re
from collections.abc import Mapping

from lion_broker.demo.findings import Aspect

__all__ = [
    "CUES",
    "cross_reference",
    "denies",
    "is_aside",
    "leans_back",
    "names_something",
    "states_condition",
    "tells_history",
]


def _any_of(*phrases: str, cased: bool = False) -> re.Pattern[str]:
    """Return a pattern for any of some phrases as whole words; a phrase may be a pattern itself."""
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b", 0 if cased else re.IGNORECASE)


CUES: Mapping[Aspect, re.Pattern[str]] = {
    "answer": _any_of(
        *("when", "if", "first", "then", "before", "after", "because", "order", "steps?", "results?", "equivalent"),
        *("proceeds?", "follow(?:s|ing)?", "returns?", "causes?", "evaluated", "executed", "invoked", "called"),
        *("determined", "bound"),
    ),
    "definition": _any_of(
        "(?:is|are) (?:an?|the|any|used|called|said|known|considered|evaluated|created|defined|either)",
        *("refers? to", "means", "denotes?", "represents?", "specif(?:y|ies)", "defines?", "holds", "causes?"),
        *("provides?", "yields?", "tests? for", "compares?", "suspends?", "leaves", "binds", "creates?", "allows?"),
        *("returns?", "declares?", "deletes?", "terminates?"),
    ),
    "difference": _any_of(
        *("unlike", "whereas", "instead", "contrast", "differs?", "different", "rather than", "same", "while"),
        *("although", "never", "not", "implies", "but"),
    ),
    "rules": _any_of(
        *("must", "cannot", "can not", "may (?:not|only)", "not (?:allowed|permitted|possible)", "illegal"),
        *("restrictions?", "(?:is|are) required", "only (?:be|allowed|used|valid)", "guarantees?", "undefined"),
        *("is an error", "is raised", "raises", "will fail", r"[A-Z]\w*(?:Error|Exception|Warning)"),
        cased=True,
    ),
    "example": _any_of("examples?", "following", "illustrates?", "for instance", r"e\.g", "equivalent"),
    "related": _any_of("is", "are", "used", "when", "if"),
}

_NAMING = _any_of(
    *("called", "known as", "referred to as", "refers? to", "said to be", "denotes?", "defines"),
    r"is an? \w+ (?:that|which)",
)
_LEANING = _any_of(
    *("this", "that", "these", "those", "it", "its", "they", "their", "such", "thus", "hence", "therefore"),
    *("however", "otherwise", "accordingly", "instead", "similarly", "so", "then", "also", "likewise", "conversely"),
    *(
        "in contrast",
        "in addition",
        "in (?:this|that|these|such|other words)",
        "as a (?:result|consequence)",
        "a consequence of",
    ),
    *("for example", "note that", "for this", "because of this", "if it is", "but", "here", "or", "and"),
    "the (?:former|latter|same|above|new)",
)
_ELSEWHERE = _any_of(
    *("see (?:also )?(?:section|the|chapter|PEP)", "see [A-Z`*].*", "described (?:in|above|below|later)"),
    *("in (?:greater|more) detail", "for (?:full|more) (?:details|information)", "refer to", "(?:is|are) listed"),
    *("(?:is|are) contained in", "documented", "additional information", "next section", "further explanation"),
)
_HISTORY = re.compile(
    r"(?:Changed|New|Added|Deprecated)(?: since| in)? (?:in )?(?:version|\d)"
    r"|From version|(?:For certain .*)?[Rr]aises an auditing event|\*\*CPython implementation"
)
_CONDITION = _any_of(
    *("if", "when", "whenever", r"in (?!\w+,)", "for", "unless", "once", "after", "before", "during", "calling")
)
_DENIAL = re.compile(r"n['’]t\b|\b(?:not|cannot|never|only)\b")
_PARENTHESES = re.compile(r" ?\([^()]*\)")


def names_something(sentence: str) -> bool:
    """Tell whether a sentence gives a thing its name or says what a name means."""
    return bool(_NAMING.search(sentence))


def leans_back(sentence: str) -> bool:
    """Tell whether a sentence needs the one before it to be understood."""
    return bool(_LEANING.match(sentence)) or sentence[:1].islower() or sentence[:1] == "("


def cross_reference(sentence: str) -> bool:
    """Tell whether a sentence sends its reader elsewhere, and not just in brackets."""
    return bool(_ELSEWHERE.search(_PARENTHESES.sub("", sentence)))


def denies(sentence: str) -> bool:
    """Tell whether a sentence says that something is not so, or asks why it is not."""
    return bool(_DENIAL.search(sentence))


def is_aside(sentence: str) -> bool:
    """Tell whether a sentence adds something to what it does not say itself."""
    return "also" in sentence.lower().split()[:6]


def states_condition(sentence: str) -> bool:
    """Tell whether a sentence speaks of one case rather than of a thing."""
    return bool(_CONDITION.match(sentence))


def tells_history(sentence: str) -> bool:
    """Tell whether a sentence is about a change between versions or about one implementation."""
    return bool(_HISTORY.match(sentence))
