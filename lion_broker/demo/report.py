"""Composes the report: a summary, a section for every sub-question, what stays open, and the sources."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, takewhile, zip_longest
from typing import Any

from lion_broker.demo.corpus import Corpus
from lion_broker.demo.cues import leans_back
from lion_broker.demo.findings import Finding, Quote
from lion_broker.demo.quotes import selection, verify
from lion_broker.models.wording import sentences

__all__ = ["Report", "Section", "compose", "fidelity"]

_LONGEST_TITLE = 160
_LONGEST_SOURCE = 180
_MOST_IN_SUMMARY = 2
_WORDS_IN_SUMMARY = 110
_PROMISE = "Every sentence below the headings is quoted word for word from {corpus}; the numbers lead to the sources."
_CODE_OR_IDENTIFIER = re.compile(r"(`[^`]+`|\w*_\w+(?:\(\))?)")
_STOPS = (".", ":", "!", "?", "”", ")", "’", ",", ";", "—", "–")
_BLOCK_SIGNS = ("```", "|", "- ", "1. ")
_BLOCK_START = re.compile(r"\n\n(?=```|\||[-*] |\d{1,3}\. )")


@dataclass(frozen=True, slots=True)
class Section:
    """The answer to one sub-question: quotes in reading order."""

    title: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A cited report: `quotes` in the order of their numbers, [1] first, and the whole as Markdown."""

    question: str
    label: str
    summary: tuple[Quote, ...]
    sections: tuple[Section, ...]
    unanswered: tuple[str, ...]
    quotes: tuple[Quote, ...]
    markdown: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def fidelity(report: Report, corpus: Corpus) -> float:
    """Return the share of a report's quotes that stand in the corpus word for word; 1.0 for a report without quotes."""
    checked = [verify(quote, corpus) for quote in report.quotes]
    return sum(checked) / len(checked) if checked else 1.0


def compose(
    question: str, findings: Iterable[Finding], label: str, corpus_name: str, unknown: Sequence[str] = ()
) -> Report:
    """Compose the report on a question from the findings of its sub-questions.

    `label` says which model was at work; `unknown` lists words of the question that the corpus does not know. The same
    findings give the same report in whatever order they come, and one that comes twice counts once. No quote is used
    twice.
    """
    by_number = {finding.sub_question.number: finding for finding in sorted(findings, key=_preference)}
    ordered = [by_number[number] for number in sorted(by_number)]
    summary, remaining = _summary(ordered)
    used = list(summary)
    sections: list[Section] = []
    for finding, whole in zip(remaining, ordered, strict=True):
        fresh = selection(finding, used, taken=len(whole.quotes) - len(finding.quotes))
        used += fresh
        if fresh:
            sections.append(Section(_shown(finding.sub_question.text), tuple(_in_reading_order(fresh))))
    unanswered = tuple(_shown(finding.sub_question.text) for finding in ordered if not finding.quotes)
    draft = Report(_title(question), label, summary, tuple(sections), unanswered, (), "")
    return _written(draft, corpus_name, unknown)


def _preference(finding: Finding) -> tuple[int, str]:
    """Order findings so that among several of one number the same one always wins, with quotes before without."""
    return (len(finding.quotes), "".join(quote.text for quote in finding.quotes))


def _summary(findings: Sequence[Finding]) -> tuple[tuple[Quote, ...], list[Finding]]:
    """Take the summary out of the findings: the beginnings of the best quotes of the first one, while they stay short.

    Definitions that come first are taken together. Returns the summary and the findings without it; what a quote says
    after its beginning stays where it was.
    """
    defining = list(takewhile(lambda finding: finding.sub_question.aspect == "definition", findings))
    chosen: list[Quote] = []
    rest: list[Finding] = []
    for finding in findings:
        leads = not chosen or finding in defining
        tails: dict[Quote, Quote | None] = {}
        for quote in selection(finding, chosen) if leads else ():
            head, tail = _split(quote)
            if head and len(tails) < _MOST_IN_SUMMARY and _suits_summary(head, chosen):
                chosen.append(head)
                tails[quote] = tail
        quotes = tuple(kept for quote in finding.quotes if (kept := tails.get(quote, quote)))
        rest.append(replace(finding, quotes=quotes))
    return tuple(chosen), rest


def _suits_summary(quote: Quote, chosen: Sequence[Quote]) -> bool:
    """Tell whether a quote can be understood by itself, and whether there is room for it."""
    words = sum(len(other.text.split()) for other in (*chosen, quote))
    return not leans_back(quote.text) and (not chosen or words <= _WORDS_IN_SUMMARY)


def _split(quote: Quote) -> tuple[Quote | None, Quote | None]:
    """Split a quote into the sentences that stand for themselves and what follows: a lead-in with its block."""
    if quote.text.startswith(_BLOCK_SIGNS):
        return None, quote
    block = _BLOCK_START.search(quote.text)
    if not block:
        return quote, None
    *own, lead_in = sentences(quote.text[: block.start()])
    if not own:
        return None, quote
    head = replace(quote, text=quote.text[: own[-1].end], end=quote.start + own[-1].end)
    return head, replace(quote, text=quote.text[lead_in.start :], start=quote.start + lead_in.start)


def _in_reading_order(quotes: Sequence[Quote]) -> list[Quote]:
    """Order quotes as the corpus does, the topic of the best one first."""
    topics = list(dict.fromkeys(quote.topic for quote in quotes))

    def place(quote: Quote) -> tuple[int, int, int]:
        number = quote.passage_id.removeprefix(f"{quote.topic}#")
        return topics.index(quote.topic), int(number) if number.isdigit() else 0, quote.start

    return sorted(quotes, key=place)


def _written(draft: Report, corpus_name: str, unknown: Sequence[str]) -> Report:
    """Return the report with its quotes numbered and its Markdown written."""
    quotes = (*draft.summary, *(quote for section in draft.sections for quote in section.quotes))
    numbers = {id(quote): number for number, quote in enumerate(quotes, 1)}
    blocks = [
        f"# {draft.question}",
        f"> {draft.label}. {_PROMISE.format(corpus=corpus_name) if quotes else ''}".rstrip(),
    ]
    blocks += _summary_text(draft.summary, numbers)
    for section in draft.sections:
        blocks.append(f"## {section.title}")
        blocks += _paragraphs(section, numbers)
    blocks += _open_ends(draft, corpus_name, unknown, bool(quotes))
    if quotes:
        blocks += ["## Sources", "\n".join(f"{number}. {_source(quote)}" for number, quote in enumerate(quotes, 1))]
    return replace(draft, quotes=quotes, markdown="\n\n".join(blocks) + "\n")


def _summary_text(summary: Sequence[Quote], numbers: dict[int, int]) -> Iterator[str]:
    """Yield the summary: a paragraph from one place, a list from several."""
    texts = [" ".join(_cited(quote, numbers[id(quote)]).split()) for quote in summary]
    places = [_heading(quote.title.rpartition(" › ")[2]) for quote in summary]
    if len(set(places)) > 1:
        yield "**In short**"
        yield "\n".join(f"- *{place}:* {text}" for place, text in zip(places, texts, strict=True))
    elif texts:
        yield f"**In short.** {' '.join(texts)}"


def _paragraphs(section: Section, numbers: dict[int, int]) -> Iterator[str]:
    """Yield the paragraphs of a section; each says where it is from when the section draws on several places."""
    titles = [quote.title for quote in section.quotes]
    for quote, before in zip(section.quotes, [None, *titles], strict=False):
        lead = f"*{_heading(quote.title)}:* " if len(set(titles)) > 1 and quote.title != before else ""
        yield lead + _cited(quote, numbers[id(quote)])


def _cited(quote: Quote, number: int) -> str:
    """Return a quote with its number after the first paragraph, before any code, list or table."""
    block = _BLOCK_START.search(quote.text)
    prose, rest = (quote.text[: block.start()], quote.text[block.start() :]) if block else (quote.text, "")
    if prose.startswith(_BLOCK_SIGNS):
        return f"[{number}]\n\n{quote.text}"
    ended = prose.rstrip("*`").endswith(_STOPS)
    stop = "" if ended else ":" if rest else "."
    return f"{prose}{stop} [{number}]{rest}"


def _source(quote: Quote) -> str:
    """Return the line of a quote in the list of sources: where it stands and how it begins."""
    start, _, block = quote.text.partition("\n\n")
    if start.startswith("```"):
        start, block = "", start
    text = " ".join(start.split())
    if len(text) > _LONGEST_SOURCE:
        text = text[:_LONGEST_SOURCE].rsplit(" ", 1)[0]
    elif block.startswith("```"):
        text = f"{text} `{block.splitlines()[1].strip()}`".lstrip()
    more = " …" if len(text) < len(" ".join(quote.text.split())) else ""
    return f"{_heading(quote.title)} (`{quote.passage_id}`): “{text}{more}”"


def _open_ends(draft: Report, corpus_name: str, unknown: Sequence[str], answered: bool) -> Iterator[str]:
    """Yield what the corpus does not answer, when there is anything of that kind."""
    words = ", ".join(f"“{word}”" for word in unknown)
    if not answered:
        yield "## No answer"
        never = f" It never mentions {words}." if words else ""
        yield f"{corpus_name[:1].upper()}{corpus_name[1:]} has no answer to this question, so none is given.{never}"
    elif draft.unanswered or unknown:
        yield "## What the corpus does not answer"
        never = f"It never mentions {words}." if words else ""
        yield "\n".join(f"- {text}" for text in (*draft.unanswered, never) if text)


def _title(question: str) -> str:
    clean = " ".join(question.split())
    if len(clean) > _LONGEST_TITLE:
        clean = clean[:_LONGEST_TITLE].rsplit(" ", 1)[0] + " …"
    return _shown(clean) or "No question was asked"


def _shown(text: str) -> str:
    """Return what somebody typed so that Markdown shows it as it was typed; identifiers become code."""
    pieces = _CODE_OR_IDENTIFIER.split(text)
    plain = [re.sub(r"([\\*_<>#\[\]`|])", r"\\\1", piece) for piece in pieces[::2]]
    code = [piece if piece.startswith("`") else f"`{piece}`" for piece in pieces[1::2]]
    return "".join(chain.from_iterable(zip_longest(plain, code, fillvalue="")))


def _heading(title: str) -> str:
    return title.replace("*", "")
