"""Finds what a question is about: its code, phrases and words, in the terms of a corpus."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lion_broker.demo.search import Search
from lion_broker.models.wording import STOP_WORDS, terms

__all__ = ["FILLERS", "Focus", "foci_of_comparison", "foci_of_text", "tokens"]

_TOKEN = re.compile(
    r"`[^`]+`|[^\W_][\w’'-]*\w(?:\(\))?|__\w+__(?:\(\))?|\w+|[=!<>]=|:=|->|\*\*|//|<<|>>|[-+*/%@&|^~<>(),]"
)
_COMPARISON = re.compile(
    r"\bbetween (.{1,40}?) and (.{1,40}?)(?=[?.,;]|$| in | when )"
    r"|(?:^|\bis |\bare )([^ ]+(?: [^ ]+)?) (?:vs\.?|versus) (.{1,40}?)(?=[?.,;]|$)"
    r"|\bdoes (.{1,40}?) differ from (.{1,40}?)(?=[?.,;]|$)",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(r"^`.*\s[-+*/%=<>!&|^@:]+\s")
_CAMEL = re.compile(r"[A-Z]\w*[a-z]\w*[A-Z]\w*")
_ARTICLE = re.compile(r"^(?:an?|the) ", re.IGNORECASE)
_ARTICLES = frozenset({"a", "an", "the"})
_LINKS = frozenset({"and", "or", "of", "versus", "vs", "/", ",", "(", ")"})
_PRONOUNS = frozenset({"i", "you", "we", "one"})
_AUXILIARIES = frozenset({"can", "could", "did", "do", "does", "should", "will", "would"})
_DEGREES = frozenset({"big", "deep", "far", "fast", "large", "long", "often", "quickly", "soon"})
_VERB_ENDINGS = ("ed", "ing", "s")
_POSSESSIVES = frozenset({"my", "your", "our", "its", "their"})
_LONGEST_PHRASE = 4

# After these a word is meant as a piece of the language: with is a word, but the with statement is not.
_CODE_NOUNS_TEXT = "statement clause keyword operator expression loop block"
_CODE_NOUNS = frozenset(form for noun in _CODE_NOUNS_TEXT.split() for form in (noun, f"{noun}s"))
_FILLERS_TEXT = """
    answer best behave behaves basic call called cause common compare concept correct describe detail details
    difference differences differ differs different difficult example examples exact exactly explain explanation
    explained find good
    happen happened happening happens handle handles help idea important inside kind know look many mean meaning means
    multiple overview possible python question right rule rules say several simple simply sort step steps three two
    understand various want way word words work worked working works write
"""
# Words that say what is wanted to know, not about what.
FILLERS = frozenset(_FILLERS_TEXT.split())
_NO_SUBJECTS = STOP_WORDS | FILLERS | _LINKS


@dataclass(frozen=True, slots=True)
class Focus:
    """One thing that a question is about.

    `label` is how the question calls it, `terms` are what it is recognised by, `called` what its definition calls it.
    """

    label: str
    terms: tuple[str, ...]
    called: tuple[str, ...]

    @property
    def is_plural(self) -> bool:
        """Whether a verb after it takes the plural."""
        return self.label.endswith("s") and not self.label.endswith(("ss", "is", "us"))


@dataclass(frozen=True, slots=True)
class _Unit:
    """A part of a question that it could be about; `linked` when an "and" or the like joins it to what is before."""

    focus: Focus
    linked: bool


def tokens(text: str) -> list[str]:
    """Return the words, code spans and operators of a question, in order."""
    return _TOKEN.findall(text)


def foci_of_comparison(text: str, search: Search) -> list[Focus]:
    """Return the two things that a question compares, or nothing when it compares none."""
    comparison = _COMPARISON.search(text)
    return [_side(side.strip(), search) for side in comparison.groups() if side] if comparison else []


def foci_of_text(text: str, search: Search) -> list[Focus]:
    """Return what a question is about: its first phrase, what is joined to that, and every name of something.

    A name is a piece of code, or a word that the corpus has a name of its own for. Verbs, the long of "how long", and
    code that is there as an example, are no subjects, unless there is no other.
    """
    words = tokens(text)
    beside = _verbs(words, search) | _degrees(words) | _examples(words)
    return _foci(_units(words, search, beside), search) or _foci(_units(words, search, frozenset()), search)


def _foci(units: Iterable[_Unit], search: Search) -> list[Focus]:
    found: list[Focus] = []
    linked = True
    for unit in units:
        linked = not found or (unit.linked and linked)
        if linked or "`" in unit.focus.label or _is_renamed(unit.focus.label, search):
            found.append(unit.focus)
    return found


def _is_renamed(label: str, search: Search) -> bool:
    """Tell whether the corpus has another name for something."""
    return any(re.search(rf"\b{re.escape(word)}", label, re.IGNORECASE) for word in search.corpus.synonyms)


def _verbs(words: Sequence[str], search: Search) -> frozenset[int]:
    """Return the places of words that can only be verbs: after "I" or "you", and where an article follows."""
    others = STOP_WORDS | _LINKS
    after = (
        place
        for place, (before, word) in enumerate(pairwise(words), 1)
        if before.lower() in _PRONOUNS and word.lower() not in others
    )
    ahead = (
        place
        for place, (word, following) in enumerate(pairwise(words))
        if following.lower() in _ARTICLES | _POSSESSIVES
        and word.isalpha()
        and word.lower() not in others | search.corpus.code_words
    )
    return frozenset((*after, *ahead))


def _degrees(words: Sequence[str]) -> frozenset[int]:
    """Return the places of words such as the long of "how long"."""
    lower = [word.lower() for word in words]
    return frozenset(place for place, pair in enumerate(pairwise(lower), 1) if pair[0] == "how" and pair[1] in _DEGREES)


def _examples(words: Sequence[str]) -> frozenset[int]:
    """Return the places of code such as `x = x + 1`."""
    return frozenset(place for place, word in enumerate(words) if _EXPRESSION.search(word))


def _side(text: str, search: Search) -> Focus:
    """Return one side of a comparison: code when it is an operator, or words that the corpus writes as code."""
    article = _ARTICLE.match(text)
    name = _ARTICLE.sub("", text)
    is_operator = not re.search(r"\w", name)
    focus = _code(name, search, known_is_enough=" " in name, marked=is_operator) or _phrase(name, search)
    return _with_article(focus, article[0].strip().lower() if article else "")


def _units(words: list[str], search: Search, beside: frozenset[int]) -> Iterator[_Unit]:
    position = 0
    name_ends = -1
    while position < len(words):
        length, focus = _focus_at(words, position, search, beside)
        before = ["", *(word.lower() for word in words[:position])]
        article = before.pop() if before[-1] in _ARTICLES else ""
        if focus:
            is_noun = not words[position].endswith(_VERB_ENDINGS) or before[-1].endswith("ed")
            goes_on = position == name_ends and _is_known(focus, search) and is_noun
            is_object = bool(article) and len(before) - 2 in beside and not before[-1].endswith(_VERB_ENDINGS)
            yield _Unit(_with_article(focus, article), before[-1] in _LINKS or goes_on or is_object)
            # Names side by side are one thing, as in mutable default arguments; after "does this" follows a verb.
            name_ends = -1 if before[-1] in _AUXILIARIES else position + length
        position += length


def _is_known(focus: Focus, search: Search) -> bool:
    return any(search.document_frequency[term] for term in focus.terms)


def _focus_at(words: list[str], position: int, search: Search, beside: frozenset[int]) -> tuple[int, Focus | None]:
    """Return how many words the longest focus that begins here takes, and that focus; one word and None for none."""
    if position in beside:
        return 1, None
    for length in (3, 2):
        run = " ".join(words[position : position + length]).lower()
        if len(words) >= position + length and f"`{run}`" in search.document_frequency:
            return length, _code(run, search, known_is_enough=True)
    word, noun = words[position], words[position + 1].lower() if position + 1 < len(words) else ""
    is_owned = position > 0 and words[position - 1].lower() in _POSSESSIVES
    if word.lower() not in FILLERS | _LINKS | _ARTICLES:
        if noun in _CODE_NOUNS and (focus := _code(word, search, known_is_enough=True)):
            return 2, _focus(f"{focus.label} {noun}", [*focus.terms, *terms(noun)])
        if not is_owned and word.lower() not in STOP_WORDS and (focus := _code(word, search)):
            return 1, focus
    end = next((place for place in range(position, len(words)) if place in beside), len(words))
    length = _length_of_phrase(words[position : min(end, position + _LONGEST_PHRASE)], search)
    return (length, _phrase(" ".join(words[position : position + length]), search)) if length else (1, None)


def _length_of_phrase(words: list[str], search: Search) -> int:
    """Return how many of the words make a phrase that stands in the corpus like that."""
    for length, word in enumerate(words):
        if word.lower() in _NO_SUBJECTS or not word[0].isalnum():
            return length
        if length and not _belong_together(words[length - 1], word, search):
            return length
    return len(words)


def _belong_together(first: str, second: str, search: Search) -> bool:
    if any(word.startswith(f"{first} {second}".lower()) for word in search.corpus.synonyms):
        return True
    if second.endswith("ed") or any(word in first.lower() for word in search.corpus.synonyms):
        return False
    left, right = terms(first), terms(second)
    return bool(left and right) and search.follows(left[-1], right[0])


def _code(text: str, search: Search, known_is_enough: bool = False, marked: bool = False) -> Focus | None:
    """Return the focus of a piece of code: what is marked as code, or a word of the subject's own language."""
    code = text.strip("`").removesuffix("()")
    term = f"`{code.lower()}`"
    known = term in search.document_frequency
    is_name = ("_" in text and " " not in text) or (
        bool(_CAMEL.fullmatch(text)) and _is_known(_phrase(text, search), search)
    )
    marked = marked or text.startswith("`") or text.endswith("()") or is_name
    own_word = known_is_enough or code in search.corpus.code_words
    if not (marked or (known and own_word)):
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


def _with_article(focus: Focus, article: str) -> Focus:
    needs_one = article and not focus.label.endswith("`")
    return replace(focus, label=f"{article} {focus.label}") if needs_one else focus
