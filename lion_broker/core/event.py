"""Event: something that is done once, and how it went."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from lion_broker.core.element import Element
from lion_broker.core.portable import to_portable
from lion_broker.errors import NotPortable

__all__ = ["Event", "EventStatus", "Execution"]


class EventStatus(StrEnum):
    """How far an event has come."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(slots=True)
class Execution:
    """How an event went: seconds it took, its response, its status, and the text of its error."""

    duration: float | None = None
    response: Any = None
    status: EventStatus = EventStatus.PENDING
    error: str | None = None


class Event(Element):
    """Something that is done once, by `invoke`, and keeps its outcome in `execution`."""

    execution: Execution = Field(default_factory=Execution, exclude=True)

    @property
    def status(self) -> EventStatus:
        """How far the event has come."""
        return self.execution.status

    @status.setter
    def status(self, value: EventStatus | str) -> None:
        self.execution.status = EventStatus(value)

    @property
    def response(self) -> Any:
        """What came out of it."""
        return self.execution.response

    @response.setter
    def response(self, value: Any) -> None:
        self.execution.response = value

    @property
    def request(self) -> dict[str, Any]:
        """What it costs to be allowed, for example tokens; empty unless a subclass knows."""
        return {}

    async def invoke(self) -> None:
        """Do it, once; subclasses say what is done."""
        raise NotImplementedError(f"{type(self).__name__} does not say what invoke does: override it in the subclass.")

    def to_dict(self) -> dict[str, Any]:
        """Return the event as plain JSON values; a response that has no JSON form is written as its text."""
        return super().to_dict() | {"execution": to_portable(self.execution, fallback=str)}

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        raise NotPortable(
            f"A {cls.__name__} records something that was done and cannot be made again; keep its to_dict() instead."
        )
