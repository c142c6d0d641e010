"""`doctor`: what is well with a server and its surroundings, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lion_broker.core.numbers import counted

from .auditing import note
from .exits import Code
from .options import AsJson, Namespace, Url, exchange_at
from .printing import folded, print_json, room_of_terminal

if TYPE_CHECKING:
    from lion_broker.broker.checkup.finding import Finding

__all__ = ["doctor"]

_INDENT: Final = 21
"""Before what is said of a finding stand its severity and its name."""


def doctor(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Put right what names this option as its fix; without it nothing is changed."),
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Say what is well with the server and its surroundings, what is not, and what to do about it.

    Looks at the server as this user and these settings see it, and changes nothing there; an embedded server is
    started. --repair puts right how many branches of a pool are counted as paused, where another number is shown: no
    branch is touched, and the audit says so. Exit code 6 when there is an error, 3 when no server answers. With
    --json, stdout gets one list of objects: check severity text fix.
    """
    from lion_broker.broker.checkup.examine import examine
    from lion_broker.config import Settings

    def announce(pool: str, change: str) -> None:
        with exchange_at(url, namespace) as exchange:
            note(exchange, "repair", f"pool {pool}", change)

    findings = examine(Settings.load(url=url, namespace=namespace), announce if repair else None)
    if as_json:
        names = ("check", "severity", "text", "fix")
        print_json([{name: getattr(finding, name) for name in names} for finding in findings])
    else:
        typer.echo("\n".join([*map(_shown, findings), "", _sum(findings)]))
    raise typer.Exit(_code(findings))


def _shown(finding: Finding) -> str:
    room = room_of_terminal()
    lines = [f"{finding.severity:<9}{finding.check:<12}{finding.text}"]
    lines += [f"{'':{_INDENT}}fix: {finding.fix}"] if finding.fix else []
    return "\n".join(folded(line, room, _INDENT) for line in lines)


def _sum(findings: Sequence[Finding]) -> str:
    counts = [sum(finding.severity == severity for finding in findings) for severity in ("error", "warning")]
    return ", ".join(counted(count, name) for count, name in zip(counts, ("error", "warning"), strict=True))


def _code(findings: Sequence[Finding]) -> Code:
    failed = {finding.check for finding in findings if finding.severity == "error"}
    if "server" in failed:
        return Code.NO_SERVER
    return Code.UNSOUND if failed else Code.OK
