"""The tree of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from . import (
    access,
    archive,
    bench,
    branches,
    config,
    dead,
    demo,
    docs,
    doctor,
    drain,
    gateway,
    initial,
    keys,
    mail,
    mails,
    scale,
    server,
    sessions,
    status,
    tail,
    trace,
    up,
    withdrawing,
    worker,
)
from .exits import BRIEF_CODES, EXIT_CODES
from .helping import BRIEF, Command, Group, Root

__all__ = ["application"]


def application() -> typer.Typer:
    """Return the command line; nothing that a command needs is imported before the command runs."""
    app = _group("Sessions of many branches that exchange mail over Redis streams.", EXIT_CODES, Root)
    app.callback()(_root)
    for member in (
        *(up.up, up.down, status.status, tail.tail, drain.drain, scale.scale, worker.worker, worker.sweeper),
        *(gateway.gateway, initial.init, access.acl, doctor.doctor, bench.bench, keys.keygen, keys.version),
    ):
        _add(app, "", member)
    for name, text, members in (
        ("demo", "See the whole at work.", (demo.research,)),
        (
            "session",
            "Look at sessions, copy and remove them.",
            (sessions.ls, sessions.show, trace.trace, archive.export, archive.import_, archive.fork, sessions.rm),
        ),
        (
            "branch",
            "Look at branches, pause and resume them.",
            (branches.ls, branches.show, branches.pause, branches.resume),
        ),
        (
            "mail",
            "Find mail and what happened to it; send some, take some back.",
            (mails.ls, mails.show, mail.send, withdrawing.withdraw),
        ),
        ("dead", BRIEF["dead"], (dead.ls, dead.show, dead.retry, dead.edit, dead.drop)),
        ("config", "What a program is set to, and what there is to set.", (config.show, config.env)),
        ("docs", "Documents for programs in other languages.", (docs.asyncapi, docs.openapi)),
        ("server", "The embedded server of this user.", (server.status, server.stop)),
    ):
        group = _group(text, BRIEF_CODES, Group)
        # A group with one command stays a group.
        group.callback()(_nothing)
        for one in members:
            _add(group, name, one)
        app.add_typer(group, name=name)
    return app


def _add(group: typer.Typer, of: str, member: Callable[..., Any]) -> None:
    name = member.__name__.rstrip("_")
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
