"""Every example of the reference documents, typed as a new user would type it."""

import ast
import asyncio
import inspect
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

import lion_broker
from lion_broker import (
    ActionManager,
    Branch,
    Communicatable,
    Element,
    Exchange,
    Instruction,
    MailManager,
    ModelError,
    Pile,
    Progression,
    Relational,
    Session,
    iModel,
    pile,
)
from lion_broker.testing import ScriptedModel, tool_calls
from tests.contract.reference import EXAMPLES, SIGNATURES, THINKING
from tests.stage import Stage

pytestmark = pytest.mark.redis

Reader = Callable[[str], None]


def analyze(code: str) -> str:
    """Look at code."""
    return code


def format_text(code: str) -> str:
    """Tidy code up."""
    return code.strip()


def research(topic: str) -> str:
    """Look something up."""
    return topic


def what_the_reader_has() -> dict[str, Any]:
    """Names that the examples use without saying where they come from, around one session with branches."""
    said = [Instruction.create(instruction="What is a lion?"), Instruction.create(instruction="And a cub?")]
    session = Session()
    names = ("main_branch", "old_branch", "active_branch", "branch", "source", "branch_a", "branch_b")
    branches = {name: session.new_branch(name=name) for name in names}
    offline = iModel("offline", "extractive")
    return {
        **{name: getattr(lion_broker, name) for name in lion_broker.__all__},
        **branches,
        "session": session,
        "user_id": lion_broker.IDType.create(),
        "datetime": datetime,
        "logging": logging,
        "chat_model": offline,
        "parse_model": offline,
        "code_analyzer": lion_broker.Tool(name="code_analyzer", func=analyze),
        "formatter": lion_broker.Tool(name="formatter", func=format_text),
        "action_manager": ActionManager(research),
        "initial_messages": pile(said),
        "message_progression": Progression([message.id for message in said]),
        "research_tools": research,
        "calculate": analyze,
        "search": research,
        "analyze_code": analyze,
        "format_code": format_text,
    }


@pytest.fixture
def namespace(stage: Stage) -> dict[str, Any]:
    """What the reader has, on the server that a new user gets without a word about it."""
    return what_the_reader_has()


def read(text: str, names: dict[str, Any]) -> None:
    """Type an example: outside an event loop, as in a script, unless it awaits something."""
    before = names["session"]
    code = compile(text, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def main(waiting: Any) -> None:
        await waiting
        await names["session"].exchange.aclose()

    typed = eval(code, names)  # noqa: S307 - the examples are this repository's own
    if inspect.iscoroutine(typed):
        asyncio.run(main(typed))
    for session in {before.id: before, names["session"].id: names["session"]}.values():
        session.close()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "a conversation"])
def test_an_example_runs(name: str, namespace: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """It runs without an error, and reports none either."""
    read(EXAMPLES[name], namespace)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_what_the_mail_of_the_basic_flow_does(namespace: dict[str, Any]) -> None:
    """After the basic flow the coding branch has the research branch's tool."""
    read(EXAMPLES["basic flow"] + "\ntools = dict(coding.tools)", namespace)
    assert list(namespace["tools"]) == ["research"]


def test_what_a_split_has(namespace: dict[str, Any]) -> None:
    """Both splits begin with a clone of the system message, addressed to them."""
    after = "\nsaid, systems = list(messages), [branch_a.system, branch_b.system]"
    read(EXAMPLES["branch operations"] + after, namespace)
    said = namespace["said"]
    assert [message.text for message in said] == ["You are a helpful assistant"] * 2
    assert {message.recipient for message in said} == {namespace["branch_a"].id, namespace["branch_b"].id}
    assert all(message.is_clone() for message in said)
    assert set(namespace["systems"]) == set(said)


def test_the_full_configuration_arrives(namespace: dict[str, Any]) -> None:
    """System, owner, messages, tools and model of the full example are those of the branch."""
    text = EXAMPLES["create branches"].split("# Create basic branch")[0]
    read(text + "\nmade = branch", namespace)
    made: Branch = namespace["made"]
    assert made.system is not None
    assert made.system.text.endswith("You are a coding assistant")
    assert made.user == namespace["user_id"]
    assert [message.text for message in made.messages][1:] == ["What is a lion?", "And a cub?"]
    assert set(made.tools) == {"code_analyzer", "formatter", "research"}
    assert made.chat_model is namespace["chat_model"]


def test_a_conversation(namespace: dict[str, Any]) -> None:
    """The branch of the example answers once it has a model; before that the error says how to give it one."""
    with pytest.raises(ModelError, match=r"has no model.*offline/extractive"):
        read(EXAMPLES["a session with tools"] + EXAMPLES["a conversation"], namespace)
    namespace = what_the_reader_has()
    text = EXAMPLES["a session with tools"] + "branch.chat_model = chat_model\n" + EXAMPLES["a conversation"]
    read(text + "\ncount = len(branch.messages)", namespace)
    assert isinstance(namespace["response"], str)
    assert namespace["count"] == 3


class ResearchReport(BaseModel):
    """What the example asks for."""

    title: str


class CodeReport(BaseModel):
    """What another example asks for."""

    faults: int


def web_search(query: str) -> str:
    """Search the web."""
    return f"found {query}"


def paper_analyzer(paper: str) -> int:
    """Count the papers."""
    return len(paper)


def test_operate_then_invoke_action(namespace: dict[str, Any]) -> None:
    """The report has the fields of its form and of the actions; each action can be invoked again."""
    model = ScriptedModel(tool_calls("web_search", {"query": "qubits"}), {"title": "Quantum computing"})
    with Session() as session:
        branch = session.new_branch(tools=[web_search, paper_analyzer], imodel=model.imodel)
        namespace |= {"branch": branch, "ResearchReport": ResearchReport, "session": session}
        read(THINKING["operate, then invoke_action"], namespace)
    assert namespace["result"].title == "Quantum computing"
    assert namespace["result"].action_responses[0].output == "found qubits"
    assert [one.output for one in namespace["response"]] == ["found qubits"]


def test_tools_early(namespace: dict[str, Any]) -> None:
    """A branch without a model raises, and the example logs what it was told."""
    read(THINKING["tools early"], namespace)
    (entry,) = namespace["branch"].logs
    assert "Tool error" in str(entry)
    assert "has no model" in str(entry)
    assert set(namespace["branch"].tools) == {"analyzer", "formatter", "research"}


@pytest.mark.parametrize(
    ("response", "result"), [('{"faults": 2}', CodeReport(faults=2)), ("Faults: 2", CodeReport(faults=2)), ("?", "?")]
)
def test_models_and_parsing(namespace: dict[str, Any], response: str, result: Any) -> None:
    """A text takes the form, with the parse model's help; what cannot is returned as it is."""
    answers = [{"faults": 2}] if response == "Faults: 2" else ["no idea"]
    helper = ScriptedModel(*answers, repeat=True)
    namespace |= {"parse_model": helper.imodel, "response": response, "CodeReport": CodeReport}
    read(THINKING["models and parsing"], namespace)
    assert namespace["result"] == result


@pytest.mark.parametrize("wanted", ast.parse(SIGNATURES).body, ids=lambda node: str(node.name))
def test_a_method_has_the_parameters_of_the_reference(wanted: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Same names in the same order with the same defaults, and a coroutine where the reference has one."""
    method = getattr(Session, wanted.name)
    assert inspect.iscoroutinefunction(method) is isinstance(wanted, ast.AsyncFunctionDef)
    parameters = inspect.signature(method).parameters
    names = [argument.arg for argument in wanted.args.args]
    assert list(parameters)[: len(names)] == names
    defaults = [ast.literal_eval(default) for default in wanted.args.defaults]
    given = [parameters[name].default for name in names[len(names) - len(defaults) :]]
    assert given == defaults


def test_a_session_is_what_the_reference_says(stage: Stage) -> None:
    """Its bases and its attributes are those of the reference."""
    assert all(issubclass(Session, base) for base in (Element, Communicatable, Relational))
    with Session() as session:
        assert isinstance(session.branches, Pile)
        assert isinstance(session.default_branch, Branch)
        assert isinstance(session.mail_transfer, Exchange)
        assert isinstance(session.mail_manager, MailManager)
