"""`acl`: what the server's users must be allowed, and whether they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lion_broker.errors import ConfigError

from .exits import Code
from .options import AsJson, Namespace, Url
from .printing import print_json

if TYPE_CHECKING:
    from lion_broker.broker.acl import Role

__all__ = ["acl"]


def acl(
    roles: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ROLE]...", help="client, worker, dashboard, admin. Default: all.", show_default=False),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The user of the one role that is named. Default: lion-ROLE."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the server whether these users may do what they need, and no more.")
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Print the ACL rules that a server's users need, a command each for redis-cli or valkey-cli.

    Replace PASSWORD; the rules are limited to the keys of the namespace. With --check nothing is printed but how the
    server's users do: it changes nothing, and needs a user who may ACL DRYRUN. Exit code 6 when one lacks something.
    Example: lion-broker acl worker --namespace shop
    """
    from lion_broker.broker.acl import check_access, rules_of
    from lion_broker.config import Settings

    settings = Settings.load(url=url, namespace=namespace)
    chosen = _roles(roles or [])
    if user is not None and len(chosen) != 1:
        raise ConfigError("--user is for one role: lion-broker acl worker --user NAME.")
    wanted = [rules_of(settings.namespace, role, user) for role in chosen]
    if check:
        findings = check_access(settings, wanted)
        if as_json:
            names = ("check", "severity", "text", "fix")
            print_json([{name: getattr(one, name) for name in names} for one in findings])
        else:
            typer.echo("\n".join(f"{one.severity:<9}{one.check:<11}{one}" for one in findings))
        raise typer.Exit(Code.UNSOUND if any(one.severity == "error" for one in findings) else Code.OK)
    if as_json:
        print_json([{"role": one.role, "user": one.user, "rules": one.rules, "command": one.line()} for one in wanted])
    else:
        typer.echo("\n".join(f"# {one.role}: {one.role.text}\n{one.line()}" for one in wanted))


def _roles(names: list[str]) -> list[Role]:
    from lion_broker.broker.acl import Role

    try:
        return [Role(name) for name in dict.fromkeys(names)] or list(Role)
    except ValueError as error:
        raise ConfigError(f"{error} here; a role is one of {', '.join(Role)}.") from None
