"""Results keep every sample through JSON, goals are judged by numbers, and tables say what was missed or failed."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.page import BEGIN, END, rendered, replaced
from tests.benchmarks.results import FORMAT, Results, load
from tests.benchmarks.rig import Curve, Figure
from tests.benchmarks.tables import contenders, curves, failures, goals, number, plain
from tests.benchmarks.works import DRAINED, STARTS_P50

NAN = float("nan")
FOUND = Results(
    machine={"processor": "A processor", "cores": 2, "system": "Linux x86_64"},
    versions={"Python": "3.11.7", "server": "valkey 9.1.2"},
    contenders={
        "lion-broker": {"versions": {"python": "3.11.7", "redis": "8.1.0"}, "settings": "a worker's defaults"},
        "arq": {"versions": {"python": "3.11.7", "arq": "0.28.0"}, "settings": "polls"},
    },
    rows=[
        Figure("P1", DRAINED, 20_123.4, "items/s", who="lion-broker", samples=(20_000.0, 20_123.4, 21_000.0)),
        Figure("P1", DRAINED, 1_380.0, "items/s", who="arq", samples=(1_380.0,)),
        Figure("P3", STARTS_P50, 0.9, "ms", "at most 1.0", who="lion-broker", at_most=1.0),
        Figure("P3", STARTS_P50, NAN, "ms", who="arq", error="ConnectionError: refused"),
        Figure("P1", "drained / fastest peer (arq)", 7.25, "ratio", "at least 8", at_least=8),
        Figure("P12", "lion-broker --help", 0.21, "s", "0.4"),
        Figure("P5", "sync", 1_035.0, "mails/s", "the opponent", who="LionAGI 0.36"),
        Curve("P7", "drain", "backlog", "mails/s", ((10, 20_000.0), (1_000_000, NAN)), "within 20 %"),
    ],
)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("P1", "w", 8.0, "ratio", at_least=8), True),
        (Figure("P1", "w", 7.9, "ratio", at_least=8), False),
        (Figure("P1", "w", 1.0, "ms", at_most=1), True),
        (Figure("P1", "w", 1.1, "ms", at_most=1), False),
        (Figure("P1", "w", 1.1, "ms", at_least=1, at_most=2), True),
        (Figure("P1", "w", 1.1, "ms", "in words"), None),
        (Figure("P1", "w", NAN, "ms", at_most=1), None),
    ],
)
def test_a_goal_is_judged_by_its_numbers(figure: Figure, met: bool | None) -> None:
    """At least and at most include the goal itself; words alone, and what was not measured, are not judged."""
    assert figure.met is met


def test_results_come_back_from_json(tmp_path: Path) -> None:
    """What is written reads back the same, samples and errors included; JSON has no NaN."""
    path = tmp_path / "results.json"
    path.write_text(FOUND.dumps())
    again = load(path)
    assert again.dumps() == FOUND.dumps()
    assert again.figures[0] == FOUND.figures[0]
    assert math.isnan(again.figures[3].value)
    assert again.curves[0].points[0] == (10, 20_000.0)


def test_the_json_says_what_it_is() -> None:
    """Versions, machine, contenders, every sample and whether a goal was met stand in the file."""
    found = json.loads(FOUND.dumps())
    assert found.keys() == {"format", "command", "machine", "versions", "contenders", "figures", "curves"}
    assert found["format"] == FORMAT
    assert found["figures"][0]["samples"] == [20_000.0, 20_123.4, 21_000.0]
    assert [row["met"] for row in found["figures"]] == [None, None, True, None, False, None, None]
    assert found["figures"][3]["value"] is None


def test_results_of_another_format_are_refused(tmp_path: Path) -> None:
    """An old file is not shown as if it meant the same."""
    path = tmp_path / "old.json"
    path.write_text('{"format": 0}')
    with pytest.raises(ValueError, match=r"old\.json has format 0"):
        load(path)


@pytest.mark.parametrize(("value", "shown"), [(20_123.4, "20,123"), (42.13, "42.1"), (0.349, "0.35"), (NAN, "–")])
def test_numbers_show_what_means_something(value: float, shown: str) -> None:
    """About three digits, with commas, and a dash for what was not measured."""
    assert number(value) == shown


def test_contenders_stand_in_one_table() -> None:
    """A row for each with a column for each work that was done; ours is marked, a failure is seen and explained."""
    head, _, *rows = contenders(FOUND)
    assert head == "|  | what it is | drained/s | p50 ms |"
    assert rows == [
        "| **lion-broker** | ours | 20,123 | 0.90 |",
        "| arq | a broker with a handler per item | 1,380 | failed |",
    ]
    assert failures(FOUND) == ["- arq, P3: ConnectionError: refused"]


def test_goals_say_met_and_missed() -> None:
    """Only our own figures are held against goals; one in words has no verdict."""
    assert goals(FOUND)[2:] == [
        "| P3 | publish → handler starts, p50 | 0.90 ms | at most 1.0 | met |",
        "| P1 | drained / fastest peer (arq) | 7.25 ratio | at least 8 | missed |",
        "| P12 | lion-broker --help | 0.21 s | 0.4 |  |",
        "| P5 | LionAGI 0.36: sync | 1,035 mails/s | the opponent |  |",
    ]


def test_the_terminal_shows_every_row() -> None:
    """Figures with their verdicts, failures with their reasons, curves with their points."""
    text = plain(FOUND)
    assert "ConnectionError: refused" in text
    assert text.count("missed") == 1
    assert "10: 20,000, 1,000,000: –" in text


def test_of_many_points_some_are_shown() -> None:
    """A curve with a sample every few seconds does not fill the table; its first point is there."""
    curve = Curve("SOAK", "worker", "seconds", "MB", tuple((n, 200.0 + n) for n in range(61)), "level")
    (row,) = curves(replace(FOUND, rows=[curve]))[2:]
    assert row.endswith("| 0: 200, 10: 210, 20: 220, 30: 230, 40: 240, 50: 250, 60: 260 | 1.3 | level |")


def test_a_missed_goal_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept results are shown without measuring; the command has succeeded, whatever they say."""
    path = tmp_path / "results.json"
    path.write_text(FOUND.dumps())
    monkeypatch.setattr("sys.argv", ["scripts/bench", "--from", str(path)])
    main()
    assert capsys.readouterr().out == f"{plain(FOUND)}\n"


def test_a_peer_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the hand does not measure us beside nobody."""
    monkeypatch.setattr("sys.argv", ["scripts/bench", "--peers", "arq,celry"])
    with pytest.raises(SystemExit, match=r"called celry; there are faststream, "):
        main()


def test_the_page_keeps_its_words() -> None:
    """Only what is between the marks is replaced, once and again."""
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n"
    once = replaced(page, rendered(FOUND))
    assert once.startswith(f"# Title\n\n{BEGIN}\n\nMeasured with `scripts/bench` on A processor, 2 cores")
    assert once.endswith(f"{END}\n\nThe end.\n")
    assert "old" not in once
    assert replaced(once, rendered(FOUND)) == once
    with pytest.raises(ValueError, match="needs the lines"):
        replaced("# Title\n", "text")
