"""The seam between an iModel and a provider: settings go in, an endpoint that answers comes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import entry_points
from types import NoneType
from typing import Any, Final, Protocol, cast

from pydantic import SecretStr

from lion_broker.errors import ConfigError, ModelNotConfigured
from lion_broker.models.reply import ModelChunk, ModelReply
from lion_broker.models.retry import Patience

__all__ = ["PROVIDERS_GROUP", "ChatMessage", "EndPoint", "ModelSettings", "endpoint_for"]

ChatMessage = Mapping[str, Any]
"""`{"role": "system" | "user" | "assistant" | "tool", "content": text or list of parts, …}`, as OpenAI has it."""

PROVIDERS_GROUP: Final = "lion_broker.providers"
"""The entry points of further providers: a name, and a function of (ModelSettings, SecretStr | None)."""

_LONGEST: Final = 86_400.0
_MOST_RETRIES: Final = 100


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What names a model, without any secret: `api_key_env` is the name of a variable that holds the key.

    Times are in seconds, as `Patience` explains them; limits hold for `interval`. Raises ConfigError for values that
    make no sense.
    """

    provider: str
    model: str
    endpoint: str = "chat"
    base_url: str | None = None
    api_key_env: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = Patience.timeout
    connect_timeout: float = Patience.connect_timeout
    read_timeout: float = Patience.read_timeout
    idle_timeout: float = Patience.idle_timeout
    max_retries: int = Patience.max_retries
    limit_requests: int | None = None
    limit_tokens: int | None = None
    interval: float = 60.0
    queue_capacity: int | None = None

    def __post_init__(self) -> None:
        for name in ("provider", "model", "endpoint", "base_url", "api_key_env"):
            value = getattr(self, name)
            if not isinstance(value, (str, NoneType)):
                raise ConfigError(f"{name} of a model is a text, not {type(value).__name__}")
        for name in ("timeout", "connect_timeout", "read_timeout", "idle_timeout", "interval"):
            _insist_on_number(name, getattr(self, name), _LONGEST)
        for name in ("limit_requests", "limit_tokens", "queue_capacity"):
            if (value := getattr(self, name)) is not None:
                _insist_on_number(name, value, float("inf"))
        retries: Any = self.max_retries
        if not isinstance(retries, int) or not 0 <= retries <= _MOST_RETRIES:
            raise ConfigError(f"max_retries of a model is a number from 0 to {_MOST_RETRIES}, not {retries!r}")

    @property
    def patience(self) -> Patience:
        """How long a call may take."""
        return Patience(
            self.timeout, self.connect_timeout, self.read_timeout, self.idle_timeout, max_retries=self.max_retries
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, and always the names and parameters."""
        always = ("provider", "model", "parameters")
        defaults = {one.name: one.default for one in fields(self)}
        return {name: value for name, value in asdict(self).items() if name in always or value != defaults[name]}


class EndPoint(Protocol):
    """Answers conversations with one model of one provider; safe to use from many turns at once.

    It may have an `async aclose()`, which the iModel's own calls.
    """

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        """Return the answer to a conversation; raises ModelError when there is none."""

    def stream(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> AsyncIterator[ModelChunk]:
        """Yield the answer as it comes, with the whole reply in the last chunk; raises ModelError."""


def endpoint_for(settings: ModelSettings, key: SecretStr | None = None) -> EndPoint:
    """Return the endpoint of a model.

    Built in are offline, openai, anthropic, groq, openrouter, perplexity, ollama, and any other name that comes with a
    `base_url`; other names are looked up among the installed entry points of the group `lion_broker.providers`.
    Raises ModelNotConfigured when its provider or endpoint is not available, ModelError when its model is not.
    """
    from lion_broker.models.providers import known

    if settings.provider == "offline":
        from lion_broker.models.providers.offline import OfflineEndPoint

        return OfflineEndPoint(settings.model)
    if known.is_known(settings):
        return known.http_endpoint(settings, key)
    for entry in entry_points(group=PROVIDERS_GROUP, name=settings.provider):
        return cast(EndPoint, entry.load()(settings, key))
    raise ModelNotConfigured(
        f"The provider {settings.provider!r} is not available here. Built in are {', '.join(sorted(known.NAMES))}; any"
        " other server that speaks OpenAI's chat completions is reached with base_url=, and packages may add providers"
        f" as entry points of the group {PROVIDERS_GROUP}."
    )


def _insist_on_number(name: str, value: Any, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise ConfigError(f"{name} of a model is a number above 0, not {value!r}")
