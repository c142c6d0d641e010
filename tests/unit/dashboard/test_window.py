"""Windows of time: asked for, kept within the whole, and the links around them."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request

from lion_broker.dashboard.window import Window, round_steps, window_asked, zoom_of
from lion_broker.errors import ConfigError

WHOLE = Window(100.0, 180.0)


def asked(query: str) -> Window | None:
    """The window of a query."""
    return window_asked(Request({"type": "http", "query_string": query.encode(), "headers": []}))


def led(link: str) -> tuple[float, float]:
    """The window that a link leads to."""
    query = dict(parse_qsl(link[1:]))
    return float(query["from"]), float(query["to"])


def test_a_window_is_asked_for_in_seconds() -> None:
    """Both ends, in order; anything else is refused in a sentence."""
    assert asked("") is None
    assert asked("from=0.5&to=2e1") == Window(0.5, 20.0)
    for query in ("from=1", "to=1", "from=2&to=1", "from=1&to=1", "from=nan&to=1", "from=0&to=inf", "from=x&to=%00"):
        with pytest.raises(ConfigError, match="are both needed"):
            asked(query)


@pytest.mark.parametrize(
    ("window", "kept"),
    [
        (Window(110, 120), Window(110, 120)),
        (Window(90, 100), Window(100, 110)),
        (Window(175, 195), Window(160, 180)),
        (Window(0, 1000), WHOLE),
        (Window(-9e9, -8e9), WHOLE),
    ],
)
def test_a_window_is_kept_within_the_whole(window: Window, kept: Window) -> None:
    """Moved where it would look beyond the ends, and no longer than the whole."""
    assert window.within(WHOLE) == kept


def test_links_lead_closer_away_and_aside() -> None:
    """Half as long, twice as long, half of it in sight; the rest of the query is kept, but for its places."""
    query = {"mail": "m", "from": "120", "to": "140", "before": "x"}
    zoom = zoom_of(query, Window(120, 140), WHOLE, ((0, 120), (10, 140)), "x", asked=True)
    assert led(zoom.links["in"]) == (125, 135)
    assert led(zoom.links["out"]) == (110, 150)
    assert led(zoom.links["earlier"]) == (110, 130)
    assert led(zoom.links["later"]) == (130, 150)
    assert zoom.links["all"] == "?mail=m"
    assert not zoom.is_whole


def test_there_is_no_link_to_where_nothing_is() -> None:
    """Of the whole only a part can be looked at; at an end there is nothing further on."""
    zoom = zoom_of({}, WHOLE, WHOLE, ((0, 100), (10, 180)), "x", asked=False)
    assert {name for name, link in zoom.links.items() if link} == {"in"}
    assert zoom.is_whole
    first = zoom_of({}, Window(100, 110), WHOLE, ((0, 100), (10, 110)), "x", asked=True)
    assert not first.links["earlier"]
    assert first.links["later"]


def test_where_time_is_squeezed_the_middle_of_the_picture_is_the_middle() -> None:
    """And not that of the time, in which perhaps nothing happened."""
    points = ((0, 100), (10, 101), (20, 102), (30, 180))
    zoom = zoom_of({}, WHOLE, WHOLE, points, "y", asked=False)
    assert led(zoom.links["in"]) == (100.75, 121.5)


@pytest.mark.parametrize("window", [Window(0, 10), Window(0.0123, 0.0124), Window(99.5, 3600), Window(1e9, 1e9 + 0.3)])
def test_steps_are_round_and_within(window: Window) -> None:
    """Four to eight or so, evenly apart."""
    steps = round_steps(window)
    assert 3 <= len(steps) <= 9
    slack = window.seconds * 1e-3
    assert all(window.begin - slack <= one <= window.end + slack for one in steps)
    apart = [later - one for one, later in pairwise(steps)]
    assert max(apart) == pytest.approx(min(apart), rel=1e-2)
