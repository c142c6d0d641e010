"""The quotes that are picked, and the check of quotes."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lion_broker.demo.corpus import Corpus
from lion_broker.demo.findings import Finding, Quote, SubQuestion
from lion_broker.demo.passages import Passage
from lion_broker.demo.planning import find, sub_questions
from lion_broker.demo.quotes import pick, selection, verify
from lion_broker.demo.search import Hit, Search

APPLES = (
    "An *apple* is a fruit that grows on trees. It is round. Pears are not meant here.\n\n"
    "An apple ripens in these steps:\n\n1. The blossom opens.\n2. The apple grows.\n\n"
    "An apple may not be eaten green; that raises `StomachError`."
)


STEPS = "An apple ripens in these steps:\n\n1. The blossom opens.\n2. The apple grows."


def asked(aspect: str, section: str = "") -> SubQuestion:
    """A sub-question on apples."""
    return SubQuestion(1, "?", aspect, "apple", (("appl",),), {"appl": 3.0}, section)  # type: ignore[arg-type]


def picked(aspect: str, text: str = APPLES, section: str = "") -> list[str]:
    """The texts that are quoted for an aspect of apples."""
    hit = Hit(Passage("fruit#1", "Fruit › Apple", text, "fruit", opens=True), 1.0)
    return [quote.text for quote in pick(asked(aspect, section), [hit])]


def test_a_definition_is_the_sentence_that_defines() -> None:
    """It comes with what leans on it, and not with the next subject."""
    assert picked("definition")[0].startswith("An *apple* is a fruit that grows on trees. It is round.")


def test_a_list_comes_with_its_lead_in() -> None:
    """Steps answer how something works, and are quoted whole."""
    assert picked("answer", STEPS) == [STEPS]


def test_rules_are_sentences_that_restrict() -> None:
    """Must, may not, raises and the names of errors show them."""
    assert picked("rules")[0] == "An apple may not be eaten green; that raises `StomachError`."


def test_an_example_has_code() -> None:
    """Prose alone is no example."""
    assert picked("example") == []
    text = "An apple can be bought, for example:\n\n```python\nbuy(apple)\n```"
    assert picked("example", text) == [text]


def test_a_section_is_asked_for_by_its_title() -> None:
    """Only passages of that section are quoted."""
    assert picked("related", section="Fruit › Pear") == []


@pytest.mark.parametrize(
    "text", ["Pears grow on trees.", "For apples see section Fruit.", "New in version 3.5: apples."]
)
def test_nothing_is_better_than_something_else(text: str) -> None:
    """Other subjects, bare references and notes on versions are not quoted as definitions."""
    hit = Hit(Passage("fruit#1", "Trees", text, "fruit"), 1.0)
    assert pick(asked("definition"), [hit]) == []


def test_the_code_of_a_quote_is_left_when_its_beginning_is_used() -> None:
    """What was said already is not said again, what followed it still may be."""
    text = "An apple is bought. For example:\n\n```python\nbuy(apple)\n```"
    quote = Quote("fruit#1", "Apple", "fruit", text, 0, len(text), 1.0)
    used = replace(quote, text="An apple is bought.", end=19)
    assert [one.text for one in selection(Finding(asked("answer"), (quote,)), [used])] == [text[20:]]
    assert selection(Finding(asked("answer"), (used,)), [quote]) == []


def test_a_quote_is_checked_word_for_word() -> None:
    """A changed word, a moved place, an unknown passage and an empty text are all false."""
    corpus = Corpus("fruit", (Passage("fruit#1", "Apple", APPLES, "fruit"),))
    quote = Quote("fruit#1", "Apple", "fruit", "It is round.", 43, 55, 1.0)
    assert verify(quote, corpus)
    assert not verify(replace(quote, text="It is green."), corpus)
    assert not verify(replace(quote, start=42, end=54), corpus)
    assert not verify(replace(quote, passage_id="fruit#2"), corpus)
    assert not verify(replace(quote, text="", end=43), corpus)


WORDS = st.sampled_from(
    """with lambda yield list tuple class import name scope error format is == how does what between and work ? / `with`
    __enter__ banana statement the value""".split()  # noqa: SIM905 - a list of them would be forty lines
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(WORDS, min_size=1, max_size=8).map(" ".join))
def test_every_quote_is_verbatim_whatever_is_asked(reference: Search, question: str) -> None:
    """For any question each quote stands in the corpus where it says, and no two quotes of a finding overlap."""
    for part in sub_questions(question, reference):
        quotes = find(part, reference).quotes
        assert all(verify(quote, reference.corpus) for quote in quotes)
        assert not any(one.overlaps(other) for one in quotes for other in quotes if one is not other)


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab .:`*\n-1#|(appleAPPLE", max_size=200), st.sampled_from(["answer", "rules", "example"]))
def test_every_quote_is_verbatim_whatever_the_text(text: str, aspect: str) -> None:
    """Odd markup cannot move a quote away from its place."""
    passage = Passage("fruit#1", "Apple", text, "fruit")
    assert all(text[quote.start : quote.end] == quote.text for quote in pick(asked(aspect), [Hit(passage, 1.0)]))
