"""A session can be written down, taken up elsewhere, and forked."""

from pathlib import Path

import pytest

from lion_broker import Session


def remembered(session: Session) -> dict[str | None, list[str]]:
    """What each branch with a name has heard."""
    return {one.name: [message.text for message in one.messages] for one in session.branches if one.name}


def test_a_fork_begins_with_what_was_said_and_goes_its_own_way() -> None:
    """What is said in one of the two afterwards is not said in the other."""
    with Session(exchange="memory://", delivery="auto", name="trip") as session:
        ben = session.new_branch(name="ben")
        session.default_branch.send(ben, "message", "Where to?")
        ben.receive_all()
        with session.fork() as fork:
            assert fork.name == "trip (fork)"
            fork.default_branch.send(fork.branches["ben"], "message", "To the sea.")
            fork.branches["ben"].receive_all()
            assert remembered(fork) == {"ben": ["Where to?", "To the sea."]}
        assert remembered(session) == {"ben": ["Where to?"]}


@pytest.mark.anyio
async def test_a_fork_has_no_mail() -> None:
    """A mail that waits is handled once, in the session that it was sent in."""
    async with Session(exchange="memory://", delivery="auto") as session:
        ben = await session.anew_branch(name="ben")
        await session.default_branch.asend(ben, "message", "Where to?")
        async with await session.afork("what if") as fork:
            assert fork.name == "what if"
            await fork.branches["ben"].areceive_all()
            assert remembered(fork) == {"ben": []}
        await ben.areceive_all()
        assert remembered(session) == {"ben": ["Where to?"]}


def test_a_file_becomes_a_session_on_another_exchange(tmp_path: Path) -> None:
    """With its mail, which is handled there."""
    file = tmp_path / "trip.jsonl"
    with Session(exchange="memory://", delivery="auto", name="trip") as session:
        ben = session.new_branch(name="ben")
        session.default_branch.send(ben, "message", "Where to?")
        ben.receive_all()
        session.default_branch.send(ben, "message", "By boat?")
        assert session.export(file).steady
    with Session.import_(file, exchange="memory://", same_id=True, host=True) as again:
        assert (again.id, again.name) == (session.id, "trip")
        again.branches["ben"].receive_all()
        assert remembered(again) == {"ben": ["Where to?", "By boat?"]}


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Nothing is made of half a session."""
    file = tmp_path / "trip.jsonl"
    with Session(exchange="memory://") as session:
        session.export(file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ValueError, match="The export is cut off"):
        Session.import_(file, exchange="memory://")
