"""How help reads: examples on lines of their own, plain names for arguments, commands by what one wants to do."""

from __future__ import annotations

import re
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

from .exits import Code, wants_json
from .printing import print_json

__all__ = ["BRIEF", "SECTIONS", "Command", "Group", "Root"]

SECTIONS: Final = (
    ("Start and stop", ("up", "down", "worker", "sweeper", "gateway", "server")),
    ("Look", ("status", "tail", "session", "branch", "mail")),
    ("Act", ("dead", "scale", "drain", "forget")),
    ("Set up", ("init", "doctor", "config", "keygen", "acl", "docs", "version")),
    ("Try", ("demo", "bench")),
)
"""The commands, under what one wants to do."""
BRIEF: Final = {
    "up": "Start everything on this machine: server, workers, dashboard.",
    "down": "Stop what `up` has started.",
    "status": "Show workers, pools, mail in numbers, and what is wrong.",
    "tail": "Show what happens, mail by mail, as it happens.",
    "drain": "Have workers end their turns, hand over, and exit.",
    "forget": "Take workers that were lost off the list.",
    "scale": "Show or say how many workers a pool is to have.",
    "init": "Make a namespace ready: functions, partitions, key.",
    "acl": "Print the ACL rules that the server's users need.",
    "doctor": "Say what is well, what is not, and what to do about it.",
    "bench": "Measure mails a second and processor time here.",
    "dead": "Mail that failed for good: look, send it again, edit, drop.",
    "research": "Answer a question with a report of checked quotes.",
    "session show": "Show one session with its branches.",
    "trace": "Show what happened to a mail of a session.",
    "export": "Write all that a session holds into a file.",
    "import": "Make a session of such a file.",
    "fork": "Make a new session that begins with the histories of one.",
    "rm": "Remove sessions with everything they own.",
    "branch ls": "List the branches of a session, and what waits for each.",
    "branch show": "Show one branch, its tools, models and newest messages.",
    "pause": "Have a branch, a session or a pool take no more turns.",
    "resume": "Let them take turns again, and try failed mail afresh.",
    "mail show": "Show what happened to a mail, and what to do.",
    "withdraw": "Take mail out that waits; it becomes a dead letter.",
    "mail stop": "Stop what a worker is at; it becomes a dead letter.",
    "dead ls": "List dead letters with their reasons.",
    "dead show": "Show a dead letter, why it is one, and what it says.",
    "dead retry": "Send dead letters again, as they are.",
    "dead drop": "Remove dead letters for good.",
    "config show": "Show what a program here is set to, and from where.",
    "env": "Print a commented file of all settings.",
    "asyncapi": "Print the mail on the wire as an AsyncAPI 3 document.",
    "openapi": "Print what the gateway answers to programs as an OpenAPI 3.1 document.",
    "server status": "Say whether the embedded server runs, and where.",
    "stop": "Stop the embedded server, whoever uses it.",
}
"""What a list of commands says of one whose first sentence is longer than a line, by its name or with its group's."""
_EXAMPLE: Final = re.compile(r"\s*\bExamples?: (?P<words>[^\n]*(?:\n[^\n]+)*)\Z")
_TYPE: Final = re.compile(r" <[^>]*(?:<[^>]*>)?>?$")

_BELOW_ZERO: Final = re.compile(r"-\d+")

_JSON: Final = "lion_broker.json"
_OF_COMMANDS: Final = ("--url", "--namespace", "--json")
_PLAINER: Final = (
    ("Value error, ", ""),
    ("Input should be greater than or equal to ", "it is to be at least "),
    ("Input should be less than or equal to ", "it is to be at most "),
    ("Input should be a valid integer, unable to parse string as an integer", "it is to be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "it is to be a number"),
    ("Input should be ", "it is to be "),
)


class Command(TyperCommand):
    """A command whose help has its example as a line that can be copied."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the words that were typed; what looks like an option and is a number below zero is an argument."""
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if not getattr(error, "option_name", "")[1:2].isdecimal() or not any(map(_BELOW_ZERO.fullmatch, typed)):
                raise
        # Nothing was read yet: options are told from arguments first.
        ctx.ignore_unknown_options = True
        return super().parse_args(ctx, typed)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line, with brackets only around what may be left out."""
        return [_plain(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, and apart from it the example that its docstring ends with."""
        whole = self.help or ""
        found = _EXAMPLE.search(whole)
        try:
            self.help = whole[: found.start()] if found else whole
            super().format_help_text(ctx, formatter)
        finally:
            self.help = whole
        if found:
            with formatter.section("Example"):
                # As it is: a line that is broken cannot be copied.
                formatter.write(f"{' ' * formatter.current_indent}{' '.join(found['words'].split())}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options; an argument goes by its name, without the name of a Python type."""
        kinds: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name, text = record
                is_argument = parameter.param_type_name == "argument"
                kinds[parameter.param_type_name].append((_plain(_TYPE.sub("", name)) if is_argument else name, text))
        for title, rows in (("Arguments", kinds["argument"]), ("Options", kinds["option"])):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Group(TyperGroup):
    """A group of commands."""


class Root(Group):
    """The whole: its commands stand under headings, and wrong use is an object on stdout with `--json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the words that were typed, and note whether a program has."""
        ctx.meta[_JSON] = wants_json(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if (option := getattr(error, "option_name", None)) in _OF_COMMANDS:
                error.message += f" It comes after the command: lion-broker status {option} …"  # type: ignore[attr-defined]
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run a command; wrong use of it is said to programs as well."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # By what it has: typer may bring a click of its own.
            if isinstance(told := getattr(error, "message", None), str):
                error.message = _plainly(told)  # type: ignore[attr-defined]
            if getattr(error, "exit_code", None) == Code.USAGE and hasattr(error, "format_message") and ctx.meta[_JSON]:
                print_json({"error": "UsageError", "message": error.format_message(), "code": Code.USAGE})
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under headings, each with its first sentence."""
        told = {name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))}
        room = formatter.width - 6 - max(map(len, told))
        for title, names in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(name, told[name].get_short_help_str(room)) for name in names])


def _plainly(told: str) -> str:
    """What is wrong with a value, without the words of the library that has looked at it."""
    for words, instead in _PLAINER:
        told = told.replace(words, instead)
    return told


def _plain(name: str) -> str:
    """The name of an argument, with brackets only where it may be left out, and once."""
    name = name.removeprefix("{").removesuffix("}") if name.startswith("{") and name.endswith("}") else name
    return re.sub(r"^\[(\[.*\](?:\.\.\.)?)\](?:\.\.\.)?$", r"\1", name)
