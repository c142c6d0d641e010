"""Which branches a command means: everything that names one, and clear errors for what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from lion_broker import Branch, IDType, ItemNotFoundError, Session, pile

COMMANDS: dict[str, Callable[[Session, Any], Any]] = {
    "send": lambda session, ref: session.send(ref),
    "collect": lambda session, ref: session.collect(ref),
    "concat_messages": lambda session, ref: session.concat_messages(ref),
    "to_df": lambda session, ref: session.to_df(ref),
    "remove_branch": lambda session, ref: session.remove_branch(ref),
    "split": lambda session, ref: session.split(ref),
    "change_default_branch": lambda session, ref: session.change_default_branch(ref),
    "merge": lambda session, ref: session.merge(session.default_branch, ref),
    "get_branch": lambda session, ref: session.get_branch(ref),
}
ONE_ONLY = ["remove_branch", "split", "change_default_branch", "merge", "get_branch"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", ["branch", "id", "text", "name"])
def test_one_branch_in_every_form(session: Session, ada: Branch, command: str, form: str) -> None:
    """An object, an id, the text of an id, a name."""
    ref = {"branch": ada, "id": ada.id, "text": str(ada.id), "name": "ada"}[form]
    COMMANDS[command](session, ref)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "ref", ["nobody", IDType.create(), Branch(), str(IDType.create())], ids=["name", "id", "branch", "text"]
)
def test_an_unknown_branch(session: Session, command: str, ref: Any) -> None:
    """An ItemNotFoundError, which is a ValueError and a KeyError too; nothing has happened."""
    with pytest.raises(ItemNotFoundError) as caught:
        COMMANDS[command](session, ref)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, KeyError)
    assert str(getattr(ref, "id", ref)) in str(caught.value)
    assert len(session.branches) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_something_that_names_no_branch(session: Session, command: str) -> None:
    """A ValueError as well."""
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        COMMANDS[command](session, object())


@pytest.mark.parametrize("command", ONE_ONLY)
def test_one_branch_where_one_is_meant(session: Session, ada: Branch, ben: Branch, command: str) -> None:
    """Several are a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        COMMANDS[command](session, [ada, ben])


@pytest.mark.parametrize("command", ["send", "collect", "concat_messages", "to_df"])
@pytest.mark.parametrize("several", [list, tuple, set, pile])
def test_several_branches(session: Session, ada: Branch, ben: Branch, command: str, several: Any) -> None:
    """In every collection, a Pile too."""
    COMMANDS[command](session, several([ada, ben]))
    if several is list:
        COMMANDS[command](session, ["ada", ben.id])
        COMMANDS[command](session, [])


def test_an_empty_list_means_nobody(session: Session, ada: Branch, ben: Branch) -> None:
    """None means everybody."""
    ada.send(ben, "message", "hello")
    session.send([])
    assert len(ben.mailbox) == 0
    session.send()
    assert len(ben.mailbox) == 1
    assert len(session.concat_messages([])) == 0


def test_an_unknown_branch_among_others_stops_all(session: Session, ada: Branch, ben: Branch) -> None:
    """Before anything moves."""
    ada.send(ben, "message", "hello")
    for command in (session.send, session.collect):
        with pytest.raises(ItemNotFoundError):
            command([ben, "nobody"])
    assert len(ada.mailbox.outgoing()) == 1


def test_a_name_that_two_have(session: Session, ada: Branch) -> None:
    """The error lists their ids; by id each is found."""
    other = session.new_branch(name="ada")
    for command in COMMANDS.values():
        with pytest.raises(ValueError, match=r"2 (items|branches) are named 'ada'"):
            command(session, "ada")
    with pytest.raises(ValueError, match="use an id"):
        ada.send("ada", "message", "hello")
    assert session.branches[other.id] is other


def test_branches_that_others_make_are_found(session: Session, exchange: Any) -> None:
    """Also by a session that was opened before."""
    with Session.open(session.id, exchange=exchange) as watcher:
        session.new_branch(name="late")
        assert "late" not in watcher.branches
        assert watcher.get_branch("late").name == "late"
        watcher.send("late")
        assert "late" in watcher.branches
