"""What is changed from the pages: once, seen by others, and not at all where it is read only."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker.dashboard import dashboard
from lion_broker.mail.deployment import WorkerPhase, WorkerReport
from lion_broker.mail.verbs import Enrol, ReadAudit, ReadWorkers
from lion_broker.testing import await_until
from tests.conftest import RunningWorker
from tests.integration.dashboard.conftest import HOSTILE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}


async def letters(client: httpx.AsyncClient, query: str = "") -> list[dict[str, object]]:
    """The dead letters that a page shows."""
    rows: list[dict[str, object]] = (await client.get(f"/dead.json{query}")).json()["rows"]
    return rows


async def test_a_dead_letter_is_retried(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """It is on its way again, takes effect, and the others stay."""
    first, second = await letters(client)
    scene.trouble.clear()
    done = await client.post("/dead/retry", data={"key": f"{scene.id}/{first['id']}", "back": "/dead?reason=failed"})
    assert (done.status_code, done.headers["location"]) == (
        303,
        "/dead?reason=failed&did=retried&count=1&left=0&more=0",
    )
    assert [one["id"] for one in await letters(client)] == [second["id"]]
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await scene.session.await_idle()
    assert [message.text for message in scene.far.msgs.messages] == ["zero", "one"]


async def test_all_that_match_are_retried_or_dropped(scene: Scene, client: httpx.AsyncClient) -> None:
    """By reason, branch and session; what does not match stays."""
    matching = {"scope": "matching", "session": scene.id, "reason": "expired"}
    answer = await client.post("/dead/retry", data=matching, headers={"Accept": "application/json"})
    assert answer.json() == {"did": "retried", "count": 0, "left": 0, "more": False}
    assert len(await letters(client, f"?branch={scene.far.id}")) == 2
    matching["reason"] = "failed"
    answer = await client.post("/dead/drop", data=matching, headers={"Accept": "application/json"})
    assert answer.json() == {"did": "dropped", "count": 2, "left": 0, "more": False}
    assert await letters(client) == []
    page = (await client.get(f"/dead?session={scene.id}", headers=HTML)).text
    assert "There are no dead letters" in page


async def test_letters_with_some_words_are_dealt_with_alone(scene: Scene, client: httpx.AsyncClient) -> None:
    """What one sees is what an act means; the other letter stays."""
    rows = (await client.get("/dead.json?q=NOT%20ONE")).json()["rows"]
    assert [row["text"] for row in rows] == ["one"]
    page = (await client.get("/dead?q=nothing+like+it", headers={"Accept": "text/html"})).text
    assert "No dead letter is like that." in page
    done = await client.post(
        "/dead/drop", data={"scope": "matching", "q": "not one"}, headers={"Accept": "application/json"}
    )
    assert (done.json()["did"], done.json()["count"]) == ("dropped", 1)
    (left,) = (await client.get("/dead.json")).json()["rows"]
    assert left["text"] != "one"
    (act,) = (await client.get("/audit.json")).json()["rows"]
    assert "all words not one" in act["detail"]


async def test_what_stays_is_counted(scene: Scene, client: httpx.AsyncClient) -> None:
    """Letters that are gone meanwhile, or whose branch was removed, are told of and left alone."""
    keys = [f"{scene.id}/{one['id']}" for one in await letters(client)]
    scene.session.remove_branch(scene.far)
    data = {"key": [*keys, f"{scene.id}/1-1"]}
    answer = await client.post("/dead/retry", data=data, headers={"Accept": "application/json"})
    assert answer.json() == {"did": "retried", "count": 0, "left": 3, "more": False}
    assert len(await letters(client)) == 2


async def test_a_letter_is_edited(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """Other words go instead, in a new mail from the same sender."""
    first, _ = await letters(client)
    page = await client.get(f"/dead/{scene.id}/{first['id']}", headers=HTML)
    assert "ValueError: not one" in page.text
    done = await client.post(f"/dead/{scene.id}/{first['id']}/edit", data={"item": "two\r\nlines"})
    assert done.status_code == 303
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await scene.session.await_idle()
    assert [message.text for message in scene.far.msgs.messages] == ["zero", "two\nlines"]
    assert len(await letters(client)) == 1


async def test_a_lost_worker_is_forgotten(scene: Scene, client: httpx.AsyncClient, stage: Stage) -> None:
    """It is told of on the first page, with the command and with a button in its row; one at work has none."""
    lost = WorkerReport("home:1:a", "r", WorkerPhase.RUNNING, "home", 1, "1.0", 1, 1.0, 1, 8)
    live = replace(lost, owner="home:2:b", beat_ms=600_000)
    await stage.exchange.acall_all((Enrol(lost), Enrol(live)))

    async def states() -> dict[str, str]:
        rows = (await client.get("/workers.json?q=home:")).json()["workers"]["rows"]
        return {row["owner"]: row["state"] for row in rows}

    async def are(wanted: dict[str, str]) -> bool:
        return await states() == wanted

    await await_until(lambda: are({lost.owner: "lost", live.owner: "running"}))

    async def told() -> str:
        page = (await client.get("/", headers=HTML)).text
        return page if "The worker home:1:a was lost, last heard " in page else ""

    # What the page shows is as old as the last look at the figures.
    page = await await_until(told)
    assert "nothing of what was in hand is left to do." in page
    assert "lion-broker forget home:1:a" in page
    assert (await client.get("/workers?q=home:", headers=HTML)).text.count('action="/workers/forget"') == 1
    refused = await client.post("/workers/forget", data={"owner": live.owner})
    assert (refused.status_code, "is drained" in refused.text) == (404, True)
    done = await client.post("/workers/forget", data={"owner": lost.owner}, headers={"Accept": "application/json"})
    assert done.json() == {"did": "forgotten", "count": 1, "left": 0, "more": False}
    await await_until(lambda: are({live.owner: "running"}))
    (act,) = (await client.get("/audit.json")).json()["rows"]
    assert (act["what"], act["target"]) == ("forget worker", f"worker {lost.owner}")


async def test_all_that_were_lost_are_forgotten_at_once(client: httpx.AsyncClient, stage: Stage) -> None:
    """With one button, where there are several; who is at work stays."""
    one = WorkerReport("home:1:a", "r", WorkerPhase.RUNNING, "home", 1, "1.0", 1, 1.0, 1, 8)
    live = replace(one, owner="home:4:d", beat_ms=600_000)
    await stage.exchange.acall_all((Enrol(one), Enrol(live)))

    async def states() -> list[str]:
        return [row["state"] for row in (await client.get("/workers.json")).json()["workers"]["rows"]]

    async def are(*wanted: str) -> bool:
        return await states() == list(wanted)

    await await_until(lambda: are("running", "lost"))
    assert 'name="scope" value="all"' not in (await client.get("/workers", headers=HTML)).text
    await stage.exchange.acall_all([Enrol(replace(one, owner=f"home:{n}:b")) for n in (2, 3)])
    await await_until(lambda: are("running", "lost", "lost", "lost"))
    assert "Forget all that were lost or have stopped" in (await client.get("/workers", headers=HTML)).text
    done = await client.post("/workers/forget", data={"scope": "all"}, headers={"Accept": "application/json"})
    assert done.json() == {"did": "forgotten", "count": 3, "left": 0, "more": False}
    await await_until(lambda: are("running"))
    (act,) = (await client.get("/audit.json")).json()["rows"]
    assert act["what"] == "forget workers"
    assert act["detail"].startswith("3: home:1:a, home:2:b")


async def test_a_branch_is_paused_and_resumed(scene: Scene, client: httpx.AsyncClient) -> None:
    """With the reason, for others to see; twice is no harm, and said."""
    here = f"/sessions/{scene.id}/branches/{scene.far.id}"
    assert (await client.post(f"{here}/pause", data={"reason": HOSTILE})).status_code == 303
    assert scene.far.record.paused == HOSTILE
    again = (await client.post(f"{here}/pause", data={})).headers["location"]
    assert "count=0&left=1" in again
    assert (
        "<strong>1 stayed as it was</strong>: paused before, for a reason of their own"
        in (await client.get(again, headers=HTML)).text
    )
    assert (await client.post(f"{here}/resume", data={})).status_code == 303
    assert scene.far.record.paused == ""
    again = (await client.post(f"{here}/resume", data={})).headers["location"]
    assert "<strong>1 stayed as it was</strong>: not paused" in (await client.get(again, headers=HTML)).text
    gone = await client.post(f"/sessions/{scene.id}/branches/nobody/pause", data={})
    assert gone.status_code == 404


async def test_a_session_is_paused_and_resumed(scene: Scene, stage: Stage, client: httpx.AsyncClient) -> None:
    """All of its branches on workers with one act and one entry of the audit; what is paused already is not counted."""
    other = await scene.session.anew_branch(name="other", pool="p")
    await client.post(f"/sessions/{scene.id}/branches/{other.id}/pause", data={"reason": "by itself"})
    done = await client.post(f"/sessions/{scene.id}/pause", data={"reason": HOSTILE})
    assert "count=1&left=1" in done.headers["location"]
    assert (scene.far.record.paused, other.record.paused) == (HOSTILE, "by itself")
    done = await client.post(f"/sessions/{scene.id}/resume", data={}, headers={"Accept": "application/json"})
    assert done.json()["count"] == 2
    assert (scene.far.record.paused, other.record.paused) == ("", "")
    assert [one.what for one in stage.exchange.call(ReadAudit())] == ["resume session", "pause session", "pause branch"]
    nobody = f"/sessions/{'0' * 8}-0000-7000-8000-{'0' * 12}/pause"
    assert (await client.post(nobody, data={})).status_code == 404
    page = await client.get(f"/sessions/{scene.id}/branches", headers=HTML)
    assert "Pause all" in page.text


@pytest.mark.parametrize("path", ["/mailboxes", "/sessions/{session}/branches"])
async def test_each_row_of_mailboxes_has_its_acts(scene: Scene, client: httpx.AsyncClient, path: str) -> None:
    """On the page of all sessions and on that of one alike; whoever acts comes back to where they were."""
    await scene.session.default_branch.asend(scene.far, "message", "zero")
    here = path.format(session=scene.id)
    act = f"/sessions/{scene.id}/branches/{scene.far.id}"
    page = (await client.get(f"{here}?state=waiting", headers=HTML)).text
    assert (f'action="{act}/pause"' in page, f'formaction="{act}/withdraw"' in page) == (True, True)
    done = await client.post(f"{act}/pause", data={"back": f"{here}?state=waiting"})
    assert done.headers["location"].startswith(f"{here}?state=waiting&did=paused")
    assert f'action="{act}/resume"' in (await client.get(here, headers=HTML)).text


async def test_a_pool_is_paused_and_resumed(scene: Scene, stage: Stage, client: httpx.AsyncClient) -> None:
    """Its branches of all sessions with one act; who was paused alone stays so, and the page says that it did."""
    json = {"Accept": "application/json"}
    other = await scene.session.anew_branch(name="other", pool="p")
    elsewhere = await scene.session.anew_branch(name="elsewhere", pool="q")
    await client.post(f"/sessions/{scene.id}/branches/{other.id}/pause", data={"reason": "by itself"})
    done = await client.post("/pools/pause", data={"pool": "p", "reason": HOSTILE}, headers=json)
    assert done.json() == {"did": "paused", "count": 1, "left": 1, "more": False}
    assert [one.record.paused for one in (scene.far, other, elsewhere)] == [f"pool p: {HOSTILE}", "by itself", ""]
    late = await scene.session.anew_branch(pool="p")
    assert late.record.paused == f"pool p: {HOSTILE}"
    workers = (await client.get("/workers.json")).json()
    assert [(one["pool"], one["paused"], one["pause"]) for one in workers["pools"]["rows"]] == [("p", 3, HOSTILE)]
    overview = await client.get("/", headers=HTML)
    assert "<code>lion-broker branch resume --pool p</code>" in overview.text
    assert (HOSTILE in overview.text, escape(HOSTILE) in overview.text) == (False, True)
    done = await client.post("/pools/resume", data={"pool": "p"})
    page = await client.get(done.headers["location"], headers=HTML)
    assert "2 resumed." in page.text
    assert "paused for a reason of their own" in page.text
    assert [one.record.paused for one in (scene.far, other)] == ["", "by itself"]
    entries = [(one.what, one.target) for one in stage.exchange.call(ReadAudit())]
    assert entries[:2] == [("resume pool", "pool p"), ("pause pool", "pool p")]
    assert (await client.post("/pools/pause", data={"pool": "no pool"})).status_code == 400
    await client.post("/pools/scale", data={"pool": "p", "wanted": "1"})
    page = await client.get("/workers", headers=HTML)
    assert 'href="/mailboxes?q=p"' in page.text
    assert 'formaction="/pools/pause"' in page.text


async def test_a_worker_is_drained_and_a_pool_scaled(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """A worker that is told to drain ends by itself; the number that is wanted is there for who starts workers."""
    async with running_worker(scene.registry, stage.exchange, pool="p") as worker:
        await await_until(lambda: is_enrolled(stage, worker.state.owner))
        page = await client.get("/workers", headers=HTML)
        assert worker.state.owner in page.text
        assert "nobody takes its place: one fewer is wanted, until the pool is scaled" in page.text
        done = await client.post("/workers/drain", data={"owner": worker.state.owner})
        assert "did=draining&count=1" in done.headers["location"]
        await await_until(lambda: worker.state.stopping)
    assert (await client.post("/workers/drain", data={"owner": worker.state.owner})).status_code == 404
    noted = await client.post("/pools/scale", data={"pool": "p", "wanted": "3"})
    told = (await client.get(noted.headers["location"], headers=HTML)).text
    assert "Noted: each lion-broker up that serves the pool goes by it." in told
    assert (await client.get("/scale/p")).json()["wanted"] == 3
    await client.post("/pools/scale", data={"pool": "p", "wanted": ""})
    assert (await client.get("/scale/p")).json()["wanted"] is None
    for wanted in ("-1", "x", "1001", "\u0663"):
        assert (await client.post("/pools/scale", data={"pool": "p", "wanted": wanted})).status_code == 400
    idle = (await client.get("/scale/nowhere")).json()
    assert (idle["backlog"], idle["workers"], idle["wanted"]) == (0, 0, None)
    assert (await client.get("/scale/no pool")).status_code == 400


def is_enrolled(stage: Stage, owner: str) -> bool:
    """Whether a worker is on the roll."""
    return owner in {one.report.owner for one in stage.exchange.call(ReadWorkers()).workers}


async def test_everything_that_is_changed_is_written_down(scene: Scene, app: Starlette, stage: Stage) -> None:
    """Who, what, when and on what, on a page that others see."""
    async with visitor(app, address="192.0.2.7", Authorization=f"Bearer {TOKEN}") as client:
        first, _ = await letters(client)
        await client.post("/dead/drop", data={"key": f"{scene.id}/{first['id']}"})
        await client.post(f"/sessions/{scene.id}/branches/{scene.far.id}/pause", data={})
        told = (await client.get("/audit.json")).json()["rows"]
    assert [(one["who"], one["what"]) for one in told] == [
        ("192.0.2.7", "pause branch"),
        ("192.0.2.7", "drop dead letters"),
    ]
    assert [one.id for one in stage.exchange.call(ReadAudit())] == [one["id"] for one in told]
    assert str(first["id"]) in told[1]["detail"]


async def test_read_only_shows_everything_and_changes_nothing(scene: Scene, stage: Stage) -> None:
    """Neither a button nor a request does anything."""
    app = dashboard(stage.exchange, token=TOKEN, read_only=True)
    async with visitor(app, Authorization=f"Bearer {TOKEN}") as client:
        (first, _) = await letters(client)
        for path in ("/dead", f"/sessions/{scene.id}/branches", f"/dead/{scene.id}/{first['id']}"):
            page = await client.get(path, headers=HTML)
            assert page.status_code == 200
            assert 'method="post" action="/sess' not in page.text
            assert "Retry" not in page.text
        here = f"/sessions/{scene.id}"
        for path in ("/dead/retry", "/dead/drop", f"{here}/branches/{scene.far.id}/pause", f"{here}/pause"):
            answer = await client.post(path, data={"key": f"{scene.id}/{first['id']}"})
            assert answer.status_code == 403
        assert len(await letters(client)) == 2
    assert stage.exchange.call(ReadAudit()) == ()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 400),
        (b"key=" + b"%61" * 2_000_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"key=x" for _ in range(6000)), "application/x-www-form-urlencoded", 400),
        (b"\xff=1", "application/x-www-form-urlencoded", 400),
        (b"key=%00%2f", "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
    ],
)
async def test_odd_forms_are_refused(client: httpx.AsyncClient, body: bytes, kind: str, status: int) -> None:
    """With a status and a sentence, before anything is done."""
    answer = await client.post("/dead/retry", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]
