"""The ids of copies are name-based UUIDs, as every reader of a log makes them."""

from uuid import UUID, uuid5

from lion_broker.core.ids import IDType
from lion_broker.messages.copies import copied_id


def test_they_are_those_of_the_standard_library() -> None:
    """RFC 9562, version 5, with the branch as the namespace."""
    for _ in range(200):
        branch, message = IDType.create(), IDType.create()
        assert copied_id(branch, message) == IDType(str(uuid5(UUID(branch), message)))
