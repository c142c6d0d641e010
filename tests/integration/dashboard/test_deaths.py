"""Dead letters in groups on a page: counted, and retried or dropped as a whole and nothing else."""

from __future__ import annotations

import csv
from io import StringIO

import httpx
import pytest

from lion_broker.dashboard import dashboard
from lion_broker.mail.verbs import Claim, ReadReady, Sweep
from lion_broker.testing import await_until
from tests.conftest import RunningWorker
from tests.integration.dashboard.conftest import HOSTILE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


async def groups(client: httpx.AsyncClient, query: str = "") -> list[dict[str, object]]:
    """The groups that the page shows."""
    rows: list[dict[str, object]] = (await client.get(f"/dead/groups.json{query}")).json()["rows"]
    return rows


async def test_groups_are_shown(scene: Scene, client: httpx.AsyncClient) -> None:
    """With what they have in common, as page, JSON and CSV; what an error says is shown as text."""
    shown = await groups(client)
    assert [(one["letters"], one["reason"], one["behaviour"], one["sessions"]) for one in shown] == [
        (1, "failed", "teller", 1)
    ] * 2
    assert {one["error"] for one in shown} == {
        "ValueError: not one",
        f"ValueError: not {HOSTILE}".replace("= 1", "= #").replace("=1", "=#"),
    }
    page = await client.get("/dead/groups", headers=HTML)
    assert "ValueError: not one" in page.text
    assert "<script>window.pwned" not in page.text
    told = list(csv.DictReader(StringIO((await client.get("/dead/groups.csv")).text)))
    assert [row["session_ids"] for row in told] == [scene.id] * 2
    assert await groups(client, "?reason=expired") == []
    assert len(await groups(client, f"?session={scene.id}&reason=failed")) == 2
    assert (await client.get("/dead/groups?session=nobody")).status_code == 404


async def test_a_group_is_dropped_and_another_stays(scene: Scene, client: httpx.AsyncClient) -> None:
    """Its letters can be looked at first; what died later than the page was made is not touched."""
    one, other = await groups(client)
    listed = (await client.get(f"/dead.json?group={one['group']}")).json()["rows"]
    assert len(listed) == 1
    assert f"/dead?group={one['group']}" in (await client.get("/dead/groups", headers=HTML)).text
    form = {"scope": "matching", "group": str(one["group"])}
    early = await client.post("/dead/drop", data={**form, "until": "1-1"}, headers=JSON)
    assert early.json() == {"did": "dropped", "count": 0, "left": 0, "more": False}
    done = await client.post("/dead/drop", data={**form, "until": str(one["newest"])}, headers=JSON)
    assert done.json() == {"did": "dropped", "count": 1, "left": 0, "more": False}
    assert await groups(client) == [other]
    told = (await client.get("/audit.json")).json()["rows"]
    assert told[0]["detail"] == f"1 letter: all group {one['group']}"


async def test_a_group_is_retried(scene: Scene, client: httpx.AsyncClient) -> None:
    """Whatever its errors say is on its way again."""
    for one in await groups(client):
        form = {"scope": "matching", "group": str(one["group"]), "until": str(one["newest"])}
        assert (await client.post("/dead/retry", data=form, headers=JSON)).json()["count"] == 1
    assert await groups(client) == []
    assert scene.session.counters()["inflight"] == 2


async def test_nothing_is_done_where_it_is_read_only(scene: Scene, stage: Stage) -> None:
    """And no button is shown."""
    async with visitor(dashboard(stage.exchange, token=TOKEN, read_only=True), Authorization=f"Bearer {TOKEN}") as one:
        assert "/dead/drop" not in (await one.get("/dead/groups", headers=HTML)).text
        (group, _) = await groups(one)
        data = {"scope": "matching", "group": str(group["group"])}
        assert (await one.post("/dead/drop", data=data)).status_code == 403


async def test_a_poison_mail_says_whom_it_has_ended(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """On its own page, in a sentence; other letters have their error alone."""
    await scene.session.get_branch("ada").asend(scene.far, "message", "die")
    (ready,) = await stage.exchange.acall(ReadReady("p", "home:1:dead", 10))
    await stage.exchange.acall(Claim(scene.id, scene.far.id, "t1", ready.id, "p", "home:1:dead", 1))

    async def given_to_others() -> bool:
        return (await stage.exchange.acall(Sweep("p", 0))).renewed == 1

    await await_until(given_to_others)
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await scene.session.await_idle()
    mails = (await client.get(f"/sessions/{scene.id}/trace.json?state=dead")).json()["rows"]
    pages = {
        one["text"]: (await client.get(f"/sessions/{scene.id}/trace?mail={one['mail']}", headers=HTML)).text
        for one in mails
    }
    said = "The worker home:1:dead had it, and ended or was cut off without finishing it."
    assert said in pages["die"]
    assert "had it, and ended" not in pages["one"]
