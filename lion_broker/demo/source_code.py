"""Reads source code into the blocks that passages are cut from."""

import ast
from collections.abc import Iterator
from itertools import chain

from lion_broker.demo.blocks import Block, fenced, read_plain

__all__ = ["read_python", "read_source"]

_SHORTEST_PIECE = 10
_LONGEST_PIECE = 60

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def read_source(text: str, language: str) -> list[Block]:
    """Read code of any language into blocks, cut where an unindented line follows a blank one."""
    return [Block("code", fenced(piece, language)) for piece in _pieces(text.expandtabs(4).splitlines())]


def read_python(text: str) -> list[Block]:
    """Read Python into a section for every class, function and method: its docstring as prose, then its code.

    What is outside of them is left out. Code that does not parse is read as code of any language.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return read_source(text, "python")
    lines = text.splitlines()
    blocks = [*_prose(module), *chain.from_iterable(_section(node, lines, 2) for node in _definitions(module))]
    return blocks or read_source(text, "python")


def _section(node: _Definition, lines: list[str], level: int) -> Iterator[Block]:
    yield Block("heading", f"`{node.name}`", level)
    yield from _prose(node)
    inner = list(_definitions(node)) if isinstance(node, ast.ClassDef) else []
    first = _first_line(node)
    last = _first_line(inner[0]) - 1 if inner else node.end_lineno or node.lineno
    if inner and len(node.body) == len(inner) + (ast.get_docstring(node) is not None):
        last = first - 1  # of a class that has nothing but methods, only its name would be quoted
    left_out = _docstring_lines(node)
    code = [line for number, line in enumerate(lines[first - 1 : last], first) if number not in left_out]
    yield from (Block("code", fenced(piece, "python")) for piece in _pieces([line[node.col_offset :] for line in code]))
    for definition in inner:
        yield from _section(definition, lines, level + 1)


def _definitions(node: ast.Module | ast.ClassDef) -> Iterator[_Definition]:
    return (child for child in node.body if isinstance(child, _Definition))


def _first_line(node: _Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _prose(node: ast.Module | _Definition) -> list[Block]:
    """Return what a docstring says, without its lists of parameters."""
    from docstring_parser import ParseError, parse

    docstring = ast.get_docstring(node) or ""
    try:
        description = parse(docstring).description or ""
    except ParseError:
        description = docstring
    return [block for block in read_plain(description) if block.kind != "heading"]


def _docstring_lines(node: _Definition) -> range:
    if ast.get_docstring(node) is None:
        return range(0)
    return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def _pieces(lines: list[str]) -> Iterator[str]:
    """Yield runs of lines, each at least ten long where there are as many, and none very long."""
    piece: list[str] = []
    for line in lines:
        at_seam = bool(line.strip()) and not line[0].isspace() and bool(piece) and not piece[-1].strip()
        if (at_seam and len(piece) >= _SHORTEST_PIECE) or len(piece) >= _LONGEST_PIECE:
            yield "\n".join(piece).strip("\n")
            piece = []
        piece.append(line)
    if any(line.strip() for line in piece):
        yield "\n".join(piece).strip("\n")
