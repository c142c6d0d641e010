"""What the README and the other documents show is true: their Python runs, their commands, settings and links exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lion_broker.broker.embedded import LINGER_SECONDS
from lion_broker.config import PREFIX, Settings
from tests.contract.documents import blocks, commands

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PROGRAMS = [document for document in DOCUMENTS if blocks(document, "python")]
COMMANDS = {tuple(words) for document in DOCUMENTS for words in commands(document)}
OWN_COMMANDS = sorted(words for words in COMMANDS if words[0].startswith(("lion-broker", "scripts/")))


def run_document(document: Path) -> subprocess.CompletedProcess[str]:
    """Run the Python of a document in a fresh interpreter, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "tests.contract.documents", str(document)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250)


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


def rows_of(document: Path, pattern: str) -> dict[str, str]:
    """The first two columns of a document's tables, where the first one is code that fits a pattern."""
    found = re.findall(rf"^\| `({pattern})` \| (.*?) \|", document.read_text(), re.MULTILINE)
    return {name: shown.strip("`") for name, shown in found}


def test_every_setting_is_described() -> None:
    """The README names all settings and no other; giving the default that it shows changes nothing."""
    described = rows_of(ROOT / "README.md", rf"{PREFIX}\w+")
    fields = {PREFIX + name.upper(): field for name, field in Settings.model_fields.items() if name != "environ"}
    assert described.keys() == fields.keys()
    given = {name: shown for name, shown in described.items() if fields[name].default is not None}
    assert Settings.load(given).model_dump() == Settings.load({}).model_dump()


def test_every_setting_of_the_embedded_server_is_described() -> None:
    """The page about servers names what the code reads besides the settings, with the default that is a number."""
    described = rows_of(ROOT / "docs" / "server.md", rf"{PREFIX}\w+")
    sources = "".join(path.read_text() for path in ROOT.glob("lion_broker/broker/**/*.py"))
    settings = {PREFIX + name.upper() + suffix for name in Settings.model_fields for suffix in ("", "_FILE")}
    assert described.keys() == set(re.findall(rf"{PREFIX}[A-Z_]+", sources)) - settings
    assert float(described["LION_BROKER_LINGER"]) == LINGER_SECONDS


def test_every_option_of_a_worker_is_described() -> None:
    """The page about workers names all options, with the defaults that are numbers or words."""
    from typer.main import get_command

    from lion_broker.cli.application import application  # heavy, as above

    context = get_command(application()).make_context("lion-broker", ["worker"], resilient_parsing=True)
    worker = context.command.get_command(context, "worker")  # type: ignore[attr-defined]  # a group
    options = {option.opts[0]: option for option in worker.params if option.opts[0] not in ("--app", "--help")}
    page = (ROOT / "docs" / "workers.md").read_text()
    table = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `--")]
    described = {name: shown.strip(" `") for names, shown in table for name in re.findall(r"--[\w-]+", names)}
    assert described.keys() == options.keys()
    numbers = {name: option.default for name, option in options.items() if type(option.default) in (int, float)}
    assert {name: float(described[name]) for name in numbers} == numbers


def anchors(document: Path) -> set[str]:
    """The names under which a document's headings can be linked to."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    """What a document refers to in the repository is there, and so is the heading behind a `#`."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text())
    places = [((document.parent / link) if link else document, anchor) for link, anchor in links]
    assert [str(place) for place, _ in places if not place.exists()] == []
    assert [(str(place), anchor) for place, anchor in places if anchor and anchor not in anchors(place)] == []


def _uncounted(row: str) -> str:
    """A row of the demo's table without the number of quotes."""
    return re.sub(r"\d+ quotes", "N quotes", row)


@pytest.mark.redis
@pytest.mark.processes
def test_the_demo_prints_what_the_readme_shows() -> None:
    """The report's first lines, and the rows of the closing table, are those of a run; seconds and kills may differ."""
    shown = next(block.text for block in blocks(ROOT / "README.md", "console") if "\n# " in block.text)
    command, report, table = re.split(r"\n(?=# )|\n\.\.\.\n", shown)
    assert command == "$ scripts/demo"
    demo = [sys.executable, "-m", "lion_broker", "demo", "research", "--pace", "0"]
    result = subprocess.run(demo, capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr
    title, label, _ = report.split("\n\n")
    assert result.stdout.split("\n\n")[:2] == [title, label.replace("\n> ", " ")]
    rows, printed = table.strip().splitlines(), result.stderr.strip().splitlines()
    if sys.version_info[:2] == (3, 11):  # the language reference of other versions has other sentences
        same = re.findall(
            r"^(?:mails|lost|duplicates|quote fidelity) .+$", (ROOT / "README.md").read_text(), re.MULTILINE
        )
        # A later 3.11 has other words in a few places, and so other quotes; all of them stand there.
        assert set(map(_uncounted, same)) <= set(map(_uncounted, printed))
    assert [line[:16].strip() for line in printed[: len(rows)]] == [line[:16].strip() for line in rows]


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


def test_what_a_block_prints_is_compared(tmp_path: Path) -> None:
    """Comments that show output are held against it; a block that shows none may print what it likes."""
    document = tmp_path / "page.md"
    document.write_text("```python\nprint('free')\n```\n\n```python\nprint(1)\n#> 1\nprint(2)\n# > 3\n```\n")
    result = run_document(document)
    assert result.returncode == 1
    assert result.stdout == "free\n1\n2\n"
    assert f'{document}", line 6' in result.stderr


@pytest.mark.redis
def test_a_worker_of_the_document_runs(tmp_path: Path) -> None:
    """A titled block is a file, not typed in; a worker on it is started, and one on anything else is not."""
    document = tmp_path / "page.md"
    document.write_text(
        '```python title="app.py"\nfrom lion_broker import Registry\n\nregistry = Registry()\n```\n'
        "```console\n$ lion-broker worker --app app:registry --pool p\n$ lion-broker worker --app other:registry\n```\n"
        "```python\nassert 'registry' not in globals()\nimport app\n```\n"
    )
    result = run_document(document)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("ready: worker") == 1


@pytest.mark.parametrize("line", ["raise ValueError('seeded')", "import warnings; warnings.warn('seeded')"])
def test_a_failing_block_fails_and_names_its_line(tmp_path: Path, line: str) -> None:
    """An error or a warning in a block ends in a failure that says where in the document it is."""
    document = tmp_path / "page.md"
    document.write_text(f"# Title\n\n```python\nvalue = 1\n{line}\n```\n")
    result = run_document(document)
    assert result.returncode == 1
    assert f'{document}", line 5' in result.stderr


def test_commands_are_read_from_console_blocks(tmp_path: Path) -> None:
    """Prompts, comments, continued lines, pipes and printed output are told from what is typed; so is the text."""
    document = tmp_path / "page.md"
    document.write_text(
        "```console\n$ lion-broker worker \\\n    --pool p  # one\nready\n$ lion-broker tail | head\n```\n"
        "```sh\n# a comment\nA=1 scripts/demo > out\n```\n"
        "Then type `lion-broker keygen --json`, and use `keygen`.\n"
    )
    assert commands(document) == [
        ["lion-broker", "worker", "--pool", "p"],
        ["lion-broker", "tail"],
        ["scripts/demo"],
        ["lion-broker", "keygen", "--json"],
    ]
