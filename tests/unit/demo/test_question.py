"""What a question is about, in the terms of a corpus."""

import pytest

from lion_broker.demo.corpus import Corpus
from lion_broker.demo.passages import Passage
from lion_broker.demo.question import read_question
from lion_broker.demo.search import Search


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("How does the with statement work?", ["the `with` statement"]),
        ("What is the difference between is and ==?", ["`is`", "`==`"]),
        ("is not vs !=", ["`is not`", "`!=`"]),
        ("What's the difference between a list and a tuple?", ["a list", "a tuple"]),
        ("How does a tuple differ from a list?", ["a tuple", "a list"]),
        ("How are decorators evaluated?", ["decorators"]),
        ("What happens in a try/finally with return?", ["`try`", "`finally`", "`return`"]),
        ("How does for … else work?", ["`for`", "`else`"]),
        ("What are the rules for names and scopes (global)?", ["names", "scopes", "`global`"]),
        ("How do async with and await work?", ["`async with`", "`await`"]),
        ("How does operator precedence work?", ["operator precedence"]),
        ("What is a metaclass?", ["a metaclass"]),
        ("When is __del__ called?", ["`__del__`"]),
        ("How do I catch multiple exceptions?", ["exceptions"]),
        ("What is “yield from”?", ["`yield from`"]),
        ("How do f-strings format numbers?", ["f-strings"]),
        ("Why are mutable default arguments dangerous?", ["mutable", "default arguments"]),
        ("How are exceptions chained?", ["exceptions"]),
        ("What are keyword-only arguments?", ["keyword-only arguments"]),
        ("How do I make my class iterable?", ["class iterable"]),
        ("When is the else clause of a loop executed?", ["the `else` clause", "a loop"]),
        ("How does Python resolve a name?", ["a name"]),
        ("How does structural pattern matching match a mapping?", ["structural pattern matching", "a mapping"]),
        ("What if a generator function executes a return statement?", ["a generator function", "a `return` statement"]),
        ("Why does `x = x + 1` raise UnboundLocalError?", ["`raise`", "`UnboundLocalError`"]),
        ("What does `x = x + 1` mean?", ["`x = x + 1`"]),
        ("How do I format a float in an f-string?", ["a float", "an f-string"]),
        ("How long is a string?", ["a string"]),
        ("How are chained comparisons evaluated?", ["chained", "comparisons"]),
        ("How do I pass keyword arguments?", ["keyword arguments"]),
    ],
)
def test_the_subjects_of_a_question_are_found(reference: Search, text: str, labels: list[str]) -> None:
    """Keywords, operators, phrases and words are told from the words that only ask."""
    assert [focus.label for focus in read_question(text, reference).foci] == labels


def test_a_short_form_is_shown_as_it_was_typed_and_read_as_a_whole(reference: Search) -> None:
    """Can't is no subject, and the question still says it."""
    question = read_question("Why can't a list be a key?", reference)
    assert [focus.label for focus in question.foci] == ["a list"]
    assert question.text == "Why can't a list be a key?"


@pytest.mark.parametrize("text", ["", "   ", "?!", "the of and", "How does it work?"])
def test_a_text_that_asks_for_nothing_has_no_subject(reference: Search, text: str) -> None:
    """Nothing can be looked for."""
    question = read_question(text, reference)
    assert question.foci == ()
    assert not question.can_be_answered


@pytest.mark.parametrize(
    "text",
    [
        "What is the price of bananas?",
        "How do I install packages with pip?",
        "What is the capital of France?",
        "Wie funktioniert die with-Anweisung?",
        "Pythonのデコレータとは何ですか？",
    ],
)
def test_what_the_corpus_does_not_know_cannot_be_answered(reference: Search, text: str) -> None:
    """Most of the words that matter are unknown, and named."""
    question = read_question(text, reference)
    assert not question.can_be_answered
    assert question.unknown


def test_one_unknown_word_does_not_spoil_a_question(reference: Search) -> None:
    """It is answered, and the word is named."""
    question = read_question("How do decorators work under the hood?", reference)
    assert question.can_be_answered
    assert question.unknown == ("hood",)


def test_of_a_long_text_the_question_counts(reference: Search) -> None:
    """Five thousand characters are read in no time, by what they ask."""
    text = "I have been wondering for long. " * 155 + "How does the with statement work?"
    question = read_question(text, reference)
    assert question.foci[0].label == "the `with` statement"
    assert len(question.context) <= 8


def test_without_code_words_a_keyword_is_a_word() -> None:
    """Only a corpus on a language reads import as its import."""
    plain = Search(Corpus("trade", (Passage("t#1", "", "The import of goods. `import` is a word.", "t"),)))
    assert [focus.label for focus in read_question("What is import?", plain).foci] == ["import"]
