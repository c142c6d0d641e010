"""Texts that are made to keep a worker busy: the work grows with their length, and no faster."""

from collections.abc import Callable

import pytest

from lion_broker.demo import cues, model, report, topics
from lion_broker.demo.blocks import read_plain, rest_as_markdown
from lion_broker.demo.corpus import Corpus
from lion_broker.demo.findings import SubQuestion
from lion_broker.demo.markdown import read_markdown
from lion_broker.demo.passages import Passage, parts
from lion_broker.demo.question import read_question
from lion_broker.demo.quotes import pick
from lion_broker.demo.search import Hit, Search
from lion_broker.demo.segments import segments
from lion_broker.models.providers.offline import select
from lion_broker.models.wording import sentences, terms

RUNS = [
    *("x", "a-", "`", "`a ", "`` ` ", "(", "(a", ".", ". ", "A. ", "[", "1", "[1", "日", "_", "_a ", "*", "*a", "#"),
    *("# ", " ", "\n", "\n ", "- ", "- a\n", "a\n", "a\n\n", "|a|\n", "```a\n", "<!--", ":", ":a", "“`", '" ', "=\n"),
    *(
        "+-",
        "called ",
        "see `",
        "what do ",
        "is ",
        "the ",
        "a? ",
        "x\n  y\n",
        "x is. Or x. ",
        "x is\n\n",
        "x:\n\n```\na\n```\n\n",
    ),
]
ASKED = SubQuestion(1, "Why?", "answer", "x", (("x",), ("a",)), {"x": 2.0, "a": 2.0, "1": 1.0})
SHELF = Search(Corpus("fruit", (Passage("f#1", "Fruit", "An apple, with `is` and x.", "fruit"),)))

READERS: dict[str, Callable[[str], object]] = {
    "terms": terms,
    "sentences": sentences,
    "an answer": lambda text: select("x and apple", [text]),
    "an asked text": lambda text: select(text, ["An apple."]),
    "plain text": read_plain,
    "markup": rest_as_markdown,
    "markdown": read_markdown,
    "the reference": topics.literals_as_code,
    "parts": lambda text: list(parts(text)),
    "segments": lambda text: segments(Passage("f#1", "Fruit", text, "fruit")),
    "a passage": lambda text: pick(ASKED, [Hit(Passage("f#1", "Fruit", text, "fruit"), 1.0)]),
    "a question": lambda text: read_question(text, SHELF),
    "a query": SHELF.terms,
    "cues": lambda text: [cue.findall(text) for cue in cues.CUES.values()],
    "references": lambda text: (cues.cross_reference(text), cues.tells_history(text), cues.leans_back(text)),
    "a title": lambda text: report.compose(text, [], "it", "it"),
    "a model's words": lambda text: model.own_words(text, 3),
}

SIZE = 4_000


@pytest.mark.parametrize("name", READERS)
def test_runs_are_read(name: str) -> None:
    """Runs of letters, signs, brackets and beginnings of markup that nothing ends are read, each time the same.

    How the work grows with their length is for the benchmark M2 to say.
    """
    for run in RUNS:
        text = run * (SIZE // len(run))
        assert READERS[name](text) == READERS[name](text), run


def test_a_word_without_an_end_is_a_word() -> None:
    """A million letters are one term; a reader that tried each of them as a beginning would never come back."""
    word = "ab" * 500_000
    assert terms(word) == [word]
    assert [len(sentence.text) for sentence in sentences(word)] == [len(word)]


@pytest.mark.parametrize("run", ["- ", "1. ", "+-"])
def test_a_corpus_may_hold_anything(run: str) -> None:
    """Lists that are nested a thousand times, and tables without a row, are read as something."""
    assert all(block.text for block in read_plain(run * 1_000 + "x"))
