"""Conversations in files: complete, whole or not at all, and with clear words about what is no such file."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lion_broker import ActionRequest, ActionResponse, AssistantResponse, Branch, ConfigError, Instruction, Session
from lion_broker.branch.transcript import FORMATS, REQUIRED, read_messages, write_messages
from lion_broker.mail.memory import MemoryExchange

SUFFIXES = sorted(FORMATS)


@pytest.fixture
def branch() -> Branch:
    """One message of each kind, with what is hard to write."""
    request = ActionRequest.create("weigh", {"animal": 'the "king", ähm'}, sender="a\rb\nc", recipient=" d ")
    branch = Branch(system="Be brief.\r\n=SUM(A1)")
    branch.messages.include(
        [
            Instruction.create("12", context=["", None, {"x": []}], template="", images=["a" * 200_000]),
            AssistantResponse.create({"content": "null", "usage": 0.1}),
            request,
            ActionResponse.create(request, 190),
        ]
    )
    branch.messages[1].metadata = {"": [1, "\u2028"], "nested": {"true": True}}
    branch.messages[1].embedding = [0.1, -1.0]
    return branch


def rows(branch: Branch) -> list[dict[str, Any]]:
    """Everything that the messages hold but their flag."""
    return [{key: value for key, value in one.to_dict().items() if key != "flag"} for one in branch.messages]


def readers() -> dict[str, Callable[..., Branch]]:
    """How a new branch is made of each kind of file."""
    return {".csv": Branch.from_csv, ".json": Branch.from_json, ".jsonl": Branch.from_jsonl}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_out_and_in_again(branch: Branch, tmp_path: Path, suffix: str) -> None:
    """Every field of every message comes back, in order, with the flag that says so; so it does when read twice."""
    write = {".csv": branch.to_csv_file, ".json": branch.to_json_file, ".jsonl": branch.to_jsonl_file}[suffix]
    path = write(tmp_path / "new" / f"messages{suffix}")
    restored = readers()[suffix](path, name="copy", tools=[sorted])
    assert rows(restored) == rows(branch)
    assert (restored.name, list(restored.tools), restored.system) == ("copy", ["sorted"], branch.system)
    assert len(restored.flagged_messages(include_load=True)) == 5
    other = Branch()
    assert (other.extend(path), other.extend(str(path))) == (5, 0)
    assert rows(other) == rows(branch)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_conversation(tmp_path: Path, suffix: str) -> None:
    """It is written as such, and read as such."""
    write_messages([], tmp_path / "none", suffix)
    assert read_messages(tmp_path / "none", suffix) == []


def test_loaded_messages_can_be_left_out(branch: Branch, tmp_path: Path) -> None:
    """In a session `exclude_load` leaves them out, and what is said there stays."""
    path = branch.to_csv_file(tmp_path / "messages.csv")
    with Session(exchange=MemoryExchange()) as session:
        session.default_branch.extend(path)
        session.default_branch.messages.include(Instruction.create("new"))
        assert len(session.concat_messages()) == 6
        assert len(session.concat_messages(exclude_load=True)) == 1
        assert len(session.to_df(exclude_load=True)) == 1


def test_names_with_the_time(branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the name or in front of it; the path is returned. Without a path the name is a plain one."""
    behind = branch.to_csv_file(tmp_path / "a.csv", timestamp=True)
    before = branch.to_json_file(str(tmp_path / "a.json"), time_prefix=True)
    assert (behind.name[:4], behind.suffix) == ("a_20", ".csv")
    assert before.name.endswith("Z_a.json")
    monkeypatch.chdir(tmp_path)
    assert branch.to_jsonl_file() == Path("messages.jsonl")
    assert {one.name for one in tmp_path.iterdir()} == {behind.name, before.name, "messages.jsonl"}


def test_a_folder_that_must_be_new(branch: Branch, tmp_path: Path) -> None:
    """With `dir_exist_ok=False` an old one is not written into; a file in the way is no folder."""
    with pytest.raises(ConfigError, match="cannot be made"):
        branch.to_csv_file(tmp_path / "a.csv", dir_exist_ok=False)
    branch.to_csv_file(tmp_path / "new" / "a.csv", dir_exist_ok=False)
    with pytest.raises(ConfigError, match="cannot be made"):
        branch.to_csv_file(tmp_path / "new" / "a.csv" / "b.csv")


def test_a_file_is_replaced_whole(branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written to its end leaves the old file, and no traces; a link stays a link."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)

    def break_off(file: Any, rows: Any) -> None:
        file.write("half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setitem(FORMATS, ".json", (break_off, None))
        with pytest.raises(ConfigError, match="No space left"):
            branch.to_json_file(link)
    assert real.read_text() == "old"
    branch.to_json_file(link)
    assert link.is_symlink()
    assert len(json.loads(real.read_text())) == 5
    assert {one.name for one in tmp_path.iterdir()} == {"real.json", "link.json"}
    with pytest.raises(ConfigError, match="cannot be written"):
        write_messages([], tmp_path, ".csv")


def test_a_file_has_the_usual_rights(branch: Branch, tmp_path: Path) -> None:
    """As any file that this user makes."""
    (tmp_path / "usual").touch()
    path = branch.to_csv_file(tmp_path / "a.csv")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


# The same in each process, for the names of tests.
ONE, TWO = (
    {**Instruction.create(text).to_dict(), "id": f"0191aef4-0000-7000-8000-00000000000{number}", "created_at": 1.0}
    for number, text in enumerate(("one", "two"), 1)
)
HEAD = ",".join(REQUIRED)
CELLS = 'user,"{""instruction"": ""x""}",0191aef4-0000-7000-8000-00000000000'


def lines(*values: Any) -> str:
    """JSON lines."""
    return "\n".join(json.dumps(value) for value in values)


@pytest.mark.parametrize(
    ("suffix", "text", "match"),
    [
        (".csv", "", "is empty"),
        (".json", "", "is empty"),
        (".jsonl", "", "is empty"),
        (".csv", "id,role\n", "lacks the columns created_at, content, sender, recipient, metadata"),
        (".csv", f"{HEAD},id\n", "has a column twice"),
        (".csv", f"{HEAD}\n1,user\n", "row 1 has fewer cells"),
        (".csv", f"{HEAD}\n1,user,a,b,c,d,e,f\n", "row 1 has more cells"),
        (".csv", f"{HEAD}\n1,{CELLS}1,a,b,{{}}\n1,user,{{x,b,c,d,e\n", "row 2, column content is broken JSON"),
        (".csv", f'{HEAD}\n1,"user"x,a,b,c,d,e\n', "row 1 is no CSV"),
        (".csv", f"{HEAD}\n1,{CELLS}1,a,b,{{}}\n2,{CELLS}1,a,b,{{}}\n", "row 2 has the id of row 1"),
        (".csv", f"{HEAD},more\n1,{CELLS}1,a,b,{{}},x\n", "row 1 is no message: .*more"),
        (".csv", f"{HEAD}\n1,{CELLS}1,,b,{{}}\n", "row 1 is no message: it has no sender"),
        (".json", "{}", "holds no list of messages, but a dict"),
        (".json", "[{]", "is broken JSON"),
        (".json", "[" * 100_000, "is broken JSON"),
        (".json", json.dumps([ONE, 7]), "row 2 is no message: expected an object, not int"),
        (".json", json.dumps([ONE, {**TWO, "role": "nobody"}]), "row 2 is no message: .*role"),
        (".json", json.dumps([ONE, ONE]), "row 2 has the id of row 1"),
        (".jsonl", lines(ONE, TWO) + "\n{", "row 3 is broken JSON"),
        (".jsonl", lines(ONE, {"id": "x"}), "row 2 is no message: it has no created_at, role"),
        (".jsonl", lines({**ONE, "id": None}), "row 1 is no message: .*id"),
        (".jsonl", lines({**ONE, "created_at": 1e400}), "row 1 is no message: .*created_at"),
        (
            ".jsonl",
            lines({**ONE, "metadata": {"lion_class": "Branch"}}),
            "row 1 is no message: The dict holds a Branch, not a RoledMessage",
        ),
        (".jsonl", lines({**ONE, "metadata": {"lion_class": "os.system"}}), "row 1 is no message: No class"),
        (".jsonl", lines({**ONE, "extra": 1}), "row 1 is no message: .*extra"),
        (".jsonl", '{"created_at": ' + "9" * 5000 + "}", "row 1 is broken JSON"),
    ],
    ids=str,
)
def test_files_that_cannot_be_read(tmp_path: Path, suffix: str, text: str, match: str) -> None:
    """The error names the file and the row, and nothing is imported, whatever stood before it."""
    path = tmp_path / f"bad{suffix}"
    path.write_text(text)
    branch = Branch()
    for read in (lambda: readers()[suffix](path), lambda: branch.extend(path)):
        with pytest.raises(ConfigError, match=match) as caught:
            read()
        assert str(path) in str(caught.value)
    assert len(branch.messages) == 0


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    """Nothing there, a folder, bytes that are no text, and a name that says nothing."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    for name, match in (("none.csv", "No such file"), ("folder.csv", "cannot be read"), ("bytes.csv", "UTF-8")):
        with pytest.raises(ConfigError, match=match):
            Branch.from_csv(tmp_path / name)
    with pytest.raises(ConfigError, match=r"are read from \.csv, \.json, \.jsonl"):
        Branch().extend("messages.xlsx")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_text_that_is_none(tmp_path: Path, suffix: str) -> None:
    """Half of a surrogate pair, as broken programs make them: an error of this package, and no file."""
    with pytest.raises(ConfigError, match="surrogate"):
        write_messages([Instruction.create("\ud800")], tmp_path / "x", suffix)
    assert list(tmp_path.iterdir()) == []


def test_a_mark_of_byte_order(branch: Branch, tmp_path: Path) -> None:
    """Some programs put one in front; it is no part of the first column's name."""
    path = branch.to_csv_file(tmp_path / "a.csv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert rows(Branch.from_csv(path)) == rows(branch)
