"""iModel: a model of a provider, by its settings."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import SecretStr

from lion_broker.core.portable import plain_dict
from lion_broker.errors import ConfigError
from lion_broker.models.endpoint import ChatMessage, EndPoint, ModelSettings, endpoint_for
from lion_broker.models.reply import ModelReply

__all__ = ["iModel"]


class iModel:
    """A model that answers conversations: `iModel(provider="offline", model="extractive")`.

    `model="provider/model"` says both. Further keyword arguments, such as `temperature`, go with every call.
    A key given as `api_key` stays in this object: it is in no `repr`, no `to_dict()` and no mail; a model
    that is to travel names the variable that holds its key as `api_key_env`. Nothing is opened before the
    first call, so a model of a provider that is not available here can still be named and sent.
    """

    def __init__(
        self,
        provider: str | None = None,
        model: str | None = None,
        *,
        base_url: str | None = None,
        endpoint: str = "chat",
        api_key: str | SecretStr | None = None,
        api_key_env: str | None = None,
        **parameters: Any,
    ) -> None:
        """Name a model; raises ConfigError when it is not clear which."""
        if not provider and model and "/" in model:
            provider, model = model.split("/", 1)
        if not provider or not model:
            raise ConfigError(
                "which model? Give provider and model, or both in one: iModel(model='offline/extractive')"
            )
        if api_key is not None and api_key_env is not None:
            raise ConfigError("give api_key or api_key_env, not both")
        parameters = plain_dict(parameters, f"iModel {provider}/{model}")
        self._settings = ModelSettings(provider, model, endpoint, base_url, api_key_env, parameters)
        self._api_key = SecretStr(api_key) if isinstance(api_key, str) else api_key
        self._endpoint: EndPoint | None = None
        self.metadata: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The provider and the model: `provider/model`."""
        return f"{self._settings.provider}/{self._settings.model}"

    @property
    def provider(self) -> str:
        """Who runs the model."""
        return self._settings.provider

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return self._settings.model

    def settings(self) -> dict[str, Any]:
        """Return what names the model as plain values, never a key; `from_dict` takes it."""
        return asdict(self._settings)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `settings()`."""
        return self.settings()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /) -> "iModel":
        """Return the model that `to_dict` named; raises ConfigError for values that name none."""
        if not isinstance(values, Mapping):
            raise ConfigError(f"the settings of a model are a dict, not {type(values).__name__}")
        named = {str(key): value for key, value in values.items() if key != "parameters"}
        unknown = named.keys() - ModelSettings.__dataclass_fields__.keys()
        if unknown:
            raise ConfigError(f"these are no settings of a model: {', '.join(sorted(unknown))}")
        return cls(**named, **(values.get("parameters") or {}))

    async def invoke(self, messages: Iterable[ChatMessage], **parameters: Any) -> ModelReply:
        """Return the model's answer to a conversation of `{"role", "content"}` messages.

        Parameters of the call go before those of the model. Raises ModelError when the provider is not
        available or gives no answer.
        """
        if self._endpoint is None:
            self._endpoint = endpoint_for(self._settings)
        return await self._endpoint.invoke(list(messages), {**self._settings.parameters, **parameters})

    def __repr__(self) -> str:
        return f"iModel({self.name})"
