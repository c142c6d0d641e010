"""Questions as people ask them, each with a sentence that one would look for in the report."""

import shutil
from pathlib import Path

import pytest

from lion_broker.demo.corpus import from_directory
from lion_broker.demo.planning import find, sub_questions
from lion_broker.demo.report import compose, fidelity
from lion_broker.demo.search import Search

DOCS = Path(__file__).parents[3] / "docs"

ON_PYTHON = [
    ("How does structural pattern matching match a mapping?", "If every key given in the mapping pattern is present"),
    ("why does `x = x + 1` in a function raise UnboundLocalError", "an `UnboundLocalError` exception is raised"),
    ("How does Python resolve a name in a nested function, and what does nonlocal do?", "the nearest enclosing scope"),
    ("How does Python resolve a name in a nested function, and what does nonlocal do?", "rebind variables outside"),
    ("How does a dict keep order", "Dictionaries preserve insertion order"),
    (
        "What happens if a generator function executes a return statement with a value?",
        "The returned value (if any) is used as an argument to construct `StopIteration`",
    ),
    ("How do I slice a list from the end?", "is negative, the index is relative to the end of sequence"),
    ("How do I format a float with two decimals in an f-string?", "how many digits should be displayed after the dec"),
    ("Why can't a list be a dictionary key?", "other mutable types"),
    ("How are chained comparisons like a < b < c evaluated?", "Comparisons can be chained arbitrarily"),
    ("How does short-circuit evaluation of and and or work?", "The expression `x and y` first evaluates *x*"),
    ("Can I use await outside an async function?", "can only be used in the body of a coroutine function"),
    ("How do I import a module from a parent package?", "Two dots means up one package level"),
    ("What is an underscore in a match statement?", "A single underscore `_` is not a capture pattern"),
    ("Which objects are considered false?", "an object is considered true unless its class defines"),
    ("What does pass do?", "`pass` is a null operation"),
    ("When is __del__ called?", "Called when the instance is about to be destroyed"),
    ("How does async for work?", "The `async for` statement allows convenient iteration"),
    ("What happens when a with statement raises an exception?", "the exception is reraised"),
]
ON_THE_DOCS = [
    ("What happens when a worker is killed?", "branch is free when the lease has run out"),
    ("How often is a lease renewed?", "A lease is renewed every third of its length"),
    ("What is a dead letter?", "cannot be delivered or applied is kept, with the reason"),
    ("How do I test a behaviour with a scripted model?", "A `ScriptedModel` lives in the test's process"),
]


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Search over the project's own guide: the pages, without the reference and the decisions."""
    guide = tmp_path_factory.mktemp("guide")
    for page in DOCS.glob("*.md"):
        shutil.copy(page, guide)
    return Search(from_directory(guide))


def answered(question: str, search: Search) -> str:
    """The report on a question; each of its quotes is verbatim."""
    findings = [find(part, search) for part in sub_questions(question, search)]
    report = compose(question, findings, "it", "it")
    assert fidelity(report, search.corpus) == 1.0
    return report.markdown


@pytest.mark.parametrize(("question", "sentence"), ON_PYTHON)
def test_the_reference_answers(reference: Search, question: str, sentence: str) -> None:
    """What people ask about Python is answered, also in other words than those of the reference."""
    if not any(sentence in passage.text for passage in reference.corpus):
        pytest.skip("the reference of this Python puts it otherwise")
    assert sentence in answered(question, reference)


@pytest.mark.parametrize(("question", "sentence"), ON_THE_DOCS)
def test_any_folder_answers(docs: Search, question: str, sentence: str) -> None:
    """The same rules hold for texts about anything."""
    assert any(sentence in passage.text for passage in docs.corpus)
    assert sentence in answered(question, docs)
