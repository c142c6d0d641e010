"""Options of those who run workers: `worker`, and `up`, which starts them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from . import completion

__all__ = ["App", "Batch", "Concurrency", "Grace", "Level", "LogFormat", "Pool", "Processes", "Reload", "UntilEof"]

App = Annotated[
    str, typer.Option(metavar="MODULE:NAME", help="The Registry with behaviours, tools and models, as module:name.")
]
Pool = Annotated[str, typer.Option(metavar="POOL", help="Whose branches it hosts.", autocompletion=completion.pools)]
Concurrency = Annotated[int, typer.Option(min=1, metavar="N", help="How many branches it serves side by side.")]
Batch = Annotated[int, typer.Option(min=1, metavar="N", help="How many mails of a branch it takes at once.")]
Grace = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long turns may take to end when it stops.")]
UntilEof = Annotated[
    bool,
    typer.Option("--until-eof", help="Stop when stdin ends, so that it never outlives the program that started it."),
]
Processes = Annotated[
    int,
    typer.Option(min=1, max=256, metavar="N", help="How many processes; one that fails is replaced by another."),
]
Reload = Annotated[
    bool, typer.Option("--reload", help="For development: begin anew when a Python file of the app changes.")
]
Level = Annotated[
    Literal["debug", "info", "warning", "error"], typer.Option(help="Which log lines go to stderr: these and worse.")
]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        "--log-format",
        help="Log lines for people, or JSON for programs. Default: LION_BROKER_LOG_FORMAT, else text.",
        show_default=False,
    ),
]
