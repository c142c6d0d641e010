"""Reads a question: what it is about, and how much of that a corpus knows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lion_broker.demo.search import Search
from lion_broker.models.wording import STOP_WORDS, terms

__all__ = ["Focus", "Question", "read_question"]

_LONGEST_READ = 600
_MOST_FOCI = 4
_MOST_CONTEXT = 8
_CONTRACTION = re.compile(r"(?<=\w)['’](?:s|re|ll|d|ve)\b", re.IGNORECASE)
_PAIR = re.compile(r"\b(\w+)(\s*(?:\.\.\.|…|/|-)\s*)(\w+)\b")
_ARTICLE = re.compile(r"^(?:an?|the) ", re.IGNORECASE)

_TOKEN = re.compile(r"`[^`]+`|[^\W_][\w’'-]*\w(?:\(\))?|__\w+__(?:\(\))?|\w+|[=!<>]=|:=|->|\*\*|//|<<|>>|[-+*/%@&|^~<>(),]")
_QUOTED = re.compile(r"(?<!\w)[\"'“‘]([^\"'“”‘’]{1,40})[\"'”’](?!\w)")
_COMPARISON = re.compile(
    r"\bbetween (?P<a>.{1,40}?) and (?P<b>.{1,40}?)(?=[?.,;]|$| in | when )"
    r"|(?:^|\bis |\bare )(?P<c>[^ ]+(?: [^ ]+)?) (?:vs\.?|versus) (?P<d>.{1,40}?)(?=[?.,;]|$)"
    r"|\bdoes (?P<e>.{1,40}?) differ from (?P<f>.{1,40}?)(?=[?.,;]|$)",
    re.IGNORECASE,
)
_KEYWORD_NOUNS = frozenset("statement statements clause clauses keyword operator operators expression expressions loop loops block blocks".split())
_FILLERS = frozenset(
    """answer best behave behaves basic call called cause common compare concept correct describe detail details difference differences differ different difficult
    example examples exact exactly explain explanation explained find good happen happened happening happens handle handles help
    idea important inside kind many multiple several various know look mean meaning means overview possible python question right rule rules say simple simply sort step
    steps understand want way word words work worked working works write""".split()
)
_LINKS = frozenset(("and", "or", "of", "versus", "vs", "/", ",", "(", ")"))
_PRONOUNS = frozenset("i you we one".split())


@dataclass(frozen=True, slots=True)
class Focus:
    """One thing that a question is about.

    `label` is how the question calls it, `terms` are what it is recognised by, `called` what its definition calls it.
    """

    label: str
    terms: tuple[str, ...]
    called: tuple[str, ...]

    @property
    def is_code(self) -> bool:
        """Whether it is a piece of code rather than a word."""
        return self.label.startswith("`")

    @property
    def is_plural(self) -> bool:
        """Whether a verb after it takes the plural."""
        last = self.label.rpartition(" ")[2]
        return not last.endswith("`") and last.endswith("s") and not last.endswith("ss") and not last.endswith("is")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was read: its clean text, what it is about, and how much of that the corpus knows.

    `coverage` runs from 0 (the corpus knows none of it) to 1; `unknown` lists the words it does not know.
    """

    text: str
    foci: tuple[Focus, ...]
    context: tuple[str, ...]
    comparison: bool
    coverage: float
    unknown: tuple[str, ...]


def read_question(text: str, search: Search) -> Question:
    """Read a question against what a corpus knows; text without a single usable word has no foci and coverage 0."""
    clean = " ".join(_QUOTED.sub(r"`\1`", _CONTRACTION.sub("", text)).split())
    heart = _code_pairs(_heart(clean), search.corpus.code_words)
    comparison = _COMPARISON.search(heart)
    if comparison:
        sides = [_ARTICLE.sub("", side.strip()) for side in comparison.groups() if side]
        foci = [_code_focus(side, search) or _phrase(side, search) for side in sides]
    else:
        foci = list(_foci(_units(heart, search)))
    return _measured(clean, tuple(focus for focus in foci if focus.terms)[:_MOST_FOCI], bool(comparison), search)


def _heart(text: str) -> str:
    """Return the question proper of a long text: its first sentence that asks, else its beginning."""
    if len(text) <= _LONGEST_READ:
        return text
    asked = re.search(r"[^.?!]{1,600}\?", text)
    return asked[0].strip() if asked else text[:_LONGEST_READ]


def _code_pairs(text: str, code_words: frozenset[str]) -> str:
    """Mark words of the language that are written as a pair, such as for … else or try/finally, as code."""

    def marked(pair: re.Match[str]) -> str:
        known = pair[1] in code_words and pair[3] in code_words
        return f"`{pair[1]}`{pair[2]}`{pair[3]}`" if known else pair[0]

    return _PAIR.sub(marked, text)


def _measured(text: str, foci: tuple[Focus, ...], comparison: bool, search: Search) -> Question:
    """Return the question with its remaining words and the share of its weight that the corpus knows."""
    focused = {term for focus in foci for term in focus.terms}
    asked_by = {term for focus in foci for term in terms(focus.label)}
    words = [word for word in _TOKEN.findall(text) if word.lower() not in _FILLERS]
    context = dict.fromkeys(term for term in terms(" ".join(words)) if term not in focused | asked_by)
    heaviest = sorted(context, key=lambda term: (-search.weight(term), term))[:_MOST_CONTEXT]
    known = tuple(term for term in context if term in heaviest and search.document_frequency[term])
    weight_of_foci = sum(search.weight(term) for term in focused)
    weight_known = sum(search.weight(term) for term in focused if search.document_frequency[term])
    unknown = dict.fromkeys(
        word.strip("`") for word in words if word.lower() not in STOP_WORDS and not any(search.document_frequency[term] for term in search.terms(word))
    )
    coverage = weight_known / weight_of_foci if weight_of_foci else 0.0
    return Question(text, foci, known, comparison, coverage, tuple(word for word in unknown if re.search(r"\w", word)))


@dataclass(frozen=True, slots=True)
class _Unit:
    """A word, phrase or piece of code of a question; `linked` when an "and" or the like joins it to what stands before."""

    focus: Focus
    linked: bool


def _units(text: str, search: Search) -> Iterator[_Unit]:
    """Yield the words, phrases and pieces of code that a question could be about, in order."""
    tokens: list[str] = _TOKEN.findall(text)
    position = 0
    while position < len(tokens):
        length, focus = _longest_focus(tokens, position, search)
        if focus:
            before = [token.lower() for token in tokens[:position] if token.lower() not in ("a", "an", "the")]
            article = tokens[position - 1].lower() if position and tokens[position - 1].lower() in ("a", "an", "the") else ""
            if not (before and before[-1] in _PRONOUNS):
                yield _Unit(_with_article(focus, article), bool(before) and before[-1] in _LINKS)
        position += length


def _longest_focus(tokens: list[str], position: int, search: Search) -> tuple[int, Focus | None]:
    """Return the longest code or phrase that starts here with its number of tokens, or one token and nothing."""
    for length in (3, 2):
        run = tokens[position : position + length]
        if len(run) == length and f"`{' '.join(run).lower()}`" in search.document_frequency:
            return length, _code_focus(" ".join(run), search)
    token = tokens[position]
    noun = tokens[position + 1] if tokens[position + 1 : position + 2] and tokens[position + 1].lower() in _KEYWORD_NOUNS else ""
    if token.lower() not in _FILLERS | _LINKS and (noun or token.lower() not in STOP_WORDS) and (focus := _code_focus(token, search, bool(noun))):
        if noun:
            return 2, _focus(f"{focus.label} {noun}", [*focus.terms, *terms(noun)])
        return 1, focus
    end = position
    while end < len(tokens) and end - position < 4 and _is_content(tokens[end]) and (end == position or _one_phrase(tokens[end - 1], tokens[end], search)):
        end += 1
        if any(word in tokens[end - 1].lower() for word in search.corpus.synonyms):
            break
    if end == position:
        return 1, None
    return end - position, _phrase(" ".join(tokens[position:end]), search)


def _code_focus(text: str, search: Search, surely: bool = False) -> Focus | None:
    """Return the focus of a piece of code: what is marked as code, or a word of the subject's own language."""
    code = text.strip("`").removesuffix("()")
    term = f"`{code.lower()}`"
    known = term in search.document_frequency
    marked = text.startswith("`") or "_" in text or text.endswith("()") or not re.search(r"\w", text)
    if not (marked or (known and (surely or " " in code or code in search.corpus.code_words))):
        return None
    return _focus(f"`{code}`", [*([term] if known else []), *terms(code)])


def _phrase(label: str, search: Search) -> Focus:
    """Return the focus of words, by their own terms or by those that the corpus uses instead."""
    for word, meant in search.corpus.synonyms.items():
        if word in label.lower():
            known, _, called = meant.partition("|")
            return _focus(label, terms(known), terms(called))
    return _focus(label, terms(label))


def _focus(label: str, known_by: list[str], called: list[str] | None = None) -> Focus:
    known = tuple(dict.fromkeys(known_by))
    return Focus(label, known, tuple(dict.fromkeys(called or known)))


def _is_content(token: str) -> bool:
    return token.lower() not in STOP_WORDS | _FILLERS | _LINKS and bool(re.match(r"\w", token))


def _one_phrase(first: str, second: str, search: Search) -> bool:
    left, right = terms(first), terms(second)
    return bool(left and right) and not second.endswith("ed") and search.follows(left[-1], right[0])


def _with_article(focus: Focus, article: str) -> Focus:
    named = article and not focus.label.endswith("`")
    return replace(focus, label=f"{article} {focus.label}") if named else focus


def _foci(units: Iterator[_Unit]) -> Iterator[Focus]:
    """Yield what a question is about: its first phrase, what is joined to that, and every piece of code."""
    chain = True
    for index, unit in enumerate(units):
        chain = index == 0 or (unit.linked and chain)
        if chain or "`" in unit.focus.label:
            yield unit.focus
