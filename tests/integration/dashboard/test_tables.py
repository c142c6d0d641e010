"""Tables are sorted, filtered and cut into pages alike as HTML, JSON and CSV, over everything and not just one page."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import httpx
import pytest

from lion_broker import Session
from tests.integration.dashboard.conftest import Scene
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}


async def rows_of(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """All rows of a table, page by page."""
    found: list[dict[str, Any]] = []
    query: str | None = path.partition("?")[2]
    while query is not None:
        page = (await client.get(f"{path.partition('?')[0]}?{query.lstrip('?')}")).json()
        found += page["rows"]
        query = page["next"]
    return found


async def test_sessions_are_sorted_over_all_pages(scene: Scene, stage: Stage, client: httpx.AsyncClient) -> None:
    """Each once, in every order; those of the same name and number in the one way."""
    others = [Session(name=f"desk-{number}", exchange=stage.exchange) for number in range(1, 12)]
    for name, size in (("name", 5), ("branches", 4), ("created", 3)):
        for order in ("asc", "desc"):
            found = await rows_of(client, f"/sessions.json?sort={name}&order={order}&size={size}")
            assert len({row["id"] for row in found}) == len(found) == len(others) + 1
    named = await rows_of(client, "/sessions.json?sort=name&q=desk-&size=5")
    assert [row["name"] for row in named] == [f"desk-{number}" for number in range(1, 12)]
    in_csv = (await client.get("/sessions.csv?sort=name&order=desc&q=desk-&size=2")).text
    assert [row["name"] for row in csv.DictReader(StringIO(in_csv))] == ["desk-11", "desk-10"]
    page = await client.get("/sessions?sort=name&q=desk-&size=2", headers=HTML)
    assert 'aria-sort="ascending"' in page.text
    assert "1–2 of 11" in " ".join(page.text.split())
    for one in others:
        one.delete()


async def test_sessions_are_chosen_by_what_they_have(scene: Scene, stage: Stage, client: httpx.AsyncClient) -> None:
    """By dead letters, waiting mail, a name, the ends of an id; what matches nothing says so."""
    with Session(name="quiet", exchange=stage.exchange) as quiet:
        for query, names in (
            ("with=dead", [scene.id]),
            ("with=waiting", []),
            ("with=odd", []),
            ("q=QUIET", [str(quiet.id)]),
            (f"q={str(quiet.id)[-10:]}", [str(quiet.id)]),
            (f"q={scene.id[-10:]}&with=dead", [scene.id]),
        ):
            assert [row["id"] for row in await rows_of(client, f"/sessions.json?{query}")] == names, query
        page = await client.get("/sessions?with=odd", headers=HTML)
        assert "No session is like that." in page.text
        quiet.delete()


async def test_branches_are_found_and_sorted(scene: Scene, client: httpx.AsyncClient) -> None:
    """On the page of all sessions and on that of one, page by page."""
    for number in range(1, 12):
        await scene.session.anew_branch(name=f"box-{number}", pool="q")
    for path in ("/mailboxes.json", f"/sessions/{scene.id}/branches.json"):
        found = await rows_of(client, f"{path}?q=BOX-&sort=name&size=4")
        assert [row["name"] for row in found] == [f"box-{number}" for number in range(1, 12)]
        assert {row["name"] for row in await rows_of(client, f"{path}?q=teller")} == {"far"}
        assert len(await rows_of(client, f"{path}?size=3")) == 14
        assert len(await rows_of(client, f"{path}?state=idle&q=q&size=3")) == 11
        assert await rows_of(client, f"{path}?state=paused") == []


async def test_mails_are_found_by_words_and_sorted(scene: Scene, client: httpx.AsyncClient) -> None:
    """By what they say, what went wrong and who they are between; the slowest first."""
    here = f"/sessions/{scene.id}/trace.json"
    assert {row["text"] for row in await rows_of(client, f"{here}?q=ZERO")} == {"zero", "zero!"}
    assert len(await rows_of(client, f"{here}?q=valueerror&state=dead")) == 2
    assert len(await rows_of(client, f"{here}?q=ada&size=1")) == 4
    took = [row["took"] for row in await rows_of(client, f"{here}?sort=took&size=2")]
    known = [one for one in took if one is not None]
    assert took == [*sorted(known, reverse=True), *[None] * (len(took) - len(known))]
    assert await rows_of(client, f"{here}?q=nobody-says-this") == []
    found = await client.get("/find.json", params={"q": "ZERO!"})
    assert [(row["kind"], row["name"]) for row in found.json()["rows"]] == [("mail", "zero!")]


async def test_the_audit_is_searched(scene: Scene, client: httpx.AsyncClient) -> None:
    """Through all of its pages."""
    here = f"/sessions/{scene.id}/branches/{scene.far.id}"
    for number in range(5):
        await client.post(f"{here}/pause", data={"reason": f"reason {number}"})
        await client.post(f"{here}/resume", data={})
    assert len(await rows_of(client, "/audit.json?size=3")) == 10
    found = await rows_of(client, "/audit.json?q=REASON&size=2")
    assert [row["detail"][-1] for row in found] == ["4", "3", "2", "1", "0"]
    assert (await client.get("/audit.json?q=nothing")).json()["rows"] == []


async def test_the_audit_is_sorted(scene: Scene, client: httpx.AsyncClient) -> None:
    """All of it, a page at a time; by itself the newest entry is on top, and its heading says so."""
    here = f"/sessions/{scene.id}/branches/{scene.far.id}"
    for number in (2, 10, 1):
        await client.post(f"{here}/pause", data={"reason": f"reason {number}"})
        await client.post(f"{here}/resume", data={})
    found = await rows_of(client, "/audit.json?sort=detail&order=desc&q=reason&size=2")
    assert [row["detail"].rpartition(" ")[2] for row in found] == ["10", "2", "1"]
    assert len(await rows_of(client, "/audit.json?sort=what&size=4&before=1-0")) == 6
    page = (await client.get("/audit", headers=HTML)).text
    assert 'id="sort-audit-at"' in page
    assert 'aria-sort="descending"' in page
    assert (await client.get("/audit.json?sort=nothing")).status_code == 400


async def test_dead_letters_are_sorted_over_all_pages(scene: Scene, stage: Stage, client: httpx.AsyncClient) -> None:
    """Across sessions and pages, each once, as they stand in CSV too; filters hold, and ticks go with their rows."""
    with Session(name="more", exchange=stage.exchange, delivery="auto") as more:
        for number in (2, 10, 1):
            branch = more.new_branch(name=f"gone-{number}", pool="nobody")
            more.default_branch.send(branch, "message", f"lost {number}")
            more.withdraw(None, branch=branch)
        whole = await rows_of(client, "/dead.json?sort=branch&order=desc&size=2")
        assert len({(row["session"], row["id"]) for row in whole}) == len(whole) > 3
        ours = await rows_of(client, f"/dead.json?sort=branch&size=2&session={more.id}")
        assert [row["branch"] for row in ours] == ["gone-1", "gone-2", "gone-10"]
        in_csv = (await client.get(f"/dead.csv?sort=text&order=desc&session={more.id}")).text
        assert [row["text"] for row in csv.DictReader(StringIO(in_csv))] == ["lost 10", "lost 2", "lost 1"]
        assert await rows_of(client, "/dead.json?sort=at&reason=poison&size=1") == []
        page = " ".join((await client.get(f"/dead?sort=branch&size=2&session={more.id}", headers=HTML)).text.split())
        assert 'aria-sort="ascending"' in page
        assert "1–2 of 3" in page
        more.delete()


async def test_lanes_show_a_window_of_time(scene: Scene, client: httpx.AsyncClient) -> None:
    """The mails that were on their way then, and a sentence when nothing was or the window is none."""
    here = f"/sessions/{scene.id}/lanes"
    mails = await rows_of(client, f"/sessions/{scene.id}/trace.json?q=zero")
    (zero,) = (row for row in mails if row["text"] == "zero")
    page = (await client.get(f"{here}.json?from=0&to=9e9")).json()
    assert len(page["rows"]) == 4
    assert (await client.get(f"{here}.json?from=1&to=2")).json()["rows"] == []
    assert "No mail was on its way then." in (await client.get(f"{here}?from=1&to=2", headers=HTML)).text
    refused = await client.get(f"{here}.json?from=2&to=1")
    assert (refused.status_code, "are both needed" in refused.json()["message"]) == (400, True)
    trace = await client.get(f"/sessions/{scene.id}/trace?mail={zero['mail']}&from=0&to=0.001", headers=HTML)
    assert "Reset" in trace.text
    assert (await client.get(f"{here}.json?from=nan&to=1")).status_code == 400
