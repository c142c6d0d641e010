"""The same edits on a branch alone, one of a session and one on a worker leave the same conversation in all three."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from lion_broker import (
    ActionRequest,
    ActionResponse,
    AssistantResponse,
    BaseBranch,
    Branch,
    BranchOwned,
    ConfigError,
    Instruction,
    ItemNotFoundError,
    NotPortable,
    Registry,
    RemoteBranch,
    RoundTimeout,
    Session,
    System,
    iModel,
)
from lion_broker.errors import MailTooLarge
from lion_broker.mail.exchange import Exchange
from tests.conftest import RunningWorker

pytestmark = [pytest.mark.anyio, pytest.mark.redis]

both = pytest.mark.parametrize("exchange", ["memory", "embedded"], indirect=True)


def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@pytest.fixture
def registry() -> Registry:
    """What workers and sessions know."""
    registry = Registry()
    registry.tool(double)
    registry.model("quick", iModel("offline", "extractive"))
    return registry


@dataclass
class Three:
    """A branch of each kind, which are to go through the same."""

    session: Session
    alone: Branch
    local: Branch
    remote: RemoteBranch

    @property
    def all(self) -> list[BaseBranch]:
        """All of them."""
        return [self.alone, self.local, self.remote]


@pytest.fixture
async def three(exchange: Exchange, registry: Registry, running_worker: RunningWorker) -> AsyncIterator[Three]:
    """The three branches, with a worker that serves the third."""
    config: dict[str, Any] = {"name": "zoo", "user": "ada", "tools": ["double"], "imodel": "quick"}
    async with Session(exchange=exchange, registry=registry) as session:
        alone = Branch(name="zoo", user="ada", tools=registry.tools["double"], chat_model=registry.models["quick"])
        local = await session.anew_branch(**{**config, "imodel": registry.models["quick"]})
        remote = await session.anew_branch(**config, pool="zoo")
        async with running_worker(registry, exchange, pool="zoo"):
            yield Three(session, alone, local, remote)


def said() -> list[Any]:
    """A conversation with a message of each kind."""
    request = ActionRequest.create("double", {"number": 95}, sender="ben")
    return [
        System.create("Be brief."),
        Instruction.create("How heavy is a lion?", sender="ada"),
        AssistantResponse.create({"content": "Let me look at the lion.", "usage": 1}, sender="ben"),
        request,
        ActionResponse.create(request, 190),
        AssistantResponse.create("A Lion has 190 kg.", sender="ben"),
        Instruction.create("Thank you."),
    ]


def state(branch: BaseBranch) -> list[dict[str, Any]]:
    """Everything that a conversation holds."""
    return [message.to_dict() for message in branch.messages]


async def edit(branch: BaseBranch, messages: list[Any]) -> list[Any]:
    """Do the same edits with any branch; returns what they answered."""
    answers = [
        await branch.aextend(messages),
        await branch.aextend(messages[:3]),
        await branch.areplace_keyword("lion", "tiger"),
        await branch.aupdate_message(messages[1], guidance="Guess.", sender="cleo", metadata={"checked": [True]}),
        await branch.aupdate_message(messages[1], guidance="Guess."),
        await branch.aremove_message(messages[2].id),
        await branch.arollback(1),
    ]
    await branch.achange_first_system_message("Be kind.", sender="ada")
    return answers


@both
async def test_the_same_edits_leave_the_same_conversation(exchange: Exchange, three: Three) -> None:
    """Answers, messages, order, and what can be asked about them; the log tells the same to another program."""
    messages = said()
    answers = [await edit(branch, messages) for branch in three.all]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][:5] == [7, 0, 3, True, False]
    assert state(three.alone) == state(three.local) == state(three.remote)
    for ask in (
        lambda branch: branch.info,
        lambda branch: branch.sender_info,
        lambda branch: branch.search_keywords("tiger").keys(),
        lambda branch: branch.filter_by(role="action", sender="ben").keys(),
        lambda branch: branch.last_response_content,
        lambda branch: branch.chat_messages_with_sender,
        lambda branch: {**branch.describe, "id": None},
    ):
        first, *others = [ask(branch) for branch in three.all]
        assert others == [first, first]
    await three.session.aflush()
    async with await Session.aopen(three.session.id, exchange=exchange) as reader:
        for branch in (three.local, three.remote):
            assert state(reader.branches[branch.id]) == state(three.alone)


@both
async def test_files_go_in_and_out_of_all_three(three: Three, tmp_path: Path) -> None:
    """What a file brings is flagged as loaded everywhere, and writing it again gives the same file."""
    path = Branch(messages=said()).to_csv_file(tmp_path / "said.csv")
    for branch in three.all:
        assert await branch.aextend(path) == 7
        assert len(branch.flagged_messages(include_load=True)) == 7
        assert not branch.flagged_messages(include_clone=True)
    assert state(three.alone) == state(three.local) == state(three.remote)
    written = [branch.to_json_file(tmp_path / f"{place}.json") for place, branch in enumerate(three.all)]
    assert len({one.read_text() for one in written}) == 1
    ids = [three.local, three.remote]
    assert len(three.session.concat_messages(ids, exclude_load=True)) == 0
    assert len(three.session.concat_messages(ids)) == 7


async def test_received_messages_are_clones_in_all_kinds(three: Three) -> None:
    """What came by mail is flagged, and stays so after an edit."""
    for branch in (three.local, three.remote):
        await three.session.default_branch.asend(branch, "message", Instruction.create("Hello."))
    await three.session.acollect_send_all(receive_all=True)
    for branch in (three.local, three.remote):
        assert await branch.areplace_keyword("hello", "Good bye") == 1
        assert len(branch.flagged_messages(include_clone=True)) == 1


@both
async def test_an_edit_that_fails_changes_nothing(three: Three) -> None:
    """The error has the same class everywhere, and the conversation goes on from where it was."""
    messages = said()
    for branch in three.all:
        await branch.aextend(messages)
    before = state(three.alone)
    for branch in three.all:
        with pytest.raises(ConfigError, match="from 0 to 7"):
            await branch.arollback(8)
        with pytest.raises(ItemNotFoundError):
            await branch.aremove_message(Instruction.create("x"))
        with pytest.raises(ConfigError, match="role"):
            await branch.aupdate_message(messages[1], instruction="x", role="nobody")
        with pytest.raises(ConfigError, match="has a response"):
            await branch.aupdate_message(messages[3], function="x")
        with pytest.raises(NotPortable):
            await branch.aupdate_message(messages[1], instruction=print)
        assert state(branch) == before
        assert len(await branch.arollback(1)) == 1
    assert state(three.alone) == state(three.local) == state(three.remote)


async def test_many_messages_go_in_pieces(three: Three) -> None:
    """More than one mail holds; one message that is too large to travel is named before anything goes."""
    messages = [Instruction.create("x" * 50_000) for _ in range(20)]
    assert await three.remote.aextend(messages) == 20
    assert await three.remote.aextend(messages) == 0
    assert len(three.remote.messages) == 20
    large = Instruction.create("x" * 300_000)
    with pytest.raises(MailTooLarge, match=large.id):
        await three.remote.aextend([Instruction.create("small"), large])
    assert len(three.remote.messages) == 20
    assert await three.local.aextend([large]) == 1


async def test_no_worker_no_edit(exchange: Exchange) -> None:
    """It says which worker is missing."""
    async with Session(exchange=exchange, timeout=0.05) as session:
        remote = await session.anew_branch(pool="nobody")
        with pytest.raises(RoundTimeout, match="worker --pool nobody"):
            await remote.aclear_messages()


async def test_a_branch_of_another_process_is_for_reading(exchange: Exchange, tmp_path: Path) -> None:
    """Everything can be asked, nothing changed: the error names the owner."""
    async with Session(exchange=exchange) as session:
        session.default_branch.extend(said())
        await session.aflush()
        async with await Session.aopen(session.id, exchange=exchange) as other:
            branch = other.default_branch
            assert branch.info["total"] == 7
            assert len(Branch.from_jsonl(branch.to_jsonl_file(tmp_path / "x.jsonl")).messages) == 7
            owned: list[Any] = [
                branch.arollback(1),
                branch.aclear_messages(),
                branch.aremove_message(branch.messages[0]),
                branch.aupdate_message(branch.messages[0], role="user"),
                branch.areplace_keyword("a", "b"),
                branch.achange_first_system_message("x"),
                branch.aextend(Instruction.create("x")),
                branch.adelete_tools("x"),
            ]
            for change in owned:
                with pytest.raises(BranchOwned, match="hosted by another process"):
                    await change
            assert len(branch.messages) == 7


@both
async def test_tools_taken_away_stay_away(exchange: Exchange, registry: Registry, three: Three) -> None:
    """On all kinds, and for whoever reads the log."""
    for branch in (three.alone, three.local, three.remote):
        assert branch.has_tools
        assert not await branch.adelete_tools(["double", "nothing"])
        assert not branch.has_tools
    await three.session.aflush()
    async with await Session.aopen(three.session.id, exchange=exchange) as reader:
        assert [dict(reader.branches[one.id].tools) for one in (three.local, three.remote)] == [{}, {}]


async def test_the_blocking_forms(three: Three) -> None:
    """They do the same from a thread, as a plain script would."""
    messages = said()

    def edit() -> None:
        remote = three.remote
        assert remote.extend(messages) == 7
        assert remote.replace_keyword("lion", "tiger") == 3
        assert remote.update_message(messages[1], instruction="Hm?")
        remote.change_first_system_message("Be slow.")
        assert remote.remove_message(messages[2])
        assert len(remote.rollback(1)) == 1
        assert remote.delete_tools("double")
        remote.clear_messages()
        assert [message.text for message in remote.messages] == ["Be slow."]

    await to_thread.run_sync(edit)


async def test_merging_a_branch_on_workers(three: Three) -> None:
    """Its messages come, and its tools and models as far as the session's registry knows them."""
    await three.remote.aextend(said())
    bare = await three.session.anew_branch()
    await three.session.amerge(bare, three.remote)
    assert len(bare.messages) == 7
    assert (list(bare.tools), bare.model_names) == (["double"], {"chat": "quick"})
    three.alone.merge_branch(three.remote)
    assert set(three.alone.messages.keys()[1:]) == set(three.remote.messages.keys()[1:])
    with pytest.raises(BranchOwned, match="merge into a branch that does"):
        await three.session.amerge(three.remote, bare)


async def test_a_remote_branch_as_values(three: Three) -> None:
    """What names it and its messages; to make one of them is refused, with what to do instead."""
    await three.remote.aextend(said())
    values = three.remote.to_dict()
    assert (values["id"], values["name"], values["pool"]) == (three.remote.id, "zoo", "zoo")
    assert (values["session"], len(values["messages"])) == (three.session.id, 7)
    with pytest.raises(NotPortable, match=f"Session.open\\('{three.session.id}'\\)"):
        RemoteBranch.from_dict(values)
