"""BM25 search over a corpus."""

import pytest

from lion_broker.demo.corpus import Corpus
from lion_broker.demo.passages import Passage
from lion_broker.demo.search import Search
from lion_broker.errors import ItemNotFoundError


def corpus_of(*texts: str) -> Corpus:
    """A corpus with one passage a text."""
    return Corpus("test", tuple(Passage(f"t#{number}", "", text, "t") for number, text in enumerate(texts)))


@pytest.mark.parametrize(
    ("query", "topic"),
    [
        ("__enter__", "with"),
        ("async with", "async"),
        ("yield from", "async"),
        ("lambda", "lambda"),
        ("generators", "yield"),
        ("importing relative modules", "import"),
        ("operator precedence", "operator-summary"),
        ("metaclass", "specialnames"),
        ("`with`", "with"),
        (":=", "operator-summary"),
    ],
)
def test_identifiers_and_words_are_found(reference: Search, query: str, topic: str) -> None:
    """Special names, pairs of keywords, operators and other forms of a word lead to their topic."""
    assert topic in [hit.passage.id.partition("#")[0] for hit in reference.search(query, 5)]


def test_hits_come_best_first_and_always_the_same(reference: Search) -> None:
    """Scores fall, and a new index gives the same hits."""
    hits = reference.search("exception handler", 10)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits == Search(reference.corpus).search("exception handler", 10)


def test_equal_scores_come_in_the_order_of_ids() -> None:
    """Ties do not depend on anything else."""
    hits = Search(corpus_of("one apple", "one apple", "pear")).search("apple")
    assert [hit.passage.id for hit in hits] == ["t#0", "t#1"]


@pytest.mark.parametrize("query", ["", "   ", "the of and", "zzz", "???", "\0"])
def test_nothing_known_finds_nothing(reference: Search, query: str) -> None:
    """Stop words, unknown words and no words at all have no hits."""
    assert reference.search(query) == []


def test_a_limit_below_one_finds_nothing(reference: Search) -> None:
    """Asking for no passages gives none."""
    assert reference.search("lambda", 0) == []


def test_passages_are_opened_by_id(reference: Search) -> None:
    """An unknown id is an error."""
    assert reference.open_passage("with#1").title == "The `with` statement"
    with pytest.raises(ItemNotFoundError):
        reference.open_passage("with#1000")


def test_synonyms_bring_the_words_of_the_corpus(reference: Search) -> None:
    """Nobody calls f-strings formatted string literals but the reference."""
    assert any("formatted string literal" in hit.passage.text for hit in reference.search("f-string"))


def test_a_corpus_without_a_single_term_can_be_searched() -> None:
    """Punctuation is a text too."""
    assert Search(corpus_of("…", "!")).search("apple") == []
