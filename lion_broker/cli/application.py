"""The tree of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from . import keys
from .exits import BRIEF_CODES, EXIT_CODES
from .helping import BRIEF, Command, Group, Root

__all__ = ["application"]

_COMMANDS: Final = {
    "up": "up",
    "down": "up",
    "status": "status",
    "tail": "tail",
    "drain": "drain",
    "forget": "forget",
    "scale": "scale",
    "worker": "worker",
    "sweeper": "worker",
    "gateway": "gateway",
    "init": "init",
    "acl": "acl",
    "doctor": "doctor",
    "bench": "bench",
    "keygen": "keys",
    "version": "keys",
}
"""Commands, each with the module that has it."""
_GROUPS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "demo": ("See the whole at work.", {"research": "demo"}),
    "session": (
        "Look at sessions, copy and remove them.",
        {
            "ls": "sessions",
            "show": "sessions",
            "trace": "session_trace",
            "export": "session_export",
            "import": "session_import",
            "fork": "session_import",
            "rm": "sessions",
        },
    ),
    "branch": (
        "Look at branches, pause and resume them.",
        dict.fromkeys(("ls", "show", "pause", "resume"), "branches"),
    ),
    "mail": (
        "Find mail and what happened to it; send some, take some back.",
        {"ls": "mail_list", "show": "mail_list", "send": "mail_send", "withdraw": "mail_withdraw", "stop": "mail_stop"},
    ),
    "dead": (BRIEF["dead"], dict.fromkeys(("ls", "show", "retry", "edit", "drop"), "dead")),
    "config": ("What a program is set to, and what there is to set.", dict.fromkeys(("show", "env"), "config")),
    "docs": ("Documents for programs in other languages.", dict.fromkeys(("asyncapi", "openapi"), "docs")),
    "server": ("The embedded server of this user.", dict.fromkeys(("status", "stop"), "server")),
}
"""Groups of commands: what each is for, and its commands, each with the module that has it."""


def application(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line; nothing that a command needs is imported before the command runs.

    To read the signatures of fifty commands takes longer than to answer with one of them: where `words`, as they were
    typed, begin with a command, it is the only one there is.
    """
    app = _group("Sessions of many branches that exchange mail over Redis streams.", EXIT_CODES, Root)
    app.callback()(_root)
    asked = words[0] if words else ""
    is_known = asked in _COMMANDS or asked in _GROUPS
    for name, module in _COMMANDS.items():
        if not is_known or name == asked:
            _add(app, "", name, module)
    for name, (text, members) in _GROUPS.items():
        if not is_known or name == asked:
            app.add_typer(_members(name, text, members, words[1:]), name=name)
    return app


def _members(of: str, text: str, members: Mapping[str, str], words: Sequence[str]) -> typer.Typer:
    group = _group(text, BRIEF_CODES, Group)
    # A group with one command stays a group.
    group.callback()(_nothing)
    asked = words[0] if words else ""
    for name, module in members.items():
        if asked not in members or name == asked:
            _add(group, of, name, module)
    return group


def _add(group: typer.Typer, of: str, name: str, module: str) -> None:
    found = import_module(f".{module}", __package__)
    # The name of a command may be a word of the language, such as `import`.
    member: Callable[..., Any] = getattr(found, name, None) or getattr(found, f"{name}_")
    brief = BRIEF.get(f"{of} {name}".strip(), BRIEF.get(name) if of else None)
    group.command(name, cls=Command, short_help=brief, epilog=BRIEF_CODES)(member)


def _group(text: str, epilog: str, cls: type[Group]) -> typer.Typer:
    return typer.Typer(
        help=text,
        epilog=epilog,
        cls=cls,
        no_args_is_help=True,
        add_completion=cls is Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=keys.print_version)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def _nothing() -> None:
    """Take no options."""
