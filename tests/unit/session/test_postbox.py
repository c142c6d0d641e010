"""The postbox goes on with a new producer where the exchange has forgotten its old one, and posts everything once."""

import pytest

from lion_broker.errors import MailboxFull
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.wire import WireMail
from lion_broker.session.postbox import Postbox
from tests.conformance.road import Road, texts


@pytest.fixture
def road() -> Road:
    """A session with one branch, whose inbox holds three mails."""
    road = Road(MemoryExchange(), cap=3).open()
    road.local("ada")
    return road


def forget(road: Road) -> None:
    """Let the exchange forget who has posted."""
    assert isinstance(road.exchange, MemoryExchange)
    road.exchange._store.sessions[road.session].producers.clear()


def mail(road: Road, number: int) -> WireMail:
    """A mail to the branch."""
    return road.mail("x", "ada", number)


def test_a_forgotten_producer_is_replaced(road: Road) -> None:
    """Whether the mail goes at once or was held."""
    box = Postbox(road.session)
    run(road.exchange, box.post_steps([mail(road, 1)]))
    forget(road)
    run(road.exchange, box.post_steps([mail(road, 2)]))
    forget(road)
    box.hold(mail(road, 3))
    run(road.exchange, box.post_held_steps())
    assert texts(road.inbox("ada")) == [1, 2, 3]


def test_the_new_producer_goes_on(road: Road) -> None:
    """A refusal after that is a refusal, and its number is used by the next post."""
    box = Postbox(road.session)
    run(road.exchange, box.post_steps([mail(road, 1)]))
    forget(road)
    with pytest.raises(MailboxFull):
        run(road.exchange, box.post_steps([mail(road, number) for number in range(2, 6)]))
    run(road.exchange, box.post_steps([mail(road, 2)]))
    run(road.exchange, box.post_steps([mail(road, 3)]))
    assert texts(road.inbox("ada")) == [1, 2, 3]
