"""A package whose item is made when somebody looks at it."""

import copy
from dataclasses import dataclass, replace

import pytest

from lion_broker import Package, PackageCategory, Session
from lion_broker.core.ids import IDType
from lion_broker.mail.memory import MemoryExchange


@dataclass
class Counted:
    """Makes a list, and counts how often."""

    times: int = 0

    def make(self) -> list[int]:
        """The item."""
        self.times += 1
        return [self.times]


def unread(counted: Counted) -> Package:
    """A package of which nobody has seen the item."""
    return Package.of_unread(PackageCategory.SIGNAL, counted, "me", IDType.create(), 2.0)


def test_the_item_is_made_once() -> None:
    """When somebody looks, and it is the same one from then on."""
    counted = Counted()
    package = unread(counted)
    assert (package.category, package.request_source, package.created_at, counted.times) == ("signal", "me", 2.0, 0)
    assert package.item is package.item
    assert (package.item, counted.times) == ([1], 1)


def test_it_is_like_any_other() -> None:
    """Equal to one that was made with the item, shown, copied and replaced like it."""
    package = unread(Counted())
    same = Package(PackageCategory.SIGNAL, [1], "me", package.id, 2.0)
    assert package == same
    assert repr(unread(Counted())).startswith("Package(category=<PackageCategory.SIGNAL: 'signal'>, item=[1]")
    assert copy.copy(unread(Counted())).item == copy.deepcopy(unread(Counted())).item == [1]
    assert replace(unread(Counted()), request_source="you").item == [1]


@pytest.mark.parametrize("package", [Package(PackageCategory.SIGNAL, 1), unread(Counted())])
def test_what_it_has_not_it_has_not(package: Package) -> None:
    """An unknown name is an AttributeError, as of any object."""
    assert not hasattr(package, "items")
    with pytest.raises(AttributeError, match="has no items"):
        package.items  # noqa: B018


def test_a_text_is_read_when_somebody_looks() -> None:
    """The item and what joins the history are two messages; what is changed in the latter is written down."""
    exchange = MemoryExchange()
    with Session(exchange=exchange) as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        ada.send(ben, "message", "hello")
        session.collect_send_all()
        (mail,) = ben.mailbox.incoming(ada)
        assert mail.package.unread is not None
        ben.receive_all()
        mail.package.item.update(instruction="changed in the mail")
        (message,) = ben.messages
        assert (message.text, mail.package.item.text) == ("hello", "changed in the mail")
        message.update(instruction="changed in the history")
        session.flush()
        with Session.open(session.id, exchange=exchange) as again:
            assert [one.text for one in again.get_branch("ben").messages] == ["changed in the history"]
