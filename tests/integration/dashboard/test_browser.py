"""The pages in a real browser: live, acting, by keyboard, dark and light, and nothing in the console."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, async_playwright, expect

from lion_broker import Branch, Mail, Registry, iModel
from lion_broker.mail.verbs import SetWanted
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.reply import ModelChunk, ModelReply
from lion_broker.testing import await_until
from tests.conftest import RunningWorker
from tests.integration.dashboard.browsing import ARGUMENTS, CHROMIUM
from tests.integration.dashboard.conftest import HOSTILE, TOKEN, Scene
from tests.integration.dashboard.test_gateway import start
from tests.stage import Stage

pytestmark = [
    pytest.mark.redis,
    pytest.mark.processes,
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]


# Five seconds, which is what it waits if nobody says otherwise, pass on a busy machine before a page is drawn.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The event loop of the browser, one for all tests here."""
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """One browser for all tests here."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    """A page that has signed in at a gateway; nothing may stand in its console at the end."""
    _, url = start(stage, token=None)
    context = await browser.new_context(base_url=url.partition("/login")[0])
    page = await context.new_page()
    troubles: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            troubles.append(f"{message.text} at {page.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    await page.goto(url)
    await page.wait_for_url("**/")
    yield page
    await context.close()
    assert troubles == []


async def test_every_page_opens(page: Page, scene: Scene) -> None:
    """From one to the next as a person goes; what branches call themselves is text."""
    await expect(page.locator("h1")).to_have_text("Overview")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await expect(page.locator(".uplot canvas")).to_have_count(3)
    for title in ("Sessions", "Mailboxes", "Dead letters", "Workers", "Models", "Audit", "Overview"):
        await page.locator(".side nav").get_by_text(title, exact=True).click()
        await expect(page.locator("h1")).to_contain_text(title)
    await page.goto(f"/sessions/{scene.id}")
    await expect(page.locator("h1")).to_contain_text(HOSTILE)
    tabs = [await tab.get_attribute("href") for tab in await page.locator(".tabs a").all()]
    assert len(tabs) == 6
    for tab in filter(None, tabs):
        await page.goto(tab)
        await expect(page.locator("h1")).to_be_visible()
    await page.goto(f"/sessions/{scene.id}/trace")
    await page.locator("tbody .column-mail a").last.click()
    await expect(page.locator("svg.waterfall")).to_be_visible()
    assert await page.evaluate("window.pwned") is None


async def test_the_whole_address_signs_in_who_is_at_the_door_already(page: Page, stage: Stage) -> None:
    """A browser does not load a page anew of which only what follows the # is another one."""
    _, url = start(stage, token=None)
    await page.goto(url.partition("#")[0])
    await expect(page.locator("#login")).to_be_visible()
    await page.goto(url)
    await expect(page.locator("h1")).to_have_text("Overview")


async def test_a_live_mail_appears(page: Page, scene: Scene, stage: Stage, running_worker: RunningWorker) -> None:
    """Without anybody loading the page again."""
    await page.goto(f"/sessions/{scene.id}/conversation?branch={scene.far.id}")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await expect(page.locator(".says .text")).to_have_text(["zero"])
    await page.evaluate("window.here = true")
    await scene.session.get_branch("ada").asend(scene.far, "message", "<b>live</b>")
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await expect(page.locator(".says .text")).to_have_text(["zero", "<b>live</b>"])
    assert await page.evaluate("window.here") is True


async def test_what_letters_died_of_can_be_read(
    page: Page, scene: Scene, stage: Stage, running_worker: RunningWorker
) -> None:
    """The whole first line of an error of usual length, in a table of groups on a screen of usual width."""
    scene.trouble.add(long := f"an invoice whose ledger has no page {'of that number ' * 4}".strip())
    await scene.session.default_branch.asend(scene.far, "message", long)
    await page.set_viewport_size({"width": 1280, "height": 800})
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await scene.session.await_idle()
    await page.goto("/dead/groups")
    words = page.locator("#table-groups .column-error .words", has_text="invoice")
    await expect(words).to_contain_text(long)
    assert await words.evaluate("one => one.scrollHeight <= one.clientHeight + 1 && one.scrollWidth <= one.clientWidth")


async def test_a_dead_letter_is_retried(page: Page, scene: Scene) -> None:
    """By a tick and a button; what was done is said, and stands in the audit."""
    await page.goto("/dead")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    retry = page.get_by_role("button", name="Retry ticked")
    await expect(retry).to_be_disabled()
    await page.locator('tbody input[name="key"]').first.check()
    await retry.click()
    await expect(page.locator(".told")).to_contain_text("1 sent again.")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.goto("/audit")
    await expect(page.locator("tbody tr")).to_contain_text("retry dead letters")


async def test_it_is_used_by_keyboard_and_in_the_dark(page: Page, scene: Scene) -> None:
    """Keys go to pages and rows; the theme is kept."""
    ground = "getComputedStyle(document.body).backgroundColor"
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/sessions")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    light = await page.evaluate(ground)
    await page.keyboard.press("t")
    assert await page.evaluate(ground) != light
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/sessions/{scene.id}")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    assert await page.evaluate(ground) != light
    await page.keyboard.press("?")
    await expect(page.locator("dialog#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.keyboard.type("far")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/find?q=far")
    await expect(page.locator("tbody tr").first).to_contain_text("branch")


async def test_a_page_is_stopped_and_goes_on(page: Page, scene: Scene) -> None:
    """While it stands still nothing changes under one's eyes; then it shows what came meanwhile."""
    await page.goto(f"/sessions/{scene.id}/trace")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(4)
    await page.keyboard.press("p")
    await expect(page.locator("#live-text")).to_have_text("paused")
    other = await page.context.new_page()
    await other.goto(f"/sessions/{scene.id}/trace")
    await expect(other.locator("#live-dot")).to_have_attribute("data-state", "on")
    await scene.session.get_branch("ada").asend(scene.far, "message", "later")
    await expect(other.locator("tbody tr")).to_have_count(5)
    assert await rows.count() == 4
    await page.get_by_role("button", name="Go on").click()
    await expect(rows).to_have_count(5)
    await expect(page.locator("#live-text")).to_have_text("live")


async def test_ids_are_copied_and_times_switched(page: Page, scene: Scene) -> None:
    """By key and by button; which times are shown is kept."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/sessions")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await page.keyboard.press("j")
    await page.keyboard.press("c")

    async def copied() -> bool:
        return bool(await page.evaluate("navigator.clipboard.readText()") == scene.id)

    await await_until(copied)
    moment = page.locator("tbody time").first
    await expect(moment).to_contain_text("ago")
    await page.keyboard.press("u")
    await page.keyboard.press("u")
    await page.reload()
    written = await moment.get_attribute("datetime")
    assert written
    await expect(moment).to_have_text(f"{written[:19].replace('T', ' ')}Z")


async def test_a_pool_is_paused_by_its_buttons(page: Page, scene: Scene) -> None:
    """Asked for once more before, told of afterwards, shown where one is sent for it, and taken back."""
    scene.session.exchange.call(SetWanted("p", 1))
    asked: list[str] = []

    async def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept()

    page.on("dialog", agree)
    await page.goto("/workers")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    pool = page.locator("#table-pools tbody tr", has_text="p")
    await pool.get_by_role("button", name="Pause").click()
    await expect(page.locator(".told")).to_contain_text("1 paused.")
    assert len(asked) == 1
    assert "of the pool p?" in asked[0]
    await page.locator(".note a", has_text="Mailboxes").click()
    await expect(page.locator("tbody tr")).to_contain_text("far")
    await page.goto("/workers")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await pool.get_by_role("button", name="Resume").click()
    await expect(page.locator(".told")).to_contain_text("1 resumed.")


async def test_a_mail_with_which_nobody_has_begun_has_no_picture(
    page: Page, scene: Scene, stage: Stage, running_worker: RunningWorker
) -> None:
    """But words, until something has happened to it: then the picture comes by itself."""
    await scene.session.get_branch("ada").asend(scene.far, "message", "later")
    await page.goto(f"/sessions/{scene.id}/trace?state=waiting&branch={scene.far.id}")
    await page.locator("tbody tr", has_text="later").locator(".column-sent a").click()
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await expect(page.locator("#waterfall")).to_contain_text("Nobody has begun with it.")
    await expect(page.locator("svg.waterfall")).to_have_count(0)
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await expect(page.locator("svg.waterfall")).to_be_visible()


class Storyteller:
    """A model whose answer stops in the middle until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = anyio.Event()

    async def stream(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> AsyncIterator[ModelChunk]:
        yield ModelChunk(text="Once upon ")
        await self.may_go_on.wait()
        yield ModelChunk(text="a time.")
        yield ModelChunk(reply=ModelReply(text="Once upon a time.", model="teller"))

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        raise AssertionError("It is asked for a stream.")


async def test_an_answer_shows_word_by_word(
    page: Page, scene: Scene, stage: Stage, running_worker: RunningWorker
) -> None:
    """Before it is whole; then it is a message like all others."""
    teller = Storyteller()
    scene.registry.model("teller", iModel.of(teller, "teller"))
    far = await scene.session.anew_branch(name="teller", pool="p", imodel="teller")
    await page.goto(f"/sessions/{scene.id}/conversation?branch={far.id}")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")

    async def listen() -> None:
        async for _ in far.stream("Tell me a story."):
            pass

    async with running_worker(scene.registry, stage.exchange, pool="p"), anyio.create_task_group() as group:
        group.start_soon(listen)
        await expect(page.locator("#typing .text")).to_have_text("Once upon ")
        teller.may_go_on.set()
        await expect(page.locator("#talk .says .text").last).to_have_text("Once upon a time.")
        await expect(page.locator("#typing .text")).to_have_count(0)


async def test_a_mail_is_sent_once_and_answered_on_the_page(
    page: Page, scene: Scene, stage: Stage, running_worker: RunningWorker
) -> None:
    """However often somebody clicks; what is being typed stays while the page goes on."""
    await page.goto(f"/sessions/{scene.id}/conversation?branch={scene.far.id}")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await page.locator("#say textarea").fill("<b>by hand</b>")
    async with page.expect_navigation():
        await page.evaluate("const form = document.getElementById('say'); form.requestSubmit(); form.requestSubmit()")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await expect(page.locator(".told")).to_contain_text("1 mail sent.")
    await page.locator("#say textarea").fill("half a word")
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await expect(page.locator(".says .text")).to_have_text(["zero", "<b>by hand</b>"])
    await expect(page.locator("#say textarea")).to_have_value("half a word")


async def test_what_a_branch_is_at_is_stopped(page: Page, scene: Scene, running_worker: RunningWorker) -> None:
    """The button asks first; the worker lets go, the mail is a dead letter, and what is behind it is answered."""
    asked: list[str] = []

    async def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept()

    page.on("dialog", agree)
    begun, registry = anyio.Event(), Registry()

    @registry.behaviour("teller")
    async def linger(branch: Branch, mail: Mail) -> None:
        if mail.package.item.instruction == "slow":
            begun.set()
            await anyio.sleep_forever()

    async with running_worker(registry, scene.session.exchange, pool="p", lease=600):
        for word in ("slow", "quick"):
            await scene.session.default_branch.asend(scene.far, "message", word)
        await begun.wait()
        await page.goto(f"/sessions/{scene.id}/branches")
        await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
        row = page.locator("tbody tr", has_text="far")
        await row.get_by_role("button", name="Stop").click()
        await expect(page.locator(".told")).to_contain_text("1 stopped: dead letters now.")
        await scene.session.await_idle()
    assert len(asked) == 1
    assert "Stop the mail that far is at?" in asked[0]
    assert scene.session.dead_letters[-1].reason == "stopped"
    await scene.far.sync()
    assert [message.text for message in scene.far.messages][-1] == "quick"


async def test_a_page_of_a_dashboard_that_was_started_anew_asks_for_its_token(browser: Browser, stage: Stage) -> None:
    """It does not go on trying without a word."""
    first, url = start(stage)
    port = url.rstrip("/").rpartition(":")[2]
    context = await browser.new_context(base_url=url)
    page = await context.new_page()
    await page.goto(f"/login#{TOKEN}")
    await page.wait_for_url("**/")
    await page.goto("/workers")
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "on")
    await anyio.to_thread.run_sync(first.stop)
    await expect(page.locator("#live-dot")).to_have_attribute("data-state", "off")
    start(stage, "--port", port, token="another token of the tests")
    await expect(page.locator("#login")).to_be_visible()
    await page.locator("input[name=token]").fill("another token of the tests")
    await page.locator("#login button").click()
    await expect(page.locator("h1")).to_have_text("Workers")
    await context.close()
