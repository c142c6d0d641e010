"""Words, stems and sentences: the little linguistics that an extractive model and a search need.

English first; text in other scripts is split into words, or into pairs of signs where no spaces are written. The text
may be anybody's: whatever it is, the work grows with its length and no faster.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["STOP_WORDS", "Sentence", "phrases", "sentences", "stem", "terms"]

_STOP_WORDS = """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can could did do does doing done down during each either etc every for from
    further get give given gives had has have having he hence her here hers him his how however i if in
    instead into is it its itself just let like made make makes many may me might more most much must my
    no nor not now of off often on once one only onto or other our out over own per please rather really
    same see shall she should so some such tell than that the their them then there therefore these they
    thing things this those through thus to too under until up upon us use used uses using very via was
    way we well were what whatever when where whether which while who whom whose why will with within
    without would yet you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_WORD_OPERATORS = frozenset({"and", "in", "is", "not", "or"})
# The name in `object.__enter__(self)` or `str.join(iterable)`.
_CALLED = re.compile(r"(?:\w+\.)+(\w+)(?:\(.*\))?|(\w+)\(.*\)", re.DOTALL)
_BACKTICKS = re.compile(r"`+")
_WORD = re.compile(r"[^\W_][^\W_]*(?:_\w+)?|_+\w*|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
# Where one part is a stop word, the rest says something else without it: keyword-only, left-to-right.
# It is tried at the beginning of a word only: at each letter, a long word would cost its length each time.
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:-[^\W\d_]++)+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ENDINGS = (
    ("ies", "y"),
    ("ality", "al"),
    ("ations", "ate"),
    ("ation", "ate"),
    ("ings", ""),
    ("ing", ""),
    ("ions", ""),
    ("ion", ""),
    ("edly", ""),
    ("ed", ""),
)
_VOWELS = frozenset("aeiouy")
_SENTENCE_END = re.compile(r"(?:[.!?]|(?<=\S)…)[)\]”’\"*`]*(?=\s+[^\sa-z]|\s*$)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|cf|vs|resp|approx|no|fig|sec|Dr|Mr|Mrs|Prof|St)|\b[A-Z])\.$")
_LONGEST_ABBREVIATION = len("approx.")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text: `text == source[start:end]`, offsets in characters."""

    text: str
    start: int
    end: int


def terms(text: str) -> list[str]:
    """Return the searchable terms of a text, in order and with repetitions.

    Words are lower case and stemmed, without stop words. Identifiers stay whole beside their parts
    (`__enter__` also gives enter), and so do compounds that lose a stop word (keyword-only). A code span
    gives one more term, with its backticks, so that `with` the keyword is not the word with.
    """
    found: list[str] = []
    position = 0
    for start, end, ticks in _code_spans(text):
        found += _words(text[position:start])
        code = text[start + ticks : end - ticks]
        found += _code_terms(code)
        found += _words(code)
        position = end
    found += _words(text[position:])
    return found


def phrases(words: Sequence[str]) -> list[str]:
    """Return each two neighbouring terms as one, for telling a phrase from its words."""
    return [f"{first} {second}" for first, second in pairwise(words)]


def stem(word: str) -> str:
    """Cut the commonest English endings off a lower-case word, so that evaluates and evaluation meet."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1] if not word.endswith("ies") else word
    if word.endswith("ception"):
        return word  # what is left of exception would be another word, except
    for ending, instead in _ENDINGS:
        root = word[: -len(ending)]
        if word.endswith(ending) and len(root) >= 3 and not _VOWELS.isdisjoint(root):
            word = root + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioslz":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def sentences(text: str) -> list[Sentence]:
    """Split a paragraph into sentences with their offsets; a full stop inside code or brackets ends none."""
    guarded = _guarded(text)
    found: list[Sentence] = []
    start = 0
    for end in _SENTENCE_END.finditer(guarded):
        stop = end.start() + 1
        if _ABBREVIATION.search(guarded, max(start, stop - _LONGEST_ABBREVIATION), stop):
            continue
        found.append(_trimmed(text, start, end.end()))
        start = end.end()
    found.append(_trimmed(text, start, len(text)))
    return [sentence for sentence in found if sentence.text]


def _code_spans(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and number of backticks of each code span; as in Markdown, as many close it as opened it."""
    runs = [run.span() for run in _BACKTICKS.finditer(text)]
    closing: list[int | None] = [None] * len(runs)
    latest: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        ticks = runs[index][1] - runs[index][0]
        closing[index] = latest.get(ticks)
        latest[ticks] = index
    index = 0
    while index < len(runs):
        start, opened = runs[index]
        if (last := closing[index]) is not None:
            yield start, runs[last][1], opened - start
            index = last
        index += 1


def _code_terms(text: str) -> Iterator[str]:
    """Yield what a code span is found by as code: itself, the name that it calls, the operators in it."""
    pieces = text.removesuffix("()").lower().split()
    code = " ".join(pieces)
    if len(code) <= 40:
        yield f"`{code}`"
    if called := _CALLED.fullmatch(code):
        yield f"`{called[1] or called[2]}`"
    if 1 < len(pieces) <= 3:
        yield from (f"`{piece}`" for piece in pieces if piece in _WORD_OPERATORS or not _WORD.search(piece))


def _words(text: str) -> Iterator[str]:
    for compound in _COMPOUND.findall(text.lower()):
        if not STOP_WORDS.isdisjoint(compound.split("-")):
            yield compound
    for word in _WORD.findall(text):
        whole = word.lower()
        if _UNSPACED.fullmatch(whole):
            yield from (whole[index : index + 2] for index in range(len(whole) - 1))
            continue
        parts = _CAMEL.sub("_", word).lower().strip("_").split("_")
        if whole not in STOP_WORDS:
            yield stem(whole)
        if len(parts) > 1 or parts[0] != whole:
            yield from (stem(part) for part in parts if part and part not in STOP_WORDS)


def _guarded(text: str) -> str:
    """Return the text with code and brackets blanked by letters, so that their full stops do not count."""
    pieces: list[str] = []
    position = 0
    for start, end, _ in _code_spans(text):
        pieces += [text[position:start], "`", "x" * (end - start - 2), "`"]
        position = end
    guarded = "".join(pieces) + text[position:]
    return re.sub(r"\([^()]{0,400}\)", lambda span: "(" + "x" * (len(span[0]) - 2) + ")", guarded)


def _trimmed(text: str, start: int, end: int) -> Sentence:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return Sentence(piece.strip(), start, start + len(piece.strip()))
