"""Structured plain text becomes clean Markdown."""

from lion_broker.demo.blocks import Block, fenced, read_plain, unwrap

TEXT = """\
Title
*****

A paragraph that is wrapped and has a built-
in word. [1]

Steps
=====

1. First of
   all:

      x = 1

   Note: with care.

2. Then.

* one

* two

  * nested

object.__enter__(self)

   Enter it.

   Stay.

Term
   What it means.

Grammar:

   a ::= b

See also:

  Something else.

+-----+---------+
| Key | Meaning |
|=====|=========|
| a|b | one     |
|     | line    |
+-----+---------+

======================

-[ Footnotes ]-

[1] Explained.

[2] Never referred to.
"""


def test_every_structure_has_its_markdown() -> None:
    """Headings, lists, definitions, code, tables and footnotes are read in order; links elsewhere are dropped."""
    assert read_plain(TEXT, language="python") == [
        Block("heading", "Title", 1),
        Block("prose", "A paragraph that is wrapped and has a built-in word."),
        Block("heading", "Steps", 2),
        Block("list", "1. First of all:\n\n   ```python\n   x = 1\n   ```\n\n   Note: with care.\n2. Then."),
        Block("list", "- one\n- two\n  - nested"),
        Block("prose", "`object.__enter__(self)`: Enter it."),
        Block("prose", "Stay."),
        Block("prose", "Term: What it means."),
        Block("prose", "Grammar:"),
        Block("code", "```text\na ::= b\n```"),
        Block("table", "| Key | Meaning |\n| --- | --- |\n| a\\|b | one line |"),
        Block("heading", "Title", 1),
        Block("prose", "Explained."),
    ]


def test_indented_prose_is_no_code() -> None:
    """What reads as a sentence is prose, what looks like a program is code."""
    blocks = read_plain(
        "Lead in:\n\n   The value of the start argument (or 0 when it was\n   not given)\n\nThen:\n\n   x.run()\n"
    )
    assert [block.kind for block in blocks] == ["prose", "prose", "prose", "code"]


def test_roles_and_literals_become_code() -> None:
    """The marks of reStructuredText are gone from what people read; directives about versions are dropped."""
    text = "Raises :exc:`~app.Oops`, see ``x``.\n\n.. versionadded:: 3.0\n   More.\n\n.. note:: Be careful.\n"
    assert [block.text for block in read_plain(text)] == ["Raises `app.Oops`, see `x`.", "Note: Be careful."]


def test_a_fence_is_longer_than_the_fences_inside() -> None:
    """Code that holds a fence stays one block."""
    assert fenced("```\nx\n```", "md") == "````md\n```\nx\n```\n````"


def test_a_word_that_was_broken_at_its_hyphen_is_whole_again() -> None:
    """Other line ends become spaces."""
    assert unwrap("non-\n  virtual\nbase") == "non-virtual base"


def test_a_number_at_the_beginning_of_a_line_is_no_item() -> None:
    """A wrapped sentence may go on with one and a bracket; a list begins with 1."""
    assert read_plain("As in range(0, 3,\n2) == range(0, 4, 2).\n") == [
        Block("prose", "As in range(0, 3, 2) == range(0, 4, 2).")
    ]
    assert [block.kind for block in read_plain("Steps:\n1. one\n2. two\n")] == ["prose", "list"]
