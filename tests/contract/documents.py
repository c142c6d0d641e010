"""Reads the code blocks of a Markdown file, and does what a reader of it would do.

    python -m tests.contract.documents README.md

Python blocks share a namespace, in order, as if a reader had typed them; `await` works at the top level, and a block
without one runs outside the event loop, as in a plain script. What a block prints is compared with its comments `#> …`
if it has such. A block with a title (```python title="app.py") is a file that is
written into the current directory; a worker that the document starts with `--app` on such a file runs until the
document ends.
A traceback names the line of the document.
"""

import ast
import asyncio
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import dropwhile, takewhile
from pathlib import Path
from textwrap import dedent
from types import ModuleType

FENCE = re.compile(r'^( *)```(\w*)(?: title="([\w.-]+)")?[^\n]*\n(.*?)^\1``` *$', re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:lion-broker|scripts/)[^`\n]*)`")
PRINTED = re.compile(r"^ *#> ?(.*)$", re.MULTILINE)
END_OF_COMMAND = {"|", "||", "&", "&&", ";", ">", ">>", "<"}
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its title if it is a file, its text, and the line at which the text starts."""

    language: str
    title: str
    text: str
    line: int


def blocks(document: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a document in some languages, in order."""
    text = document.read_text()
    found = [
        Block(match[2], match[3] or "", dedent(match[4]), text.count("\n", 0, match.start(4)) + 1)
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if block.language in languages]


def commands(document: Path) -> list[list[str]]:
    """The words of each command that a document tells its reader to type, without the shell's own.

    They stand in blocks, and those of the project in the text as well.
    """
    typed = [words for block in blocks(document, "bash", "console", "sh") for words in commands_of(block)]
    return typed + [shlex.split(command) for command in INLINE.findall(FENCE.sub("", document.read_text()))]


def commands_of(block: Block) -> Iterator[list[str]]:
    """The commands of one block: in a `console` block the lines after a prompt, in the others all lines."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language != "console" or line.startswith("$ "):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            words = list(takewhile(lambda word: word not in END_OF_COMMAND, words))
            words = list(dropwhile(lambda word: "=" in word, words))
            if words:
                yield words


def run(document: Path) -> None:
    """Do what the document says: write its files, start its workers, run its Python."""
    program = ModuleType("__main__")
    sys.modules["__main__"] = program
    files: set[str] = set()
    with asyncio.Runner() as runner, ExitStack() as workers:
        for block in blocks(document, "python", "console"):
            if block.title:
                Path(block.title).write_text(block.text)
                files.add(block.title)
            elif block.language == "console":
                for words in commands_of(block):
                    if is_worker_of(files, words):
                        workers.enter_context(worker(words))
            else:
                run_block(document, block, program, runner)


def run_block(document: Path, block: Block, program: ModuleType, runner: asyncio.Runner) -> None:
    """Run one Python block, and compare what it prints with what it says that it prints."""
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with redirect_stdout(StringIO()) as printed:
        result = eval(code, vars(program))  # noqa: S307 - the documents are the project's own
        if inspect.iscoroutine(result):
            runner.run(result)
    sys.stdout.write(printed.getvalue())
    said = PRINTED.findall(block.text)
    if said and said != printed.getvalue().splitlines():
        raise AssertionError(f'File "{document}", line {block.line}: the block says {said} and prints the above.')


def is_worker_of(files: set[str], words: list[str]) -> bool:
    """Whether a command starts a worker on a registry that the document shows."""
    if words[:2] != ["lion-broker", "worker"] or "--app" not in words:
        return False
    return words[words.index("--app") + 1].partition(":")[0] + ".py" in files


@contextmanager
def worker(words: list[str]) -> Iterator[None]:
    """Run a worker for the length of a document, and insist that it ends well."""
    command = [sys.executable, "-m", "lion_broker", *words[1:], "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            code = process.wait(STOP_SECONDS)
    assert code == 0, f"{shlex.join(words)} ended with {code}"


if __name__ == "__main__":
    run(Path(sys.argv[1]))
