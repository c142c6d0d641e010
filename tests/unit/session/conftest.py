"""A session in memory with two branches."""

from collections.abc import Iterator

import pytest

from lion_broker import Branch, Session
from lion_broker.mail.memory import MemoryExchange


@pytest.fixture
def exchange() -> MemoryExchange:
    """An exchange in this process."""
    return MemoryExchange()


@pytest.fixture
def session(exchange: MemoryExchange) -> Iterator[Session]:
    """A session with manual delivery."""
    with Session(exchange=exchange) as session:
        yield session


@pytest.fixture
def ada(session: Session) -> Branch:
    """A branch."""
    branch: Branch = session.new_branch(name="ada")
    return branch


@pytest.fixture
def ben(session: Session) -> Branch:
    """Another one."""
    branch: Branch = session.new_branch(name="ben")
    return branch
