"""`config show` and `config env`: what a program started here would be set to, from where, and what there is to set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from .options import AsJson, Namespace, Url
from .printing import print_json, print_rows

if TYPE_CHECKING:
    from lion_broker.config import Settings

__all__ = ["ELSEWHERE", "Variable", "env", "show", "variables"]

_PLAIN_SECRETS: Final = ("LION_BROKER_DASHBOARD_TOKEN", "LION_BROKER_DEMO_MODEL_KEY")
_SECRETS: Final = frozenset({"LION_BROKER_SECRET", "LION_BROKER_SECRET_PREVIOUS", *_PLAIN_SECRETS})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that the package reads: its name, what it says, and what counts without it."""

    name: str
    text: str
    default: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether its value is never shown."""
        return self.name in _SECRETS


ELSEWHERE: Final = (
    Variable(
        "LION_BROKER_DATA_DIR", "Embedded server: where its data, its log and its signing key are.", "the user's own"
    ),
    Variable("LION_BROKER_RUNTIME_DIR", "Embedded server: where its socket is; a short path.", "the user's own"),
    Variable("LION_BROKER_LINGER", "Embedded server: seconds that it stays without users, or forever.", "3"),
    Variable("LION_BROKER_SERVER", "Embedded server: the program to run, a path or a name on PATH.", "the bundled one"),
    Variable("LION_BROKER_DASHBOARD_TOKEN", "Gateway: what a browser or program shows to be let in."),
    Variable("LION_BROKER_DEMO_CORPUS", "Research desk: the documents that its workers read; `demo research` sets it."),
    Variable("LION_BROKER_DEMO_MODEL", "Research desk: the model that writes the beginning of the report."),
    Variable("LION_BROKER_DEMO_MODEL_URL", "Research desk: the OpenAI-compatible server that has the model."),
    Variable("LION_BROKER_DEMO_MODEL_KEY", "Research desk: the key of that server."),
)
"""What is read beside the settings, by the part of the package that needs it."""


def variables() -> tuple[Variable, ...]:
    """Return every variable that the package reads, the settings first."""
    from lion_broker.config import PREFIX, Settings

    fields = Settings.model_fields.items()
    settings = (
        Variable(PREFIX + name.upper(), field.description or "", _text(field.default))
        for name, field in fields
        if name != "environ"
    )
    return (*settings, *ELSEWHERE)


def show(url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Show what a program started here would be set to, and where each value comes from.

    Secrets are shown by the id of their key only. A variable that looks like a setting and is none is named on
    stderr. Connects to nothing. Example: lion-broker config show --json
    """
    from lion_broker.config import PREFIX, Settings

    settings = Settings.load(url=url, namespace=namespace)
    given = {f"{PREFIX}URL": url and "--url", f"{PREFIX}NAMESPACE": namespace and "--namespace"}
    rows = [_row(variable, settings, given.get(variable.name)) for variable in variables()]
    unknown = sorted(_unknown(settings.environ))
    if as_json:
        print_json({"settings": rows, "unknown": unknown})
    else:
        print_rows(rows, False, "")
    for name in unknown:
        typer.echo(f"Warning: {name} is set, and is no setting; `lion-broker config env` lists those.", err=True)


def env(as_json: AsJson = False) -> None:
    """Print a file of all settings, commented out, to begin a .env file with.

    Example: lion-broker config env > .env
    """
    if as_json:
        print_json(
            [
                {"name": one.name, "text": one.text, "default": one.default, "secret": one.is_secret}
                for one in variables()
            ]
        )
        return
    typer.echo("# Settings of lion-broker, read once when a program starts. Take the # away from what you set.")
    typer.echo("# NAME_FILE=/path names a file that holds the value of NAME instead: meant for secrets.")
    for one in variables():
        default = f" Default: {one.default}." if one.default else ""
        secret = " Secret: give it by a file where you can." if one.is_secret else ""
        typer.echo(f"\n# {one.text}{default}{secret}\n#{one.name}=")


def _row(variable: Variable, settings: Settings, option: str | None) -> dict[str, Any]:
    environ = settings.environ
    file = environ.get(f"{variable.name}_FILE")
    if option is not None:
        source = option
    elif file:
        source = f"{variable.name}_FILE ({file})"
    else:
        source = "environment" if environ.get(variable.name) else "default"
    return {"name": variable.name, "value": _value(variable, settings, source != "default"), "source": source}


def _value(variable: Variable, settings: Settings, is_set: bool) -> str:
    from lion_broker.broker.connection import without_secrets
    from lion_broker.config import PREFIX

    if variable.is_secret:
        return _masked(variable.name, settings) if is_set else ""
    name = variable.name.removeprefix(PREFIX).lower()
    if name in type(settings).model_fields:
        value = _text(getattr(settings, name))
    else:
        value = settings.environ.get(variable.name, "") or variable.default
    return without_secrets(value) if "@" in value else value


def _masked(name: str, settings: Settings) -> str:
    """What may be said of a secret: that it is there, and the id of the key that it is."""
    from lion_broker.broker.signing import Signer

    if name in _PLAIN_SECRETS:
        return "(set)"
    current, previous = settings.secret, settings.secret_previous
    which = settings.secrets[: 1 if current else 0] if name == "LION_BROKER_SECRET" else settings.secrets[1:]
    if name != "LION_BROKER_SECRET" and current is None and previous is not None:
        which = settings.secrets
    return f"(set: key {', '.join(Signer(one).key_id for one in which)})"


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Names that begin like a setting and are none: a slip of the pen, as a rule."""
    from lion_broker.config import PREFIX

    known = {one.name for one in variables()}
    for name in environ:
        if name.startswith(PREFIX) and name not in known and name.removesuffix("_FILE") not in known:
            yield name


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
