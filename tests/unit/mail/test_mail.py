"""Package and Mail: frozen values that can be written down."""

import json
from typing import Any

import pytest

from lion_broker import Branch, IDType, Instruction, Mail, Node, Package, PackageCategory

ADA, BEN = IDType.create(), IDType.create()


def mail(item: Any = "hello", category: str = "signal") -> Mail:
    """A mail from Ada to Ben."""
    return Mail(sender=ADA, recipient=BEN, package=Package(category, item))  # type: ignore[arg-type]  # text will do


def test_the_categories() -> None:
    """LionAGI's ten, and the one for operations on workers."""
    lionagi = "message tool imodel node node_list node_id start end condition signal"
    assert [str(category) for category in PackageCategory] == [*lionagi.split(), "command"]


@pytest.mark.parametrize("category", [None, "", "Message", "letter", 7, ["message"]])
def test_an_unknown_category_is_refused(category: Any) -> None:
    """The error names the value and the categories there are."""
    with pytest.raises(ValueError, match=r"Invalid value for category.*node_list"):
        Package(category, "hello")


def test_a_package_has_an_id_and_a_time() -> None:
    """Two packages with the same item are two packages."""
    one, two = Package(PackageCategory.SIGNAL, 1), Package(PackageCategory.SIGNAL, 1)
    assert one.id != two.id
    assert one.created_at <= two.created_at


def test_values_are_frozen() -> None:
    """Neither mail nor package can be changed on its way."""
    letter = mail()
    with pytest.raises(ValueError, match="frozen"):
        letter.sender = BEN  # type: ignore[misc]  # that is the point
    with pytest.raises(AttributeError):
        letter.package.item = "something else"  # type: ignore[misc]  # that is the point


def test_sender_and_recipient_are_whatever_has_an_id() -> None:
    """An id, its text or a branch."""
    branch = Branch()
    letter = Mail(sender=branch, recipient=str(BEN), package=Package(PackageCategory.SIGNAL, 1))
    assert (letter.sender, letter.recipient) == (branch.id, BEN)
    assert letter.category is PackageCategory.SIGNAL


@pytest.mark.parametrize("sender", ["ada", "", None, 7])
def test_nobody_is_no_sender(sender: Any) -> None:
    """A text that is no id is refused, with a ValueError."""
    with pytest.raises(ValueError, match="id"):
        Mail(sender=sender, recipient=BEN, package=Package(PackageCategory.SIGNAL, 1))


@pytest.mark.parametrize(
    ("category", "item"),
    [
        ("message", Instruction.create(instruction="hello")),
        ("node", Node(content={"page": 7})),
        ("node_list", [Node(content=1), Node(content=2)]),
        ("signal", {"nested": [1, 2.5, None, True, "text"]}),
        ("tool", [len]),
        ("start", None),
    ],
)
def test_a_mail_can_be_written_down(category: str, item: Any) -> None:
    """As plain JSON, whatever it carries; the mail stays as it is."""
    letter = mail(item, category)
    written = letter.to_dict()
    assert json.loads(json.dumps(written)) == written
    assert letter.package.item is item
    again = Mail.from_dict(written)
    assert (again.id, again.created_at, again.category) == (letter.id, letter.created_at, letter.category)
    assert again.to_dict() == written
