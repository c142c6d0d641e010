"""The Python language reference as a corpus."""

import re
import sys

import pytest

from lion_broker.demo.passages import parts
from lion_broker.demo.search import Search
from lion_broker.demo.topics import literals_as_code, read_topics
from lion_broker.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('The "with" statement', "The `with` statement"),
        ('"try"…"except"', "`try`…`except`"),
        ('the "ExceptionGroup"s', "the `ExceptionGroup`s"),
        ('a dict "{"one": 1, "two": 2}" here', 'a dict `{"one": 1, "two": 2}` here'),
        ('braces "{{" and "}}".', "braces `{{` and `}}`."),
        ('quotes (""") end', 'quotes (`"`) end'),
        ('“"*identifier"” is', "`*identifier` is"),
        ("*__slots__* allow", "`__slots__` allow"),
        ("called (see section Calls) now", "called now"),
        ('an unclosed " quote', 'an unclosed " quote'),
        ("in the built-\nin way", "in the built-in way"),
    ],
)
def test_literals_become_code(text: str, clean: str) -> None:
    """What was marked in the source is marked again, and what was a link to a section is gone."""
    assert literals_as_code(text) == clean


def test_passages_are_short_and_have_stable_ids(reference: Search) -> None:
    """Most passages have at most about 120 words, and ids count from 1 within each topic."""
    corpus = reference.corpus
    sizes = sorted(len(passage.text.split()) for passage in corpus)
    assert sizes[len(sizes) * 9 // 10] <= 130
    ids = [passage.id for passage in corpus if passage.id.startswith("with#")]
    assert ids == [f"with#{number}" for number in range(1, len(ids) + 1)]
    assert len({passage.id for passage in corpus}) == len(corpus)


def test_no_markup_of_the_plain_text_is_left(reference: Search) -> None:
    """Underlines, table borders and double quotes around words are gone."""
    for passage in reference.corpus:
        prose = " ".join(part.text for part in parts(passage.text) if part.kind in ("prose", "list"))
        outside_code = re.sub(r"```.*?```|`[^`]*`", "", prose, flags=re.DOTALL)
        assert not re.search(r"\*{5}|={5}|\+-{3}", outside_code), passage.id
        assert not re.search(r"(?<!\S)\"\w+\"(?!\S)", outside_code), passage.id


def test_a_text_in_two_topics_is_found_once(reference: Search) -> None:
    """The chapter on compound statements repeats the topic on with, which has it."""
    text = "The context manager’s `__enter__()` method is invoked."
    assert [passage.id for passage in reference.corpus if text in passage.text] == ["with#2"]


def test_what_belongs_together_is_in_one_passage(reference: Search) -> None:
    """A lead-in stands with its code, and the parts of one sentence with the code between them."""
    passage = next(passage for passage in reference.corpus if "is semantically equivalent to:" in passage.text)
    assert passage.text.index("The following code:") < passage.text.index("is semantically equivalent to:")


def test_parts_are_where_they_say(reference: Search) -> None:
    """The blocks of every passage are found again in its text, and make it up."""
    for passage in reference.corpus:
        found = list(parts(passage.text))
        assert all(passage.text[part.start : part.end] == part.text for part in found)
        assert "\n\n".join(part.text for part in found) == passage.text


def test_a_python_without_its_reference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some distributions leave it out; the error says what to do."""
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ConfigError, match="name a corpus with --corpus"):
        read_topics()
