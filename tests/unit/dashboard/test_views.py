"""Pictures are worked out from values, the same for the same ones, however odd these are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lion_broker.dashboard.views.deployment import worker_table
from lion_broker.dashboard.views.flow import draw_flow, flow_table
from lion_broker.dashboard.views.lanes import draw_lanes, mail_table
from lion_broker.dashboard.views.models import model_table, tool_table, wait_seconds
from lion_broker.dashboard.views.waterfall import BARS, LEFT, draw_trace, span_table
from lion_broker.dashboard.views.words import text_of, with_words, words_of
from lion_broker.dashboard.window import Window
from lion_broker.insight.views import Edge, Flow, Lanes, Passage, Span, Trace, WorkerView
from lion_broker.telemetry.acts import Act, ActKind

NAMES = {"a": "ada", "b": "ben", "c": "a name that is far too long for its box", "d": "dan"}
NUMBERS = re.compile(r"-?\d+\.?\d*")


def passage(mail: str, sender: str, recipient: str, sent: float, **known: object) -> Passage:
    """A mail on its way."""
    given = {"category": "message", "text": "hello", "state": "applied", **known}
    return Passage(mail, sender, recipient, sent=sent, **given)  # type: ignore[arg-type]


def test_branches_stand_by_their_distance() -> None:
    """Who sends first is at the left; who gets mail from it to the right, and those side by side do not overlap."""
    flow = Flow(NAMES, (Edge("a", "b", "message", 9), Edge("a", "d", "tool", 1), Edge("b", "c", "message", 2)))
    drawing = draw_flow(flow, {"b": "working"})
    at = {box.name: (box.x, box.y) for box in drawing.boxes}
    assert at["ada"][0] < at["ben"][0] == at["dan"][0] < at[NAMES["c"]][0]
    assert abs(at["ben"][1] - at["dan"][1]) >= 48
    assert [box.shown for box in drawing.boxes if box.branch == "c"] == ["a name that is fa…"]
    assert [(box.sent, box.got, box.state) for box in drawing.boxes if box.branch == "b"] == [(2, 9, "working")]
    thick = {arrow.mails: arrow.thick for arrow in drawing.arrows}
    assert thick[9] > thick[2] > thick[1]
    assert draw_flow(flow, {"b": "working"}) == drawing


def test_every_way_of_an_arrow_stays_in_the_drawing() -> None:
    """To the next, back, far back, in a circle, to itself: all within the edges, each with its number."""
    pairs = ("ab", "ba", "bc", "ca", "cc", "cd", "da", "bd", "db")
    flow = Flow(NAMES, tuple(Edge(pair[0], pair[1], "message", place + 1) for place, pair in enumerate(pairs)))
    drawing = draw_flow(flow, {})
    assert len(drawing.arrows) == len(pairs)
    for arrow in drawing.arrows:
        assert all(float(number) >= 0 for number in NUMBERS.findall(arrow.path))
        assert 0 <= arrow.x <= drawing.width
        assert 0 <= arrow.y <= drawing.height
    assert draw_flow(Flow({}, ()), {}).boxes == ()


def test_a_crowd_is_drawn_as_far_as_it_can_be_read() -> None:
    """Those with most mail, and how many are left out; the table has all."""
    names = {f"b{number}": f"branch {number}" for number in range(200)}
    edges = tuple(Edge("b0", f"b{number}", "message", number) for number in range(1, 200))
    drawing = draw_flow(Flow(names, edges), {})
    assert len(drawing.boxes) == 40
    assert drawing.left_out == 160
    assert {box.branch for box in drawing.boxes} == {"b0", *(f"b{number}" for number in range(161, 200))}
    assert len(flow_table(Flow(names, edges)).rows) == 199


def test_time_goes_downwards() -> None:
    """Mails stand in the order of sending, apart from each other; what follows stands below what came before."""
    mails = [
        passage("1", "a", "b", 100.0, delivered=100.001, begun=100.5, applied=101.0),
        passage("2", "b", "a", 100.9, delivered=101.0, begun=101.1, applied=101.2),
        passage("3", "b", "b", 100.9, delivered=101.0),
        passage("4", "a", "d", 5000.0, state="waiting"),
    ]
    chart = draw_lanes(Lanes(NAMES, tuple(mails)))
    one, two, three, four = chart.posts
    assert one.y1 <= one.y2 < one.begun < one.ended <= two.y2  # type: ignore[operator]
    assert one.y1 + 20 <= two.y1 < four.y1 <= chart.height
    assert three.loop
    assert (four.begun, four.ended) == (None, None)
    assert [lane.name for lane in chart.lanes] == ["ada", "ben", "dan"]
    assert [tick.seconds for tick in chart.ticks] == sorted(tick.seconds for tick in chart.ticks)
    assert chart.height < 400  # an hour without mail takes little room


def test_clocks_that_differ_turn_nothing_around() -> None:
    """A mail that came before it was sent, by another clock, is drawn as one that came at once."""
    chart = draw_lanes(Lanes(NAMES, (passage("1", "a", "b", 100.0, delivered=99.0, begun=98.0, applied=97.0),)))
    (post,) = chart.posts
    assert post.y1 <= post.y2 <= post.begun <= post.ended  # type: ignore[operator]
    (row,) = mail_table("s", Lanes(NAMES, (passage("1", "a", "b", 9.0, delivered=8.0, begun=7.0, applied=6.0),))).rows
    assert (row.values["waited"], row.values["took"]) == (0.0, 0.0)


def test_a_waterfall_has_a_bar_for_each_span() -> None:
    """On one axis; calls stand below the attempt that made them, those at the same time under one another."""
    spans = (
        Span("queued", "", 10.0, 1.0),
        Span("work", "attempt 1", 11.0, 3.0, "ValueError"),
        Span("model", "any", 11.5, 2.0, fields={"tokens": 5}),
        Span("tool", "search", 11.6, 0.5),
        Span("wait", "limits", 13.6, 0.1),
        Span("delivered", "", 14.0, 0.5),
    )
    caused = Trace(passage("2", "b", "d", 14.1, delivered=14.5), (Span("queued", "", 14.5, 5.5),), left_out=3)
    trace = Trace(passage("1", "a", "b", 9.9, delivered=10.0), spans, (caused,))
    drawing = draw_trace(trace, NAMES)
    first, second = drawing.lines
    by_kind = {bar.kind: bar for bar in first.bars}
    assert by_kind["queued"].x < by_kind["work"].x < by_kind["delivered"].x
    assert by_kind["tool"].y > by_kind["model"].y > by_kind["work"].y
    assert by_kind["wait"].y == by_kind["model"].y
    assert by_kind["work"].error == "ValueError"
    assert "tokens=5" in by_kind["model"].title
    assert second.y >= first.y + first.height
    assert second.indent > first.indent
    assert drawing.whole.seconds == pytest.approx(10.0)
    assert [mark.seconds for mark in drawing.marks] == pytest.approx([0, 2, 4, 6, 8, 10])
    assert drawing.left_out == 3
    assert len(span_table(trace, NAMES).rows) == 7


def test_a_mail_to_which_nothing_happened_has_a_row() -> None:
    """Without a bar, and without a division by nothing."""
    drawing = draw_trace(Trace(passage("1", "a", "b", 9.9, state="waiting"), ()), NAMES)
    assert [line.bars for line in drawing.lines] == [()]


def test_models_are_counted_by_name() -> None:
    """Tokens only where a provider has counted them; what waited for a limit is told apart."""
    acts = [
        Act(ActKind.MODEL, "openai/small", 1.0, 0.5, fields={"prompt_tokens": 10, "completion_tokens": 5}),
        Act(ActKind.MODEL, "openai/small", 2.0, 1.5, error="ModelTimeout"),
        Act(ActKind.MODEL, "offline/extractive", 2.0, 0.1),
        Act(ActKind.TOOL, "search", 3.0, 0.2),
        Act(ActKind.WAIT, "limits", 3.0, 0.7),
    ]
    rows = [row.values for row in model_table(acts).rows]
    assert [(row["name"], row["calls"], row["failed"], row["prompt_tokens"]) for row in rows] == [
        ("openai/small", 2, 1, 10),
        ("offline/extractive", 1, 0, None),
    ]
    assert rows[0]["p95"] == 1.5
    assert [row.values["name"] for row in tool_table(acts).rows] == ["search"]
    assert wait_seconds(acts) == (1, 0.7)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"item": "a text"}, "a text"),
        ({"item": {"content": {"instruction": "do", "context": [1]}}}, "do"),
        ({"item": {"content": {"assistant_response": "done"}}}, "done"),
        ({"item": {"content": {"action_request": {"function": "f", "arguments": {"a": 1}}}}}, "f(a=1)"),
        ({"item": {"content": {"action_response": {"function": "f", "output": 5}}}}, "f → 5"),
        ({"item": {"content": {"instruction": 5}}}, None),
        ({"item": [1]}, None),
        ("bare", None),
        (None, None),
    ],
)
def test_words_are_found_in_any_body(body: object, words: str | None) -> None:
    """And where there are none, the body's JSON is what it says."""
    assert words_of(body) == words
    assert isinstance(text_of(body), str)


def test_other_words_keep_all_else() -> None:
    """A message that is edited keeps its context; what has no words cannot be edited so."""
    body: dict[str, Any] = {
        "item": {"content": {"instruction": "do", "context": [1]}, "metadata": {"lion_class": "Instruction"}}
    }
    changed = with_words(body, "undo")
    assert changed["content"] == {"instruction": "undo", "context": [1]}
    assert body["item"]["content"]["instruction"] == "do"
    assert with_words({"item": "do"}, "undo") == "undo"
    assert with_words({"item": [1]}, "undo") is None


def test_a_part_of_a_waterfall_is_drawn_larger() -> None:
    """Bars are cut at the ends of the window; a mail to which nothing happens in it points to where that was."""
    spans = (Span("queued", "", 10.0, 1.0), Span("work", "", 11.0, 3.0), Span("delivered", "", 14.0, 0.5))
    caused = Trace(passage("2", "b", "d", 14.1, delivered=14.5), (Span("queued", "", 14.5, 5.5),))
    trace = Trace(passage("1", "a", "b", 9.9, delivered=10.0), spans, (caused,))
    whole, part = draw_trace(trace, NAMES), draw_trace(trace, NAMES, Window(0.5, 1.5))
    first, second = part.lines
    assert [bar.kind for bar in first.bars] == ["queued", "work"]
    assert [bar.width for bar in first.bars] == [BARS / 2, BARS / 2]
    assert [bar.x for bar in first.bars] == [LEFT, LEFT + BARS / 2]
    assert (list(second.bars), second.beyond, first.beyond) == ([], "later", "")
    assert draw_trace(trace, NAMES, Window(9.0, 10.0)).lines[0].beyond == "earlier"
    assert [line.y for line in part.lines] == [line.y for line in whole.lines]
    assert dict(part.points) == {LEFT: 0.5, LEFT + BARS: 1.5}
    assert draw_trace(trace, NAMES, Window(-50, 500)) == whole


def test_a_window_of_lanes_is_to_scale() -> None:
    """The same time takes the same room, and what is beyond the window ends just beyond the picture."""
    passages = (
        passage("1", "a", "b", 100.0, delivered=100.0, begun=101.0, applied=102.0),
        passage("2", "a", "b", 103.0, delivered=103.0, begun=90.0, applied=900.0),
    )
    chart = draw_lanes(Lanes(NAMES, passages), Window(100.0, 104.0))
    first, second = chart.posts
    begun, ended = first.begun or 0, first.ended or 0
    assert ended - begun == pytest.approx(begun - first.y2, abs=1)
    assert begun < ended < (second.ended or 0) <= chart.height
    assert chart.shown == Window(100.0, 104.0)
    assert [tick.seconds for tick in chart.ticks] == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0])
    assert draw_lanes(Lanes({}, ()), Window(0, 1)).posts == ()
    assert draw_lanes(Lanes({}, ())).shown.seconds > 0


def test_workers_show_how_late_they_are_and_what_they_can_do() -> None:
    """A column that has nothing in it is not there: of workers that keep up, or of a version that does not say it."""
    old = WorkerView("home:1:a", "p", "running", "home", 1, "0.1.0", 1.0, 2.0, 100, 3, 5, 7, 0)
    quiet = replace(old, late_seconds=0.009)
    late = replace(old, late_seconds=0.042, behaviours=("bill", "respond"))
    assert not {"late_seconds", "behaviours"} & {one.name for one in worker_table([old, quiet]).shown()}
    table = worker_table([old, late])
    assert {"late_seconds", "behaviours"} <= {one.name for one in table.shown()}
    assert [row.values["late_seconds"] for row in table.rows] == [None, 0.042]
    assert [row.values["behaviours"] for row in table.rows] == ["", "bill, respond"]
