"""`config show` and `config env`: complete, and silent about secrets."""

import json
import re
from pathlib import Path

import pytest

import lion_broker
from lion_broker.__main__ import main
from lion_broker.cli.config import variables
from lion_broker.cli.exits import Code
from lion_broker.config import Settings

PACKAGE = Path(lion_broker.__file__).parent
SECRET = "a secret of the tests that is long enough"


def mentioned() -> set[str]:
    """Every variable that the package's sources name."""
    texts = [path.read_text() for path in PACKAGE.rglob("*.py")]
    names = {name for text in texts for name in re.findall(r"LION_BROKER_[A-Z_]*[A-Z]", text)}
    return {name.removesuffix("_FILE") for name in names} - {"LION_BROKER"}


def test_every_variable_that_the_package_reads_is_listed() -> None:
    """Whoever adds one adds it to the settings, or to the list of those that are read elsewhere."""
    listed = {one.name for one in variables()}
    assert mentioned() <= listed
    assert listed - mentioned() <= {f"LION_BROKER_{name.upper()}" for name in Settings.model_fields}
    assert all(one.text.endswith(".") for one in variables())


def test_the_template_sets_nothing_and_explains_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is a comment; each setting stands behind a sentence about it."""
    assert main(["config", "env"]) == Code.OK
    lines = capsys.readouterr().out.splitlines()
    assert all(not line or line.startswith("#") for line in lines)
    for one in variables():
        place = lines.index(f"#{one.name}=")
        assert lines[place - 1].startswith(f"# {one.text}")


def test_the_template_is_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a list of objects, which say what is a secret."""
    assert main(["config", "env", "--json"]) == Code.OK
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told] == [one.name for one in variables()]
    assert [one["name"] for one in told if one["secret"]] == [
        "LION_BROKER_SECRET",
        "LION_BROKER_SECRET_PREVIOUS",
        "LION_BROKER_DASHBOARD_TOKEN",
        "LION_BROKER_DEMO_MODEL_KEY",
    ]


def test_values_are_shown_with_where_they_come_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An option, the environment, a file, or the default; neither passwords nor secrets are told."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    monkeypatch.setenv("LION_BROKER_URL", "redis://ada:pa55word@server:6379/1")
    monkeypatch.setenv("LION_BROKER_LEASE", "2.5")
    monkeypatch.delenv("LION_BROKER_SECRET", raising=False)
    monkeypatch.setenv("LION_BROKER_SECRET_FILE", str(file))
    monkeypatch.setenv("LION_BROKER_SECRET_PREVIOUS", f"{SECRET} one,{SECRET} two")
    monkeypatch.setenv("LION_BROKER_DEMO_MODEL_KEY", "sk-hidden")
    assert main(["config", "show", "--namespace", "shop", "--json"]) == Code.OK
    told = capsys.readouterr()
    rows = {row["name"]: (row["value"], row["source"]) for row in json.loads(told.out)["settings"]}
    assert rows["LION_BROKER_URL"] == ("redis://server:6379/1", "environment")
    assert rows["LION_BROKER_NAMESPACE"] == ("shop", "--namespace")
    assert rows["LION_BROKER_LEASE"] == ("2.5", "environment")
    assert rows["LION_BROKER_REPLICAS"] == ("0", "default")
    assert rows["LION_BROKER_SECRET"][1] == f"LION_BROKER_SECRET_FILE ({file})"
    assert re.fullmatch(r"\(set: key [0-9a-f]{8}\)", rows["LION_BROKER_SECRET"][0])
    assert re.fullmatch(r"\(set: key [0-9a-f]{8}, [0-9a-f]{8}\)", rows["LION_BROKER_SECRET_PREVIOUS"][0])
    assert rows["LION_BROKER_DEMO_MODEL_KEY"] == ("(set)", "environment")
    for hidden in (SECRET, "pa55word", "ada", "sk-hidden"):
        assert hidden not in told.out + told.err


def test_a_name_that_is_no_setting_is_pointed_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip of the pen would else be silent."""
    monkeypatch.setenv("LION_BROKER_SECERT", SECRET)
    assert main(["config", "show"]) == Code.OK
    told = capsys.readouterr()
    assert "Warning: LION_BROKER_SECERT is set, and is no setting" in told.err
    assert SECRET not in told.out + told.err


def test_a_value_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends as a program would that was started with it."""
    monkeypatch.setenv("LION_BROKER_LEASE", "soon")
    assert main(["config", "show"]) == Code.USAGE
    assert "LION_BROKER_LEASE cannot be used" in capsys.readouterr().err
