"""The sub-questions of a question."""

import json

import pytest

from lion_broker.demo.findings import Finding, SubQuestion
from lion_broker.demo.planning import find, sub_questions
from lion_broker.demo.search import Search

QUESTIONS = [
    "How does the with statement work?",
    "What is the difference between is and ==?",
    "How are decorators evaluated?",
    "What happens in a try/finally with return?",
    "How do generators and yield work?",
    "What are the rules for names and scopes (global, nonlocal)?",
    "How does import work / relative imports?",
    "What is a metaclass?",
]


def aspects(text: str, search: Search) -> list[str]:
    """The aspects that are planned for a question."""
    return [part.aspect for part in sub_questions(text, search)]


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_plan_has_a_few_different_parts(reference: Search, text: str) -> None:
    """Two to five sub-questions, numbered from 1, no text twice, each with evidence."""
    plan = sub_questions(text, reference)
    assert 2 <= len(plan) <= 5
    assert [part.number for part in plan] == list(range(1, len(plan) + 1))
    assert len({part.text for part in plan}) == len(plan)
    assert all(find(part, reference).quotes for part in plan)


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_same_question_gives_the_same_plan(reference: Search, text: str) -> None:
    """A plan depends on nothing but the question and the corpus."""
    assert sub_questions(text, reference) == sub_questions(text, Search(reference.corpus))


def test_the_kind_of_question_decides_what_comes_first(reference: Search) -> None:
    """How something works begins with what it is, a comparison with both sides, a definition with itself."""
    assert aspects("How does the with statement work?", reference)[:2] == ["definition", "answer"]
    assert aspects("What is the difference between is and ==?", reference)[:3] == ["definition"] * 2 + ["difference"]
    assert aspects("What is a metaclass?", reference)[:2] == ["definition", "answer"]
    assert aspects("What happens in a try/finally with return?", reference)[:2] == ["answer", "definition"]


def test_neighbouring_sections_are_asked_about(reference: Search) -> None:
    """A question on with leads to context managers."""
    texts = [part.text for part in sub_questions("How does the with statement work?", reference)]
    assert "What does “With Statement Context Managers” say about the `with` statement?" in texts


@pytest.mark.parametrize("text", ["What is the price of bananas?", "what is the meaning of life", "xyzzy"])
def test_a_question_without_answer_is_one_part_without_quotes(reference: Search, text: str) -> None:
    """The question itself is looked up, and nothing is found for it."""
    plan = sub_questions(text, reference)
    assert len(plan) == 1
    assert find(plan[0], reference).quotes == ()


def test_no_question_is_no_plan(reference: Search) -> None:
    """There is nothing to split."""
    assert sub_questions("", reference) == []
    assert sub_questions("?", reference) == []


def test_two_questions_in_one_are_both_answered_first(reference: Search) -> None:
    """Each is a sub-question of its own; an "and" between two subjects makes no second question."""
    plan = sub_questions("How are names resolved in a block, and what does nonlocal do?", reference)
    assert [part.text for part in plan[:2]] == ["How are names resolved in a block?", "What does nonlocal do?"]
    texts = [part.text for part in sub_questions("How do async with and await work?", reference)]
    assert "What is `await`?" in texts


def test_a_phrase_becomes_a_question(reference: Search) -> None:
    """A subject without a verb is asked about."""
    assert sub_questions("pattern matching", reference)[0].text == "What is there to know about pattern matching?"


def test_a_long_text_has_a_short_sub_question(reference: Search) -> None:
    """What travels and is shown is not the whole text."""
    plan = sub_questions("How does the lambda expression work? " * 140, reference)
    assert all(len(part.text) <= 162 for part in plan)


@pytest.mark.parametrize("text", QUESTIONS[:2])
def test_findings_travel_as_plain_values(reference: Search, text: str) -> None:
    """Sub-questions, quotes and findings come back from JSON as they were."""
    for part in sub_questions(text, reference):
        finding = find(part, reference)
        assert Finding.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding
        assert SubQuestion.from_dict(json.loads(json.dumps(part.to_dict()))) == part
