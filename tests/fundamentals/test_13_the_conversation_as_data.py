"""A conversation is data: search it, change it, put it into a file, take it out again."""

from pathlib import Path

import pytest

from lion_broker import AssistantResponse, Branch, Instruction, Registry, Session
from tests.conftest import RunningWorker

pytestmark = pytest.mark.redis


@pytest.fixture
def branch(session: Session) -> Branch:
    """A branch of a session in which something was said."""
    branch: Branch = session.new_branch(name="zoo", system="Be brief.")
    branch.extend(
        [
            Instruction.create("How heavy is a lion?", sender="ada"),
            AssistantResponse.create("About 190 kg.", sender="ben"),
            Instruction.create("And how old does a lion get?", sender="ada"),
        ]
    )
    return branch


def test_asking(branch: Branch) -> None:
    """By keyword, role, sender or time; the first and the last of each kind; counts."""
    assert len(branch.search_keywords("lion")) == 2
    assert branch.filter_by(role="user", sender="ada", content_keywords="old").keys() == [branch.messages[3].id]
    assert branch.last_response is branch.messages[2]
    assert branch.info == {"system": 1, "user": 2, "assistant": 1, "total": 4}


def test_changing(session: Session, branch: Branch) -> None:
    """What is changed is in the session's store with the next command or `flush`, for every other program."""
    branch.rollback(1)
    branch.replace_keyword("lion", "tiger")
    branch.update_message(branch.messages[1], guidance="Guess.")
    branch.change_first_system_message("Be kind.")
    session.flush()
    with Session.open(session.id) as reader:
        elsewhere = reader.branches["zoo"]
        assert [message.to_dict() for message in elsewhere.messages] == [one.to_dict() for one in branch.messages]


def test_files(session: Session, branch: Branch, tmp_path: Path) -> None:
    """CSV, JSON and JSON lines are complete; what comes from a file is flagged and can be left out."""
    path = branch.to_csv_file(tmp_path / "zoo.csv")
    assert Branch.from_csv(path).messages.keys() == branch.messages.keys()
    session.default_branch.extend(path)
    assert len(session.concat_messages(session.default_branch, exclude_load=True)) == 0
    assert len(session.concat_messages(session.default_branch)) == 4


def test_plain_values(branch: Branch) -> None:
    """A branch of this process is a dict and back: messages, view, log, mail, tools by name, models without keys."""
    branch.register_tools(sorted)
    values = branch.to_dict()
    assert Branch.from_dict(values, tools=[sorted]).to_dict() == values


def test_merging_and_deleting(session: Session, branch: Branch) -> None:
    """Two conversations become one, in order, with nothing twice; the other branch can go."""
    other = session.split(branch)
    other.extend(Instruction.create("Thank you."))
    branch.merge_branch(other)
    assert len(branch.messages) == 5
    assert session.delete_branch(other)
    assert session.get_branch(other.id, None) is None


@pytest.mark.anyio
async def test_on_workers(running_worker: RunningWorker) -> None:
    """The same verbs: reading looks at the log, a change travels as a command and is stored when it returns."""
    async with Session() as session:
        far = await session.anew_branch(name="far", pool="readers")
        async with running_worker(Registry(), session.exchange, pool="readers"):
            await far.aextend([Instruction.create("one"), Instruction.create("two")])
            await far.areplace_keyword("two", "three")
            assert len(await far.arollback(1)) == 1
        async with await Session.aopen(session.id) as reader:
            assert reader.branches["far"].last_instruction.instruction == "one"
