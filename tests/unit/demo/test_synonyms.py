"""Words of about the same meaning."""

from dataclasses import replace

import pytest

from lion_broker.demo.corpus import Corpus
from lion_broker.demo.passages import Passage
from lion_broker.demo.planning import find, sub_questions
from lion_broker.demo.search import Search
from lion_broker.demo.synonyms import alternatives

ATTIC = (
    "A hamster sleeps by day. It wakes in the evening.",
    "Hamsters preserve nuts in their cheeks for the winter.",
    "A hamster is a small animal.",
)


def quoted(question: str, meanings: tuple[str, ...] = ()) -> str:
    """All that is quoted from a small corpus."""
    passages = tuple(Passage(f"h#{number}", "Pets", text, "h") for number, text in enumerate(ATTIC))
    corpus = Corpus("pets", passages)
    search = Search(replace(corpus, alike=alternatives(meanings)) if meanings else corpus)
    return " ".join(quote.text for part in sub_questions(question, search)[:1] for quote in find(part, search).quotes)


def test_words_before_a_bar_stand_for_each_other_and_those_after_it_for_them() -> None:
    """A list is a sequence, but who asks for a sequence does not ask for a list."""
    alike = alternatives(["dict dictionary | mapping"])
    assert alike["dict"] == ("dictionary", "map")
    assert alike["dictionary"] == ("dict", "map")
    assert "map" not in alike
    assert alike["keep"][0] == "preserv"


@pytest.mark.parametrize("question", ["How does a hamster keep nuts?", "How does a hamster preserve nuts?"])
def test_an_answer_may_use_another_word(question: str) -> None:
    """Keep and preserve say the same in any corpus."""
    assert ATTIC[1] in quoted(question)


def test_a_subject_has_meanings_of_its_own() -> None:
    """They are told with the corpus."""
    assert ATTIC[1] not in quoted("How does a rodent store food?")
    assert ATTIC[1] in quoted("How does a rodent store food?", ("rodent | hamster", "store | preserve", "food | nuts"))
