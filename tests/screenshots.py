"""Makes the pictures of docs/dashboard.md anew: a real desk and a real office, looked at with Chromium.

    python -m tests.screenshots [FOLDER]

It takes about a minute, and a server of its own in a temporary folder.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
from playwright.async_api import Page, async_playwright

from lion_broker import Session
from lion_broker.testing import FakeModelServer
from tests.integration.dashboard.browsing import ARGUMENTS, CHROMIUM
from tests.stage import ROOT, Home, Program, Stage, short_folder

FOLDER = ROOT / "docs/images"
TOKEN = "a token for pictures"
SIZE = {"width": 1280, "height": 800}
SECONDS = 34.0


def research(stage: Stage) -> str:
    """Run the research desk, with a worker killed on the way, and keep its session; returns its id."""
    program = stage.start("-m", "lion_broker", "demo", "research", "--keep", "--kill-one", "--json")
    assert program.wait(90) == 0, program.errors
    (session,) = stage.exchange.call(_sessions())
    return str(session)


def _sessions() -> Any:
    from lion_broker.mail.verbs import ListSessions

    return ListSessions()


def gateway(stage: Stage) -> tuple[Program, str]:
    """Start the dashboard."""
    words = ("-m", "lion_broker", "gateway", "--port", "0", "--json")
    program = stage.start(*words, LION_BROKER_DASHBOARD_TOKEN=TOKEN)
    return program, str(program.told()["url"])


async def office(stage: Stage, seconds: float) -> None:
    """Send invoices to four clerks for a while."""
    exchange = stage.connect()
    async with Session(name="invoices", exchange=exchange, delivery="auto") as session:
        clerks = [
            await session.anew_branch(name=f"clerk-{number}", pool="office", behaviour="clerk")
            for number in range(1, 5)
        ]
        front = await session.anew_branch(name="front desk")
        number = 0
        with anyio.move_on_after(seconds):
            while True:
                for clerk in clerks:
                    number += 1
                    await front.asend(clerk, "message", f"Invoice {number}")
                await anyio.sleep(0.35 + 0.25 * (number % 3))


async def letters(stage: Stage, place: Path, seconds: float) -> None:
    """Have twelve branches ask a model that lets four requests a minute through, so that some wait to the end."""
    with FakeModelServer() as server:
        server.says("It is settled.")
        environ = {"MODEL_URL": server.url, "DESK": str(place), "LIMIT": "4", "INTERVAL": "60"}
        stage.worker("tests.apps.thinkers:registry", "writers", "--concurrency", "8", lease=1.0, **environ).ready()
        async with Session(name="letters", exchange=stage.connect(), pool="writers") as session:
            branches = [await session.anew_branch(name=f"writer-{number}", imodel="far") for number in range(1, 13)]
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as group:
                    for branch in branches:
                        group.start_soon(branch.communicate, "What becomes of the invoice?")


async def take(page: Page, folder: Path, name: str, path: str, wait: str = "main h1", scroll: int = 0) -> None:
    """Open a page and take its picture."""
    await page.goto(path)
    await page.locator(wait).first.wait_for()
    await page.locator('#live-dot[data-state="on"]').wait_for()
    if scroll:
        await page.mouse.wheel(0, scroll)
        await page.wait_for_function("scrollY > 0")
    await page.screenshot(path=folder / f"dashboard-{name}.png")


async def closer(page: Page, folder: Path, path: str) -> None:
    """Take a picture of the part of a waterfall, which is open, in which most happens."""
    seconds = float(await page.locator("svg.waterfall").get_attribute("data-to") or 0)
    part = f"{path}&from={0.55 * seconds:.3f}&to={0.9 * seconds:.3f}"
    await take(page, folder, "zoom", part, "svg.track", scroll=270)


async def first_mail(url: str, session: str) -> str:
    """The mail with which a session began."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        rows = (await client.get(f"{url}sessions/{session}/trace.json")).json()["rows"]
        return str(rows[-1]["mail"])


async def pictures(stage: Stage, url: str, desk: str, folder: Path) -> None:
    """Take all pictures while the office is at work."""
    mail = await first_mail(url, desk)
    home = f"/sessions/{desk}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for scheme in ("light", "dark"):
            context = await browser.new_context(base_url=url, viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
            page = await context.new_page()
            await page.goto(f"/login#{TOKEN}")
            await page.wait_for_url("**/")
            if scheme == "light":
                await take(page, folder, "flow", home, "svg.flow")
                await take(page, folder, "lanes", f"{home}/lanes", "svg.lanes")
                await take(page, folder, "trace", f"{home}/trace?mail={mail}", "svg.waterfall")
                await closer(page, folder, f"{home}/trace?mail={mail}")
                await take(page, folder, "workers", "/workers", ".spark")
                await take(page, folder, "models", "/models", "#table-waits tbody tr")
                await take(page, folder, "overview", "/", ".uplot canvas")
                await take(page, folder, "dead", "/dead", "tbody tr")
                await page.locator("tbody tr a").first.click()
                await page.locator("textarea").wait_for()
                await page.locator('#live-dot[data-state="on"]').wait_for()
                await page.screenshot(path=folder / "dashboard-letter.png")
            else:
                await take(page, folder, "conversation", f"{home}/conversation", ".says", scroll=520)
            await context.close()
        await browser.close()


def shrink(folder: Path) -> None:
    """Have the files take less room, where there is a program for it, and say how much they take."""
    optimiser = shutil.which("optipng")
    for picture in sorted(folder.glob("dashboard-*.png")):
        if optimiser:
            subprocess.run([optimiser, "-quiet", str(picture)], check=True)
        sys.stdout.write(f"{picture.name} {picture.stat().st_size // 1024} kB\n")


async def main(folder: Path) -> None:
    """Set the scene and take the pictures."""
    with short_folder() as place:
        home = Home(place)
        prices = place / "prices.toml"
        prices.write_text('[models]\n"openai/*" = { input = 1.0, output = 2.0 }\n')
        environ = {"LION_BROKER_NAMESPACE": "production", "LION_BROKER_MODEL_PRICES": str(prices)}
        with Stage({**home.environ, **environ}) as stage:
            desk = await anyio.to_thread.run_sync(research, stage)
            _, url = gateway(stage)
            for _ in range(2):
                stage.worker("tests.apps.invoices:registry", "office", "--concurrency", "2").ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(office(stage, SECONDS))
                group.create_task(letters(stage, place, SECONDS))
                await asyncio.sleep(SECONDS - 12)
                await pictures(stage, url, desk, folder)
        home.close()
    await anyio.to_thread.run_sync(shrink, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
