"""Composes the report: a summary, a section for every sub-question, what stays open, and the sources."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, zip_longest
from typing import Any

from lion_broker.demo.corpus import Corpus
from lion_broker.demo.cues import cross_reference, leans_back
from lion_broker.demo.findings import Finding, Quote
from lion_broker.demo.passages import fence_after, parts, short_title
from lion_broker.demo.quotes import selection, verify
from lion_broker.models.wording import sentences

__all__ = ["Excerpt", "Report", "Section", "candidates", "compose", "fidelity"]

_LONGEST_TITLE = 160
_LONGEST_SOURCE = 180
_MOST_IN_SUMMARY = 3
_WORDS_IN_SUMMARY = 100
_WORDS_IN_SENTENCE = 60
_LEADING = ("answer", "definition", "difference")
_WORTH_A_SUMMARY = 60
_ANSWER = "What the corpus says"
_PROMISE = "Every sentence below the headings is quoted word for word from {corpus}; the numbers lead to the sources."
_CODE_OR_IDENTIFIER = re.compile(r"(`[^`]+`|(?<!\w)\w*_\w+(?:\(\))?)")
_ITEM_SIGN = re.compile(r"^(?:[-*+]|\d{1,3}\.) ")
_POINTS_BACK = re.compile(r"(?:\S+ ){1,5}(?:this|that|these|those|such)\b")
_FULL_STOPS = (".", "!", "?", ".)", ".”", ".**")
_STOPS = (".", ":", "!", "?", "”", ")", "’", ",", ";", "—", "–")
_BLOCK_SIGNS = ("```", "|", "- ", "1. ")
_BLOCK_START = re.compile(r"\n\n(?=```|\||[-*] |\d{1,3}\. )")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A sentence of a quote."""

    text: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class Section:
    """The answer to one sub-question: quotes in reading order."""

    title: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A cited report: `quotes` in the order of their numbers, [1] first, and the whole as Markdown.

    It begins with a summary in sentences of the quotes, or in `words` of a model's own.
    """

    question: str
    label: str
    summary: tuple[Excerpt, ...]
    words: str
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
    question: str,
    findings: Iterable[Finding],
    label: str,
    corpus_name: str,
    unknown: Sequence[str] = (),
    summary: Sequence[str] = (),
    words: str = "",
) -> Report:
    """Compose the report on a question from the findings of its sub-questions.

    `label` names the model that was at work, up to a colon; `unknown` lists words of the question that the corpus does
    not know; `summary` is what the model says in short, of which only sentences that stand in a quote are printed;
    `words` is one paragraph of a model's own instead. The same findings give the same report in whatever order they
    come, and one that comes twice counts once. No quote is used twice.
    """
    by_number = {finding.sub_question.number: finding for finding in sorted(findings, key=_preference)}
    ordered = [by_number[number] for number in sorted(by_number)]
    sections = _sections(ordered, _title(question))
    quotes = [quote for section in sections for quote in section.quotes]
    is_short = sum(len(quote.text.split()) for quote in quotes) < _WORTH_A_SUMMARY
    short = () if is_short or words else _summary(summary, quotes)
    unanswered = tuple(_shown(finding.sub_question.text) for finding in ordered if not finding.quotes)
    draft = Report(_title(question), label, short, words if quotes else "", tuple(sections), unanswered, (), "")
    return _written(draft, corpus_name, unknown)


def candidates(findings: Sequence[Finding]) -> list[str]:
    """Return the paragraphs that a summary may be chosen from: of the best quotes that answer, define or compare."""
    leading = (finding.quotes for finding in findings if finding.sub_question.aspect in _LEADING)
    return [paragraph for quotes in leading for quote in _best(quotes) for paragraph in _prose(quote)]


def _best(quotes: Sequence[Quote]) -> Sequence[Quote]:
    """Return the best quote, and the next one when that says little."""
    return quotes[: 1 + (len(" ".join(chain.from_iterable(map(_prose, quotes[:1]))).split()) < _WORTH_A_SUMMARY)]


def _preference(finding: Finding) -> tuple[int, str]:
    """Order findings so that among several of one number the same one always wins, with quotes before without."""
    return (len(finding.quotes), "".join(quote.text for quote in finding.quotes))


def _summary(chosen: Sequence[str], quotes: Sequence[Quote]) -> tuple[Excerpt, ...]:
    """Return what a summary says: the sentences that the model chose, as long as each stands in a quote.

    One that cannot be understood without those before it brings them along. Few sentences, and not too many words.
    """
    summary: list[Excerpt] = []
    for text in dict.fromkeys(sentence.text for answer in chosen for sentence in sentences(answer)):
        quote = next((quote for quote in quotes if text in _sentences(quote)), None)
        is_short = len(text.split()) <= _WORDS_IN_SENTENCE
        if quote is None or not is_short or not text.endswith(_FULL_STOPS) or cross_reference(text):
            continue
        needed = [Excerpt(one, quote) for one in _understandable(text, quote)]
        longer = summary + [one for one in needed if one not in summary]
        words = sum(len(one.text.split()) for one in longer)
        if len(longer) <= _MOST_IN_SUMMARY and (words <= _WORDS_IN_SUMMARY or not summary):
            summary = longer
    return tuple(summary)


def _understandable(text: str, quote: Quote) -> list[str]:
    """Return a sentence of a quote, after those without which it cannot be understood."""
    said = _sentences(quote)
    first = last = said.index(text)
    while first and (leans_back(said[first]) or _POINTS_BACK.match(said[first])):
        first -= 1
    return said[first : last + 1]


def _sections(findings: Sequence[Finding], question: str) -> list[Section]:
    """Return a section for every finding that has something to say which no earlier one says."""
    used: list[Quote] = []
    sections: list[Section] = []
    for finding in findings:
        fresh = selection(finding, used)
        used += fresh
        if fresh:
            title = _shown(finding.sub_question.text)
            sections.append(Section(_ANSWER if title == question else title, tuple(_in_reading_order(fresh))))
    return sections


def _is_told(quote: Quote, summary: Sequence[Excerpt]) -> bool:
    """Tell whether a summary says all that a quote says."""
    told = {one.text for one in summary}
    return "\n" not in quote.text and all(sentence in told for sentence in _sentences(quote))


def _sentences(quote: Quote) -> list[str]:
    return [sentence.text for paragraph in _prose(quote) for sentence in sentences(paragraph)]


def _prose(quote: Quote) -> list[str]:
    """Return the paragraphs and list items of a quote, without its code and tables."""
    return [
        _ITEM_SIGN.sub("", line.strip())
        for part in parts(quote.text)
        if part.kind in ("prose", "list")
        for line in _without_code(part.text)
        if line.strip()
    ]


def _without_code(text: str) -> Iterator[str]:
    """Yield the lines of a text that are not part of fenced code."""
    fence = ""
    for line in text.splitlines():
        before, fence = fence, fence_after(fence, line)
        if not before and not fence:
            yield line


def _in_reading_order(quotes: Sequence[Quote]) -> list[Quote]:
    """Order quotes as the corpus does, the topic of the best one first."""
    topics = list(dict.fromkeys(quote.topic for quote in quotes))

    def place(quote: Quote) -> tuple[int, int, int]:
        number = quote.passage_id.removeprefix(f"{quote.topic}#")
        return topics.index(quote.topic), int(number) if number.isdigit() else 0, quote.start

    return sorted(quotes, key=place)


def _written(draft: Report, corpus_name: str, unknown: Sequence[str]) -> Report:
    """Return the report with its quotes numbered and its Markdown written."""
    quotes = tuple(quote for section in draft.sections for quote in section.quotes)
    numbers = {id(quote): number for number, quote in enumerate(quotes, 1)}
    blocks = [
        f"# {draft.question}",
        f"> {draft.label}. {_PROMISE.format(corpus=corpus_name) if quotes else ''}".rstrip(),
    ]
    blocks += _summary_text(draft, numbers)
    for section in draft.sections:
        # What the summary says whole is not said again.
        untold = replace(section, quotes=tuple(one for one in section.quotes if not _is_told(one, draft.summary)))
        if untold.quotes:
            blocks += [f"## {section.title}", *_paragraphs(untold, numbers)]
    blocks += _open_ends(draft, corpus_name, unknown, bool(quotes))
    if quotes:
        blocks += ["## Sources", "\n".join(f"{number}. {_source(quote)}" for number, quote in enumerate(quotes, 1))]
    return replace(draft, quotes=quotes, markdown="\n\n".join(blocks) + "\n")


def _summary_text(draft: Report, numbers: dict[int, int]) -> Iterator[str]:
    """Yield the summary, with the name of the model that chose or wrote it."""
    model = draft.label.partition(":")[0]
    if draft.words:
        yield f"**In short**, in the words of {model}: {draft.words}"
    elif draft.summary:
        chosen = " ".join(f"{one.text} [{numbers[id(one.quote)]}]" for one in draft.summary)
        yield f"**In short**, in sentences that {model} chose from the quotes: {chosen}"


def _paragraphs(section: Section, numbers: dict[int, int]) -> Iterator[str]:
    """Yield the paragraphs of a section; each says where it is from when the section draws on several places."""
    titles = [quote.title for quote in section.quotes]
    for quote, before in zip(section.quotes, [None, *titles], strict=False):
        is_news = len(set(titles)) > 1 and quote.title != before
        # A number alone on its line would look lost before a list.
        named = is_news or quote.text.startswith(_BLOCK_SIGNS)
        lead = f"*{_heading(short_title(quote.title, titles))}:* " if named else ""
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
