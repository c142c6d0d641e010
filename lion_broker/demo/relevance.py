"""How well each segment of a passage answers a sub-question."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import chain

from lion_broker.demo.cues import (
    CUES,
    cross_reference,
    denies,
    is_aside,
    leans_back,
    names_something,
    states_condition,
    tells_history,
)
from lion_broker.demo.findings import SubQuestion
from lion_broker.demo.passages import Passage
from lion_broker.demo.segments import Segment
from lion_broker.models.wording import STOP_WORDS, phrases, terms

__all__ = ["Relevance"]

# What a term counts when it is in the sentence, before it in its paragraph, or in the title of the passage.
_SHARES = (1.0, 0.7, 0.6)
# How much of a subject must be named for a few words to be about it, and for a sentence to touch it.
_WHOLE = 0.8
# What the other words of a question count beside its subjects: most where it is answered itself.
_CONTEXT = {"answer": 0.8, "example": 0.8}
_CONTEXT_BESIDE = 0.4
_LEAST_CONTEXT = 0.2
_TOUCHED = 0.45
# How much of a whole question must be in a sentence that does not speak of its subjects.
_MOST_OF_IT = 0.55
_LONG_SENTENCE = 80
# How many sentences before one in its paragraph say what it is about.
_REMEMBERED = 20

# What a sentence introduces: what it emphasises, and what it calls by its name.
_TERMS = (
    re.compile(r"(?<!\w)\*{1,2}([^*]+)\*{1,2}(?!\w)"),
    re.compile(r"\b(?:called|known as|referred to as) (?:an? |the )?((?:\S+\s?){1,3})"),
)
_INTRODUCTION = re.compile(r"(?:In|By|For|As) \w+, ")
# The first three words, and the rest of an enumeration of code that they begin.
_SUBJECT = re.compile(r"(?:\S+\s?){0,3}(?:(?:and |or )?`[^`]+`,?\s?)*")
# How the definition of a function or method begins.
_ENTRY = re.compile(r"`[^`]+`: ")


class Relevance:
    """The scores of one passage for one sub-question.

    A segment scores about 1 when it speaks of all that was asked about, more when its section is about that and
    when it is put in the way that the aspect asks for (a definition, a rule), less when it leans on others.
    """

    def __init__(self, asked: SubQuestion, passage: Passage, segments: Sequence[Segment]) -> None:
        self._asked = asked
        self._passage = passage
        self._segments = segments
        self._headings = [_title_terms(heading) for heading in passage.title.split(" › ")]
        self._title = frozenset[str]().union(*self._headings)
        # Where each paragraph begins; of several segments of one paragraph the first is written last.
        self._first = {segments[index].paragraph: index for index in reversed(range(len(segments)))}
        self.scores = [self._score(index) for index in range(len(segments))]

    def _score(self, index: int) -> float:
        segment = self._segments[index]
        first = self._first[segment.paragraph]
        if tells_history(self._segments[first].text):
            return 0.0
        earlier = self._segments[max(first, index - _REMEMBERED) : index]
        before = frozenset[str]().union(*chain.from_iterable(other.pieces for other in earlier))
        subject = max(self._subject_score(piece, before) for piece in segment.pieces)
        return subject + self._place_score + self._insistence + self._manner(segment)

    def _subject_score(self, piece: frozenset[str], before: frozenset[str]) -> float:
        """Return how much a sentence, item or row speaks of what was asked about."""
        known = (piece, before, self._title)
        shares = [self._share(focus, known) for focus in self._asked.foci]
        whole = self._whole_score(known)
        if max(shares) < (_WHOLE if self._asked.section else _TOUCHED):
            return whole
        together = sum(shares) / len(shares)
        if self._asked.aspect == "difference":
            together = (together + min(shares)) / 2
        context = self._share(self._context, known)
        together += _CONTEXT.get(self._asked.aspect, _CONTEXT_BESIDE) * context
        # What has nothing else of the question is about its subject, and about something else of it.
        is_beside = self._asked.aspect == "answer" and bool(self._context) and context < _LEAST_CONTEXT
        return max(whole, together) - 0.4 * is_beside

    def _whole_score(self, known: Sequence[frozenset[str]]) -> float:
        """Return how much of a question is in a sentence, by the weight of its words, whichever of them are subjects.

        What a question is about may have been misread; an answer that has nearly all of its words is one all the same.
        """
        if self._asked.aspect != "answer":
            return -1.0
        share = self._share(tuple(self._asked.weights), known)
        return share * (1 + _CONTEXT["answer"]) if share >= _MOST_OF_IT else -1.0

    def _share(self, wanted: Sequence[str], known: Sequence[frozenset[str]]) -> float:
        """Return the share of the weight of the wanted terms that is known, by the best place of each."""
        weights = self._asked.weights
        places = list(zip(_SHARES, known, strict=False))
        found = (
            weights[term] * max((share for share, words in places if self._is_in(words, term)), default=0.0)
            for term in wanted
        )
        total = sum(weights[term] for term in wanted)
        return sum(found) / total if total else 0.0

    def _is_in(self, words: frozenset[str], term: str) -> bool:
        """Tell whether a term or what may be said instead of it is among some words."""
        return term in words or not words.isdisjoint(self._asked.alike.get(term, ()))

    @cached_property
    def _context(self) -> tuple[str, ...]:
        focused = set(chain.from_iterable(self._asked.foci))
        return tuple(term for term in self._asked.weights if term not in focused)

    @cached_property
    def _place_score(self) -> float:
        return self._home_score + 0.2 * (self._passage.title in self._asked.near)

    @cached_property
    def _home_score(self) -> float:
        """What a heading about the subject counts: more, the less else it names and the closer it stands."""
        asked = {term.strip("`") for term in chain.from_iterable(self._asked.foci)}
        best = 0.0
        for distance, heading in enumerate(reversed(self._headings)):
            if self._names_subject(heading):
                words = {term.strip("`") for term in heading if " " not in term}
                best = max(best, (0.2 + 0.3 * len(asked & words) / len(words)) * 0.7**distance)
        return best

    @cached_property
    def _insistence(self) -> float:
        """What a neighbouring section gains by coming back to the subject instead of naming it once."""
        if not self._asked.section:
            return 0.0
        mentions = sum(self._speaks_of(segment.text) for segment in self._segments)
        return 0.1 * min(max(mentions - 1, 0), 3)

    def _manner(self, segment: Segment) -> float:
        """Return what the way a segment is put adds or takes."""
        cues = min(len(CUES[self._asked.aspect].findall(segment.text)), 2)
        manner = 0.1 * cues - 0.1 * leans_back(segment.text) - 0.2 * is_aside(segment.text)
        manner -= 0.3 * (segment.words < 4)
        if segment.kind == "sentence":
            manner -= 0.4 * cross_reference(segment.text) + 0.3 * (segment.words > _LONG_SENTENCE)
        elif not (self._home_score or self._speaks_of(segment.lead_in)) or not segment.is_introduced:
            manner -= 0.4
        if self._asked.aspect == "definition":
            return manner + self._definition_score(segment, cues)
        if self._asked.aspect == "rules":
            return manner - 0.5 * (not cues)
        if self._asked.aspect == "answer" and denies(self._asked.text):
            manner += 0.3 * denies(segment.text)
        return manner + (0.4 if _ENTRY.match(segment.text) else 0.1) * self._is_subject(segment)

    def _definition_score(self, segment: Segment, cues: int) -> float:
        """Return how much a sentence looks like a definition of the subject."""
        is_subject = self._is_subject(segment)
        is_term = any(self._speaks_of(term) for term in chain(*(sign.findall(segment.text) for sign in _TERMS)))
        names = names_something(segment.text)
        opens = segment.opens and self._home_score > 0 and not CUES["rules"].search(segment.text)
        is_code = any(term.startswith("`") for term in chain.from_iterable(self._asked.foci))
        defines = opens or (cues and (is_term or (is_subject and (names or self._home_score or is_code))))
        score = 0.3 * is_subject + 0.3 * is_term + 0.4 * (is_term and names) + 0.25 * opens
        return score - 0.6 * (not defines) - 0.2 * states_condition(segment.text) - 0.4 * segment.leads

    def _is_subject(self, segment: Segment) -> bool:
        """Tell whether a sentence begins with what was asked about."""
        beginning = _SUBJECT.match(_INTRODUCTION.sub("", segment.text))
        return segment.kind == "sentence" and beginning is not None and self._speaks_of(beginning[0])

    def _speaks_of(self, text: str) -> bool:
        return self._names_subject(_terms_and_phrases(text))

    def _names_subject(self, words: frozenset[str]) -> bool:
        return any(self._share(focus, (words,)) >= _WHOLE for focus in self._asked.foci)


def _title_terms(title: str) -> frozenset[str]:
    """Return the terms of a title; its words may stand for code, as Await does in "Await expression"."""
    first, *rest = title.lower().split() or [""]
    words = [first, *(word for word in rest if word not in STOP_WORDS)]
    forms = chain.from_iterable((word, word.removesuffix("s")) for word in words)
    return _terms_and_phrases(title).union(f"`{form}`" for form in forms)


def _terms_and_phrases(text: str) -> frozenset[str]:
    words = terms(text)
    return frozenset(words).union(phrases(words))
