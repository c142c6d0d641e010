"""What a dead letter tells of itself."""

import pytest

from lion_broker.mail.records import DeadLetter


@pytest.mark.parametrize(
    ("reason", "owners", "tried"),
    [
        ("failed", ("a", "b"), ("a", "b")),
        ("poison", ("a", "b", "c"), ("a", "b")),
        ("poison", ("a",), ("a",)),
        ("unreadable", (), ()),
    ],
)
def test_who_buries_has_not_tried(reason: str, owners: tuple[str, ...], tried: tuple[str, ...]) -> None:
    """The last who had a poison mail took it for that and buried it; of others the last one has tried it."""
    assert DeadLetter("1-1", reason, "", "ada", 2, owners, None).tried_by == tried
