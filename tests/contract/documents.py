"""Reads the code blocks of a Markdown file, and runs its Python as one program.

    python -m tests.contract.documents README.md

The blocks share a namespace, in order, as if a reader had typed them; `await` works at the top level, and
a block without one runs outside the event loop, as in a plain script.
A traceback names the line of the document.
"""

import ast
import asyncio
import inspect
import re
import shlex
import sys
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from textwrap import dedent
from types import ModuleType

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1``` *$", re.DOTALL | re.MULTILINE)
END_OF_COMMAND = {"|", "||", "&", "&&", ";", ">", ">>", "<"}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text and the line of the document at which the text starts."""

    language: str
    text: str
    line: int


def blocks(document: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a document in some languages, in order."""
    text = document.read_text()
    found = [
        Block(match[2], dedent(match[3]), text.count("\n", 0, match.start(3)) + 1) for match in FENCE.finditer(text)
    ]
    return [block for block in found if block.language in languages]


def commands(document: Path) -> list[list[str]]:
    """The words of each command that a document tells its reader to type, without the shell's own.

    In a `console` block those are the lines after a prompt, in the others all lines.
    """
    found = []
    for block in blocks(document, "bash", "console", "sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if block.language != "console" or line.startswith("$ "):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                words = list(takewhile(lambda word: word not in END_OF_COMMAND, words))
                found.append(list(dropwhile(lambda word: "=" in word, words)))
    return [words for words in found if words]


def run(document: Path) -> None:
    """Run the Python blocks of a document as the program that a reader would have typed."""
    program = ModuleType("__main__")
    sys.modules["__main__"] = program
    with asyncio.Runner() as runner:
        for block in blocks(document, "python"):
            source = "\n" * (block.line - 1) + block.text
            code = compile(source, document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, vars(program))  # noqa: S307 - the documents are the project's own
            if inspect.iscoroutine(result):
                runner.run(result)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
