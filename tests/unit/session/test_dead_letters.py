"""Dead letters by hand: looked at, sent again, edited, dropped; and branches paused and resumed."""

from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker import Branch, BranchClosed, ConfigError, ItemNotFoundError, MailboxFull, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.session.dead_letters import Retried


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with automatic delivery, and a limit of two mails."""
    with Session(exchange=MemoryExchange(), delivery="auto", mailbox_limit=2) as session:
        yield session


@pytest.fixture
def ben(session: Session) -> Branch:
    """A branch that has a tool named `count`."""
    branch: Branch = session.new_branch(name="ben", tools=[len])
    return branch


def refuse(session: Session, ben: Branch, *items: Any) -> list[str]:
    """Have tools of the same name refused, one after the other; the ids of the dead letters."""
    for item in items:
        session.default_branch.send(ben, "tool", item)
        ben.receive_all()
        session.flush()
    return [letter.id for letter in session.dead_letters]


def other_len(value: str) -> int:
    """Count otherwise."""
    return 7


other_len.__name__ = "len"


def test_one_is_sent_again(session: Session, ben: Branch) -> None:
    """When what stood in its way is gone, it takes effect."""
    refuse(session, ben, other_len)
    ben.delete_tools("len")
    (letter,) = session.dead_letters
    assert session.retry_dead_letters(letter) == Retried(1)
    ben.receive_all()
    session.flush()
    assert ben.tools["len"].func_callable is other_len
    assert session.dead_letters == []


def test_all_are_sent_again_and_some_stay(session: Session, ben: Branch) -> None:
    """Those for which there is no room stay, and the answer says why."""
    ids = refuse(session, ben, other_len, other_len, other_len)
    done = session.retry_dead_letters()
    assert done == Retried(2, {ids[2]: "the mailbox of its branch is full"})
    assert [letter.id for letter in session.dead_letters] == ids[2:]


def test_edited(session: Session, ben: Branch) -> None:
    """Another item, from the same sender, under a new id that names the old one."""
    (letter_id,) = refuse(session, ben, other_len)
    before = session.dead_letters[0].mail
    session.edit_dead_letter(letter_id, str.upper)
    ben.receive_all()
    session.flush()
    assert sorted(ben.tools) == ["len", "upper"]
    assert session.dead_letters == []
    assert before is not None


def test_dropped(session: Session, ben: Branch) -> None:
    """Gone for good; dropping again says that it was not there."""
    ids = refuse(session, ben, other_len, other_len)
    assert session.drop_dead_letters(ids[:1]) == Retried(1)
    assert session.drop_dead_letters(ids).left.keys() == {ids[0]}
    assert session.drop_dead_letters() == Retried(0)


@pytest.mark.anyio
async def test_without_blocking(session: Session, ben: Branch) -> None:
    """The twins do the same."""
    ids = refuse(session, ben, other_len, other_len)
    assert await session.aretry_dead_letters(ids[:1]) == Retried(1)
    await session.aedit_dead_letter(ids[1], str.lower)
    assert await session.adrop_dead_letters() == Retried(0)


def test_of_a_removed_branch(session: Session, ben: Branch) -> None:
    """It stays: there is nobody to take it."""
    (letter_id,) = refuse(session, ben, other_len)
    session.remove_branch(ben)
    assert session.retry_dead_letters(letter_id).left == {letter_id: "its branch was removed"}
    with pytest.raises((BranchClosed, ItemNotFoundError)):
        session.edit_dead_letter(letter_id, str.upper)
    assert len(session.dead_letters) == 1


def test_an_edit_that_finds_no_room(session: Session, ben: Branch) -> None:
    """MailboxFull, and the letter stays."""
    (letter_id,) = refuse(session, ben, other_len)
    for _ in range(2):
        session.default_branch.send(ben, "signal", 1)
    with pytest.raises(MailboxFull, match="stays where it is"):
        session.edit_dead_letter(letter_id, str.upper)
    assert len(session.dead_letters) == 1


@pytest.mark.parametrize("odd", [5, [5], len, {"a": 1}.values()], ids=repr)
def test_what_names_no_letter(session: Session, odd: Any) -> None:
    """ConfigError, before anything is done."""
    with pytest.raises(ConfigError):
        session.retry_dead_letters(odd)


def test_an_unknown_letter(session: Session) -> None:
    """Told, not ignored."""
    with pytest.raises(ItemNotFoundError, match="no dead letter 1-1"):
        session.edit_dead_letter("1-1", "text")
    assert session.retry_dead_letters("1-1").left.keys() == {"1-1"}


def test_a_full_mailbox_refuses(session: Session, ben: Branch) -> None:
    """The third mail is not stored; when the first are read there is room again."""
    home, remote = session.default_branch, session.new_branch(name="remote", pool="p")
    for other in (ben, remote):
        for number in range(2):
            home.send(other, "message", str(number))
        for sender in (home, remote):
            with pytest.raises(MailboxFull, match="full"):
                sender.send(other, "message", "one too many")
    assert (len(home.mailbox.pending_outs), session.dead_letters) == (0, [])
    ben.receive_all()
    home.send(ben, "message", "2")
    ben.receive_all()
    assert [message.text for message in ben.messages] == ["0", "1", "2"]


def test_a_batch_that_does_not_fit(session: Session, ben: Branch) -> None:
    """What fits elsewhere is posted, the mail to the full branch is not, and then the error is raised."""
    home, cleo = session.default_branch, session.new_branch(name="cleo")
    batch = session.batch()
    batch.__enter__()
    for number in range(3):
        home.send(ben, "message", str(number))
    home.send(cleo, "message", "hello")
    with pytest.raises(MailboxFull, match="ben"):
        batch.__exit__(None, None, None)
    cleo.receive_all()
    ben.receive_all()
    assert ([message.text for message in cleo.messages], len(ben.messages)) == (["hello"], 0)


@pytest.mark.parametrize(
    "odd",
    [{"mailbox_limit": 0}, {"mailbox_limit": 1.5}, {"mailbox_limit": True}, {"mailbox_bytes": -1}],
    ids=str,
)
def test_limits_that_cannot_be_meant(odd: dict[str, Any]) -> None:
    """An error that names the argument."""
    with pytest.raises(ConfigError, match=next(iter(odd))):
        Session(exchange=MemoryExchange(), **odd)


def test_paused_and_resumed(session: Session, ben: Branch) -> None:
    """Twice is as good as once; a branch of this process cannot be paused, nor one that was removed."""
    remote = session.new_branch(name="remote", pool="p")
    session.pause(remote, "a rest")
    session.pause("remote")
    session.resume("remote")
    session.resume(remote)
    with pytest.raises(ConfigError, match="ben lives in a process"):
        session.pause(ben)
    with pytest.raises(ConfigError, match="needs a reason"):
        session.pause(remote, " ")
    session.remove_branch(remote)
    with pytest.raises(ItemNotFoundError):
        session.resume(remote.id)
