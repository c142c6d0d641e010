"""Tables and pictures are looked at as one wants, in a real browser: sorted, filtered, closer; the address keeps it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Locator, Page, expect

from lion_broker.testing import await_until
from tests.integration.dashboard.browsing import CHROMIUM
from tests.integration.dashboard.conftest import Scene
from tests.integration.dashboard.test_browser import anyio_backend, browser, page

__all__ = ["anyio_backend", "browser", "page"]

pytestmark = [
    pytest.mark.redis,
    pytest.mark.processes,
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]
LIVE = '#live-dot[data-state="on"]'


def window_of(url: str) -> tuple[float, float]:
    """The window of time in an address."""
    query = parse_qs(urlsplit(url).query)
    return float(query["from"][0]), float(query["to"][0])


def window(page: Page) -> tuple[float, float]:
    """The window of time in the address of a page."""
    return window_of(page.url)


def seconds(url: str) -> float:
    """How long the window in an address is."""
    low, high = window_of(url)
    return high - low


async def moved(page: Page, begin: float) -> None:
    """Wait until the window in the address begins later."""
    await page.wait_for_url(lambda url: window_of(url)[0] > begin + 1e-6)


async def texts(cells: Locator) -> list[str]:
    """What cells say."""
    return [text.strip() for text in await cells.all_inner_texts()]


async def box_of(picture: Locator) -> dict[str, float]:
    """Where a picture is on the screen."""
    await picture.scroll_into_view_if_needed()
    box: Any = await picture.bounding_box()
    return dict(box)


async def hold(page: Page, scene: Scene) -> dict[str, float]:
    """Begin to drag over the lanes, near their beginning; returns where they are on the screen."""
    await page.goto(f"/sessions/{scene.id}/lanes")
    await page.locator(LIVE).wait_for()
    box = await box_of(page.locator("svg.lanes:not(.lanes-head)"))
    await page.mouse.move(box["x"] + 30, box["y"] + 18)
    await page.mouse.down()
    return box


async def test_a_table_is_sorted_and_stays_so(page: Page, scene: Scene) -> None:
    """By a click on a heading, without leaving the page; new mail takes its place in the order."""
    await page.goto(f"/sessions/{scene.id}/branches")
    await page.locator(LIVE).wait_for()
    await page.evaluate("window.here = true")
    names = page.locator("tbody .column-name")
    heading = page.get_by_role("columnheader", name="Branch")
    await heading.get_by_role("link").click()
    await expect(heading).to_have_attribute("aria-sort", "ascending")
    assert await texts(names) == ["(default)", "ada", "far"]
    await heading.get_by_role("link").press("Enter")
    await expect(heading).to_have_attribute("aria-sort", "descending")
    await expect(names).to_have_text(["far", "ada", "(default)"])
    assert await page.evaluate("document.activeElement.id") == "sort-branches-name"
    await scene.session.anew_branch(name="eve", pool="p")
    await scene.session.get_branch("ada").asend(scene.far, "message", "more")
    await expect(names).to_have_text(["far", "eve", "ada", "(default)"])
    assert await page.evaluate("window.here") is True
    await page.go_back()
    await expect(names).to_have_text(["(default)", "ada", "eve", "far"])
    await page.reload()
    await expect(names).to_have_text(["(default)", "ada", "eve", "far"])


async def test_a_filter_keeps_the_order(page: Page, scene: Scene) -> None:
    """And stands in the address; what matches nothing says so, and leads back."""
    await page.set_viewport_size({"width": 1600, "height": 900})  # all columns have room
    await page.goto("/mailboxes?sort=name&order=desc")
    await expect(page.locator("tbody .column-name")).to_have_text(["far", "ada", "(default)"])
    # What the live tail has brought is drawn by then: a link that is drawn anew under the hand is not clicked.
    await page.locator(LIVE).wait_for()
    await page.get_by_role("columnheader", name="Branch").get_by_role("link").click()
    await page.wait_for_url(lambda url: "sort=" not in url)
    await page.locator(LIVE).wait_for()
    await page.get_by_role("columnheader", name="Turns").get_by_role("link").click()
    await page.wait_for_url("**sort=version*")
    await page.get_by_label("Filter").fill("FAR")
    await page.get_by_role("button", name="Show").click()
    await page.wait_for_url("**/mailboxes?*q=FAR*")
    assert "sort=version&order=desc" in page.url
    await expect(page.locator("tbody .column-name")).to_have_text(["far"])
    await page.get_by_label("Filter").fill("nobody")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".empty")).to_contain_text("No branch is like that.")
    await page.get_by_role("link", name="Show all").click()
    await expect(page.locator("tbody tr")).to_have_count(3)


async def test_it_works_without_scripts(page: Page, scene: Scene) -> None:
    """Headings, sizes and the links of a picture are links like all others."""
    assert page.context.browser is not None
    cookies = await page.context.cookies()
    plain = await page.context.browser.new_context(java_script_enabled=False, base_url=page.url)
    await plain.add_cookies(
        [{**one, "url": page.url} for one in cookies if one.pop("domain", None) and one.pop("path", None)]
    )
    other = await plain.new_page()
    await other.goto("/mailboxes")
    await other.get_by_role("link", name="Branch", exact=True).click()
    await expect(other.locator("tbody .column-name")).to_have_text(["(default)", "ada", "far"])
    await other.goto(f"/sessions/{scene.id}/lanes")
    before = await other.locator(".post").count()
    await other.get_by_label("Zoom in").click()
    await expect(other.locator("svg.track")).to_be_visible()
    await other.get_by_role("link", name="Reset").click()
    await expect(other.locator(".post")).to_have_count(before)
    await plain.close()


async def test_a_waterfall_is_zoomed(page: Page, scene: Scene) -> None:
    """By dragging, the wheel, buttons and keys; a drag opens no mail, and all ways lead back."""
    await page.goto(f"/sessions/{scene.id}/trace")
    await page.locator("tbody tr", has_text="zero").last.locator(".column-mail a").click()
    picture = page.locator("svg.waterfall")
    await picture.wait_for()
    # The picture comes with the page; what listens to hands comes with its scripts.
    await page.locator(LIVE).wait_for()
    mail = parse_qs(urlsplit(page.url).query)["mail"]
    whole = float(await picture.get_attribute("data-to") or 0)
    box = await box_of(picture)
    scale = box["width"] / 1000
    y = box["y"] + 60 * scale
    await page.mouse.move(box["x"] + 400 * scale, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 500 * scale, y, steps=4)
    await expect(picture.locator(".chosen")).to_be_visible()
    await page.mouse.move(box["x"] + 612 * scale, y, steps=4)
    await page.mouse.up()
    await page.wait_for_url("**from=*")
    low, high = window(page)
    assert low == pytest.approx(whole * (400 - 300) / 624, rel=0.05)
    assert high == pytest.approx(whole * (612 - 300) / 624, rel=0.05)
    assert parse_qs(urlsplit(page.url).query)["mail"] == mail
    await expect(page.locator("svg.track")).to_be_visible()
    await page.keyboard.press("+")
    await moved(page, low)
    closer = window(page)
    assert closer[1] - closer[0] == pytest.approx((high - low) / 2, rel=0.05)
    await page.keyboard.press("ArrowRight")
    await moved(page, closer[0])
    assert window(page)[1] - window(page)[0] == pytest.approx(closer[1] - closer[0], rel=0.01)
    for _ in range(3):
        await page.keyboard.press("+")
    wide = closer[1] - closer[0]
    await page.wait_for_url(lambda url: seconds(url) == pytest.approx(wide / 8, rel=0.05))
    await page.keyboard.press("0")
    await page.wait_for_url(lambda url: "from=" not in url)
    await expect(page.locator("svg.track")).to_have_count(0)
    box = await box_of(picture)
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    await page.keyboard.down("Control")
    await page.mouse.wheel(0, -100)
    await page.keyboard.up("Control")
    await page.wait_for_url("**from=*")
    low, high = window(page)
    assert high - low == pytest.approx(whole / 1.25, rel=0.05)


async def test_lanes_are_zoomed_and_stay_live(page: Page, scene: Scene) -> None:
    """A part that is dragged over is drawn to scale, with its mails in the table; later mail changes nothing there."""
    ada = scene.session.get_branch("ada")
    box = await hold(page, scene)
    x = box["x"] + 30
    await page.mouse.move(x, box["y"] + 60, steps=5)
    await page.mouse.up()
    await page.wait_for_url("**from=*")
    await expect(page.locator("#zoom-all")).to_be_visible()
    first = await page.locator(".post").count()
    assert first >= 1
    await expect(page.locator("tbody tr")).to_have_count(first)
    low, high = window(page)
    await ada.asend(scene.far, "message", "later")

    async def is_read() -> bool:
        rows = (await (await page.request.get(f"/sessions/{scene.id}/lanes.json")).json())["rows"]
        return any(row["text"] == "later" for row in rows)

    await await_until(is_read)
    assert window(page) == (low, high)
    await expect(page.locator("tbody tr", has_text="later")).to_have_count(0)
    await page.locator("#zoom-all").click()
    await expect(page.locator("tbody tr", has_text="later")).to_have_count(1)


async def test_a_picture_is_not_taken_from_under_a_hand(page: Page, scene: Scene) -> None:
    """What happens while somebody drags over it is in the table at once, and in the picture when it is let go."""
    ada = scene.session.get_branch("ada")
    box = await hold(page, scene)
    x = box["x"] + 30
    await page.mouse.move(x, box["y"] + 40, steps=5)
    await ada.asend(scene.far, "message", "while it is held")
    await expect(page.locator("tbody tr", has_text="while it is held")).to_have_count(1)
    await expect(page.locator("svg[data-held] .chosen")).to_have_count(1)
    await page.mouse.move(x, box["y"] + 60, steps=5)
    await page.mouse.up()
    await page.wait_for_url("**from=*")
    await expect(page.locator("svg[data-held]")).to_have_count(0)


async def test_two_fingers_look_closer(page: Page, scene: Scene) -> None:
    """Spread they do, where they were; closed they go back, no further than everything; a single finger scrolls."""
    await page.goto(f"/sessions/{scene.id}/trace")
    await page.locator("tbody tr", has_text="zero").last.locator(".column-mail a").click()
    picture = page.locator("svg.waterfall")
    await picture.wait_for()
    # The picture comes with the page; what listens to hands comes with its scripts.
    await page.locator(LIVE).wait_for()
    whole = float(await picture.get_attribute("data-to") or 0)
    fingers = await page.context.new_cdp_session(page)
    box = await box_of(picture)
    scale, y = box["width"] / 1000, box["y"] + 60 * box["width"] / 1000

    async def move(kind: str, *places: float) -> None:
        points = [{"x": box["x"] + place * scale, "y": y} for place in places]
        await fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    async def pinch(first: tuple[float, float], last: tuple[float, float]) -> None:
        # Fingers on a picture that is drawn anew meanwhile hold nothing any more.
        await page.wait_for_function(
            "() => Math.abs(JSON.parse(document.querySelector('svg.waterfall').dataset.points)[0][1]"
            " - Number(new URL(location.href).searchParams.get('from') ?? 0)) < 1e-4"
        )
        await move("touchStart", first[0])
        await move("touchStart", *first)
        await move("touchMove", *((one + other) / 2 for one, other in zip(first, last, strict=True)))
        await move("touchMove", *last)
        await move("touchEnd")

    await pinch((550, 650), (450, 750))
    await page.wait_for_url("**from=*")
    low, high = window(page)
    assert high - low == pytest.approx(whole / 3, rel=0.05)
    # What was between the fingers is there still.
    assert low + (high - low) * (600 - 300) / 624 == pytest.approx(whole * (600 - 300) / 624, rel=0.05)
    assert await picture.evaluate("one => one.style.transform") == ""
    await expect(page.locator("svg.track")).to_be_visible()
    await pinch((500, 600), (600, 700))
    await page.wait_for_url(lambda url: window_of(url)[0] < low - 1e-6)
    assert seconds(page.url) == pytest.approx(high - low, rel=0.05)
    before = page.url
    await pinch((350, 850), (590, 610))
    await page.wait_for_url(lambda url: url != before)
    assert seconds(page.url) == pytest.approx(whole, rel=0.05)
    await page.go_back()
    await page.wait_for_url(before)
