"""Picks verbatim quotes that answer a sub-question, and checks quotes against the corpus."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from lion_broker.demo.corpus import Corpus, Passage
from lion_broker.demo.cues import CUES, cross_reference, is_aside, leans_back, names_something, states_condition, tells_history
from lion_broker.demo.findings import Aspect, Finding, Quote, SubQuestion
from lion_broker.demo.passages import parts
from lion_broker.demo.search import Hit
from lion_broker.models.wording import STOP_WORDS, sentences, terms

__all__ = ["pick", "selection", "verify"]

_WORDS_IN_PARAGRAPH = 75
_WORDS_IN_STEPS = 260
_WORDS_IN_LIST = 170
_LINES_OF_CODE = 32
_SMALL_GAP = 100
# Below this a sentence has too little to do with the question to be quoted.
_WEAKEST = 0.55
_ROOM: Mapping[Aspect, int] = {"answer": 3, "definition": 1, "difference": 3, "rules": 2, "example": 2, "related": 2}
# A quote this much weaker than the best one adds noise rather than evidence.
_RELATIVE = 0.7
# The first three words, and the rest of a list of code that they begin.
_SUBJECT = re.compile(r"(?:\S+\s?){0,3}(?:(?:and |or )?`[^`]+`,?\s?)*")
# How the definition of a function or method begins.
_ENTRY = re.compile(r"`[^`]+`: ")
_INTRODUCTION = re.compile(r"(?:In|By|For|As) \w+, ")
_NEXT_ITEM = re.compile(r"\n *(?:-|\d+\.) ")
_STOPS = (".", "!", "?", ")", "”")
_EMPHASIS = re.compile(r"(?<!\w)\*{1,2}([^*]+)\*{1,2}(?!\w)")
# How much of a focus must be in a title or at the beginning of a sentence to make it about that focus; and anywhere in it.
_WHOLE = 0.8
_HALF = 0.45
# What a term counts when it is in the sentence, in its paragraph before it, or in the title of the passage.
_SHARES = (1.0, 0.7, 0.6)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A sentence, or a whole list, table or code block, inside one passage.

    `opens` tells the first sentence of a section, `leads` a sentence that introduces a block, whose `lead_in` it is.
    """

    kind: str
    text: str
    start: int
    end: int
    paragraph: int
    pieces: tuple[frozenset[str], ...]
    opens: bool = False
    leads: bool = False
    in_list: bool = False
    lead_in: str = ""

    @property
    def words(self) -> int:
        return len(self.text.split())


def pick(sub_question: SubQuestion, hits: Iterable[Hit], limit: int = 6) -> list[Quote]:
    """Return the best quotes for a sub-question from the passages that a search found, best first.

    A quote is a run of whole sentences with the list, table or code that they introduce, copied from one passage without a
    change. Quotes do not overlap. Nothing is returned rather than something that does not speak of what was asked.
    """
    if not sub_question.foci:
        return []
    texts = {hit.passage.id: hit.passage for hit in hits}
    found = [quote for passage in texts.values() for quote in _Reading(sub_question, passage).quotes()]
    found.sort(key=lambda quote: (-quote.score, quote.passage_id, quote.start))
    best = _unused((quote for quote in found if quote.score >= _WEAKEST), (), limit)
    return best if sub_question.aspect == "definition" else _joined(best, texts)


def selection(finding: Finding, used: Iterable[Quote], taken: int = 0) -> list[Quote]:
    """Return the quotes of a finding that a report has room for and that none of the used ones says already.

    `taken` of its quotes are in the report already.
    """
    return _unused(finding.quotes, used, _ROOM[finding.sub_question.aspect] - taken)


def _unused(quotes: Iterable[Quote], used: Iterable[Quote], limit: int) -> list[Quote]:
    """Return the quotes that say something new, at most `limit` and none much weaker than the best of them."""
    taken = list(used)
    fresh: list[Quote] = []
    for quote in quotes:
        if len(fresh) >= limit or (fresh and quote.score < _RELATIVE * fresh[0].score):
            break
        if new := _without(quote, taken):
            fresh.append(new)
            taken.append(new)
    return fresh


def _without(quote: Quote, taken: Iterable[Quote]) -> Quote | None:
    """Return what a quote says that is not said already: all of it, the code or list at its end, or nothing."""
    for other in taken:
        if not quote.overlaps(other):
            continue
        rest = quote.text[other.end - quote.start :].lstrip() if other.end < quote.end else ""
        if quote.passage_id != other.passage_id or "\n" not in rest:
            return None
        quote = replace(quote, text=rest, start=quote.end - len(rest))
    return quote


def verify(quote: Quote, corpus: Corpus) -> bool:
    """Tell whether a quote stands in the corpus, word for word, where it says it does."""
    if quote.passage_id not in corpus or not quote.text:
        return False
    return corpus[quote.passage_id].text[quote.start : quote.end] == quote.text


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
    return not cross_reference(between) and not _NEXT_ITEM.search(between)


class _Reading:
    """One passage read with one sub-question in mind."""

    def __init__(self, sub_question: SubQuestion, passage: Passage) -> None:
        self._asked = sub_question
        self._passage = passage
        self._segments = list(_segments(passage))
        self._headings = [_title_terms(heading) for heading in passage.title.split(" › ")]
        self._title = frozenset[str]().union(*self._headings)

    def quotes(self) -> Iterator[Quote]:
        """Yield one candidate for every segment that could be the heart of a quote."""
        if self._asked.section and self._asked.section != self._passage.title:
            return
        for heart, segment in enumerate(self._segments):
            score = self.scores[heart]
            introduces_items = segment.leads and self._segments[heart + 1].in_list
            if score < _WEAKEST / 2 or introduces_items or segment.kind not in self._hearts or not _fits(segment.kind, segment.text):
                continue
            first, last = self._stretch(heart)
            stretch = self._segments[first : last + 1]
            start, end = stretch[0].start, stretch[-1].end
            text = self._passage.text[start:end].removesuffix(":")
            score += _bonus(self._asked.aspect, stretch)
            yield Quote(self._passage.id, self._passage.title, self._passage.source, text, start, start + len(text), round(score, 4))

    @property
    def _hearts(self) -> tuple[str, ...]:
        """The kinds of segments that can be the heart of a quote; contrasts and asides are made in sentences."""
        if self._asked.aspect in ("difference", "related", "definition"):
            return ("sentence",)
        return ("sentence", "list") if self._asked.aspect == "rules" else ("sentence", "list", "table", "code")

    @cached_property
    def scores(self) -> list[float]:
        """How well each segment answers the sub-question: about 1 when it speaks of all that was asked."""
        return [self._score(index) for index in range(len(self._segments))]

    def _score(self, index: int) -> float:
        segment = self._segments[index]
        if tells_history(segment.text):
            return 0.0
        before = frozenset[str]().union(*chain(*(other.pieces for other in self._segments[:index] if other.paragraph == segment.paragraph)))
        return max(self._piece_score(piece, before) for piece in segment.pieces) + self._manner(segment)

    def _piece_score(self, piece: frozenset[str], before: frozenset[str]) -> float:
        """Return how much of what was asked about a sentence, item or row speaks of."""
        known = (piece, before, self._title)
        shares = [self._share(focus, known) for focus in self._asked.foci]
        together = sum(shares) / len(shares)
        if self._asked.aspect == "difference":
            together = (together + min(shares)) / 2
        if max(shares) < (_WHOLE if self._asked.section else _HALF):
            return -1.0
        return together + 0.4 * self._share(self._context, known) + self._insistence

    def _share(self, wanted: Sequence[str], known: tuple[frozenset[str], ...]) -> float:
        """Return how much of the weight of the wanted terms is in the sentence, in those before it, or in the title."""
        weights = self._asked.weights
        total = sum(weights[term] for term in wanted)
        found = sum(
            weights[term] * max((share for share, words in zip(_SHARES, known, strict=False) if term in words), default=0.0)
            for term in wanted
        )
        return found / total if total else 0.0

    @cached_property
    def _is_near(self) -> bool:
        """Whether the passage stands where the subject is at home."""
        return self._passage.title in self._asked.near

    @cached_property
    def _at_home(self) -> bool:
        """Whether the section is about what was asked about, by its title or that of a section around it."""
        return self._home_bonus > 0

    @cached_property
    def _home_bonus(self) -> float:
        """What a title about the subject counts; more, the less else it names and the closer it stands."""
        asked = {term.strip("`") for focus in self._asked.foci for term in focus}
        bonus = 0.0
        for distance, heading in enumerate(reversed(self._headings)):
            words = {term.strip("`") for term in heading}
            if any(self._share(focus, (heading,)) >= _WHOLE for focus in self._asked.foci):
                bonus = max(bonus, (0.2 + 0.3 * len(asked & words) / len(words)) * 0.7**distance)
        return bonus

    def _manner(self, segment: _Segment) -> float:
        """Return what the way a sentence is put adds: the signs of the aspect, its subject, or a fault."""
        aspect, text = self._asked.aspect, segment.text
        cues = len(CUES[aspect].findall(text))
        manner = min(cues, 2) * 0.1 + self._home_bonus + 0.2 * self._is_near
        subject = _SUBJECT.match(_INTRODUCTION.sub("", text))
        is_subject = segment.kind == "sentence" and self._speaks_of(subject[0] if subject else "")
        is_term = any(self._speaks_of(term) for term in _EMPHASIS.findall(text))
        if aspect == "definition":
            manner += 0.3 * is_subject + 0.3 * is_term - 0.2 * states_condition(text)
            opens = segment.opens and self._at_home and not CUES["rules"].search(text)
            manner += 0.25 * opens + 0.4 * (is_term and names_something(text)) - 0.6 * (not (opens or (cues and (is_subject or is_term))))
            manner -= 0.4 * segment.leads
        elif aspect == "rules":
            manner -= 0.5 * (not cues)
        else:
            manner += (0.4 if _ENTRY.match(text) else 0.1) * is_subject
        if segment.kind in ("list", "table", "code") and not (self._at_home or self._speaks_of(segment.lead_in)):
            manner -= 0.4
        if segment.kind == "sentence" and cross_reference(text):
            manner -= 0.4
        if segment.words < 4:
            manner -= 0.3
        return manner - 0.1 * leans_back(text) - 0.2 * is_aside(text)

    def _speaks_of(self, text: str) -> bool:
        """Tell whether a few words name something that was asked about."""
        words = (frozenset(terms(text)),)
        return any(self._share(focus, words) >= _WHOLE for focus in self._asked.foci)

    @cached_property
    def _insistence(self) -> float:
        """What a neighbouring section gains by coming back to the subject instead of naming it once."""
        if not self._asked.section:
            return 0.0
        mentions = sum(self._speaks_of(segment.text) for segment in self._segments)
        return 0.1 * min(mentions - 1, 3)

    @cached_property
    def _context(self) -> tuple[str, ...]:
        focused = {term for focus in self._asked.foci for term in focus}
        return tuple(term for term in self._asked.weights if term not in focused)

    def _stretch(self, heart: int) -> tuple[int, int]:
        """Return the first and last segment of the quote around a heart: what it leans on, what it introduces, what goes on from it."""
        first = last = heart
        while first > 0 and self._needs_previous(first):
            first -= 1
        while last + 1 < len(self._segments) and self._takes_next(first, last):
            last += 1
        while first < heart and self._segments[first + 1].kind == "sentence" and cross_reference(self._segments[first].text):
            first += 1
        while last > heart and self._ends_badly(last):
            last -= 1
        return first, last

    def _ends_badly(self, index: int) -> bool:
        """Tell whether a segment points to something that the quote does not hold."""
        segment = self._segments[index]
        if segment.kind != "sentence":
            return False
        return segment.leads or segment.text.endswith(":") or cross_reference(segment.text)

    def _needs_previous(self, index: int) -> bool:
        segment, previous = self._segments[index], self._segments[index - 1]
        if segment.kind != "sentence":
            return previous.kind != "grammar"
        if segment.paragraph == previous.paragraph:
            return leans_back(segment.text) or self._paragraph_words(segment.paragraph) <= _WORDS_IN_PARAGRAPH
        return segment.text[:1].islower() and not segment.in_list

    def _takes_next(self, first: int, last: int) -> bool:
        here, following = self._segments[last], self._segments[last + 1]
        words = sum(segment.words for segment in self._segments[first : last + 1] if segment.kind == "sentence")
        if self._asked.aspect == "definition" and (following.kind != "sentence" or following.leads):
            return False
        if following.kind in ("code", "table", "list"):
            return _fits(following.kind, following.text)
        if following.kind == "grammar" or tells_history(following.text):
            return False
        if following.paragraph != here.paragraph:
            return following.text[:1].islower() and not following.in_list
        short = self._paragraph_words(here.paragraph) <= _WORDS_IN_PARAGRAPH
        return short or (words + following.words <= _WORDS_IN_PARAGRAPH and (leans_back(following.text) or self.scores[last + 1] >= _WEAKEST))

    def _paragraph_words(self, paragraph: int) -> int:
        return sum(segment.words for segment in self._segments if segment.paragraph == paragraph)


def _segments(passage: Passage) -> Iterator[_Segment]:
    """Yield the segments of a passage in order; the items of a list that is too long to quote are paragraphs."""
    before = ""
    opens = passage.opens
    blocks = list(_blocks(passage))
    for paragraph, (kind, text, start) in enumerate(blocks):
        if kind not in ("prose", "item"):
            pieces = _pieces([text] if kind == "code" else text.splitlines())
            yield _Segment(kind, text, start, start + len(text), paragraph, pieces, lead_in=before)
            continue
        leads = blocks[paragraph + 1 : paragraph + 2] and blocks[paragraph + 1][0] in ("list", "code", "table", "item")
        spans = sentences(text)
        for span in spans:
            own = _pieces([span.text])
            is_lead = bool(leads) and span is spans[-1] and not text.endswith(_STOPS)
            place = (start + span.start, start + span.end, paragraph)
            yield _Segment("sentence", span.text, *place, own, opens, is_lead, kind == "item")
            opens = False
        before = spans[-1].text if spans else ""


def _blocks(passage: Passage) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and start of the blocks that quotes are made of."""
    for part in parts(passage.text):
        if part.kind == "list" and not _fits(part.kind, part.text):
            for line in re.finditer(r"^ *(?:[-*] |\d+\. )?(.*\S)", part.text, re.MULTILINE):
                yield "item", line[1], part.start + line.start(1)
        else:
            yield "grammar" if "::=" in part.text and part.kind == "code" else part.kind, part.text, part.start


def _title_terms(title: str) -> frozenset[str]:
    """Return the terms of a title; its words may stand for code, as Await does in "Await expression"."""
    first, *rest = title.lower().split() or [""]
    words = [first, *(word for word in rest if word not in STOP_WORDS)]
    return frozenset(terms(title)).union(f"`{form}`" for word in words for form in (word, word.removesuffix("s")))


def _pieces(texts: list[str]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(terms(text)) for text in texts)


def _fits(kind: str, text: str) -> bool:
    """Tell whether a report has room for a block."""
    words = _WORDS_IN_STEPS if text[0].isdigit() else _WORDS_IN_LIST
    return kind in ("sentence", "prose") or (len(text.split()) <= words and text.count("\n") <= _LINES_OF_CODE)


def _bonus(aspect: str, stretch: Sequence[_Segment]) -> float:
    """Return what a list of steps, a table or code adds to a quote."""
    kinds = {segment.kind for segment in stretch}
    steps = any(segment.kind == "list" and segment.text[0].isdigit() for segment in stretch)
    if aspect == "example":
        return 0.4 if "code" in kinds else -1.0
    if aspect == "answer":
        return 0.3 * steps + 0.15 * bool(kinds & {"list", "table"}) + 0.05 * ("code" in kinds)
    return -0.2 * ("code" in kinds) if aspect == "definition" else 0.0
