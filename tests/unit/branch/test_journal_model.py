"""A branch that is read back from its log is the branch, whatever was done to it."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lion_broker import AssistantResponse, Branch, Instruction, RoledMessage, Session, Tool
from lion_broker.branch.journal import Chronicle
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange

texts = st.text(st.characters(codec="utf-8"), max_size=8)
places = st.integers(0, 20)


def picture(branch: Branch | Chronicle) -> dict[str, Any]:
    """Everything that a log is to keep of a branch."""
    system = branch.msgs.system
    return {
        "messages": [message.to_dict() for message in branch.msgs.messages],
        "system": system.id if system else None,
        "logs": [entry.to_dict() for entry in branch.logs],
        "tools": sorted(branch.tools),
    }


class BranchMachine(RuleBasedStateMachine):
    """A branch of a session, a reader that follows its log, and one that begins anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = MemoryExchange()
        self.session = Session(exchange=self.exchange)
        self.branch: Branch = self.session.new_branch(name="one", system="Begin.")
        self.other: Branch = self.session.default_branch
        self.follower = self.chronicle()
        self.count = 0

    def chronicle(self) -> Chronicle:
        """A reader of the branch's log from its beginning."""
        return Chronicle(self.session.id, self.branch.id)

    def message(self, place: int) -> RoledMessage:
        """One of the messages."""
        return self.branch.messages[place % len(self.branch.messages)]

    @rule(said=st.lists(texts, min_size=1, max_size=3))
    def add(self, said: list[str]) -> None:
        """Say several things."""
        self.branch.messages.include([AssistantResponse.create(text) for text in said])

    @rule(text=texts, place=places)
    def insert(self, text: str, place: int) -> None:
        """Say something in between."""
        self.branch.messages.insert(place % (len(self.branch.messages) + 1), Instruction.create(instruction=text))

    @precondition(lambda self: self.branch.messages)
    @rule(place=places)
    def remove(self, place: int) -> None:
        """Take something back."""
        self.branch.messages.exclude(self.message(place))

    @precondition(lambda self: self.branch.messages)
    @rule(place=places, text=texts)
    def change(self, place: int, text: str) -> None:
        """Say something otherwise, in place."""
        self.message(place).update(sender="somebody", remark=text)

    @precondition(lambda self: self.branch.messages)
    @rule(place=places, text=texts)
    def replace(self, place: int, text: str) -> None:
        """Put another message of the same id in its place."""
        old = self.message(place)
        self.branch.messages.include(Instruction.create(instruction=text).model_copy(update={"id": old.id}))

    @rule(dice=st.randoms(use_true_random=False))
    def reorder(self, dice: Any) -> None:
        """Put everything into another order."""
        ids = self.branch.messages.keys()
        dice.shuffle(ids)
        self.branch.messages.progression = ids

    @rule()
    def clear(self) -> None:
        """Begin again; the system message stays."""
        self.branch.msgs.clear_messages()

    @rule(text=texts.filter(bool))
    def set_system(self, text: str) -> None:
        """Have another system message."""
        self.branch.set_system(text)

    @rule(text=texts)
    def log(self, text: str) -> None:
        """Note something."""
        self.branch.logs.log(text)

    @rule()
    def tool(self) -> None:
        """Learn something."""
        self.count += 1
        self.branch.register_tools(Tool(name=f"tool_{self.count}", func=len))

    @rule(text=texts.filter(bool))
    def receive(self, text: str) -> None:
        """Get a mail."""
        self.other.send(self.branch, "message", text)
        self.session.send(self.branch)
        self.branch.receive_all()

    @rule()
    def open_again(self) -> None:
        """Hand the branch over and take it up again, as another process would."""
        self.session.close()
        self.session = Session.open(self.session.id, exchange=self.exchange, host=True)
        tools = self.branch.tools
        self.branch, self.other = self.session.branches["one"], self.session.branches[0]
        # Functions of a process are gone with it, and to be registered again.
        with self.branch._host.silence():  # type: ignore[union-attr]  # it is hosted
            self.branch.register_tools(list(tools.values()), update=True)

    @invariant()
    def same(self) -> None:
        """All three agree."""
        self.session.flush()
        fresh = self.chronicle()
        run(self.exchange, fresh.read_steps())
        run(self.exchange, self.follower.read_steps())
        assert picture(fresh) == picture(self.branch)
        assert picture(self.follower) == picture(self.branch)

    def teardown(self) -> None:
        """Stop the keeper of the session's leases."""
        self.session.close()


BranchMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
test_a_log_is_the_branch = BranchMachine.TestCase
