"""How far a tail has come in each session, kept in a file so that another process goes on there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lion_broker.errors import ConfigError

__all__ = ["TailPositions"]


class TailPositions:
    """The position in each session; `found` says whether there was a file to begin with. Raises ConfigError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.at: dict[str, str] = {}
        self.found = path.exists()
        if self.found:
            self.at = self._read()

    def save(self) -> None:
        """Write the positions; the file is whole at every moment."""
        from pydantic_core import to_json

        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            draft.write_bytes(to_json(self.at))
            draft.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise ConfigError(f"--state {self._path} cannot be written: {error.strerror}.") from error

    def _read(self) -> dict[str, str]:
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(dict[str, str]).validate_json(self._path.read_bytes())
        except OSError as error:
            raise ConfigError(f"--state {self._path} cannot be read: {error.strerror}.") from error
        except ValidationError:
            raise ConfigError(
                f"--state {self._path} is no file of a tail; remove it to begin anew, or name another one."
            ) from None
