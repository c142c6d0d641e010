"""Events: their outcome, written down but never made again."""

import pytest

from lion_broker.core.element import Element
from lion_broker.core.event import Event, EventStatus, Execution
from lion_broker.errors import NotPortable


def test_an_event_keeps_its_outcome() -> None:
    """Status and response are those of the execution, and both can be set."""
    event = Event()
    assert event.execution == Execution()
    assert event.status is EventStatus.PENDING
    assert event.request == {}
    event.status = "completed"
    event.response = [1]
    assert event.execution == Execution(response=[1], status=EventStatus.COMPLETED)
    with pytest.raises(ValueError, match="done"):
        event.status = "done"


def test_an_event_is_written_down() -> None:
    """The outcome is in the dict; a response without a JSON form is there as text."""
    event = Event(execution=Execution(1.5, {"a": object}, EventStatus.FAILED, "boom"))
    assert event.to_dict()["execution"] == {
        "duration": 1.5,
        "response": {"a": "<class 'object'>"},
        "status": "failed",
        "error": "boom",
    }


def test_an_event_is_not_made_again() -> None:
    """Reading the dict of an event back is refused."""
    with pytest.raises(NotPortable, match="cannot be made again"):
        Element.from_dict(Event().to_dict())


@pytest.mark.anyio
async def test_an_event_says_what_it_does() -> None:
    """The base class has nothing to do."""
    with pytest.raises(NotImplementedError, match="Event does not say"):
        await Event().invoke()
