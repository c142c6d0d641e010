"""Picks verbatim quotes that answer a sub-question, and checks quotes against the corpus."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from lion_broker.demo.corpus import Corpus, Passage
from lion_broker.demo.cues import cross_reference, leans_back, tells_history
from lion_broker.demo.findings import Aspect, Finding, Quote, SubQuestion
from lion_broker.demo.relevance import Relevance
from lion_broker.demo.search import Hit
from lion_broker.demo.segments import Segment, SegmentKind, segments

__all__ = ["pick", "remainder", "selection", "verify"]

_WORDS_IN_PARAGRAPH = 75
_LONGEST_HEART = 120
_SMALL_GAP = 100
# How many segments around its heart a quote may take in.
_REACH = 20
# Below this a sentence has too little to do with the question to be quoted.
_WEAKEST = 0.55
# A quote this much weaker than the best one adds noise rather than evidence.
_RELATIVE = 0.7
_ROOM: Mapping[Aspect, int] = {
    "answer": 3,
    "definition": 1,
    "difference": 3,
    "rules": 2,
    "example": 2,
    "related": 2,
}
# Contrasts, definitions and asides are made in sentences.
_HEARTS: Mapping[Aspect, tuple[SegmentKind, ...]] = {
    "answer": ("sentence", "list", "table", "code"),
    "definition": ("sentence",),
    "difference": ("sentence",),
    "rules": ("sentence", "list"),
    "example": ("sentence", "list", "table", "code"),
    "related": ("sentence",),
}
_NEXT_ITEM = re.compile(r"\n *(?:-|\d+\.) ")


def pick(sub_question: SubQuestion, hits: Iterable[Hit], limit: int = 6) -> list[Quote]:
    """Return the best quotes for a sub-question from the passages that a search found, best first.

    A quote is a run of whole sentences with the list, table or code that they introduce, copied from one
    passage without a change. Quotes do not overlap. Nothing is returned rather than something that does not
    speak of what was asked.
    """
    if not sub_question.foci:
        return []
    passages = {hit.passage.id: hit.passage for hit in hits}
    if sub_question.section:
        passages = {id_: passage for id_, passage in passages.items() if passage.title == sub_question.section}
    found = [quote for passage in passages.values() for quote in _Reading(sub_question, passage).quotes()]
    found.sort(key=lambda quote: (-quote.score, quote.passage_id, quote.start))
    best = _unused((quote for quote in found if quote.score >= _WEAKEST), (), limit)
    return best if sub_question.aspect == "definition" else _joined(best, passages)


def selection(finding: Finding, used: Iterable[Quote], taken: int = 0) -> list[Quote]:
    """Return the quotes of a finding that a report has room for and that no used one says already.

    `taken` of its quotes are in the report already.
    """
    return _unused(finding.quotes, used, _ROOM[finding.sub_question.aspect] - taken)


def verify(quote: Quote, corpus: Corpus) -> bool:
    """Tell whether a quote stands in the corpus, word for word, where it says it does."""
    if quote.passage_id not in corpus or not quote.text:
        return False
    return corpus[quote.passage_id].text[quote.start : quote.end] == quote.text


def _unused(quotes: Iterable[Quote], used: Iterable[Quote], limit: int) -> list[Quote]:
    """Return the quotes that say something new, at most `limit` and none much weaker than the best of them."""
    taken = list(used)
    fresh: list[Quote] = []
    for quote in quotes:
        if len(fresh) >= limit or (fresh and quote.score < _RELATIVE * fresh[0].score):
            break
        if new := remainder(quote, taken):
            fresh.append(new)
            taken.append(new)
    return fresh


def remainder(quote: Quote, taken: Iterable[Quote]) -> Quote | None:
    """Return what a quote says that is not said already: all of it, the block at its end, or nothing."""
    for other in taken:
        if not quote.overlaps(other):
            continue
        rest = quote.text[other.end - quote.start :].lstrip(": \n") if other.end < quote.end else ""
        if quote.passage_id != other.passage_id or "\n" not in rest:
            return None
        quote = replace(quote, text=rest, start=quote.end - len(rest))
    return quote


def _joined(quotes: Sequence[Quote], passages: Mapping[str, Passage]) -> list[Quote]:
    """Join quotes of one passage with so little between them that leaving it out would be odd."""
    joined: list[Quote] = []
    for quote in quotes:
        text = passages[quote.passage_id].text
        near = next((other for other in joined if _continue_each_other(quote, other, text)), None)
        if near is None:
            joined.append(quote)
            continue
        start, end = min(quote.start, near.start), max(quote.end, near.end)
        joined[joined.index(near)] = replace(near, text=text[start:end], start=start, end=end)
    return joined


def _continue_each_other(quote: Quote, other: Quote, text: str) -> bool:
    """Tell whether next to nothing stands between two quotes of one passage."""
    between = text[min(quote.end, other.end) : max(quote.start, other.start)]
    if quote.passage_id != other.passage_id or len(between) > _SMALL_GAP:
        return False
    return not cross_reference(between) and not _NEXT_ITEM.search(between) and "```" not in between


class _Reading:
    """One passage read with one sub-question in mind."""

    def __init__(self, asked: SubQuestion, passage: Passage) -> None:
        self._asked = asked
        self._passage = passage
        self._segments = segments(passage)
        self._words: Counter[int] = Counter()
        for segment in self._segments:
            self._words[segment.paragraph] += segment.words
        self._scores = Relevance(asked, passage, self._segments).scores

    def quotes(self) -> Iterator[Quote]:
        """Yield one candidate for every segment that can be the heart of a quote."""
        for heart, segment in enumerate(self._segments):
            if self._scores[heart] < _WEAKEST / 2 or not self._can_be_heart(heart, segment):
                continue
            first, last = self._stretch(heart)
            stretch = self._segments[first : last + 1]
            start = stretch[0].start
            text = self._passage.text[start : stretch[-1].end].removesuffix(":")
            score = round(self._scores[heart] + _bonus(self._asked, stretch), 4)
            place = (self._passage.id, self._passage.title, self._passage.source)
            yield Quote(*place, text, start, start + len(text), score)

    def _can_be_heart(self, index: int, segment: Segment) -> bool:
        introduces_items = segment.leads and self._segments[index + 1].in_list
        too_long = segment.kind == "sentence" and segment.words > _LONGEST_HEART
        return segment.kind in _HEARTS[self._asked.aspect] and segment.fits and not introduces_items and not too_long

    def _stretch(self, heart: int) -> tuple[int, int]:
        """Return the first and last segment around a heart.

        What it leans on comes before it, what it introduces and what goes on from it comes after it.
        """
        first = last = heart
        earliest, latest = max(heart - _REACH, 0), min(heart + _REACH, len(self._segments) - 1)
        while first > earliest and self._needs_previous(first):
            first -= 1
        while last < latest and self._takes_next(first, last):
            last += 1
        while first < heart and self._begins_badly(first):
            first += 1
        while last > heart and self._ends_badly(last):
            last -= 1
        return first, last

    def _needs_previous(self, index: int) -> bool:
        segment, previous = self._segments[index], self._segments[index - 1]
        if segment.kind != "sentence":
            return previous.kind != "grammar"
        if segment.paragraph == previous.paragraph:
            return leans_back(segment.text) or self._is_short(segment.paragraph)
        return segment.text[:1].islower() and not segment.in_list

    def _takes_next(self, first: int, last: int) -> bool:
        here, following = self._segments[last], self._segments[last + 1]
        if self._asked.aspect == "definition" and (following.kind != "sentence" or following.leads):
            return False
        if following.kind != "sentence":
            return following.kind != "grammar" and following.fits
        if tells_history(following.text):
            return False
        if following.paragraph != here.paragraph:
            return following.text[:1].islower() and not following.in_list
        if self._is_short(here.paragraph):
            return True
        quoted = [segment for segment in self._segments[first : last + 2] if segment.kind == "sentence"]
        goes_on = leans_back(following.text) or self._scores[last + 1] >= _WEAKEST
        return goes_on and sum(segment.words for segment in quoted) <= _WORDS_IN_PARAGRAPH

    def _begins_badly(self, index: int) -> bool:
        """Tell whether a sentence only sends its reader elsewhere and introduces nothing."""
        is_lead = self._segments[index + 1].kind != "sentence"
        return not is_lead and cross_reference(self._segments[index].text)

    def _ends_badly(self, index: int) -> bool:
        """Tell whether a sentence points to something that the quote does not hold."""
        segment = self._segments[index]
        points = segment.leads or segment.text.endswith(":") or cross_reference(segment.text)
        return segment.kind == "sentence" and points

    def _is_short(self, paragraph: int) -> bool:
        """Tell whether a paragraph is better quoted whole."""
        return self._words[paragraph] <= _WORDS_IN_PARAGRAPH


def _shows(asked: SubQuestion, code: str) -> bool:
    """Tell whether code uses what was asked about; a subject that is no code itself may be shown by any code."""
    names = [term.strip("`") for focus in asked.foci for term in focus if term.startswith("`")]
    return not names or any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", code) for name in names)


def _bonus(asked: SubQuestion, stretch: Sequence[Segment]) -> float:
    """Return what a list of steps, a table or code adds to a quote."""
    kinds = {segment.kind for segment in stretch}
    steps = any(segment.kind == "list" and segment.text[0].isdigit() and segment.is_introduced for segment in stretch)
    if asked.aspect == "example":
        code = " ".join(segment.text for segment in stretch if segment.kind == "code")
        return (0.4 if _shows(asked, code) else -0.2) if code else -1.0
    if asked.aspect == "answer":
        return 0.3 * steps + 0.15 * bool(kinds & {"list", "table"}) + 0.05 * ("code" in kinds)
    return 0.0
