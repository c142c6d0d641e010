"""Writes docs/api from the docstrings of the public names, a page for each part of the package.

    python -m tests.contract.api_pages [--check]

With --check nothing is written, and the exit code is 1 when a page is not what it would be.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import lion_broker

from .api_rule import foreign_in, is_inside, kept

__all__ = ["FOLDER", "pages"]

FOLDER: Final = Path(__file__).parents[2] / "docs" / "api"
_TITLES: Final = {
    "session": "Sessions and branches elsewhere",
    "branch": "Branches, and what workers can do",
    "mail": "Mail",
    "messages": "What is said",
    "models": "Models",
    "tools": "Tools",
    "core": "Ids, elements and piles",
    "worker": "Workers",
    "broker": "Servers",
    "config": "Settings",
    "errors": "Errors",
    "testing": "Testing",
}
"""The parts of the package in the order in which one meets them."""
_WIDTH: Final = 110
_INHERITED: Final = ("pydantic", "abc", "builtins", "enum", "typing", "collections")


def pages() -> dict[str, str]:
    """Return the text of each page by its name."""
    parts: dict[str, list[tuple[str, Any]]] = {name: [] for name in _TITLES}
    for name, value in _public():
        parts[_part_of(value)].append((name, value))
    found = {f"{part}.md": _page(_TITLES[part], members) for part, members in parts.items() if members}
    index = [f"- [{_TITLES[part]}]({part}.md): {_names(members)}" for part, members in parts.items() if members]
    head = "# Reference\n\nWritten by `scripts/docs` from the docstrings; do not edit these pages.\n\n"
    return {"README.md": head + "\n".join(index) + "\n", **found}


def _public() -> Iterator[tuple[str, Any]]:
    for package in (lion_broker, importlib.import_module("lion_broker.testing")):
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value) or callable(value):
                yield name, value


def _part_of(value: Any) -> str:
    return str(inspect.unwrap(value).__module__).split(".")[1]


def _names(members: list[tuple[str, Any]]) -> str:
    return ", ".join(f"`{name}`" for name, _ in members)


def _page(title: str, members: list[tuple[str, Any]]) -> str:
    return "\n\n".join([f"# {title}", *(block for name, value in members for block in _blocks(name, value))]) + "\n"


def _blocks(name: str, value: Any) -> Iterator[str]:
    yield f"## {name}"
    if not inspect.isclass(value):
        yield _signature(name, value)
        yield _text(value)
        return
    bases = [base.__name__ for base in value.__bases__ if getattr(lion_broker, base.__name__, None) is base]
    if bases:
        yield f"A kind of {', '.join(f'`{base}`' for base in bases)}."
    if not issubclass(value, (BaseException, enum.Enum)):
        yield "The package makes it." if foreign_in(value) else _signature(name, value)
    yield _text(value)
    made = vars(value).get("__init__")
    if made is not None and made.__doc__ and _is_ours(value):
        yield _text(made)
    if issubclass(value, enum.Enum):
        yield ", ".join(f"`{one.value}`" for one in value)
    for kind, member, found in _members(value):
        if not _is_told_before(value, member) and not is_inside(value, member, found):
            yield f"### {name}.{member}"
            yield _signature(member, found) if kind == "method" else "A property."
            yield _text(found)


def _is_told_before(value: type, member: str) -> bool:
    """Whether a public base has the very same member, and its page says what it does."""
    own = inspect.getattr_static(value, member)
    return any(
        inspect.getattr_static(base, member, None) is own
        for base in value.__mro__[1:]
        if getattr(lion_broker, base.__name__, None) is base
    )


def _members(value: type) -> Iterator[tuple[str, str, Any]]:
    names = {name: base for base in reversed(value.__mro__) if _is_ours(base) for name in vars(base)}
    for name in names:
        if name.startswith(("_", "model_")):
            continue
        found = inspect.getattr_static(value, name)
        if isinstance(found, property) and found.fget is not None and found.fget.__doc__:
            yield "property", name, found.fget
        elif isinstance(found, (classmethod, staticmethod)):
            yield "method", name, found.__func__
        elif inspect.isfunction(found) and found.__doc__:
            yield "method", name, found


def _is_ours(base: type) -> bool:
    return base.__module__.split(".")[0] not in _INHERITED


def _signature(name: str, value: Callable[..., Any]) -> str:
    try:
        given = inspect.signature(value)
    except (TypeError, ValueError):
        return f"```text\n{name}\n```"
    given = kept(given)
    prefix = "async " if inspect.iscoroutinefunction(value) else ""
    shown = f"{prefix}{name}{_clean(str(given))}"
    if len(shown) > _WIDTH:
        inner = given.replace(return_annotation=inspect.Signature.empty)
        returned = shown.rpartition(") -> ")[2] if ") -> " in shown else ""
        lines = ",\n    ".join(_parted(_clean(str(inner))[1:-1]))
        shown = f"{prefix}{name}(\n    {lines},\n)" + (f" -> {returned}" if returned else "")
    return f"```text\n{shown}\n```"


def _parted(shown: str) -> Iterator[str]:
    """The parameters of a signature, each for itself."""
    depth, begun = 0, 0
    for place, sign in enumerate(shown):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            yield shown[begun:place].strip()
            begun = place + 1
    yield shown[begun:].strip()


def _clean(shown: str) -> str:
    """A signature as its source says it: names without their modules, nothing of what checks or makes a value."""
    shown = re.sub(r"(: |-> )'([^']*)'", r"\1\2", shown)
    shown = re.sub(r"(?:typing\.)?Annotated\[(\w+),[^\]]*\]", r"\1", shown)
    shown = re.sub(r"<factory>|<[^<>]* at 0x[0-9a-f]+>|<object object[^<>]*>", "...", shown)
    shown = re.sub(r"<[\w.]+: ([^<>]+)>|<class '([\w.]+)'>", lambda found: found[1] or found[2], shown)
    shown = re.sub(r"frozenset\(\{([^{}]*)\}\)", lambda found: f"{{{', '.join(sorted(found[1].split(', ')))}}}", shown)
    return re.sub(r"(?<![\w.'\"])(?:[a-z_]+\.)+([A-Z]\w*)", r"\1", shown)


def _text(value: Any) -> str:
    return inspect.cleandoc(value.__doc__ or "Nothing more is said of it.").replace("\n\n\n", "\n\n")


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are stale."""
    wanted = pages()
    there = {path.name: path.read_text() for path in FOLDER.glob("*.md")} if FOLDER.exists() else {}
    stale = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if "--check" in arguments:
        sys.stderr.write("".join(f"docs/api/{name} is stale; run scripts/docs\n" for name in stale))
        return int(bool(stale))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        path = FOLDER / name
        if name in wanted:
            path.write_text(wanted[name])
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
