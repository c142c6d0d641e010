"""Plans the sub-questions of a question: the sides of it for which the corpus has evidence of its own."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, pairwise

from lion_broker.demo.findings import Aspect, Finding, Quote, SubQuestion
from lion_broker.demo.foci import Focus
from lion_broker.demo.passages import short_title
from lion_broker.demo.question import Question, read_question
from lion_broker.demo.quotes import pick, selection
from lion_broker.demo.search import Search
from lion_broker.models.wording import stem

__all__ = ["find", "sub_questions"]

_MOST = 5
# How many passages a reader looks at for one sub-question.
_HITS = 14
_LONGEST_TEXT = 160
# How good the evidence must be for a sub-question of its own: least for what was asked, most for what was not.
_EVIDENCE: Mapping[Aspect, float] = {
    "answer": 0.75,
    "difference": 0.75,
    "definition": 1.0,
    "rules": 1.15,
    "example": 1.15,
    "related": 1.4,
}
_AT_HOME = 1.15
# A plan of fewer parts than this is filled up with what has a little less evidence.
_FEW = 3
_LENIENT = 0.85
_SHARE_OF_MARKUP = 0.3
# What a phrase weighs, of the weight of its words.
_WEIGHT_OF_PHRASE = 1.3
_ASKS = re.compile(
    r"\s*(what|who|how|when|why|where|which|can|do|does|is|are|explain|describe|define|tell)\b", re.IGNORECASE
)
_ANOTHER = re.compile(
    r"(?:[?;,] (?:and )?| and )(?=(?:what|who|how|when|why|where|which) (?:\w+ )?(?:do|does|is|are|can)\b)",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(r"\s*(how (do|does) .*\bwork|what (do|does) .*\b(do|mean))\b", re.IGNORECASE)
_ASKS_WHAT = re.compile(
    r"\s*(what|who)(?:['’]s|( exactly)? (is|are|was|were))\b|\s*(define|explain|describe)\b|\s*tell me", re.IGNORECASE
)


def sub_questions(text: str, search: Search) -> list[SubQuestion]:
    """Split a question into at most five sub-questions, in the order in which a report should take them.

    The first ones are the question itself and what its terms mean; the others (rules and errors, code, neighbouring
    sections) are there only when the corpus has evidence for them that the earlier ones do not use. A question that the
    corpus cannot answer gives one sub-question, the question itself; a text without words gives none. The same question
    and corpus give the same plan.
    """
    question = read_question(text, search)
    if not question.foci:
        return []
    if not question.can_be_answered:
        return _numbered([replace(_direct(question, search), foci=(), weights={})])
    plan = _Plan(search)
    clauses = [read_question(clause, search) for clause in _clauses(question.text)]
    first = [clause for clause in clauses if clause.foci and clause.can_be_answered] if len(clauses) > 1 else []
    sides = [*((_direct(clause, search),) for clause in first), *_candidates(question, search)]
    sides += _neighbours(question, search)
    for side in sides:
        plan.add(side, 1.0)
    for side in sides:
        if len(plan.parts) < _FEW:
            plan.add(side, _LENIENT)
    return _numbered(plan.parts or [_direct(question, search)])


def _clauses(text: str) -> list[str]:
    """Return the questions of a text that asks several, as in "How …, and what …?"."""
    if len(text) > _LONGEST_TEXT:
        return [text]
    first, *others = _ANOTHER.split(text)
    return [f"{clause[:1].upper()}{clause[1:].rstrip('?., ')}?" for clause in (first, *others)] if others else [text]


class _Plan:
    """The sub-questions so far, and the quotes that they will use."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._used: list[Quote] = []
        self.parts: list[SubQuestion] = []

    def add(self, side: tuple[SubQuestion, ...], strictness: float) -> None:
        """Add the first of some alternatives for which there is evidence that is not used yet, while there is room."""
        if len(self.parts) == _MOST or any(part.text == other.text for part in self.parts for other in side):
            return
        near = tuple(dict.fromkeys(quote.title for quote in self._used if quote.score >= _AT_HOME))
        for part in (replace(alternative, near=near) for alternative in side):
            fresh = selection(find(part, self._search), self._used)
            enough = fresh and fresh[0].score >= _EVIDENCE[part.aspect] * strictness
            if enough and not self._is_told(part.section):
                self.parts.append(part)
                self._used += fresh
                return

    def _is_told(self, section: str) -> bool:
        """Tell whether a section is where the answer comes from, rather than beside it."""
        titles = [quote.title for quote in self._used]
        return bool(section) and (section in titles[:1] or titles.count(section) > 1)


def find(sub_question: SubQuestion, search: Search) -> Finding:
    """Search for a sub-question and pick the quotes that answer it: what a reader does."""
    return Finding(sub_question, tuple(pick(sub_question, search.search(sub_question.query, _HITS))))


def _candidates(question: Question, search: Search) -> Iterator[tuple[SubQuestion, ...]]:
    """Yield the sides of a question in the order in which they matter, each with what to ask instead."""
    label = _label(question)
    are = "are" if len(question.foci) > 1 or question.foci[0].is_plural else "is"
    if question.compares:
        yield from ((_about(focus, search),) for focus in question.foci)
        yield (_asked("difference", f"How do {label} differ?", question, search, question.context),)
    elif _ASKS_WHAT.match(question.text) and len(question.foci) == 1:
        yield (_direct(question, search),)
        yield (_asked("answer", _how(question.foci[0]), question, search, question.context),)
    elif _ASKS_HOW.match(question.text) and not question.context:
        yield from ((_about(focus, search),) for focus in question.foci)
        yield (_direct(question, search),)
    else:
        yield (_direct(question, search),)
        for focus in question.foci:
            about = _about(focus, search)
            yield about, replace(about, aspect="related", text=_how(focus))
    yield (_asked("rules", f"Which rules and errors apply to {label}?", question, search, question.context),)
    shown = f"What {'do' if are == 'are' else 'does'} {label} look like in code?"
    yield (_asked("example", shown, question, search, question.context),)


def _neighbours(question: Question, search: Search) -> Iterator[tuple[SubQuestion, ...]]:
    """Yield what other sections say about a question, the best section first."""
    titles = dict.fromkeys(hit.passage.title for hit in search.search(_query(question.foci), _HITS))
    for title in titles:
        text = f"What does “{short_title(title, titles)}” say about {_label(question)}?"
        yield (_asked("related", text, question, search, question.context, title),)


def _direct(question: Question, search: Search) -> SubQuestion:
    aspect: Aspect = "definition" if _ASKS_WHAT.match(question.text) and len(question.foci) == 1 else "answer"
    text = question.text
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT].rsplit(" ", 1)[0] + " …"
    elif not _ASKS.match(text) and not text.endswith("?"):
        text = f"What is there to know about {text}?"
    return _asked(aspect, text, question, search, question.context)


def _about(focus: Focus, search: Search) -> SubQuestion:
    text = f"What {'are' if focus.is_plural else 'is'} {focus.label}?"
    called = _with_phrases(focus.called, search)
    weights = _weights((called,), (), search)
    return SubQuestion(0, text, "definition", _query((focus,)), (called,), weights, alike=_alike(weights, search))


def _how(focus: Focus) -> str:
    return f"How {'do' if focus.is_plural else 'does'} {focus.label} work?"


def _asked(
    aspect: Aspect, text: str, question: Question, search: Search, context: tuple[str, ...] = (), section: str = ""
) -> SubQuestion:
    foci = tuple(_with_phrases(focus.terms, search) for focus in question.foci)
    weights = _weights(foci, context, search)
    alike = _alike(weights, search)
    others = dict.fromkeys(chain.from_iterable(alike.values()))
    query = " ".join([_query(question.foci), *context, *others, section.rpartition(" › ")[2]]).strip()
    return SubQuestion(0, text, aspect, query, foci, weights, section, alike=alike)


def _alike(weights: Mapping[str, float], search: Search) -> dict[str, tuple[str, ...]]:
    """Return what the corpus may say instead of each term, where it knows such words."""
    known = (
        (term, tuple(other for other in search.corpus.alike.get(term, ()) if search.document_frequency[other]))
        for term in weights
    )
    return {term: others for term, others in known if others}


def _with_phrases(words: tuple[str, ...], search: Search) -> tuple[str, ...]:
    """Return the terms of a focus and the phrases that they make in the corpus; code makes none."""
    if any(word.startswith("`") for word in words):
        return words
    return (*words, *(f"{one} {other}" for one, other in pairwise(words) if search.follows(one, other)))


def _weights(foci: Iterable[tuple[str, ...]], context: Iterable[str], search: Search) -> dict[str, float]:
    """Return the weights of terms: rare ones weigh more, but no word of a phrase stands for the whole phrase.

    Where a word is written as code only now and then, the word itself is what counts.
    """
    weights = {term: search.weight(term) for term in context}
    for focus in foci:
        words = [term for term in focus if " " not in term or term.startswith("`")]
        mean = sum(map(search.weight, words)) / len(words)
        weights |= dict.fromkeys(focus, _WEIGHT_OF_PHRASE * mean)
        for term in words:
            word = term.strip("`")
            sometimes = term != word and stem(word) in focus and word not in search.corpus.code_words
            weights[term] = (search.weight(term) + mean) / 2 * (_SHARE_OF_MARKUP if sometimes else 1)
    return weights


def _query(foci: tuple[Focus, ...]) -> str:
    return " ".join(dict.fromkeys(chain.from_iterable((focus.label, *focus.terms) for focus in foci)))


def _numbered(planned: list[SubQuestion]) -> list[SubQuestion]:
    return [replace(sub_question, number=number) for number, sub_question in enumerate(planned, 1)]


def _label(question: Question) -> str:
    *first, last = [focus.label for focus in question.foci]
    return f"{', '.join(first)} and {last}" if first else last
