"""iModel: a model of a provider, by its settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any, Final

from pydantic import SecretStr

from lion_broker.core.portable import plain_dict
from lion_broker.errors import ConfigError, NotPortable
from lion_broker.models.endpoint import ChatMessage, EndPoint, ModelSettings, endpoint_for
from lion_broker.models.limits import Budget, Permit, RateLimitedProcessor
from lion_broker.models.reply import ModelChunk, ModelReply
from lion_broker.models.tokens import Calibration, TokenCalculator
from lion_broker.telemetry.acts import ActKind, ModelCall, act

__all__ = ["iModel"]

_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool"})
_SETTINGS: Final = frozenset(ModelSettings.__dataclass_fields__) - {"provider", "model", "parameters"}
_LIMITS: Final = ("limit_requests", "limit_tokens", "queue_capacity")


class iModel:
    """A model that answers conversations: `iModel(provider="offline", model="extractive")`.

    `model="provider/model"` says both. `base_url` names another server than the provider's own. Further keyword
    arguments, such as `temperature`, go with every call. A key given as `api_key` stays in this object: it is in no
    `repr`, no `to_dict()` and no mail; a model that is to travel names the variable that holds its key as
    `api_key_env`. Nothing is opened before the first call, so a model that is not available here can still be named and
    sent. Safe to use from many turns at once.

    - `timeout`, `connect_timeout`, `read_timeout`, `idle_timeout` (seconds) and `max_retries`: see `Patience`
    - `limit_requests` and `limit_tokens` per `interval` seconds (60; `capacity_refresh_time` is the same), and
      `queue_capacity`, the most calls at once: see `RateLimitedProcessor`
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
        capacity_refresh_time: float | None = None,
        **parameters: Any,
    ) -> None:
        """Name a model; raises ConfigError when it is not clear which, or for settings that make no sense."""
        if not provider and model and "/" in model:
            provider, model = model.split("/", 1)
        if not provider or not model:
            raise ConfigError(
                "which model? Give provider and model, or both in one: iModel(model='offline/extractive')"
            )
        if api_key is not None and api_key_env is not None:
            raise ConfigError("give api_key or api_key_env, not both")
        given = {name: parameters.pop(name) for name in _SETTINGS & parameters.keys()}
        if capacity_refresh_time is not None:
            given.setdefault("interval", capacity_refresh_time)
        parameters = plain_dict(parameters, f"iModel {provider}/{model}")
        settings = ModelSettings(provider, model, endpoint, base_url, api_key_env, parameters, **_without_nones(given))
        self._begin(settings, SecretStr(api_key) if isinstance(api_key, str) else api_key)

    @classmethod
    def of(cls, endpoint: EndPoint, name: str) -> iModel:
        """Return a model that asks an object of this process, under a name like `my/model`.

        It cannot travel: `settings()` raises NotPortable. Registered on workers (`registry.model(…)`) it is sent by
        that name.
        """
        model = cls.__new__(cls)
        provider, _, rest = name.rpartition("/")
        model._begin(ModelSettings(provider, rest), None)
        model._endpoint, model._is_object = endpoint, True
        return model

    def _begin(self, settings: ModelSettings, api_key: SecretStr | None) -> None:
        self._settings = settings
        self._api_key = api_key
        self._endpoint: EndPoint | None = None
        self._is_object = False
        self._calibration = Calibration()
        self._processor: RateLimitedProcessor | None = None
        if any(getattr(settings, name) is not None for name in _LIMITS):
            self._processor = RateLimitedProcessor(
                settings.queue_capacity,
                interval=settings.interval,
                limit_requests=settings.limit_requests,
                limit_tokens=settings.limit_tokens,
            )
        self.metadata: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The provider and the model: `provider/model`."""
        return f"{self._settings.provider}/{self._settings.model}".removeprefix("/")

    @property
    def provider(self) -> str:
        """Who runs the model."""
        return self._settings.provider

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return self._settings.model

    @property
    def named(self) -> ModelSettings:
        """Its settings as a value: provider, model and parameters, never a key."""
        return self._settings

    @property
    def is_object(self) -> bool:
        """Whether it asks an object of this process, so that it cannot travel."""
        return self._is_object

    @property
    def allowed_roles(self) -> frozenset[str]:
        """The roles that messages to it may have."""
        return _ROLES

    @property
    def sequential_exchange(self) -> bool:
        """Whether it knows two roles only, which must take turns."""
        return len(self.allowed_roles) == 2

    @property
    def processor(self) -> RateLimitedProcessor | None:
        """The RateLimitedProcessor that its calls go through; None without limits."""
        return self._processor

    def share(self, budget: Budget) -> None:
        """Let calls through at the pace of a budget that others use too, in place of its own limits."""
        self._processor = RateLimitedProcessor(self._settings.queue_capacity, budget=budget)

    def settings(self) -> dict[str, Any]:
        """Return what names the model as plain values, never a key; `from_dict` takes it.

        Raises NotPortable for a model that is an object of this process.
        """
        if self._is_object:
            raise NotPortable(
                f"the model {self.name} is an object of this process and cannot travel. Register it where workers start"
                " (registry.model(name, model)) and send its name as text."
            )
        return self._settings.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `settings()`."""
        return self.settings()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /) -> iModel:
        """Return the model that `to_dict` named; raises ConfigError for values that name none.

        It trusts the values. For those that came from somebody else there is `ModelPolicy.received`.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"the settings of a model are a dict, not {type(values).__name__}")
        named = {str(key): value for key, value in values.items() if key != "parameters"}
        unknown = named.keys() - ModelSettings.__dataclass_fields__.keys()
        if unknown:
            known = ", ".join(sorted(ModelSettings.__dataclass_fields__))
            raise ConfigError(f"these are no settings of a model: {', '.join(sorted(unknown))}; there are {known}")
        parameters = values.get("parameters") or {}
        if not isinstance(parameters, Mapping):
            raise ConfigError(f"the parameters of a model are a dict, not {type(parameters).__name__}")
        if clash := parameters.keys() & (_SETTINGS | {"api_key", "provider", "model", "capacity_refresh_time"}):
            raise ConfigError(f"these are no parameters of a model: {', '.join(sorted(clash))}")
        return cls(**named, **parameters)

    async def invoke(self, messages: Iterable[ChatMessage], **parameters: Any) -> ModelReply:
        """Return the model's answer to a conversation of `{"role", "content"}` messages.

        Parameters of the call go before those of the model. It may ask more than once, within `timeout`; waiting for
        the limits has the same deadline, counted by itself. Raises ModelError, in the kinds that `errors.py` names.
        """
        asked, given = list(messages), {**self._settings.parameters, **parameters}
        endpoint = self._opened()
        async with self._permit(asked, given) as permit:
            call = self._call(asked, given)
            with act(ActKind.MODEL, self.name, call) as done:
                call.reply = reply = await endpoint.invoke(asked, given)
                done.fields.update(self._counted(reply, asked))
            self._settle(permit, asked, reply)
            return reply

    async def stream(self, messages: Iterable[ChatMessage], **parameters: Any) -> AsyncGenerator[ModelChunk]:
        """Yield the model's answer as it comes: chunks of text, and at the end one with the whole reply.

        As `invoke`, but nothing is asked again once a chunk was yielded: then ModelCut says that the rest is missing.
        Whoever stops reading closes it (`contextlib.aclosing`), or the server goes on until the loop ends.
        """
        asked, given = list(messages), {**self._settings.parameters, **parameters}
        endpoint = self._opened()
        async with self._permit(asked, given) as permit:
            chunks = endpoint.stream(asked, given)
            async with aclosing(chunks) if isinstance(chunks, AsyncGenerator) else nullcontext():
                call = self._call(asked, given, streams=True)
                with act(ActKind.MODEL, self.name, call) as done:
                    async for chunk in chunks:
                        if chunk.reply is not None:
                            call.reply = chunk.reply
                            self._settle(permit, asked, chunk.reply)
                            done.fields.update(self._counted(chunk.reply, asked))
                        else:
                            call.heard()
                        yield chunk

    async def aclose(self) -> None:
        """Close its connections; a later call opens them again. May be called twice, or before the first call."""
        close = getattr(self._endpoint, "aclose", None)
        if close is not None:
            await close()

    def _opened(self) -> EndPoint:
        if self._endpoint is None:
            from lion_broker.models.providers.known import key_of

            self._endpoint = endpoint_for(self._settings, self._api_key or key_of(self._settings))
        return self._endpoint

    def _call(self, asked: Sequence[ChatMessage], given: Mapping[str, Any], streams: bool = False) -> ModelCall:
        named = self._settings
        here = named.provider == "offline"
        return ModelCall(named.provider, named.model, given, asked, named.base_url or "", here, streams)

    def _permit(
        self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]
    ) -> AbstractAsyncContextManager[Permit | None]:
        if self._processor is None:
            return nullcontext()
        prompt = TokenCalculator.calculate_message_tokens(messages, self.name, self._calibration)
        most = parameters.get("max_tokens") or parameters.get("max_completion_tokens") or 0
        return self._processor.permit(prompt + int(most), self._settings.timeout, least=prompt)

    def _settle(self, permit: Permit | None, messages: Sequence[ChatMessage], reply: ModelReply) -> None:
        """Note what a call took, and learn from what the provider has counted."""
        if permit is None:
            return
        permit.used(TokenCalculator.calculate_reply_tokens(reply, messages, self._calibration))
        counted = reply.usage.get("prompt_tokens")
        if isinstance(counted, int):
            self._calibration.learn(self.name, TokenCalculator.calculate_message_tokens(messages), counted)

    def _counted(self, reply: ModelReply, asked: Sequence[ChatMessage]) -> dict[str, Any]:
        """The tokens that a provider has counted and what it took for them; else an estimate that says it is one."""
        if not reply.usage:
            prompt = TokenCalculator.calculate_message_tokens(asked, self.name, self._calibration)
            whole = TokenCalculator.calculate_reply_tokens(reply, asked, self._calibration)
            return {"prompt_tokens": int(prompt), "completion_tokens": max(0, whole - prompt), "estimated": True}
        counted: dict[str, Any] = {name: value for name, value in reply.usage.items() if isinstance(value, int)}
        cost, details = reply.usage.get("cost"), reply.usage.get("prompt_tokens_details")
        if isinstance(cost, float) and cost > 0:
            counted["cost"] = cost
        if isinstance(details, Mapping) and isinstance(cached := details.get("cached_tokens"), int):
            counted["cache_read_input_tokens"] = cached
        return counted

    def __repr__(self) -> str:
        return f"iModel({self.name})"


def _without_nones(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
