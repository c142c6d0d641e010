"""The Python language reference that ships inside CPython, as text for a corpus."""

import re

from lion_broker.demo.blocks import read_plain, unwrap
from lion_broker.demo.passages import Passage, cut
from lion_broker.errors import ConfigError

__all__ = ["MEANINGS", "SYNONYMS", "literals_as_code", "read_topics"]

# What people say, and what the reference calls it; after the bar, where its definition calls it otherwise.
SYNONYMS = {
    "f-string": "format specification | formatted string literal",
    "fstring": "format specification | formatted string literal",
    "dunder": "special method",
    "magic method": "special method",
    "walrus operator": "assignment expression",
    "walrus": "assignment expression",
    "overload": "emulating numeric types",
    "multi-line": "triple-quoted",
    "multiline": "triple-quoted",
    "short-circuit": "boolean operations",
    "ternary": "conditional expression",
    "type hint": "annotation",
    "operator overloading": "emulating numeric types",
    "wildcard import": "import public names",
    "closure": "free variable enclosing",
    "default argument": "default parameter values",
    "catch": "exception handler",
}

# Words of about the same meaning; what stands after a bar may be said instead of what stands before it.
MEANINGS = (
    "dict dictionary | mapping",
    "int integer",
    "str string",
    "bool boolean",
    "float | floating",
    "decimals | precision digits",
    "list | sequence",
    "tuple | sequence",
    "catch | handler",
    "function | callable",
    "shadow | hide",
)

_LINK = re.compile(
    r" \((?:see|described in|discussed in) (?:also )?(?:(?:the )?sections? [^()]{1,80}|[A-Z][\w ,—-]{1,80})\)"
)
_OPENING = re.compile(r"(?:^|(?<=[\s(\[{“‘”’/…—–=*.-]))\"")
_CLOSING = re.compile(r"\"(?=$|[\s.,;:!?)\]}”’“‘/…—–*-]|s\b)")
_LONGEST_LITERAL = 400


def literals_as_code(text: str) -> str:
    """Turn the "literals" of Sphinx's plain text into `code`, and wrapped lines into one line.

    What is left of links to other sections, such as "(see section Calls)", is dropped.
    """
    line = _LINK.sub("", unwrap(text))
    pieces: list[str] = []
    position = 0
    while opening := _OPENING.search(line, position):
        closing = _closing_quote(line, opening.end())
        if closing is None:
            break
        pieces += [line[position : opening.start()], "`", line[opening.end() : closing], "`"]
        position = closing + 1
    clean = re.sub(r"[“‘](`[^`]+`)[”’]", r"\1", "".join(pieces) + line[position:])
    return re.sub(r"\*(__\w+__)\*", r"`\1`", clean)


def _closing_quote(line: str, start: int) -> int | None:
    """Return the index of the quote that closes a literal: the first one that leaves no bracket open."""
    candidates = [mark.start() for mark in _CLOSING.finditer(line, start + 1, start + _LONGEST_LITERAL)]
    for index in candidates:
        if _balanced(line[start:index]) or not re.search(r"[\w“”]", line[start:index]):
            return index
    return candidates[0] if candidates else None


def _balanced(code: str) -> bool:
    if "“" in code or "”" in code:
        return False
    return all(code.count(left) == code.count(right) for left, right in ("()", "[]", "{}")) and code.count('"') % 2 == 0


def read_topics() -> list[Passage]:
    """Return the passages of all topics; a text that stands in two topics is in the shorter one only.

    Raises ConfigError when this Python was installed without its reference.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise ConfigError(
            "this Python has no language reference (pydoc_data is not installed): name a corpus with --corpus"
        ) from error
    seen: set[str] = set()
    found: dict[str, list[Passage]] = {}
    for name, text in sorted(topics.items(), key=lambda item: (len(item[1]), item[0])):
        blocks = read_plain(text, literals_as_code, "python")
        title = next((block.text for block in blocks[:1] if block.kind == "heading"), name)
        found[name] = cut(blocks, name, title, f"Python language reference, topic “{name}”", seen)
    return [passage for name in sorted(found) for passage in found[name]]
