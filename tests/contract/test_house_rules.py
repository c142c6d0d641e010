"""The rules of the house that no linter knows; there is no list of exceptions."""

import ast
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

from lion_broker.broker.library import SHARED, VERBS

ROOT = Path(__file__).parents[2]

LONGEST_FILE = 400
LONGEST_FUNCTION = 60

CODE_FROM_DATA = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
RUNS_CODE = {"__import__", "compile", "eval", "exec"}

# One word for one thing: what these name has a better name in the glossary.
VAGUE_WORDS = {"common", "handler", "handlers", "helper", "helpers", "info", "job", "util", "utils"}

# Written in pieces, so that this file keeps its own rule.
TRACES = ("/" + "root/", "/" + "work/", "TO" + "DO", "FIX" + "ME", "XX" + "X")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def published() -> Iterator[Path]:
    """Every file of the checkout that `.gitignore` does not leave out."""
    ignored = [".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())]

    def kept(name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in ignored)

    for folder, folders, names in os.walk(ROOT):
        folders[:] = filter(kept, folders)
        yield from (Path(folder, name) for name in filter(kept, names))


def sources(*folders: str, suffix: str = ".py") -> list[Path]:
    """The source files below some folders of the checkout; never none, so that no rule passes unasked."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob(f"*{suffix}"))]
    assert files, f"no {suffix} files in {folders}"
    return files


def nodes(path: Path) -> Iterator[ast.AST]:
    """Every node of the syntax tree of one file."""
    return ast.walk(ast.parse(path.read_text(), path.name))


def place(path: Path, line: int = 1) -> str:
    """Where a finding is, in the form that editors open."""
    return f"{path.relative_to(ROOT)}:{line}"


def code_lines(function: Function) -> int:
    """The lines of a function from its `def` to its end, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    signature = function.body[0].lineno - function.lineno
    return signature + (body[-1].end_lineno or 0) - body[0].lineno + 1


def imported(node: ast.AST) -> set[str]:
    """The top-level modules that a node of a syntax tree imports."""
    match node:
        case ast.Import(names=names):
            return {alias.name.partition(".")[0] for alias in names}
        case ast.ImportFrom(module=str(module), level=0):
            return {module.partition(".")[0]}
    return set()


def words(name: str) -> set[str]:
    """The words that a name in either spelling is made of, in lower case."""
    return {word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}


def test_files_fit_in_the_head() -> None:
    """No source file is longer than 400 lines."""
    files = sources("lion_broker", "workers", "tests") + sources("lion_broker", suffix=".lua")
    assert [place(path) for path in files if len(path.read_text().splitlines()) > LONGEST_FILE] == []


def test_functions_fit_on_a_screen() -> None:
    """No function is longer than 60 lines, its docstring not counted."""
    assert [
        place(path, node.lineno)
        for path in sources("lion_broker", "workers", "tests")
        for node in nodes(path)
        if isinstance(node, Function) and code_lines(node) > LONGEST_FUNCTION
    ] == []


def test_every_test_says_what_it_shows() -> None:
    """Every test has a docstring."""
    assert [
        place(path, node.lineno)
        for path in sources("tests")
        for node in nodes(path)
        if isinstance(node, Function) and node.name.startswith("test_") and not ast.get_docstring(node)
    ] == []


def test_nothing_runs_code_from_data() -> None:
    """The library neither unpickles nor evaluates anything."""
    assert [
        place(path, getattr(node, "lineno", 1))
        for path in sources("lion_broker", "workers")
        for node in nodes(path)
        if imported(node) & CODE_FROM_DATA
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNS_CODE)
    ] == []


def test_only_the_command_line_imports_by_name() -> None:
    """A module is imported by its name only where a person typed that name, and from the table of public names."""
    table = ROOT / "lion_broker/__init__.py"
    files = set(sources("lion_broker", "workers")) - {table, *sources("lion_broker/cli")}
    assert [place(path) for path in files if "import_module" in path.read_text()] == []


def test_only_config_reads_the_environment() -> None:
    """Settings are read once, at the edge, in one file."""
    files = set(sources("lion_broker", "workers")) - {ROOT / "lion_broker/config.py"}
    assert [place(path) for path in files if re.search(r"\bos\.(environ|getenv)", path.read_text())] == []


def test_names_are_the_fields_own() -> None:
    """No module and no class is named with a word that says nothing."""
    files = sources("lion_broker", "workers")
    named = [(place(path), path.stem) for path in files] + [
        (place(path, node.lineno), node.name)
        for path in files
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
    ]
    assert [where for where, name in named if words(name) & VAGUE_WORDS] == []


def test_no_trace_of_one_machine() -> None:
    """No published file names a folder of the machine it was written on, or leaves work for later."""
    assert [
        f"{place(path)} {trace}"
        for path in published()
        if path.suffix != ".png"
        for trace in TRACES
        if trace in path.read_text(errors="replace")
    ] == []


def test_each_verb_has_a_file_of_its_own() -> None:
    """A `.lua` file registers the one function that its name says, says its keys and answers, and is loaded."""
    files = [path for path in sources("lion_broker/broker/lua", suffix=".lua") if path.stem not in SHARED]
    assert {path.stem for path in files} == set(VERBS)
    for path in files:
        text = path.read_text()
        assert re.findall(r"^register\('(\w+)'", text, re.MULTILINE) == [path.stem], place(path)
        head = text.partition("\n\n")[0]
        assert head.startswith(f"-- {path.stem}: "), place(path)
        assert all(sign in head for sign in ("-- KEYS", "-- ARGV", "->")), place(path)


COUNTED = re.compile(
    r" (?:(?!has )[a-z-]+ )?"
    r"(?:answers|behaviours|branches|entries|errors|files|groups|hosts|ids|items|keys|leases|letters"
    r"|mails|messages|models|partitions|passages|pools|replicas|rows|senders|sessions|sources|steps|times|tools|turns"
    r"|warnings|workers)\b(?![/'])"
)
"""What is counted, in the plural, after a number."""


def test_what_is_counted_is_in_the_plural_only_where_it_is_many() -> None:
    """No text puts a number before a plural by itself, but a constant: `counted` knows what one of them is called."""
    assert [
        place(path, number.lineno)
        for path in sources("lion_broker")
        for node in nodes(path)
        if isinstance(node, ast.JoinedStr)
        for number, after in pairwise(node.values)
        if isinstance(number, ast.FormattedValue)
        and number.conversion == -1
        and isinstance(after, ast.Constant)
        and isinstance(after.value, str)
        and COUNTED.match(after.value)
        and not (isinstance(number.value, ast.Name) and number.value.id.isupper())
        and not ast.unparse(number.value).startswith("counted(")
    ] == []
    assert [
        place(path)
        for path in sources("lion_broker")
        if re.search(r"""["'][^"']*%d""" + COUNTED.pattern, path.read_text())
    ] == []
    assert [
        place(path)
        for path in sources("lion_broker", suffix=".html")
        if re.search(r"\| number \}\}" + COUNTED.pattern, path.read_text())
    ] == []
