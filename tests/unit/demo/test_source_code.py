"""Source code becomes sections with their docstrings as prose."""

from lion_broker.demo.blocks import Block
from lion_broker.demo.source_code import read_python, read_source

MODULE = '''\
"""About the module."""

import os


@cache
def add(a, b):
    """Add :data:`a`.

    Args:
        a: One.
    """
    return a + b


class Box:
    """Holds things."""

    size = 1

    def open(self):
        return self
'''


def test_python_is_cut_at_its_definitions() -> None:
    """Each function, class and method is a section: what its docstring says, then its code without the docstring."""
    assert read_python(MODULE) == [
        Block("prose", "About the module."),
        Block("heading", "`add`", 2),
        Block("prose", "Add `a`."),
        Block("code", "```python\n@cache\ndef add(a, b):\n    return a + b\n```"),
        Block("heading", "`Box`", 2),
        Block("prose", "Holds things."),
        Block("code", "```python\nclass Box:\n\n    size = 1\n```"),
        Block("heading", "`open`", 3),
        Block("code", "```python\ndef open(self):\n    return self\n```"),
    ]


def test_the_name_of_a_class_alone_is_not_quoted() -> None:
    """A class that has only methods is its docstring and its methods."""
    assert read_python("class Box:\n    '''Holds things.'''\n\n    def open(self):\n        return self\n") == [
        Block("heading", "`Box`", 2),
        Block("prose", "Holds things."),
        Block("heading", "`open`", 3),
        Block("code", "```python\ndef open(self):\n    return self\n```"),
    ]


def test_python_that_does_not_parse_is_still_code() -> None:
    """A broken file can be searched all the same."""
    assert read_python("def broken(:\n") == [Block("code", "```python\ndef broken(:\n```")]


def test_a_script_without_definitions_is_code() -> None:
    """There is nothing to cut at, so it stays whole."""
    assert read_python("x = 1\n") == [Block("code", "```python\nx = 1\n```")]


def test_long_code_is_cut_where_a_new_part_begins() -> None:
    """Pieces begin at unindented lines after blank ones, and none is endless."""
    functions = "\n".join(f"function f{number}() {{\n" + "  call();\n" * 10 + "}\n" for number in range(3))
    blocks = read_source(functions, "javascript")
    assert [block.text.splitlines()[1] for block in blocks] == [f"function f{number}() {{" for number in range(3)]
    assert len(read_source("x\n" * 200, "")) == 4
