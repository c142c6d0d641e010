"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

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
    worker,
)
from .exits import EXIT_CODES

__all__ = ["application"]


def application() -> typer.Typer:
    """Return the command line; nothing that a command needs is imported before the command runs."""
    app = _group("Sessions of many branches that exchange mail over Redis streams.", EXIT_CODES, completes=True)
    app.callback()(_root)
    app.command(epilog=EXIT_CODES)(up.up)
    app.command(epilog=EXIT_CODES)(up.down)
    app.command(epilog=EXIT_CODES)(status.status)
    app.command(epilog=EXIT_CODES)(tail.tail)
    app.command(epilog=EXIT_CODES)(drain.drain)
    app.command(epilog=EXIT_CODES)(scale.scale)
    app.command()(worker.worker)
    app.command()(worker.sweeper)
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
        ("mail", "Look at mail and where it stands; send some into a session.", (mails.ls, mails.show, mail.send)),
        (
            "dead",
            "Mail that could not be delivered or applied: look at it, send it again, drop it.",
            (dead.ls, dead.show, dead.retry, dead.edit, dead.drop),
        ),
        ("config", "What a program is set to, and what there is to set.", (config.show, config.env)),
        ("docs", "Documents for programs in other languages.", (docs.asyncapi,)),
        ("server", "The embedded server of this user.", (server.status, server.stop)),
    ):
        group = _group(text, epilog=EXIT_CODES)
        # A group with one command stays a group.
        group.callback()(_nothing)
        for member in members:
            group.command(member.__name__.rstrip("_"), epilog=EXIT_CODES)(member)
        app.add_typer(group, name=name)
    app.command(epilog=EXIT_CODES)(gateway.gateway)
    app.command(epilog=EXIT_CODES)(initial.init)
    app.command(epilog=EXIT_CODES)(access.acl)
    app.command(epilog=EXIT_CODES)(doctor.doctor)
    app.command(epilog=EXIT_CODES)(bench.bench)
    app.command()(keys.keygen)
    app.command()(keys.version)
    return app


def _group(text: str, epilog: str, completes: bool = False) -> typer.Typer:
    return typer.Typer(
        help=text,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=completes,
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
