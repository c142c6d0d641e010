"""Reads Markdown into the blocks that passages are cut from."""

import re

from lion_broker.demo.blocks import Block, fenced, unwrap

__all__ = ["read_markdown"]

_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
_SETEXT = re.compile(r"(=+|-+)\s*$")
_FENCE = re.compile(r"(\s*)(`{3,}|~{3,})\s*([\w+-]*)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+\S")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def read_markdown(text: str) -> list[Block]:
    """Read Markdown into blocks: headings, fenced and indented code, lists, tables, and prose joined into lines."""
    lines = _without_comments(_FRONT_MATTER.sub("", text)).expandtabs(4).splitlines()
    blocks: list[Block] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line.strip():
            position += 1
        elif heading := _HEADING.fullmatch(line.strip()):
            blocks.append(Block("heading", heading[2].rstrip("#").rstrip(), len(heading[1])))
            position += 1
        elif position + 1 < len(lines) and _SETEXT.fullmatch(lines[position + 1]) and not _ITEM.match(line):
            blocks.append(Block("heading", line.strip(), 1 if lines[position + 1][0] == "=" else 2))
            position += 2
        elif fence := _FENCE.match(line):
            end = _end_of_fence(lines, position + 1, fence[2])
            blocks.append(Block("code", fenced("\n".join(lines[position + 1 : end]), fence[3])))
            position = end + 1
        else:
            end = _end_of_paragraph(lines, position)
            blocks.append(_paragraph(lines[position:end]))
            position = end
    return [block for block in blocks if block.text]


def _without_comments(text: str) -> str:
    """Return the text without its comments; one that is never closed is none, and is not looked for twice."""
    end = text.rfind("-->") + len("-->") if "-->" in text else 0
    return _COMMENT.sub("", text[:end]) + text[end:]


def _end_of_fence(lines: list[str], start: int, fence: str) -> int:
    """Return the line that closes a fence; a fence that nothing closes ends with the file."""
    return next((index for index in range(start, len(lines)) if lines[index].strip() == fence), len(lines))


def _end_of_paragraph(lines: list[str], start: int) -> int:
    """Return the line after a paragraph; a list goes on over blank lines while its items are indented."""
    is_list, is_table = bool(_ITEM.match(lines[start])), _is_row(lines[start])
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if line.strip() and (_is_row(line) != is_table or (_ITEM.match(line) and not is_list)):
            return index
        if not line.strip():
            following = lines[index + 1] if index + 1 < len(lines) else ""
            if not (is_list and (following.startswith("  ") or _ITEM.match(following))):
                return index
        elif _HEADING.fullmatch(line.strip()) or (_FENCE.match(line) and not line[0].isspace()):
            return index
    return len(lines)


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")


def _paragraph(lines: list[str]) -> Block:
    text = "\n".join(lines)
    if _ITEM.match(lines[0]):
        return Block("list", _list(lines))
    if _is_row(lines[0]):
        return Block("table", "\n".join(line.strip() for line in lines))
    if all(line.startswith("    ") for line in lines):
        return Block("code", fenced("\n".join(line[4:] for line in lines)))
    return Block("prose", unwrap(re.sub(r"^[^\S\n]*>\s?", "", text, flags=re.MULTILINE)))


def _list(lines: list[str]) -> str:
    """Return a list with every wrapped item on one line and no blank lines between items."""
    items: list[list[str]] = []
    for line in filter(str.strip, lines):
        if _ITEM.match(line) or not items:
            items.append([re.sub(r"^(\s*)[*+](?=\s)", r"\1-", line.rstrip())])
        else:
            items[-1].append(line.strip())
    return "\n".join(" ".join(item) for item in items)
