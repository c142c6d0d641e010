"""Terms and sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.models.wording import sentences, stem, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("evaluated", "evaluation"),
        ("generators", "generator"),
        ("classes", "class"),
        ("queries", "query"),
        ("formatting", "format"),
        ("scopes", "scope"),
        ("closing", "closes"),
        ("iteration", "iterate"),
        ("equality", "equal"),
    ],
)
def test_forms_of_a_word_meet(one: str, other: str) -> None:
    """Plurals, participles and nouns of a verb have one stem."""
    assert stem(one) == stem(other)


@pytest.mark.parametrize("word", ["string", "is", "class", "yes", "naïve", "x1", "status", "exception"])
def test_words_that_only_look_like_forms_stay(word: str) -> None:
    """Short words, words whose root has no vowel, and words of other scripts are left alone."""
    assert stem(word) == word


def test_identifiers_are_found_whole_and_in_parts() -> None:
    """Underscores and capitals separate parts, and the whole stays."""
    assert terms("__enter__") == ["__enter__", "enter"]
    assert terms("StopIteration") == ["stopiterat", "stop", "iterat"]


def test_compounds_stay_whole_when_a_part_would_be_lost() -> None:
    """Keyword-only is more than keyword, but a hash-table is no more than its parts."""
    assert terms("keyword-only") == ["keyword-only", "keyword"]
    assert terms("hash-table") == ["hash", "tabl"]


def test_code_is_another_term_than_the_word() -> None:
    """A keyword in backticks is a term although the word is none; the parentheses of a call do not count."""
    assert terms("with a word") == ["word"]
    assert terms("`with` a word") == ["`with`", "word"]
    assert "`__enter__`" in terms("`__enter__()`")
    assert "`join`" in terms("`str.join(iterable)`")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("``a ` b`` c", ["`a ` b`"]),
        ("`a ``b` c", ["`a ``b`"]),
        ("``` `x` `a` b", ["`x`"]),
        ("`a", []),
        ("``", []),
    ],
)
def test_as_many_backticks_close_a_span_as_opened_it(text: str, code: list[str]) -> None:
    """Other backticks inside are part of it, and those that nothing closes are nothing."""
    assert [term for term in terms(text) if len(term) > 2 and term.startswith("`")][:1] == code


def test_operators_are_found_in_short_expressions() -> None:
    """`x is y` and `x == y` are about `is` and `==`."""
    assert "`is`" in terms("`x is y`")
    assert "`==`" in terms("`x == y`")
    assert "`==`" not in terms("`any(x == e for e in y)`")


def test_writing_without_spaces_gives_pairs() -> None:
    """Japanese and Chinese are found by pairs of signs."""
    assert terms("日本語") == ["日本", "本語"]


@pytest.mark.parametrize(
    "text",
    [
        "Use e.g. this one.",
        "It works (see x. Y) well.",
        "Call `a. B` now.",
        "Version 3.11 is out.",
        "J. Smith wrote it.",
        "The `try` … `except` statement is one.",
    ],
)
def test_some_full_stops_end_no_sentence(text: str) -> None:
    """Abbreviations, numbers, code and brackets do not break a sentence."""
    assert [sentence.text for sentence in sentences(text)] == [text]


def test_sentences_end_with_their_closing_marks() -> None:
    """Emphasis and quotation marks belong to the sentence that they close."""
    text = "**One.** “Two.” Three? Four!"
    assert [sentence.text for sentence in sentences(text)] == ["**One.**", "“Two.”", "Three?", "Four!"]


@given(st.text(max_size=300))
def test_sentences_are_where_they_say(text: str) -> None:
    """Every sentence is a piece of the text at its offsets, in order, and only white space is left over."""
    found = sentences(text)
    assert all(text[sentence.start : sentence.end] == sentence.text for sentence in found)
    assert "".join("".join(sentence.text for sentence in found).split()) == "".join(text.split())
