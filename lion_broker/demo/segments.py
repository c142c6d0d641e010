"""The smallest things that can be quoted: sentences, and whole lists, tables and code blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lion_broker.demo.passages import Part, Passage, parts
from lion_broker.models.wording import phrases, sentences, terms

__all__ = ["Segment", "SegmentKind", "segments"]

SegmentKind = Literal["sentence", "list", "table", "code", "grammar"]

_WORDS_IN_STEPS = 260
_WORDS_IN_LIST = 170
_LINES_OF_BLOCK = 32
_ITEM_TEXT = re.compile(r" *(?:[-*] |\d+[.)] )?(?=\S)")
_STOPS = (".", "!", "?", ")", "”")


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or a whole list, table or code block, inside one passage.

    `pieces` are the terms and phrases of its parts: the items of a list, the rows of a table. `opens` marks the first
    sentence of a section, `leads` one that introduces a block, `in_list` one out of a list that is too long to
    be quoted as a whole. `lead_in` is the sentence before a block.
    """

    kind: SegmentKind
    text: str
    start: int
    paragraph: int
    pieces: tuple[frozenset[str], ...]
    opens: bool = False
    leads: bool = False
    in_list: bool = False
    lead_in: str = ""

    @property
    def end(self) -> int:
        """Where it ends in the passage's text."""
        return self.start + len(self.text)

    @property
    def is_introduced(self) -> bool:
        """Whether a block has a sentence before it that says what it is; "Notes:" does not."""
        return len(self.lead_in.split()) > 1

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())

    @property
    def fits(self) -> bool:
        """Whether a report has room for it."""
        return self.kind == "sentence" or _fits(self.text)


def segments(passage: Passage) -> list[Segment]:
    """Cut a passage into segments, in order; of a list that is too long the items are paragraphs."""
    found: list[Segment] = []
    blocks = list(_blocks(passage))
    for paragraph, (block, in_list) in enumerate(blocks):
        if block.kind == "prose":
            before_block = paragraph + 1 < len(blocks) and _is_block(*blocks[paragraph + 1])
            opens = passage.opens and not any(segment.kind == "sentence" for segment in found)
            found += _sentences(block, paragraph, opens, in_list, before_block)
        else:
            lead_in = found[-1].text if found else ""
            pieces = [block.text] if block.kind == "code" else block.text.splitlines()
            kind: SegmentKind = "grammar" if _is_grammar(block) else block.kind  # type: ignore[assignment]
            found.append(Segment(kind, block.text, block.start, paragraph, _pieces(pieces), lead_in=lead_in))
    return found


def _sentences(block: Part, paragraph: int, opens: bool, in_list: bool, before_block: bool) -> Iterator[Segment]:
    spans = sentences(block.text)
    for place, span in enumerate(spans):
        is_last = place == len(spans) - 1
        yield Segment(
            "sentence",
            span.text,
            block.start + span.start,
            paragraph,
            _pieces([span.text]),
            opens=opens and place == 0,
            leads=is_last and before_block and not span.text.endswith(_STOPS),
            in_list=in_list,
        )


def _blocks(passage: Passage) -> Iterator[tuple[Part, bool]]:
    """Yield the blocks of a passage; the items of a long list as prose, and marked as such."""
    for part in parts(passage.text):
        if part.kind == "list" and not _fits(part.text):
            yield from ((item, True) for item in _items(part))
        else:
            yield part, False


def _items(block: Part) -> Iterator[Part]:
    """Yield the lines of a list without their marks; code inside is left out."""
    start = block.start
    in_code = False
    for line in block.text.splitlines(keepends=True):
        mark = _ITEM_TEXT.match(line)
        fence = line.lstrip().startswith("```")
        if mark and not in_code and not fence:
            yield Part("prose", line[mark.end() :].rstrip(), start + mark.end())
        in_code ^= fence
        start += len(line)


def _is_block(block: Part, in_list: bool) -> bool:
    return in_list or (block.kind != "prose" and not _is_grammar(block))


def _is_grammar(block: Part) -> bool:
    return block.kind == "code" and "::=" in block.text


def _fits(text: str) -> bool:
    """Tell whether a report has room for a block; steps may be longer than other lists."""
    most = _WORDS_IN_STEPS if text[0].isdigit() else _WORDS_IN_LIST
    return len(text.split()) <= most and text.count("\n") <= _LINES_OF_BLOCK


def _pieces(texts: list[str]) -> tuple[frozenset[str], ...]:
    words = (terms(text) for text in texts)
    return tuple(frozenset(piece).union(phrases(piece)) for piece in words)
