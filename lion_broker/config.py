"""Settings of a process: read once at the edge from the environment, frozen, passed down.

Every setting is `LION_BROKER_<NAME>`; `LION_BROKER_<NAME>_FILE` names a file that holds the value, for secrets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from .errors import ConfigError

__all__ = ["PREFIX", "Settings"]

PREFIX: Final = "LION_BROKER_"


class Settings(BaseModel):
    """What a process needs to know about its surroundings; secrets are never shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = Field(None, repr=False, description="Where the exchange is; none: the embedded server.")
    namespace: str = Field(
        "default", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Keeps deployments on one server apart."
    )
    partitions: int = Field(1, ge=1, le=1024, description="Of a new namespace; fixed when it is made.")
    secret: SecretStr | None = Field(None, description="Signs mail on any server but the embedded one.")
    secret_previous: SecretStr | None = Field(None, description="Still accepted while a secret is rotated.")
    insecure: bool = Field(False, description="Leave mail unsigned where there is no secret.")
    patience: float = Field(5.0, ge=0, description="Seconds for which a call is repeated while no server answers.")
    lease: float = Field(10.0, ge=0.5, le=3600, description="Seconds that a worker owns a branch without renewing.")
    model_hosts: str | None = Field(
        None, description="Where models that others name may be, by host, host:port or base URL; a comma between two."
    )
    model_keys: str | None = Field(
        None, description="Variables whose keys they may use; none given: those of the providers that are built in."
    )
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
            raise ConfigError(f"{name} cannot be used: {first['msg']}.") from None

    def secret_named(self, name: str) -> SecretStr | None:
        """Return the secret that the variable `name` holds, or the file that `<name>_FILE` names; None without either.

        Raises ConfigError for a file that cannot be read.
        """
        value = _read(self.environ, name)
        return None if value is None else SecretStr(value)


def _read(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}_FILE names {path}, which cannot be read: {error}.") from error
    return environ.get(name) or None
