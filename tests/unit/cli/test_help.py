"""How help reads, and that what is said of a command is whole."""

from __future__ import annotations

import json

import pytest
import typer

from lion_broker.__main__ import main
from lion_broker.cli.application import application
from lion_broker.cli.exits import Code
from lion_broker.cli.helping import BRIEF, SECTIONS


def test_every_command_stands_under_one_heading() -> None:
    """A new command has a place where somebody finds it."""
    commands = list(typer.main.get_command(application()).list_commands(None))  # type: ignore[attr-defined]
    assert sorted(commands) == sorted(name for _, names in SECTIONS for name in names)


@pytest.mark.parametrize("group", ["", "session", "branch", "mail", "dead", "config", "docs", "server", "demo"])
def test_a_list_of_commands_has_whole_sentences(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal of eighty columns nothing is cut."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*group.split(), "--help"]) == Code.OK
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and "  " in line.strip()]
    assert listed
    assert not [line for line in listed if line.endswith("...")]


def test_an_example_can_be_copied(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands on a line of its own, also where the terminal is narrow."""
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["mail", "send", "--help"]) == Code.OK
    told = capsys.readouterr().out
    assert '\n  lion-broker mail send desk reader "How many words?" --wait 30\n' in told
    assert "Example: " not in told


def test_arguments_go_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """No Python type, and brackets only around what may be left out."""
    assert main(["dead", "retry", "--help"]) == Code.OK
    told = capsys.readouterr().out
    assert told.startswith("Usage: lion-broker dead retry [OPTIONS] [SESSION] [LETTER]...\n")
    assert main(["mail", "send", "--help"]) == Code.OK
    told += capsys.readouterr().out
    assert "[OPTIONS] SESSION BRANCH TEXT\n" in told
    assert "<str>" not in told


@pytest.mark.parametrize(
    "words", [["bogus"], ["status", "--interval", "0"], ["session", "show"], ["mail", "show", "-x"]]
)
def test_wrong_use_is_an_object_for_programs(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As every other error is."""
    assert main([*words, "--json"]) == Code.USAGE
    told = capsys.readouterr()
    error = json.loads(told.out)
    assert (error["error"], error["code"]) == ("UsageError", Code.USAGE)
    assert error["message"] in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status", "--interval", "0"], "'--interval': it is to be at least 0.1\n"),
        (["scale", "p", "x"], "'N': it is to be a whole number\n"),
        (["up", "--workers", "100000"], "'--workers': it is to be at most 256\n"),
        (["drain", "--all", "--timeout", "x"], "'--timeout': it is to be a number\n"),
        (["session", "ls", "-o", "xml"], "'-o': 'xml' is not one of 'table', 'wide',"),
        (["--url", "redis://nowhere", "status"], "No such option: --url It comes after the command:"),
    ],
)
def test_wrong_use_is_said_in_words_of_the_house(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in those of a library that nobody has heard of."""
    assert main(words) == Code.USAGE
    assert said in capsys.readouterr().err


def test_no_short_word_is_for_nobody() -> None:
    """Each belongs to a command that there is."""
    root = typer.main.get_command(application())
    known = set()
    for name in root.list_commands(None):  # type: ignore[attr-defined]
        command = root.get_command(None, name)  # type: ignore[attr-defined]
        members = command.list_commands(None) if hasattr(command, "list_commands") else ()
        known |= {name, *members, *(f"{name} {one}" for one in members)}
    assert set(BRIEF) <= known
