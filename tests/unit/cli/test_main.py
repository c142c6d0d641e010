"""The command line without any server: help, usage, exit codes, secrets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lion_broker import errors
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code, code_of
from lion_broker.cli.own_command import own_name
from lion_broker.errors import LionError
from tests.stage import ROOT

GROUPS = {"demo": ["research"], "session": ["ls", "show", "rm"], "dead": ["ls"], "server": ["status", "stop"]}
COMMANDS = [
    ["up"],
    ["down"],
    ["status"],
    ["drain"],
    ["scale"],
    ["worker"],
    ["sweeper"],
    ["doctor"],
    ["keygen"],
    ["version"],
    *([group, name] for group, names in GROUPS.items() for name in names),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` says what the command is for, and that it can speak JSON."""
    assert main([*command, "--help"]) == Code.OK
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: lion-broker {' '.join(command)}")
    assert "--json" in text


def test_the_help_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever writes a script finds them without the source."""
    assert main(["--help"]) == Code.OK
    assert "2 wrong use or setting, 3 no server" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["worker"], "Missing option '--app'"),
        (["worker", "--app", "a:b", "--concurrency", "0"], "Invalid value for '--concurrency'"),
        (["worker", "--app", "lion_broker.demo.research:registry", "--url", "memory://"], "inside one process"),
        (["worker", "--app", "a:b", "--pool", "a b"], "--pool cannot be 'a b': a name of"),
        (["sweeper", "--pool", "default", "--pool", ""], "--pool cannot be '': a name of"),
        (["scale", "p", "x"], "Invalid value for 'N'"),
        (["scale", "readers", "-1"], "A number of workers is 0 or more, and at most 1,000; -1 is none."),
        (["scale", "readers", "1001"], "at most 1,000; 1001 is none."),
        (["scale", "readers", "-1", "--forget"], "not both"),
        (["scale", "readers", "-x"], "No such option: -x"),
        (["scale", "readers", "--foget"], "--forget"),
        (["up", "--workers", "-1"], "Invalid value for '--workers'"),
        (["status", "--interval", "0"], "Invalid value for '--interval'"),
        (["drain"], "Say which workers"),
        (["drain", "one", "--all"], "Say which workers"),
        (["drain", "--version", "0.1.0", "--all"], "Say which workers"),
        (["scale", "--forget"], "--forget needs the POOL"),
        (["scale", "p", "1", "--forget"], "Give N, or --forget"),
        (["sweeper", "--url", "ftp://nowhere"], "is no exchange URL"),
        (["session", "ls", "--url", ""], "Invalid value for '--url': it is empty"),
        (["session", "ls", "--url", "redis://u:hidden@host:port/0"], "is no server URL"),
        (["session", "ls", "--url", "redis://u:hidden@host/0?nonsense=1"], "is no server URL"),
        (["session", "ls", "--namespace", "no spaces"], "LION_BROKER_NAMESPACE cannot be used"),
        (["demo", "research", "--question", " "], "The question is empty"),
        (["demo", "research", "--workers", "17"], "Invalid value for '--workers'"),
        (["demo", "research", "--workers", "1", "--kill-one"], "somebody who takes over"),
        (["demo", "research", "--output", "/nowhere/report.md"], "no directory /nowhere"),
    ],
)
def test_wrong_use_is_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong is the last line of stderr, without a traceback and without a password; stdout stays empty."""
    monkeypatch.setenv("LION_BROKER_SECRET", "a secret of the tests that is long enough")
    assert main(words) == Code.USAGE
    told = capsys.readouterr()
    assert told.err.splitlines()[-1].startswith("Error: ")
    assert said in told.err.splitlines()[-1]
    assert "hidden" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        (["session", "ls", "--url", "ftp://nowhere"], "ConfigError", Code.USAGE),
        (["sweeper", "--once", "--pool", "a b"], "ConfigError", Code.USAGE),
        (["session", "ls", "--url", "redis://127.0.0.1:1"], "BrokerUnavailable", Code.NO_SERVER),
    ],
)
def test_with_json_an_error_is_an_object(
    words: list[str], kind: str, code: Code, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that reads stdout gets JSON whatever happens; people read the same sentence on stderr."""
    monkeypatch.setenv("LION_BROKER_INSECURE", "1")
    monkeypatch.setenv("LION_BROKER_PATIENCE", "0")
    assert main([*words, "--json"]) == code
    told = capsys.readouterr()
    error = json.loads(told.out)
    assert (error["error"], error["code"]) == (kind, code)
    assert told.err.splitlines()[-1] == f"Error: {error['message']}"


def test_a_secret_is_new_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    """`keygen` prints 256 random bits as text, alone on a line or as JSON."""
    main(["keygen"])
    main(["keygen", "--json"])
    plain, told = capsys.readouterr().out.split()
    secret = json.loads(told)["secret"]
    assert len(plain) == len(secret) == 64
    assert plain != secret


def test_the_version_is_that_of_the_command_and_of_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    """`version` and `--version` say the same."""
    assert main(["version"]) == main(["--version"]) == Code.OK
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("lion-broker ")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("BrokerUnavailable", Code.NO_SERVER),
        ("ServerNotFound", Code.NO_SERVER),
        ("ServerStartFailed", Code.NO_SERVER),
        ("ConfigError", Code.USAGE),
        ("ItemNotFoundError", Code.NOT_FOUND),
        ("RoundTimeout", Code.ERROR),
        ("LionError", Code.ERROR),
    ],
)
def test_an_error_has_its_exit_code(name: str, code: Code) -> None:
    """Scripts can tell a missing server from a wrong option."""
    kind: type[LionError] = getattr(errors, name)
    assert code_of(kind("text")) == code


def test_a_hint_can_be_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has the program's name where a shell finds that, else the path by which it was started."""
    program = tmp_path / "a b" / "lion-broker"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", "")
    assert own_name() == "'a b/lion-broker'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_name() == "lion-broker"
    monkeypatch.setattr("sys.argv", ["/somewhere/__main__.py"])
    assert own_name() == "lion-broker"


@pytest.mark.processes
def test_a_terminal_without_our_signs_is_no_reason_to_fail(tmp_path: Path) -> None:
    """Neither for what is read, which is UTF-8 wherever this runs, nor for what is printed."""
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    for words in (("status", "--help"), ("docs", "asyncapi", "--output", str(tmp_path / "mail.json"))):
        program = [sys.executable, "-m", "lion_broker", *words]
        done = subprocess.run(program, env=environ, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (Code.OK, b"")
    code = "from lion_broker.broker.library import library; from lion_broker.__main__ import main; library()"
    signs = f"{code}; main(['keygen']); print(chr(0x2192))"
    done = subprocess.run([sys.executable, "-c", signs], env=environ, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[-1] == b"?"
