"""Signs in English prose: which sentences define, explain, restrict or contrast, and which lean on others."""

import re
from collections.abc import Mapping

from lion_broker.demo.findings import Aspect

__all__ = ["CUES", "cross_reference", "is_aside", "leans_back", "names_something", "states_condition", "tells_history"]

CUES: Mapping[Aspect, re.Pattern[str]] = {
    "answer": re.compile(
        r"\b(when|if|first|then|before|after|proceeds?|follow(s|ing)?|steps?|equivalent|evaluated|executed|invoked|called|returns?"
        r"|results?|order|causes?|determined|bound|because)\b",
        re.IGNORECASE,
    ),
    "definition": re.compile(
        r"\b(is|are) (an?|the|any|used|called|said|known|considered|evaluated|created|defined|either)\b"
        r"|\b(refers? to|means|denotes?|represents?|specif(y|ies)|defines?|holds|causes?|provides?|yields?|tests? for|compares?|suspends?"
        r"|leaves|binds|creates?|allows?|returns?|declares?|deletes?|terminates?)\b",
        re.IGNORECASE,
    ),
    "difference": re.compile(
        r"\b(unlike|whereas|instead|contrast|differs?|different|rather than|same|while|although|never|not|implies|but)\b", re.IGNORECASE
    ),
    "rules": re.compile(
        r"\b(must|cannot|can not|may (not|only)|not (allowed|permitted|possible)|illegal|restrictions?|(is|are) required|only (be|allowed|used|valid)"
        r"|guarantees?|is an error|is raised|raises|will fail|undefined)\b|\b[A-Z]\w*(Error|Exception|Warning)\b",
    ),
    "example": re.compile(r"\b(examples?|following|illustrates?|for instance|e\.g\.|equivalent)\b", re.IGNORECASE),
    "related": re.compile(r"\b(is|are|used|when|if)\b"),
}
_NAMING = re.compile(r"\b(called|known as|referred to as|refers? to|said to be|denotes?|defines|is an? \w+ (that|which))\b")
_ANAPHORA = re.compile(
    r"(this|that|these|those|it|its|they|their|such|thus|in addition|hence|therefore|however|otherwise|accordingly|instead|similarly|so|then|also|likewise"
    r"|conversely|in (this|that|these|such|other words)|as a (result|consequence)|a consequence of|for example|note that|for this|if it is|but"
    r"|here|or|and|because of this|the (former|latter|same|above|new))\b",
    re.IGNORECASE,
)
_CROSS_REFERENCE = re.compile(
    r"\b(see (also )?(section|the|chapter|PEP|`|[A-Z*])|described (in|above|below|later)|in (greater|more) detail|for (full|more) (details|information)|refer to|(is|are) listed"
    r"|(is|are) contained in|documented|additional information|next section|See \w+)", re.IGNORECASE
)
_CONDITION = re.compile(r"(if|when|whenever|in (?!\w+,)|for|unless|once|after|before|during|calling)\b", re.IGNORECASE)
_PARENTHESES = re.compile(r" ?\([^()]*\)")
_HISTORY = re.compile(r"(Changed|New|Added|Deprecated)( since| in)? (in )?(version|\d)|Raises an auditing event|\*\*CPython implementation")


def leans_back(sentence: str) -> bool:
    """Tell whether a sentence needs the one before it to be understood."""
    return bool(_ANAPHORA.match(sentence)) or sentence[:1].islower() or sentence[:1] == "("


def cross_reference(sentence: str) -> bool:
    """Tell whether a sentence mainly sends its reader elsewhere."""
    return bool(_CROSS_REFERENCE.search(_PARENTHESES.sub("", sentence)))


def names_something(sentence: str) -> bool:
    """Tell whether a sentence gives a thing its name or says what a name means."""
    return bool(_NAMING.search(sentence))


def is_aside(sentence: str) -> bool:
    """Tell whether a sentence adds something to what it does not say itself."""
    return "also" in sentence.lower().split()[:6]


def states_condition(sentence: str) -> bool:
    """Tell whether a sentence speaks of one case rather than of a thing."""
    return bool(_CONDITION.match(sentence))


def tells_history(sentence: str) -> bool:
    """Tell whether a sentence is about a change between versions or about one implementation."""
    return bool(_HISTORY.match(sentence))
