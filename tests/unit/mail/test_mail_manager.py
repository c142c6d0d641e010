"""MailManager: LionAGI's verbs in one process, and no mail that gets lost on the way."""

from typing import Any

import anyio
import pytest

from lion_broker import Branch, IDType, ItemNotFoundError, MailManager, pile
from lion_broker.mail.mail import Mail
from tests.naming import stable


@pytest.fixture
def ada() -> Branch:
    """Somebody who writes."""
    return Branch(name="ada")


@pytest.fixture
def ben() -> Branch:
    """Somebody who reads."""
    return Branch(name="ben")


@pytest.fixture
def manager(ada: Branch, ben: Branch) -> MailManager:
    """A manager that knows both."""
    return MailManager([ada, ben])


def items(mails: list[Mail]) -> list[Any]:
    """What mails carry."""
    return [mail.package.item for mail in mails]


def test_the_whole_way(manager: MailManager, ada: Branch, ben: Branch) -> None:
    """From outbox to mailbox, in order; nothing is left behind."""
    for number in range(3):
        ada.send(ben.id, "signal", number)
    manager.collect(ada)
    assert len(ada.mailbox) == 0
    manager.send(ben)
    assert items(ben.mailbox.incoming(ada)) == [0, 1, 2]
    assert "0 mails queued" in repr(manager)


def test_mail_to_oneself(manager: MailManager, ada: Branch) -> None:
    """It goes the same way as any other."""
    ada.send(ada.id, "signal", "note")
    manager.collect_all()
    manager.send_all()
    assert items(ada.mailbox.incoming(ada)) == ["note"]


def test_a_pile_of_sources_is_several_sources(ada: Branch, ben: Branch) -> None:
    """A Pile is not taken for one source."""
    manager = MailManager(pile([ada, ben]))
    assert len(manager.sources) == 2


@pytest.mark.parametrize("source", [7, "ada", IDType.create(), [object()]], ids=stable)
def test_what_has_no_mailbox_is_no_source(manager: MailManager, source: Any) -> None:
    """Refused as a whole, with a ValueError; also what LionAGI ignored silently."""
    with pytest.raises(ValueError, match=r"Failed to add source|is no id"):
        manager.add_sources(source)
    assert len(manager.sources) == 2


def test_adding_a_source_again_keeps_its_mail(manager: MailManager, ada: Branch, ben: Branch) -> None:
    """Queued mail survives."""
    ada.send(ben.id, "signal", 1)
    manager.collect(ada)
    manager.add_sources(ben)
    manager.send(ben)
    assert items(ben.mailbox.incoming(ada)) == [1]


def test_mail_to_a_stranger_stays_in_the_outbox(manager: MailManager, ada: Branch, ben: Branch) -> None:
    """The rest is collected, the error names the stranger, and the mail goes when they have come."""
    carl = Branch()
    ada.send(carl.id, "signal", "for Carl")
    ada.send(ben.id, "signal", "for Ben")
    with pytest.raises(ItemNotFoundError, match=carl.id):
        manager.collect(ada)
    assert items(ada.mailbox.outgoing()) == ["for Carl"]
    manager.send(ben)
    assert items(ben.mailbox.incoming(ada)) == ["for Ben"]
    manager.add_sources(carl)
    manager.collect_all()
    manager.send_all()
    assert items(carl.mailbox.incoming(ada)) == ["for Carl"]


def test_collecting_from_all_goes_on_after_an_error(manager: MailManager, ada: Branch, ben: Branch) -> None:
    """One stranger does not hold up everybody else's mail."""
    ada.send(IDType.create(), "signal", 1)
    ben.send(ada.id, "signal", 2)
    with pytest.raises(ItemNotFoundError):
        manager.collect_all()
    manager.send_all()
    assert items(ada.mailbox.incoming(ben)) == [2]


def test_a_deleted_source_returns_its_mail(manager: MailManager, ada: Branch, ben: Branch) -> None:
    """What was queued for it is handed back, not dropped."""
    ada.send(ben.id, "signal", 1)
    manager.collect(ada)
    assert items(manager.delete_source(ben)) == [1]
    assert ben not in manager.sources


@pytest.mark.parametrize("verb", ["collect", "send", "delete_source"])
def test_a_stranger_is_an_error(manager: MailManager, verb: str) -> None:
    """Every verb names the id that it does not know; a ValueError, as the reference catches it."""
    stranger = IDType.create()
    with pytest.raises(ValueError, match=stranger):
        getattr(manager, verb)(stranger)


def test_create_mail(ada: Branch, ben: Branch) -> None:
    """A mail from whatever has an id, with an item under a category."""
    mail = MailManager.create_mail(ada, ben.id, "signal", {"a": 1}, request_source="test")
    assert (mail.sender, mail.recipient) == (ada.id, ben.id)
    assert (mail.category, mail.package.item, mail.package.request_source) == ("signal", {"a": 1}, "test")


@pytest.mark.anyio
async def test_execute_runs_until_it_is_told(manager: MailManager, ada: Branch, ben: Branch) -> None:
    """It collects and sends again and again, and ends with the flag."""
    ada.send(ben.id, "signal", 1)
    async with anyio.create_task_group() as group:
        group.start_soon(manager.execute, 0)
        while not ben.mailbox:
            await anyio.lowlevel.checkpoint()
        manager.execute_stop = True
    assert items(ben.mailbox.incoming(ada)) == [1]
