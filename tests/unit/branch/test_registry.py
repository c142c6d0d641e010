"""The registry: one name for one thing, and errors that list what there is."""

import pytest

from lion_broker import Branch, ConfigError, ItemNotFoundError, Mail, Registry, Tool, iModel
from lion_broker.branch.retry_policy import RetryPolicy
from lion_broker.errors import ToolUnknown


async def nothing(branch: Branch, mail: Mail) -> None:
    """Do nothing."""


def test_tools() -> None:
    """As a decorator with and without a name, or ready-made; the function stays what it is."""
    registry = Registry()

    @registry.tool
    def one(text: str) -> str:
        """First."""
        return text

    @registry.tool(name="zwei")
    def two(text: str) -> str:
        """Second."""
        return text * 2

    registry.tool(Tool(name="three", func=len))
    assert sorted(registry.tools) == ["one", "three", "zwei"]
    assert two("a") == "aa"
    assert registry.resolve_tool("zwei").func_callable is two
    assert one("a") == "a"


def test_models_and_behaviours() -> None:
    """Under the name that they are given."""
    registry = Registry()
    model = registry.model("quote", iModel("offline", "extractive"))

    @registry.behaviour("answer", record=False, attempts=5)
    async def answer(branch: Branch, mail: Mail) -> None:
        """Do nothing."""

    assert registry.resolve_model("quote") is model
    found = registry.resolve_behaviour("answer")
    assert (found.function, found.record, found.retry_policy) == (answer, False, RetryPolicy(attempts=5))
    assert repr(registry) == "Registry(0 tools, 1 model, 1 behaviour)"


def test_a_name_is_given_once() -> None:
    """A second thing under the same name is an error, before it replaces the first."""
    registry = Registry()
    registry.tool(len)
    registry.model("quote", iModel("offline", "extractive"))
    registry.behaviour("answer")(nothing)
    with pytest.raises(ConfigError, match="'len' is registered already"):
        registry.tool(Tool(name="len", func=sum))
    with pytest.raises(ConfigError, match="quote"):
        registry.model("quote", iModel("offline", "extractive"))
    with pytest.raises(ConfigError, match="answer"):
        registry.behaviour("answer")


@pytest.mark.parametrize("attempts", [0, -1])
def test_a_behaviour_is_tried_at_least_once(attempts: int) -> None:
    """Fewer attempts make no sense."""
    with pytest.raises(ConfigError, match="at least one"):
        Registry().behaviour("answer", attempts=attempts)


def test_a_model_needs_a_name() -> None:
    """An empty one cannot be sent."""
    with pytest.raises(ConfigError, match="name"):
        Registry().model("", iModel("offline", "extractive"))


def test_what_is_not_there() -> None:
    """Each error lists what is registered instead."""
    registry = Registry()
    registry.tool(len)
    with pytest.raises(ToolUnknown, match=r"'max' is registered here; registered are: len"):
        registry.resolve_tool("max")
    with pytest.raises(ItemNotFoundError, match="registered are: none"):
        registry.resolve_model("quote")
    with pytest.raises(ItemNotFoundError, match="behaviour"):
        registry.resolve_behaviour("answer")
