"""What a worker is at is stopped from the pages: a mail, or what a branch is at."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker.dashboard import dashboard
from lion_broker.mail.verbs import Claim, ReadAudit, ReadReady, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from tests.integration.dashboard.conftest import HOSTILE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


async def at_work(scene: Scene, *words: str) -> list[str]:
    """Have a worker take the first of some mails to `far`; their ids."""
    for word in words:
        await scene.session.default_branch.asend(scene.far, "message", word)
    await scene.session.aflush()
    exchange = scene.session.exchange
    (ready,) = await exchange.acall(ReadReady("p", "worker", 10))
    await exchange.acall(Claim(scene.id, scene.far.id, "t1", ready.id, "p", "worker", 600_000, batch=1))
    rows = await exchange.acall(ReadWaiting(scene.id, scene.far.id, WaitsAt.MAILBOX))
    return [row.mail.id for row in rows]  # type: ignore[union-attr]


async def test_one_mail_is_stopped_from_its_page(scene: Scene, client: httpx.AsyncClient, stage: Stage) -> None:
    """The page of a mail at work has the button, those of one that waits and of a dead letter have not."""
    one, two = await at_work(scene, HOSTILE, "b")
    here, act = f"/sessions/{scene.id}/trace?mail={one}", f"/sessions/{scene.id}/mail/{one}/stop"
    assert f'action="{act}"' in (await client.get(here, headers=HTML)).text
    assert "/stop" not in (await client.get(f"/sessions/{scene.id}/trace?mail={two}", headers=HTML)).text
    done = await client.post(act, data={"back": here, "reason": HOSTILE})
    assert (done.status_code, done.headers["location"]) == (303, f"{here}&did=stopped&count=1&left=0&more=0")
    after = await client.get(done.headers["location"], headers=HTML)
    assert "1 stopped: dead letters now." in after.text
    assert act not in after.text
    assert "<script>window.pwned" not in after.text
    letter = scene.session.dead_letters[-1]
    assert (letter.reason, letter.mail and letter.mail.id) == ("stopped", one)
    assert letter.detail.startswith("Stopped by 127.0.0.1: <script>")
    (entry,) = await stage.exchange.acall(ReadAudit())
    assert (entry.who, entry.what) == ("127.0.0.1", "stop mail")
    page = await client.get(f"/dead/{scene.id}/{letter.id}", headers=HTML)
    assert "Somebody stopped it at work." in page.text
    again = await client.post(act, headers=JSON)
    assert again.json() == {"did": "stopped", "count": 0, "left": 1, "more": False}


async def test_what_a_branch_is_at_from_its_row(scene: Scene, client: httpx.AsyncClient) -> None:
    """The rows of branches at work have the button; a second time nothing is at work there."""
    act = f"/sessions/{scene.id}/branches/{scene.far.id}/stop"
    assert act not in (await client.get("/mailboxes", headers=HTML)).text
    one, _two = await at_work(scene, "a", "b")
    assert (await client.get("/mailboxes", headers=HTML)).text.count(f'formaction="{act}"') == 1
    done = await client.post(act, headers=JSON)
    assert done.json() == {"did": "stopped", "count": 1, "left": 0, "more": False}
    assert scene.session.dead_letters[-1].mail.id == one  # type: ignore[union-attr]
    again = await client.post(act, data={"back": "/mailboxes"})
    assert "Nothing was at work there." in (await client.get(again.headers["location"], headers=HTML)).text


@pytest.mark.parametrize("path", ["mail/{mail}/stop", "branches/{far}/stop"])
async def test_only_who_may(scene: Scene, app: Starlette, stage: Stage, path: str) -> None:
    """Not without the token, not by looking, not from a page of somebody else's, not where it is read only."""
    one = (await at_work(scene, "a"))[0]
    act = f"/sessions/{scene.id}/{path.format(mail=one, far=scene.far.id)}"
    async with visitor(app) as stranger:
        assert (await stranger.post(act)).status_code in (303, 401)
    async with visitor(app) as tricked:
        await tricked.post("/login", data={"token": TOKEN, "name": "ada"})
        assert (await tricked.post(act, data={"proof": "of somebody else"})).status_code == 403
        assert (await tricked.get(act)).status_code == 405
    closed = dashboard(stage.exchange, token=TOKEN, read_only=True)
    async with visitor(closed, Authorization=f"Bearer {TOKEN}") as reader:
        assert (await reader.post(act)).status_code == 403
        assert "/stop" not in (await reader.get("/mailboxes", headers=HTML)).text
        assert "/stop" not in (await reader.get(f"/sessions/{scene.id}/trace?mail={one}", headers=HTML)).text
    assert "stopped" not in {letter.reason for letter in scene.session.dead_letters}


async def test_what_is_not_there(scene: Scene, client: httpx.AsyncClient) -> None:
    """A session or branch that is none is told as that; a mail that is none stays what it is."""
    assert (await client.post(f"/sessions/nobody/mail/{'0' * 36}/stop")).status_code == 404
    assert (await client.post(f"/sessions/{scene.id}/branches/nobody/stop")).status_code == 404
    answer = await client.post(f"/sessions/{scene.id}/mail/{HOSTILE.replace('/', '')}/stop", headers=JSON)
    assert answer.json() == {"did": "stopped", "count": 0, "left": 1, "more": False}
