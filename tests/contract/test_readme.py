"""What the README and the other documents show is true: their Python runs and their commands exist."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.documents import blocks, commands

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PROGRAMS = [document for document in DOCUMENTS if blocks(document, "python")]
COMMANDS = {tuple(words) for document in DOCUMENTS for words in commands(document)}
OWN_COMMANDS = sorted(words for words in COMMANDS if words[0].startswith(("lion-broker", "scripts/")))


def run_document(document: Path) -> subprocess.CompletedProcess[str]:
    """Run the Python of a document in a fresh interpreter, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "tests.contract.documents", str(document)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def relative(document: Path) -> str:
    """The name of a document in the list of tests."""
    return str(document.relative_to(ROOT))


@pytest.fixture(autouse=True)
def private_server(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded server of this test's own, and a folder in which examples may write."""
    for name in [name for name in os.environ if name.startswith("LION_BROKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LION_BROKER_DATA_DIR", str(tmp_path / "server"))
    # A socket's path must stay short, so its folder is not the one named after the test.
    monkeypatch.setenv("LION_BROKER_RUNTIME_DIR", str(tmp_path_factory.mktemp("r")))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


@pytest.mark.redis
@pytest.mark.parametrize("document", PROGRAMS, ids=relative)
def test_the_python_of_a_document_runs(document: Path) -> None:
    """The blocks of one document, typed in order into one program, run without an error or a warning."""
    result = run_document(document)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Warning" not in result.stderr


@pytest.mark.parametrize("words", OWN_COMMANDS, ids=" ".join)
def test_a_command_of_a_document_exists(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A `lion-broker` command knows its subcommands and options; a script is there and executable."""
    from lion_broker.__main__ import main  # the command line is heavy, and only this test needs it

    program, *arguments = words
    if program == "lion-broker":
        with pytest.raises(SystemExit) as stopped:
            sys.exit(main([*arguments, "--help"]))
        assert not stopped.value.code, capsys.readouterr().err
    else:
        assert os.access(ROOT / program, os.X_OK)


def test_the_readme_shows_python_and_commands() -> None:
    """The two tests above have something to read, and the two commands of a fresh machine are among it."""
    readme = ROOT / "README.md"
    assert readme in PROGRAMS
    assert {("scripts/demo",), ("scripts/test",)} <= {tuple(words) for words in commands(readme)}


def test_blocks_share_their_names_and_may_await(tmp_path: Path) -> None:
    """A later block sees what an earlier one made, and one event loop lives as long as the document."""
    document = tmp_path / "page.md"
    document.write_text(
        "```python\nimport asyncio\nevent = asyncio.Event()\n```\n"
        "text\n```python\nwaiting = asyncio.ensure_future(event.wait())\nawait asyncio.sleep(0)\n```\n"
        "- in a list\n\n  ```python\n  event.set()\n  print(__name__, await waiting)\n  ```\n"
        "```text\nnot python\n```\n"
    )
    assert run_document(document).stdout == "__main__ True\n"


@pytest.mark.parametrize("line", ["raise ValueError('seeded')", "import warnings; warnings.warn('seeded')"])
def test_a_failing_block_fails_and_names_its_line(tmp_path: Path, line: str) -> None:
    """An error or a warning in a block ends in a failure that says where in the document it is."""
    document = tmp_path / "page.md"
    document.write_text(f"# Title\n\n```python\nvalue = 1\n{line}\n```\n")
    result = run_document(document)
    assert result.returncode == 1
    assert f'{document}", line 5' in result.stderr


def test_commands_are_read_from_console_blocks(tmp_path: Path) -> None:
    """Prompts, comments, continued lines, pipes and printed output are told from what a reader types."""
    document = tmp_path / "page.md"
    document.write_text(
        "```console\n$ lion-broker worker \\\n    --pool p  # one\nready\n$ lion-broker tail | head\n```\n"
        "```sh\n# a comment\nA=1 scripts/demo > out\n```\n"
    )
    assert commands(document) == [
        ["lion-broker", "worker", "--pool", "p"],
        ["lion-broker", "tail"],
        ["scripts/demo"],
    ]
