"""Markdown becomes blocks."""

from lion_broker.demo.blocks import Block
from lion_broker.demo.markdown import read_markdown

TEXT = """\
---
title: front matter
---
# Title #

Wrapped
prose. <!-- a comment -->

Second
------

> quoted
> text

* one
  goes on

* two
  1. inner

~~~python
x = [1,

     2]
~~~

    indented = code

| a | b |
| --- | --- |
| 1 | 2 |

```
never closed
"""


def test_every_structure_is_read() -> None:
    """Both kinds of headings, both kinds of fences, lists, tables and quotes; comments and front matter are gone."""
    assert read_markdown(TEXT) == [
        Block("heading", "Title", 1),
        Block("prose", "Wrapped prose."),
        Block("heading", "Second", 2),
        Block("prose", "quoted text"),
        Block("list", "- one goes on\n- two\n  1. inner"),
        Block("code", "```python\nx = [1,\n\n     2]\n```"),
        Block("code", "```\nindented = code\n```"),
        Block("table", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        Block("code", "```\nnever closed\n```"),
    ]


def test_lists_and_tables_need_no_blank_line_before_them() -> None:
    """A paragraph ends where one of them begins, and a table where its last row ends."""
    assert read_markdown("Prose.\n- item\n") == [Block("prose", "Prose."), Block("list", "- item")]
    assert read_markdown("Prose.\n| a |\n|---|\nMore.\n") == [
        Block("prose", "Prose."),
        Block("table", "| a |\n|---|"),
        Block("prose", "More."),
    ]


def test_an_empty_file_has_no_blocks() -> None:
    """Nothing, or nothing but a comment, is nothing."""
    assert read_markdown("") == []
    assert read_markdown("<!-- only\nthis -->\n") == []
