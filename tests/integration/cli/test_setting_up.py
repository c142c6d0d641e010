"""`init` and `acl` on real servers: each role can do its work with the rules that are printed, and no more."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lion_broker import BrokerError, Session
from lion_broker.__main__ import main
from lion_broker.broker.acl import Role, rules_of
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.library import library
from lion_broker.cli.exits import Code
from lion_broker.testing import wait_until
from tests.conformance.servers import SECRET, Server, find_bundled, find_debian, running
from tests.stage import Program

pytestmark = pytest.mark.redis

NAMESPACE, PASSWORD = "shop", "pa55word-of-the-tests"
Told = Callable[..., Any]


@pytest.fixture(
    params=[pytest.param(find_bundled, id="valkey"), pytest.param(find_debian, id="redis7", marks=pytest.mark.debian)]
)
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A new server that the commands find by the environment, as its default user."""
    with running(request.param(), maxmemory_policy="noeviction") as server:
        monkeypatch.setenv("LION_BROKER_URL", server.url)
        monkeypatch.setenv("LION_BROKER_NAMESPACE", NAMESPACE)
        monkeypatch.setenv("LION_BROKER_SECRET", SECRET.decode())
        yield server


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command with `--json` and returns what it printed, after it has ended with a code."""

    def run(code: Code, *words: str) -> Any:
        assert main([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def allow(server: Server, *roles: Role, taken: str = "") -> None:
    """Make the users of roles with the rules that are printed, or all but one of them."""
    for role in roles:
        rules = rules_of(NAMESPACE, role)
        words = [one for one in rules.rules[2:] if one != taken]
        server.client.execute_command("ACL", "SETUSER", rules.user, "reset", "on", f">{PASSWORD}", *words)


def as_user(server: Server, role: Role, namespace: str = NAMESPACE) -> RedisExchange:
    """An exchange of a role's user."""
    url = server.url.replace("unix://", f"unix://lion-{role}:{PASSWORD}@")
    return RedisExchange(url, SECRET, namespace=namespace, patience=0.5)


def test_a_namespace_is_made_ready_once(server: Server, told: Told) -> None:
    """The first time loads the functions and begins the namespace; the second time finds both."""
    first = told(Code.OK, "init")
    assert (first["library_was_loaded"], first["namespace_was_there"]) == (False, False)
    assert (first["library"], first["namespace"], first["profile"]) == (library().name, NAMESPACE, "dev")
    second = told(Code.OK, "init")
    assert second == {**first, "library_was_loaded": True, "namespace_was_there": True}
    assert len(server.client.function_list()) == 1


def test_another_number_of_partitions_is_refused(
    server: Server, told: Told, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is left to believe that a setting has had an effect which it cannot have any more."""
    monkeypatch.setenv("LION_BROKER_PARTITIONS", "2")
    assert told(Code.OK, "init")["partitions"] == 2
    monkeypatch.setenv("LION_BROKER_PARTITIONS", "3")
    assert main(["init"]) == Code.USAGE
    assert "has 2 partitions" in capsys.readouterr().err


def test_there_is_nothing_to_initialize_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither functions nor users."""
    for command in (["init"], ["acl", "--check"]):
        assert main([*command, "--url", "memory://"]) == Code.USAGE
        assert "memory:// is no server" in capsys.readouterr().err


def test_each_role_does_its_work_with_the_printed_rules(server: Server, told: Told) -> None:
    """A program mails a branch on a worker; the worker answers; who only looks sees it, and changes nothing."""
    allow(server, *Role)
    told(Code.OK, "init", "--url", server.url.replace("unix://", f"unix://lion-admin:{PASSWORD}@"))
    environ = {
        "LION_BROKER_URL": server.url.replace("unix://", f"unix://lion-worker:{PASSWORD}@"),
        "LION_BROKER_SECRET": SECRET.decode(),
        "LION_BROKER_NAMESPACE": NAMESPACE,
    }
    words = ("-m", "lion_broker", "worker", "--app", "tests.apps.desk:registry", "--json", "--until-eof")
    worker = Program(words, environ)
    try:
        worker.ready()
        with as_user(server, Role.CLIENT) as exchange:
            session = Session(exchange=exchange, delivery="auto", name="ours")
            branch = session.new_branch(name="desk", pool="default", behaviour="echo")
            session.default_branch.send(branch, "message", "hello", delay=0.05)
            session.default_branch.send(branch, "message", "x" * 100_000)
            wait_until(lambda: len(branch.messages) == 2)
            session.pause(branch)
            session.resume(branch)
            with as_user(server, Role.DASHBOARD) as looking:
                seen = Session.open(session.id, exchange=looking)
                assert len(seen.branches["desk"].messages) == 2
                with pytest.raises(BrokerError, match="refused this user"):
                    seen.pause("desk")
            session.delete()
    finally:
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        code, errors = worker.wait(), worker.errors
        worker.end()
    assert (code, "NOPERM" in errors) == (0, False)


def test_who_looks_may_use_the_commands_that_look(
    server: Server, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lists, status, traces and exports work with the role dashboard; what changes something is refused."""
    allow(server, Role.CLIENT, Role.DASHBOARD)
    told(Code.OK, "init")
    with as_user(server, Role.CLIENT) as exchange, Session(exchange=exchange, delivery="auto") as session:
        session.default_branch.send(session.new_branch(name="b", pool="nobody"), "message", "hello")
        session.flush()
        url = server.url.replace("unix://", f"unix://lion-{Role.DASHBOARD}:{PASSWORD}@")
        file = tmp_path / "e.jsonl"
        for words in (
            ["session", "ls"],
            ["session", "show", session.id],
            ["session", "trace", session.id],
            ["session", "export", session.id, "--output", str(file)],
            ["branch", "show", session.id, "b"],
            ["dead", "ls"],
            ["status"],
        ):
            told(Code.OK, *words, "--url", url)
        for words in (
            ["branch", "pause", session.id, "b"],
            ["session", "rm", session.id],
            ["session", "import", str(file)],
        ):
            assert main([*words, "--url", url]) == Code.ERROR
            assert "refused this user" in capsys.readouterr().err


def test_a_role_reaches_no_other_namespace_and_loads_nothing(server: Server, told: Told) -> None:
    """The keys of others are out of reach, and functions come from whoever may load them."""
    allow(server, Role.CLIENT)
    with as_user(server, Role.CLIENT) as exchange, pytest.raises(BrokerError, match="may not load them"):
        Session(exchange=exchange)
    told(Code.OK, "init")
    told(Code.OK, "init", "--namespace", "other")
    with as_user(server, Role.CLIENT, "other") as exchange, pytest.raises(BrokerError, match="refused this user"):
        Session(exchange=exchange)


def test_the_check_says_who_lacks_what(server: Server, told: Told) -> None:
    """One user is right, one lacks a command, one may too much, one is not there."""
    allow(server, Role.CLIENT)
    allow(server, Role.WORKER, taken="+xreadgroup")
    allow(server, Role.DASHBOARD)
    server.client.execute_command("ACL", "SETUSER", "lion-dashboard", "+flushall")
    found = {one["check"]: one for one in told(Code.UNSOUND, "acl", "--check")}
    assert {name: one["severity"] for name, one in found.items()} == {
        "client": "ok",
        "worker": "error",
        "dashboard": "warning",
        "admin": "error",
    }
    assert found["worker"]["text"] == "lion-worker may not: xreadgroup."
    assert "FLUSHALL" in found["dashboard"]["text"]
    assert "There is no user lion-admin" in found["admin"]["text"]
    assert [one["severity"] for one in told(Code.OK, "acl", "--check", "client")] == ["ok"]


def test_who_may_not_ask_is_told_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run needs a right that programs do not have."""
    allow(server, Role.CLIENT)
    url = server.url.replace("unix://", f"unix://lion-client:{PASSWORD}@")
    assert main(["acl", "client", "--check", "--url", url]) == Code.ERROR
    told = capsys.readouterr()
    assert "refused this user" in told.err
    assert PASSWORD not in told.out + told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["acl", "king"], "a role is one of client, worker, dashboard, admin"),
        (["acl", "--user", "me"], "--user is for one role"),
        (["acl", "worker", "--user", "two words"], "A user cannot be called 'two words'"),
        (["acl", "worker", "--user", ""], "A user cannot be called ''"),
    ],
)
def test_what_is_no_role_or_user_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one sentence, before anything is asked."""
    assert main(words) == Code.USAGE
    assert said in capsys.readouterr().err
