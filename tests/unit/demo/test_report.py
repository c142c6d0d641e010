"""The report on a question."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lion_broker.demo.findings import Finding
from lion_broker.demo.planning import find, sub_questions
from lion_broker.demo.question import read_question
from lion_broker.demo.report import Report, candidates, compose, fidelity
from lion_broker.demo.search import Search
from lion_broker.models.providers.offline import select

LABEL = "offline/extractive: no language model was used"
QUESTIONS = [
    "How does the with statement work?",
    "What is the difference between is and ==?",
    "How are decorators evaluated?",
    "What happens in a try/finally with return?",
    "How do generators and yield work?",
    "How does operator precedence work?",
    "What are the rules for names and scopes (global, nonlocal)?",
    "How does import work / relative imports?",
    "How do async with and await work?",
    "What is a metaclass?",
    "How do f-strings format numbers?",
    "How are exceptions chained?",
    "What does yield do?",
    "When is the else clause of a loop executed?",
    "What are keyword-only arguments?",
    "Why are mutable default arguments dangerous?",
]


def findings_on(question: str, search: Search) -> list[Finding]:
    """What the readers find."""
    return [find(part, search) for part in sub_questions(question, search)]


def report_on(question: str, search: Search) -> Report:
    """The report that the desk would write."""
    unknown = read_question(question, search).unknown
    findings = findings_on(question, search)
    return compose(question, findings, LABEL, search.corpus.name, unknown, select(question, candidates(findings)))


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_report_is_complete_and_true(reference: Search, question: str) -> None:
    """Title, label, summary, sections and sources are there, every number has its source, every quote is verbatim."""
    report = report_on(question, reference)
    lines = report.markdown.splitlines()
    assert lines[0] == f"# {question}"
    assert lines[2].startswith(f"> {LABEL}.")
    assert report.sections
    prose, _, sources = report.markdown.partition("## Sources\n\n")
    assert [int(number) for number in re.findall(r"^(\d+)\. ", sources, re.MULTILINE)] == list(
        range(1, len(report.quotes) + 1)
    )
    assert all(f"[{number}]" in prose for number in range(1, len(report.quotes) + 1))
    assert fidelity(report, reference.corpus) == 1.0


@pytest.mark.parametrize("question", QUESTIONS)
def test_nothing_is_said_twice(reference: Search, question: str) -> None:
    """No two quotes of a report overlap."""
    quotes = report_on(question, reference).quotes
    assert not any(one.overlaps(other) for one in quotes for other in quotes if one is not other)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (QUESTIONS[0], "The execution of the `with` statement with one “item” proceeds as follows:"),
        (QUESTIONS[0], "A *context manager* is an object that defines the runtime context"),
        (QUESTIONS[1], "`x is y` is true if and only if *x* and *y* are the same object."),
        (QUESTIONS[1], "compare the values of two objects."),
        (QUESTIONS[2], "Decorator expressions are evaluated when the function is defined"),
        (QUESTIONS[3], "the `finally` clause is also executed ‘on the way out.’"),
        (QUESTIONS[4], "A function or method which uses the `yield` statement is called a *generator function*."),
        (QUESTIONS[5], "| `lambda` | Lambda expression |"),
        (QUESTIONS[6], "If a name is bound in a block, it is a local variable of that block"),
        (QUESTIONS[7], "One leading dot means the current package"),
        (QUESTIONS[8], "An *asynchronous context manager* is a *context manager*"),
        (QUESTIONS[9], "The class of a class is known as that class’s *metaclass*"),
        (QUESTIONS[10], "| `'x'` | Hex format."),
        (QUESTIONS[11], "The `from` clause is used for exception chaining"),
        (QUESTIONS[12], "Yield expressions and statements are only used when defining a *generator* function"),
        (QUESTIONS[13], "A `break` statement executed in the first suite terminates the loop without executing"),
        (QUESTIONS[14], "Parameters after `*` or `*identifier` are keyword-only parameters"),
        (QUESTIONS[15], "the same “pre-computed” value is used for each call"),
    ],
)
def test_a_report_has_the_answer(reference: Search, question: str, sentence: str) -> None:
    """The sentence that one would look for is there."""
    if not any(sentence in passage.text for passage in reference.corpus):
        pytest.skip("the reference of this Python puts it otherwise")
    assert sentence in report_on(question, reference).markdown


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_summary_is_what_the_model_chose(reference: Search, question: str) -> None:
    """It names the model, and says nothing that does not stand in the quote that it cites."""
    report = report_on(question, reference)
    told = re.search(
        r"^\*\*In short\*\*, in sentences that (\S+) chose from the quotes: (.*)$", report.markdown, re.MULTILINE
    )
    assert bool(told) == bool(report.summary)
    for one in report.summary:
        assert told is not None
        assert told[1] == LABEL.partition(":")[0]
        assert f"{one.text} [{report.quotes.index(one.quote) + 1}]" in told[2]
        assert one.text in one.quote.text


def test_what_no_quote_says_is_not_in_the_summary(reference: Search) -> None:
    """A model that makes something up is not printed; one that quotes is."""
    findings = findings_on(QUESTIONS[0], reference)
    (true, *_) = select(QUESTIONS[0], candidates(findings))
    report = compose(QUESTIONS[0], findings, LABEL, "it", summary=["Bananas are yellow.", true])
    assert [one.text for one in report.summary] == [true]
    assert "Bananas" not in report.markdown
    assert "**In short" not in compose(QUESTIONS[0], findings, LABEL, "it").markdown


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_the_summary_says_whole_is_not_said_again(reference: Search, question: str) -> None:
    """A section has no quote of which every sentence has been read already."""
    report = report_on(question, reference)
    below = report.markdown.partition("\n## ")[2].partition("## Sources")[0]
    for one in report.summary:
        if one.text == one.quote.text:
            assert one.text not in below


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.sampled_from(QUESTIONS), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(reference: Search, question: str, random: object) -> None:
    """Findings may come in any order, and twice."""
    findings = findings_on(question, reference)
    shuffled = [*findings, findings[0]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert compose(question, shuffled, LABEL, "it") == compose(question, findings, LABEL, "it")


@pytest.mark.parametrize("question", ["What is the price of bananas?", "Wie geht das?", "", "?", "x" * 5000])
def test_no_answer_is_said_honestly(reference: Search, question: str) -> None:
    """Nothing is quoted, and the report says that there is nothing to quote."""
    report = report_on(question, reference)
    assert report.quotes == ()
    assert "The Python language reference has no answer to this question, so none is given." in report.markdown
    assert "## Sources" not in report.markdown
    assert fidelity(report, reference.corpus) == 1.0


def test_words_that_the_corpus_never_mentions_are_named(reference: Search) -> None:
    """Also when the rest of the question is answered."""
    report = report_on("How do decorators work under the hood?", reference)
    assert "## What the corpus does not answer\n\n- It never mentions “hood”." in report.markdown


def test_a_sub_question_without_quotes_is_named(reference: Search) -> None:
    """What a reader did not find stands at the end."""
    first, second, *_ = findings_on(QUESTIONS[0], reference)
    report = compose(QUESTIONS[0], [first, replace(second, quotes=())], LABEL, "the corpus")
    assert report.unanswered == (second.sub_question.text,)
    assert f"- {second.sub_question.text}" in report.markdown


def test_a_false_quote_lowers_the_fidelity(reference: Search) -> None:
    """Fidelity is the share of quotes that are true."""
    report = report_on(QUESTIONS[1], reference)
    false = replace(report.quotes[0], text="Bananas are yellow.")
    half = replace(report, quotes=(false, report.quotes[1]))
    assert fidelity(half, reference.corpus) == 0.5


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("What is <b>__init__</b>?", "# What is \\<b\\>`__init__`\\</b\\>?"),
        ("# What\nis  `x*y`?", "# \\# What is `x*y`?"),
        ("", "# No question was asked"),
    ],
)
def test_a_title_shows_what_was_typed(typed: str, title: str) -> None:
    """Markup in a question is shown, not obeyed."""
    assert compose(typed, [], LABEL, "it").markdown.splitlines()[0] == title


def test_a_long_question_has_a_short_title() -> None:
    """A title is one line."""
    assert len(compose("how long is this " * 300, [], LABEL, "it").question) <= 165
