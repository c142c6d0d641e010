"""The pages on screens of several widths: what is in sight, what gives way, and what is covered by nothing."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from lion_broker.dashboard.pages import environment
from lion_broker.mail.verbs import Claim, ReadReady
from tests.integration.dashboard.browsing import CHROMIUM
from tests.integration.dashboard.conftest import Scene
from tests.integration.dashboard.test_browser import anyio_backend, browser, page
from tests.stage import Stage

__all__ = ["anyio_backend", "browser", "page"]

pytestmark = [
    pytest.mark.redis,
    pytest.mark.processes,
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]


_FILLED = """heading => {
  const all = selector => [...document.querySelectorAll(selector)];
  // As wide as it is with the line of the last minutes, which begins with the first sample.
  all(".kind-spark").forEach(one => { one.style.minWidth = "7.5rem"; });
  all("#table-pools td.column-oldest_seconds").forEach(one => { one.textContent = "23 h 59 min"; });
  // The longest reason, and an error of a few words.
  all("#table-groups th.column-reason").forEach(one => { one.style.minWidth = "11.5rem"; });
  all("#table-groups th.column-error").forEach(one => { one.style.minWidth = "18rem"; });
  const figure = all("th").find(one => one.innerText.startsWith(heading));
  const buttons = all("tbody .acts").find(one => one.querySelector("button"));
  return [figure.getBoundingClientRect().right, buttons.getBoundingClientRect().left + 1];
}"""
"""What there is when rows are full: the end of a column and the beginning of the buttons, in pixels."""


async def test_nothing_is_wider_than_a_phone(page: Page, scene: Scene) -> None:
    """Tables scroll by themselves; no page does sideways, whatever branches have called themselves."""
    await scene.session.anew_branch(name="w" * 300, pool="p")
    await page.set_viewport_size({"width": 390, "height": 800})
    session = f"/sessions/{scene.id}"
    pages = ("/", "/sessions", "/mailboxes", "/dead", "/workers", "/models", "/audit", "/find?q=desk")
    for path in (*pages, *(f"{session}{one}" for one in ("", "/lanes", "/trace", "/conversation", "/branches"))):
        await page.goto(path)
        await expect(page.locator("h1")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
    await page.goto("/audit")
    # The row of places is longer than the screen; it stands where one is.
    await expect(page.locator('.side nav [aria-current="page"]')).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(
    ("path", "heading", "pause"),
    [
        ("/mailboxes", "Mailbox", False),
        ("/workers", "Mails/s", False),
        ("/workers", "Mails/s", True),
        ("/dead/groups", "Sessions", False),
    ],
)
async def test_buttons_cover_no_figures(page: Page, scene: Scene, path: str, heading: str, pause: bool) -> None:
    """On a screen of usual width: the buttons of a row stay at its right end, over what is beside them if need be."""
    await scene.session.anew_branch(name="other", pool=f"desk-{'b' * 12}")
    await scene.session.default_branch.asend(scene.far, "message", "zero")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.goto(path)
    await expect(page.locator("tbody .acts button").first).to_be_visible()
    if pause:
        await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
        page.on("dialog", lambda dialog: dialog.accept())
        row = page.locator("#table-pools tbody tr").filter(has=page.get_by_role("button", name="Pause"))
        await row.get_by_role("button", name="Pause").first.click()
        await expect(page.locator("tbody .column-pause", has_text="paused by")).to_be_visible()
    # At once, for a live page writes its rows anew.
    figure, buttons = await page.evaluate(_FILLED, heading)
    assert figure <= buttons


@pytest.mark.parametrize("width", [1280, 1360, 1600])
async def test_buttons_cover_no_column(page: Page, scene: Scene, stage: Stage, width: int) -> None:
    """Of a branch at work, which has all three, with mail behind it: what has no room gives way."""
    for word in ("zero", "two"):
        await scene.session.default_branch.asend(scene.far, "message", word)
    (ready,) = await stage.exchange.acall(ReadReady("p", "web-2", 10))
    owner = "web-2:77:c01d29f3"
    await stage.exchange.acall(Claim(scene.id, scene.far.id, "t" * 32, ready.id, "p", owner, 600_000))
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto("/mailboxes")
    row = page.locator("tbody tr", has=page.locator(".acts button", has_text="Stop"))
    await expect(row.locator(".acts button")).to_have_text(["Pause", "Withdraw", "Stop"])
    buttons = await row.locator(".acts").bounding_box()
    assert buttons is not None
    ends = "cells => cells.map(cell => cell.getBoundingClientRect().right)"
    assert max(await page.locator("th:not(:last-child)").evaluate_all(ends)) <= buttons["x"] + 1
    shown = await page.locator("th").evaluate_all(
        "cells => cells.filter(one => one.offsetWidth).map(one => one.innerText)"
    )
    assert ("Turns" in shown) == (width > 1500)


@pytest.mark.parametrize(
    ("width", "path", "column"),
    [(1280, "/trace", "took"), (900, "/trace", "attempts"), (900, "/trace", "state"), (400, "/branches", "state")],
)
async def test_what_a_table_is_for_is_seen_first(page: Page, scene: Scene, width: int, path: str, column: str) -> None:
    """Where mail stands, how often it was tried, how much waits, on a screen that has no room for all columns."""
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(f"/sessions/{scene.id}{path}")
    cell = await page.locator(f"tbody .column-{column}").first.bounding_box()
    table = await page.locator(".scroll").first.bounding_box()
    assert cell is not None
    assert table is not None
    assert cell["x"] + cell["width"] <= table["x"] + table["width"]


@pytest.mark.parametrize("width", [390, 700])
async def test_parts_of_a_letter_follow_one_another(page: Page, scene: Scene, width: int) -> None:
    """What it says begins below the buttons of what it is, and a line of words has no field of a page's height."""
    await page.set_viewport_size({"width": width, "height": 844})
    await page.goto("/dead")
    await page.locator("tbody .column-at a").last.click()
    heading = await page.get_by_role("heading", name="What it says").bounding_box()
    before = await page.get_by_role("link", name="What its branch has said").bounding_box()
    field = await page.locator("textarea").bounding_box()
    assert heading is not None
    assert before is not None
    assert field is not None
    assert 0 < heading["y"] - before["y"] - before["height"] < 50
    assert field["height"] < 200


@pytest.mark.parametrize("width", [400, 900, 1280, 1400])
async def test_no_figure_is_wider_than_its_place(page: Page, scene: Scene, width: int) -> None:
    """Also where something has waited for minutes and seconds, or there are millions."""
    await page.set_viewport_size({"width": width, "height": 800})
    shown = environment().from_string(
        '{% import "macros.html" as ui %}{{ ui.figure("oldest wait", "9 min 59 s") }}{{ ui.figure("waiting", value) }}'
    )
    await page.locator("#figures").evaluate(
        "(one, html) => { one.innerHTML += html; }", shown.render(value="8,888,888")
    )
    wider = "all => all.filter(one => one.scrollWidth > one.parentElement.clientWidth - 20).map(one => one.innerText)"
    assert await page.locator("#figures .figure-value").evaluate_all(wider) == []
