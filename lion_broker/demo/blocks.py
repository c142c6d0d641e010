"""Reads structured plain text into blocks of clean Markdown.

The structure is what Sphinx writes into plain text and what people write into .txt and .rst files: underlined
headings, paragraphs wrapped at a column, indented code, bullets, definitions, notes, grid tables, footnotes.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from textwrap import dedent, indent
from typing import Literal

__all__ = ["Block", "BlockKind", "fenced", "read_plain", "rest_as_markdown", "unwrap"]

BlockKind = Literal["heading", "prose", "list", "code", "table"]

_ROLE = re.compile(r"(?<![\w:]):[\w:]+:`[~!]?([^`<>]+)(?: <[^`>]*>)?`")
_DIRECTIVE = re.compile(r"^\.\. (?!note)[\w-]+::.*\n(?:[ \t]+\S.*\n?|\n(?=[ \t]))*", re.MULTILINE)
_UNDERLINE = re.compile(r"([=\-~^*+#\"'])\1{2,}")
_BORDER = re.compile(r"\+[-=+]+\+")
_ITEM = re.compile(r"(?P<bullet>[*•-])\s+(?=\S)|(?P<number>\d{1,3})[.)]\s+(?=\S)")
_ADMONITION = re.compile(r"(?P<name>Note|Warning|See also):\s*")
_FOOTNOTE = re.compile(r"\[(\d+)\] ")
_FOOTNOTE_MARK = re.compile(r" ?\[\d+\](?=[\s.,;:)]|$)")
_CODE_SIGN = re.compile(r"^[^\S\n]*(>>>|#|\$ )|::=|\s\s#|\\$", re.MULTILINE)
_SIGNATURE = re.compile(r"\w[(\[.]|\w_\w|^[a-z]\w* [|^&<>=-]")
_CALL_OR_ASSIGNMENT = re.compile(r"[a-z_@]\w*[(.:= ]")
_PROSE_START = re.compile(r"(?:The|An?|If|This|These|Returns?|Each|All) (?:\S+ ){4,}")
_DEEPEST = 20
_SENTENCE_ENDS = (".", ":", ";", ",", ".)", "!", "?", ".”")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a text as Markdown; `level` counts headings from 1 and is 0 for everything else."""

    kind: BlockKind
    text: str
    level: int = 0


def unwrap(text: str) -> str:
    """Join wrapped lines into one; a line that ends in a hyphen was broken at that hyphen."""
    return re.sub(r"\s+", " ", re.sub(r"(?<=\w)-\n\s*(?=\w)", "-", text)).strip()


def rest_as_markdown(text: str) -> str:
    """Turn the roles and literals of reStructuredText into code, and wrapped lines into one line."""
    line = _ROLE.sub(r"`\1`", unwrap(text))
    return re.sub(r"``([^`]+)``", r"`\1`", line).removeprefix(".. ").replace("note:: ", "Note: ", 1)


def fenced(code: str, language: str = "") -> str:
    """Return code as a fenced Markdown block; the fence is longer than any fence inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def read_plain(text: str, inline: Callable[[str], str] = rest_as_markdown, language: str = "") -> list[Block]:
    """Read structured plain text into Markdown blocks, in order.

    `inline` turns the wrapped text of one paragraph into one line of Markdown; `language` names the code blocks.
    Marks of footnotes are taken out of the prose, and footnotes that nothing refers to are dropped.
    """
    body, _, footnotes = _DIRECTIVE.sub("", text.expandtabs(8)).partition("-[ Footnotes ]-")
    reader = _Reader(inline, language)
    blocks = _joined_lists(reader.blocks(body.splitlines()))
    title = [block for block in blocks[:1] if block.kind == "heading"]
    notes = list(reader.footnotes(footnotes, body))
    return [*blocks, *title, *notes] if notes else blocks


class _Reader:
    """One reading of one text; its state is the order in which underlines of headings appeared, and how deep it is."""

    def __init__(self, inline: Callable[[str], str], language: str) -> None:
        self._inline = inline
        self._language = language
        self._underlines: list[str] = []
        self._depth = 0

    def blocks(self, lines: list[str]) -> Iterator[Block]:
        """Yield the blocks of lines that share one indentation; what is nested beyond reason is prose."""
        if self._depth == _DEEPEST:
            yield Block("prose", self._prose("\n".join(lines)))
            return
        self._depth += 1
        yield from self._at_this_depth(lines)
        self._depth -= 1

    def _at_this_depth(self, lines: list[str]) -> Iterator[Block]:
        position = 0
        while position < len(lines):
            if not lines[position].strip() or _UNDERLINE.fullmatch(lines[position].strip()):
                position += 1
            elif _is_heading(lines[position : position + 2]):
                yield self._heading(lines[position], lines[position + 1][0])
                position += 2
            else:
                head, tail = _chunk(lines, position)
                position += len(head) + len(tail)
                yield from self._chunk_blocks(head, "\n".join(tail).rstrip())

    def footnotes(self, text: str, body: str) -> Iterator[Block]:
        """Yield the footnotes that the body refers to, as prose."""
        for note in re.split(r"\n(?=\[\d+\] )", text):
            mark = _FOOTNOTE.search(note)
            if mark and f"[{mark[1]}]" in body:
                yield from self.blocks(dedent("    " + note.strip()[mark.end() - mark.start() :]).splitlines())

    def _chunk_blocks(self, head: list[str], tail: str) -> Iterator[Block]:
        """Yield the blocks of an unindented paragraph and the indented lines that follow it."""
        if head and _BORDER.match(head[0]):
            if table := self._table(head):
                yield Block("table", table)
        elif head and (marker := _ITEM.match(head[0])):
            yield Block("list", self._item(marker, f"{' ' * marker.end()}{head[0][marker.end() :]}\n{tail}"))
        elif head and (note := _ADMONITION.match(head[0])):
            if note["name"] != "See also":
                yield from self._entry(note["name"], "\n".join([head[0][note.end() :], *head[1:], tail]).strip("\n"))
        elif head and tail and _is_term(head) and (tail[0] != "\n" or not _is_code(dedent(tail))):
            yield from self._entry(self._term(head), tail)
        else:
            if head:
                yield Block("prose", self._prose("\n".join(head)))
            if tail:
                yield from self._indented(dedent(tail.strip("\n")))

    def _indented(self, text: str) -> Iterator[Block]:
        if _is_code(text):
            yield Block("code", fenced(text, "text" if "::=" in text else self._language))
        else:
            yield from _joined_lists(self.blocks(text.splitlines()))

    def _heading(self, line: str, underline: str) -> Block:
        if underline not in self._underlines:
            self._underlines.append(underline)
        return Block("heading", self._inline(line), self._underlines.index(underline) + 1)

    def _prose(self, text: str) -> str:
        return self._inline(_FOOTNOTE_MARK.sub("", text))

    def _term(self, head: list[str]) -> str:
        """Return what a definition defines: signatures become code, words stay words."""
        return ", ".join(
            self._prose(line) if '"' in line or not _SIGNATURE.search(line) else f"`{line}`" for line in head
        )

    def _entry(self, term: str, body: str) -> Iterator[Block]:
        """Yield a definition or note with its first paragraph on the line of the term."""
        first, *rest = _joined_lists(self.blocks(dedent(body.strip("\n")).splitlines())) or [Block("prose", "")]
        if first.kind == "prose":
            yield Block("prose", f"{term}: {first.text}".rstrip(": ") if first.text else term)
        else:
            yield Block("prose", f"{term}:")
            yield first
        yield from rest

    def _item(self, marker: re.Match[str], body: str) -> str:
        """Return one list item; what follows its first paragraph is indented below it."""
        sign = f"{marker['number']}. " if marker["number"] else "- "
        blocks = _joined_lists(self.blocks(dedent(body).splitlines()))
        text = "\n\n".join(block.text for block in blocks)
        text = re.sub(r"\n\n(?=(- |\d+\. ))", "\n", text)
        return sign + indent(text, " " * len(sign)).lstrip()

    def _table(self, lines: list[str]) -> str:
        """Return a grid table as a Markdown table; its first row is the header. One without rows is nothing."""
        edges = [index for index, char in enumerate(lines[0]) if char == "+"]
        rows: list[list[list[str]]] = []
        for line in lines:
            if _BORDER.match(line) or line.startswith("|="):
                rows.append([[] for _ in pairwise(edges)])
            else:
                for cell, (left, right) in zip(rows[-1], pairwise(edges), strict=True):
                    cell.append(line[left + 1 : right].strip())
        cells = [[self._prose("\n".join(cell)).replace("|", "\\|") for cell in row] for row in rows if row[0]]
        shown = [f"| {' | '.join(row)} |" for row in cells if any(row)]
        return "\n".join([*shown[:1], "|" + " --- |" * (len(edges) - 1), *shown[1:]]) if shown else ""


def _is_heading(lines: list[str]) -> bool:
    """Tell a title with its underline; the underline is about as long as the title."""
    if len(lines) < 2 or lines[0][:1].isspace():
        return False
    return bool(_UNDERLINE.fullmatch(lines[1].rstrip())) and len(lines[1].rstrip()) + 3 >= len(lines[0])


def _chunk(lines: list[str], start: int) -> tuple[list[str], list[str]]:
    """Return the unindented paragraph that starts here and the indented lines that belong to it."""
    end = start
    while end < len(lines) and not _is_indented(lines[end]):
        if end > start and _begins_item(lines[end], lines[start]):
            break
        end += 1
    following = (lines[index] for index in range(end, len(lines)))
    return lines[start:end], list(takewhile(_is_indented, following))


def _is_indented(line: str) -> bool:
    """Tell whether a line is blank or begins with white space."""
    return not line.strip() or line[0].isspace()


def _begins_item(line: str, first: str) -> bool:
    """Tell whether a line begins a list item of its own; a number inside a sentence may stand at a line's beginning."""
    item = _ITEM.match(line)
    return bool(_ITEM.match(first) or (item and item["number"] in (None, "1")))


def _is_term(head: list[str]) -> bool:
    """Tell what could be a term or signature: a few short lines that end no sentence."""
    return len(head) <= 8 and all(len(line) < 76 and not line.endswith(_SENTENCE_ENDS) for line in head)


def _is_code(text: str) -> bool:
    """Tell indented code from indented prose by its first paragraph."""
    first = text.strip("\n").partition("\n\n")[0]
    if _CODE_SIGN.search(first):
        return True
    start = first.splitlines()[0]
    if _ITEM.match(start) or _ADMONITION.match(start) or _BORDER.match(start):
        return False
    sentence = unwrap(first)
    reads_as_prose = sentence.endswith(_SENTENCE_ENDS) and len(sentence.split()) >= 2
    reads_as_prose |= bool(_PROSE_START.match(sentence))
    return not reads_as_prose or bool(_CALL_OR_ASSIGNMENT.match(sentence))


def _joined_lists(blocks: Iterable[Block]) -> list[Block]:
    """Join neighbouring list items of the same kind into one list."""
    joined: list[Block] = []
    for is_list, members in groupby(blocks, key=_kind_of_list):
        if is_list is None:
            joined += members
        else:
            joined.append(Block("list", "\n".join(block.text for block in members)))
    return joined


def _kind_of_list(block: Block) -> bool | None:
    """Return whether a block is an item with a number; None for everything that is no item."""
    return block.text[0].isdigit() if block.kind == "list" else None
