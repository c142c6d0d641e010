"""Settings of a process: read once at the edge from the environment, frozen, passed down.

Every setting is `LION_BROKER_<NAME>`; `LION_BROKER_<NAME>_FILE` names a file that holds the value, for secrets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from .errors import ConfigError

__all__ = ["PREFIX", "Settings", "of_terminal", "otel_is_named"]

PREFIX: Final = "LION_BROKER_"

_SEPARATORS: Final = re.compile(r"[,\n]")
"""What stands between several secrets."""


class Settings(BaseModel):
    """What a process needs to know about its surroundings; secrets are never shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = Field(None, repr=False, description="Where the exchange is; none: the embedded server.")
    namespace: str = Field(
        "default", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Keeps deployments on one server apart."
    )
    partitions: int = Field(1, ge=1, le=1024, description="Of a new namespace; fixed when it is made.")
    secret: SecretStr | None = Field(None, description="Signs mail on any server but the embedded one.")
    secret_previous: SecretStr | None = Field(
        None, description="Still accepted while a secret is rotated; several with commas or line feeds between them."
    )
    insecure: bool = Field(False, description="Leave mail unsigned where there is no secret.")
    unsafe_server: bool = Field(False, description="Use a server that may lose mail, with a warning each time.")
    replicas: int = Field(
        0, ge=0, le=16, description="How many replicas must have what a call has written before it is answered."
    )
    patience: float = Field(5.0, ge=0, description="Seconds for which a call is repeated while no server answers.")
    lease: float = Field(10.0, ge=0.5, le=3600, description="Seconds that a worker owns a branch without renewing.")
    model_hosts: str | None = Field(
        None, description="Where models that others name may be, by host, host:port or base URL; a comma between two."
    )
    model_keys: str | None = Field(
        None, description="Variables whose keys they may use; none given: those of the providers that are built in."
    )
    model_prices: str | None = Field(
        None,
        description="File of what models cost, in TOML, for whoever looks at what was spent; none: nothing is said.",
    )
    log_format: Literal["text", "json"] = Field("text", description="How log lines of a process look.")
    health_port: str | None = Field(
        None, description="Where a worker answers /livez, /readyz and /metrics: PORT or HOST:PORT, 0 for a free port."
    )
    metrics_port: str | None = Field(None, description="Where a worker answers /metrics only: PORT or HOST:PORT.")
    stalled_after: float = Field(
        60.0,
        ge=0.5,
        le=86_400,
        description="Seconds of waiting work without a commit, or of a stuck event loop, before health fails.",
    )
    metrics_per_branch: bool = Field(
        False, description="Depth of mailboxes branch by branch in /metrics, with ids in labels."
    )
    otel_parent: Literal["parent", "link"] = Field(
        "parent", description="Whether handling a mail continues the trace of its sending, or only links to it."
    )
    otel_content: bool = Field(False, description="Put what was said to and by models and tools into spans.")
    environ: Mapping[str, str] = Field(default_factory=dict, exclude=True, repr=False)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Read the environment; `given` values that are not None win. Raises ConfigError naming the setting."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {"environ": dict(environ)}
        for name in cls.model_fields:
            if name != "environ" and (value := _read(environ, PREFIX + name.upper())) is not None:
                values[name] = value
        values.update({name: value for name, value in given.items() if value is not None})
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            # Whoever has typed a name is not to read a pattern.
            why = "1 to 64 letters, digits, '_', '.' or '-' are needed" if name.endswith("NAMESPACE") else first["msg"]
            raise ConfigError(f"{name} cannot be used: {why}.") from None

    @field_validator("secret")
    @classmethod
    def _is_one(cls, secret: SecretStr | None) -> SecretStr | None:
        text = "none" if secret is None else secret.get_secret_value().strip()
        if not text or _SEPARATORS.search(text):
            raise PydanticCustomError("no secret", "it is blank, or has a comma or line feed, as between two secrets")
        return secret

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secret that signs, then those that are accepted as well; empty without one. Not to be shown."""
        texts = [one.get_secret_value() for one in (self.secret, self.secret_previous) if one is not None]
        return tuple(part.strip().encode() for text in texts for part in _SEPARATORS.split(text) if part.strip())

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """The files that secrets were read from."""
        names = (f"{PREFIX}{name}_FILE" for name in ("SECRET", "SECRET_PREVIOUS"))
        return tuple(Path(self.environ[name]) for name in names if self.environ.get(name))

    def secret_named(self, name: str) -> SecretStr | None:
        """Return the secret that the variable `name` holds, or the file that `<name>_FILE` names; None without either.

        Raises ConfigError for a file that cannot be read.
        """
        value = _read(self.environ, name)
        return None if value is None else SecretStr(value)


@cache
def otel_is_named() -> bool:
    """Whether the environment says which provider OpenTelemetry is to load when somebody first asks; read once."""
    return "OTEL_PYTHON_TRACER_PROVIDER" in os.environ or "OTEL_PYTHON_METER_PROVIDER" in os.environ


def of_terminal(name: str) -> str:
    """Return a variable that tells of the terminal, such as NO_COLOR, TERM and COLUMNS; empty where it is not set."""
    return os.environ.get(name, "")


def _read(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name) or None
    # Somebody may have put the secret itself where its file is to be named.
    shown = f"names {path}, which" if os.sep in path else "is to name a file by its path, and what it says"
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{name}_FILE {shown} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, ValueError):
        raise ConfigError(f"{name}_FILE {shown} cannot be read: it is no text.") from None
    if not value:
        raise ConfigError(f"{name}_FILE {shown} is empty.")
    return value
