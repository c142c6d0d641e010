"""Which models that somebody else has named may be asked from here.

A mail or a log can name a model by its settings. Where a request goes, and which key it carries, is for this process to
say: `base_url` counts only if LION_BROKER_MODEL_HOSTS allows it, and a key only if LION_BROKER_MODEL_KEYS names its
variable. A provider of another package is not looked up for them. Models of this process, those of its registry among
them, are not asked about.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

from pydantic_core import to_json

from lion_broker.config import Settings
from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError
from lion_broker.models.imodel import iModel

__all__ = ["ModelPolicy"]

_KEPT: Final = 256


class ModelPolicy:
    """Takes the settings of models that somebody else has named, or refuses them.

    Without `keys` those of the providers that are built in may be used. The same settings give the same model, so that
    all who were sent it share its limits. The last 256 are kept.
    """

    def __init__(self, hosts: Collection[str] = (), keys: Collection[str] | None = None) -> None:
        self._hosts = tuple(host.rstrip("/") for host in hosts)
        self._named = None if keys is None else frozenset(keys)
        self._models: OrderedDict[bytes, iModel] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the policy that a process was given by its environment."""
        keys = None if settings.model_keys is None else _listed(settings.model_keys)
        return cls(_listed(settings.model_hosts or ""), keys)

    def received(self, values: Mapping[str, Any]) -> iModel:
        """Return the model of settings that came from somebody else.

        Raises ConfigError for settings that name no model, and for a server or a key that is not allowed here.
        """
        model = iModel.from_dict(values)
        self._insist(model)
        written = to_json(model.settings())
        model = self._models.pop(written, model)
        self._models[written] = model
        if len(self._models) > _KEPT:
            self._models.popitem(last=False)
        return model

    @property
    def _keys(self) -> Collection[str]:
        # A worker that is sent no model does without the providers.
        from lion_broker.models.providers.known import KEY_NAMES

        return KEY_NAMES if self._named is None else self._named

    def _insist(self, model: iModel) -> None:
        from lion_broker.models.providers.known import NAMES, key_name

        settings = model.named
        if settings.provider not in NAMES and settings.base_url is None:
            # To find it would import what a mail has named.
            raise ConfigError(
                f"The model {model.name} was sent with a provider that is not built in. Register the model here and"
                " send it by that name."
            )
        if settings.base_url is not None and not self.allows(settings.base_url):
            raise ConfigError(
                f"The model {model.name} was sent with a base_url, and LION_BROKER_MODEL_HOSTS of this process does not"
                " allow it. Name its host there, or register the model here and send it by that name."
            )
        key = key_name(settings)
        if key and key not in self._keys:
            raise ConfigError(
                f"The model {model.name} was sent with a key's name, and LION_BROKER_MODEL_KEYS of this process does"
                f" not allow {key!r}. Name it there, or register the model here and send it by that name."
            )

    def allows(self, base_url: str) -> bool:
        """Whether a base URL is allowed: by its host (https and its usual port), `host:port`, or URL, as a whole."""
        try:
            parts = urlsplit(base_url)
            place = (parts.hostname or "", parts.port)
        except ValueError:
            return False
        if parts.username or parts.password or parts.query or parts.scheme not in ("http", "https"):
            return False
        written = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")
        hosts = [f"{place[0]}:{place[1]}"] if place[1] is not None else []
        hosts += [place[0]] if parts.scheme == "https" and place[1] in (None, 443) else []
        return any(written == host if "://" in host else host.lower() in hosts for host in self._hosts)

    def __repr__(self) -> str:
        return f"ModelPolicy({counted(len(self._hosts), 'host')}, {counted(len(self._keys), 'key')})"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for one in text.split(",") if (part := one.strip()))
