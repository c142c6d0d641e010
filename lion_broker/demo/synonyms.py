"""Words that say about the same, so that a question and its answer may use different ones."""

from collections.abc import Iterable, Mapping

from lion_broker.models.wording import stem

__all__ = ["alternatives"]

# What people ask with in any subject; each line is one meaning.
_ENGLISH = """
    keep preserve maintain retain
    delete remove
    begin start
    call invoke
    create construct
    change modify
    raise throw
    leave exit
    allow permit
    forbid prohibit
    kill terminate
    skip ignore
    exhaust exhausted
    resolve resolution
    inherit inheritance
    fail failure
    configure configuration setting
"""


def alternatives(meanings: Iterable[str] = ()) -> Mapping[str, tuple[str, ...]]:
    """Return for each term the terms that mean about the same, in English and in the `meanings` of a subject.

    A meaning is a line of words. What is given for a word may be said instead of it, which need not be true the other
    way round: only the words before a bar have alternatives.
    """
    found: dict[str, dict[str, None]] = {}
    for meaning in (*_ENGLISH.strip().splitlines(), *meanings):
        asked, _, said = meaning.partition("|")
        words = [stem(word) for word in asked.split()]
        for word in words:
            others = (*words, *(stem(other) for other in said.split()))
            found.setdefault(word, {}).update(dict.fromkeys(other for other in others if other != word))
    return {word: tuple(others) for word, others in found.items()}
