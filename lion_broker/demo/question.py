"""Reads a question: what it is about, and how much of that a corpus knows."""

import re
from dataclasses import dataclass
from itertools import chain

from lion_broker.demo.foci import FILLERS, Focus, foci_of_comparison, foci_of_text, tokens
from lion_broker.demo.search import Search
from lion_broker.models.wording import STOP_WORDS, terms

__all__ = ["Question", "read_question"]

_LONGEST_READ = 600
_LONGEST_CONTEXT = 20_000
_MOST_FOCI = 4
_MOST_CONTEXT = 8
# How much of what is asked about must be known to the corpus for an answer to be tried.
_LEAST_COVERAGE = 0.5

_CONTRACTION = re.compile(r"(?<=\w)['’](?:s|re|ll|d|ve)\b|(?<=\bcan)['’]t\b|(?<=\w)(?<!\bca)n['’]t\b", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)[\"'“‘]([^\"'“”‘’]{1,40})[\"'”’](?!\w)")
_SENTENCE = re.compile(r"([^.?!]++)([.?!]|$)")
_PAIR = re.compile(r"\b(\w+)(\s*(?:\.\.\.|…|/|-)\s*)(\w+)\b")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was read.

    `foci` are what it is about, `context` its further terms, `compares` tells whether the foci are compared. `coverage`
    runs from 0 (the corpus knows nothing of the foci) to 1; `unknown` lists the words that the corpus does not know.
    """

    text: str
    foci: tuple[Focus, ...]
    context: tuple[str, ...]
    compares: bool
    coverage: float
    unknown: tuple[str, ...]

    @property
    def can_be_answered(self) -> bool:
        """Whether the corpus knows enough of its words for an answer to make sense."""
        known = len(self.foci) + len(self.context)
        return self.coverage >= _LEAST_COVERAGE and len(self.unknown) <= known


def read_question(text: str, search: Search) -> Question:
    """Read a question against what a corpus knows; a text without a usable word has no foci and coverage 0."""
    shown = " ".join(_QUOTED.sub(r"`\1`", text).split())
    clean = _CONTRACTION.sub("", shown)
    heart = _code_pairs(_heart(clean), search.corpus.code_words)
    compared = foci_of_comparison(heart, search)
    foci = tuple(focus for focus in compared or foci_of_text(heart, search) if focus.terms)[:_MOST_FOCI]
    words = [word for word in dict.fromkeys(tokens(clean[:_LONGEST_CONTEXT])) if word.lower() not in FILLERS]
    known, unknown = _context(words, foci, search), _unknown(words, search)
    return Question(shown, foci, known, bool(compared), _coverage(foci, search), unknown)


def _heart(text: str) -> str:
    """Return the question proper of a long text: its first sentence that asks, else its beginning."""
    if len(text) <= _LONGEST_READ:
        return text
    asked = next((part[1] for part in _SENTENCE.finditer(text) if part[2] == "?"), text[:_LONGEST_READ])
    return asked[-_LONGEST_READ:].strip()


def _code_pairs(text: str, code_words: frozenset[str]) -> str:
    """Mark words of the language that are written as a pair, such as for … else or try/finally, as code."""

    def marked(pair: re.Match[str]) -> str:
        known = pair[1] in code_words and pair[3] in code_words
        return f"`{pair[1]}`{pair[2]}`{pair[3]}`" if known else pair[0]

    return _PAIR.sub(marked, text)


def _context(words: list[str], foci: tuple[Focus, ...], search: Search) -> tuple[str, ...]:
    """Return the weightiest known terms of a question besides those of its foci, in the order of the question."""
    in_foci = {term for focus in foci for term in (*focus.terms, *terms(focus.label))}
    known = [
        term
        for term in dict.fromkeys(chain.from_iterable(_corpus_terms(word, search) for word in words))
        if term not in in_foci and search.knows(term) and len(term) > 1
    ]
    weightiest = sorted(known, key=lambda term: (-search.weight(term), term))[:_MOST_CONTEXT]
    return tuple(term for term in known if term in weightiest)


def _corpus_terms(word: str, search: Search) -> list[str]:
    """Return the terms of a word, or of what the corpus says instead."""
    return terms(search.corpus.synonyms.get(word.lower(), word).partition("|")[0])


def _unknown(words: list[str], search: Search) -> tuple[str, ...]:
    """Return the words of a question that the corpus never mentions, under any name."""
    return tuple(
        dict.fromkeys(
            word.strip("`")
            for word in words
            if re.search(r"\w", word)
            and word.lower() not in STOP_WORDS
            and not any(map(search.knows, search.terms(word)))
        )
    )


def _coverage(foci: tuple[Focus, ...], search: Search) -> float:
    """Return the share of the weight of the foci that the corpus knows."""
    asked = sorted({term for focus in foci for term in focus.terms})
    whole = sum(search.weight(term) for term in asked)
    known = sum(search.weight(term) for term in asked if search.knows(term))
    return known / whole if whole else 0.0
