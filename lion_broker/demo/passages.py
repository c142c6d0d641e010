"""Passages: the pieces of a corpus that are searched, opened and quoted."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from lion_broker.demo.blocks import Block, BlockKind

__all__ = ["Part", "Passage", "cut", "fence_after", "parts", "short_title"]

_TARGET_WORDS = 120
_STEP = " › "
_ENDS = (".", "!", "?", ")", "”", "*", "`")
_ITEM_LINE = re.compile(r"(?:[-*+]|\d{1,3}[.)]) ")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a corpus: a stable id such as `with#3`, where it stands, and its Markdown text.

    `text` is what quotes are checked against; `source` names the topic or file; `opens` marks the first passage of a
    section.
    """

    id: str
    title: str
    text: str
    source: str
    opens: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the passage as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Part:
    """One block inside a passage: its kind and where it stands in the passage's text."""

    kind: BlockKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the block ends in the passage's text."""
        return self.start + len(self.text)


def short_title(title: str, among: Iterable[str]) -> str:
    """Return the end of a title such as "Classes › Methods › Special ones" that tells it from others.

    One word alone, such as Context, says too little to be one.
    """
    *outer, name = title.split(_STEP)
    others = [other.split(_STEP) for other in set(among) - {title}]
    path = [name]
    while outer and (len(" ".join(path).split()) < 2 or any(other[-len(path) :] == path for other in others)):
        path.insert(0, outer.pop())
    return _STEP.join(path)


def cut(blocks: Iterable[Block], name: str, title: str, source: str, seen: set[str]) -> list[Passage]:
    """Cut blocks into passages of about 120 words, at block boundaries and within one section.

    What belongs together stays together: a lead-in and its code, list or table. Pieces whose text is in `seen` are
    left out and new ones are added to it, so that a text that stands in two topics is found once.
    """
    passages: list[Passage] = []
    for section, members in groupby(_sections(blocks, title), key=lambda pair: pair[0]):
        fresh = [unit for _, unit in members if unit not in seen]
        seen.update(unit for unit in fresh if len(unit) > 40)
        for place, text in enumerate(_packed(fresh)):
            passages.append(Passage(f"{name}#{len(passages) + 1}", section, text, source, opens=place == 0))
    return passages


def parts(text: str) -> Iterator[Part]:
    """Yield the blocks of a passage's text in order, each with its place."""
    start: int | None = None
    position = 0
    fence = ""
    for line in [*text.splitlines(keepends=True), ""]:
        blank = not line.strip()
        if (
            start is not None
            and not fence
            and (not line or (blank and not _continues(text, start, position + len(line))))
        ):
            block = text[start:position].rstrip()
            yield Part(_kind(block), block, start)
            start = None
        elif start is None and not blank:
            start = position
        fence = fence_after(fence, line)
        position += len(line)


def _sections(blocks: Iterable[Block], title: str) -> Iterator[tuple[str, str]]:
    """Yield (section title, unit): a unit is one or more blocks that make sense only together."""
    path = {1: title}
    unit: list[Block] = []
    for block in blocks:
        if unit and not _belongs(unit[-1], block):
            yield _STEP.join(path.values()), _joined(unit)
            unit = []
        if block.kind == "heading":
            path = {level: text for level, text in path.items() if level < block.level} | {block.level: block.text}
        else:
            unit.append(block)
    if unit:
        yield _STEP.join(path.values()), _joined(unit)


def _belongs(before: Block, block: Block) -> bool:
    """Tell whether a block goes on from the one before: an example of it, or the rest of its sentence."""
    if block.kind == "heading" or before.kind == "heading":
        return False
    if block.kind == "prose":
        return not before.text.endswith(_ENDS) if before.kind == "prose" else block.text[:1].islower()
    return before.kind == "prose"


def _joined(unit: list[Block]) -> str:
    return "\n\n".join(block.text for block in unit)


def _packed(units: Iterable[str]) -> Iterator[str]:
    """Pack units into texts of about the target length; a unit is never split."""
    text = ""
    for unit in units:
        if text and len(text.split()) + len(unit.split()) > _TARGET_WORDS:
            yield text
            text = ""
        text = f"{text}\n\n{unit}" if text else unit
    if text:
        yield text


def _continues(text: str, start: int, after: int) -> bool:
    """Tell whether a list goes on after a blank line: the next line is indented."""
    return bool(_ITEM_LINE.match(text, start)) and text[after : after + 2] == "  "


def _kind(block: str) -> BlockKind:
    if block.startswith("```"):
        return "code"
    if block.startswith("|"):
        return "table"
    return "list" if _ITEM_LINE.match(block) else "prose"


def fence_after(fence: str, line: str) -> str:
    """Return the fence that is open after this line, or nothing."""
    mark = re.match(r"\s*(`{3,})", line)
    if not mark:
        return fence
    if not fence:
        return mark[1]
    return "" if mark[1] == fence else fence
