"""Opens the dashboard's pages in Chromium on sessions that are far too large to be shown whole, and measures them.

    python -m tests.dashboard_sizes [--quick]

A session with 1,000,000 messages in one log, one with 100,000 branches that got a mail each, and one whose mailbox has
1,000,000 mails; with --quick a fiftieth of each. It takes about ten minutes, and 4 GB of memory for the server.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import Any, Final

import anyio
from playwright.async_api import Page, async_playwright

from lion_broker import Session
from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import run
from lion_broker.mail.records import BranchSeed, Record
from lion_broker.mail.verbs import CreateBranch, ReadSession
from lion_broker.session.postbox import Postbox
from lion_broker.testing import wait_until
from tests.benchmarks.rig import kilobyte_mails
from tests.integration.dashboard.browsing import ARGUMENTS, CHROMIUM
from tests.screenshots import TOKEN, gateway
from tests.stage import Home, Stage, short_folder

MESSAGES, BRANCHES, WAITING = 1_000_000, 100_000, 1_000_000
QUICK: Final = 50
PIECE: Final = 20_000
TOGETHER: Final = 500
DRAINED_SECONDS: Final = 900.0
BEGUN: Final = Record("begun", b"{}")
PAGES: Final = ("", "/lanes", "/trace", "/trace?sort=took", "/conversation", "/branches", "/branches?sort=version")
OF_ALL: Final = (
    "/",
    "/sessions",
    "/mailboxes",
    "/mailboxes?state=waiting",
    "/mailboxes?sort=waiting",
    "/dead",
    "/models",
)


def long_log(stage: Stage, count: int) -> str:
    """A branch with so many messages, which mails have brought."""
    session = Session(name="a long log", exchange=stage.exchange, delivery="auto", timeout=900)
    branch = session.new_branch(name="long", pool="sizes")
    for _ in range(0, count, PIECE):
        run(stage.exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, [branch.id], PIECE)))
    wait_until(lambda: inflight(stage, str(session.id)) == 0, DRAINED_SECONDS)
    return str(session.id)


def many_branches(stage: Stage, count: int) -> str:
    """So many branches, each of which has got a mail."""
    session = Session(name="many branches", exchange=stage.exchange, delivery="auto", timeout=900)
    seeds = [BranchSeed(str(IDType.create()), f"branch {number}", "sizes") for number in range(count)]
    ids = [seed.id for seed in seeds]
    for first in range(0, count, TOGETHER):
        stage.exchange.call_all(
            [CreateBranch(str(session.id), seed, (BEGUN,)) for seed in seeds[first : first + TOGETHER]]
        )
    for first in range(0, count, PIECE):
        part = ids[first : first + PIECE]
        run(stage.exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, part, len(part))))
    wait_until(lambda: inflight(stage, str(session.id)) == 0, DRAINED_SECONDS)
    return str(session.id)


def full_mailbox(stage: Stage, count: int) -> str:
    """A branch that nobody serves, with so many mails."""
    session = Session(name="a full mailbox", exchange=stage.exchange, delivery="auto", timeout=900)
    branch = session.new_branch(name="full", pool="nobody")
    for _ in range(0, count, PIECE):
        run(stage.exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, [branch.id], PIECE)))
    return str(session.id)


def inflight(stage: Stage, session: str) -> int:
    """How much mail of a session waits."""
    record = stage.exchange.call(ReadSession(session))
    assert record
    return int(record.counters["inflight"])


def resident(pid: int) -> int:
    """The memory of a process, in MB."""
    told = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert told
    return int(told[1]) // 1024


async def opened(page: Page, path: str) -> dict[str, Any]:
    """Open a page: when its heading is there, when nothing is being read any more, and how large it is."""
    begin = time.perf_counter()
    answer = await page.goto(path)
    await page.locator("main h1").first.wait_for()
    first = time.perf_counter() - begin
    assert answer
    size = len(await answer.body())
    await page.locator("[data-again]").wait_for(state="detached", timeout=120_000)
    reading = page.locator("#reading")
    note = " ".join((await reading.inner_text()).split()) if await reading.count() else ""
    return {"first": first, "whole": time.perf_counter() - begin, "kB": size // 1024, "note": note}


async def look(url: str, pid: int, sessions: list[str]) -> None:
    """Open every page of every session twice, and say what that took."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await (await browser.new_context(base_url=url, viewport={"width": 1280, "height": 800})).new_page()
        await page.goto(f"/login#{TOKEN}")
        await page.wait_for_url("**/")
        sys.stdout.write(f"gateway: {resident(pid)} MB at first\n")
        names = dict(zip(sessions, ("log", "branches", "mailbox"), strict=True))
        paths = [(names[session], f"/sessions/{session}{one}") for session in sessions for one in PAGES]
        for name, path in [*paths, *(("", one) for one in OF_ALL), *paths]:
            told = await opened(page, path)
            shown = re.sub(r"/sessions/[^/]+", "/sessions/…", path) if name else path
            sys.stdout.write(
                f"{name:9} {shown:28} first {told['first'] * 1000:6.0f} ms, whole {told['whole'] * 1000:6.0f} ms,"
                f" {told['kB']:5} kB, gateway {resident(pid):4} MB  {told['note']}\n"
            )
            sys.stdout.flush()
        await browser.close()


async def main(share: int) -> None:
    """Make the sessions and open their pages."""
    with short_folder() as place:
        home = Home(place)
        with Stage({**home.environ, "LION_BROKER_NAMESPACE": "sizes"}) as stage:
            for _ in range(2):
                stage.worker("tests.apps.invoices:registry", "sizes", lease=10.0).ready()
            sessions = []
            for make, count in ((long_log, MESSAGES), (many_branches, BRANCHES), (full_mailbox, WAITING)):
                begin = time.perf_counter()
                sessions.append(await anyio.to_thread.run_sync(make, stage, count // share))
                sys.stdout.write(f"made {make.__name__} in {time.perf_counter() - begin:.0f} s\n")
                sys.stdout.flush()
            program, url = gateway(stage)
            await look(url, program.pid, sessions)
        home.close()


if __name__ == "__main__":
    asyncio.run(main(QUICK if "--quick" in sys.argv else 1))
