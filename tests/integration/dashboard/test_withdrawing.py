"""Mail that waits is withdrawn from the pages: one mail, or all that waits for a branch."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker.dashboard import dashboard
from lion_broker.mail.verbs import ReadAudit, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from tests.integration.dashboard.conftest import HOSTILE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


async def waiting(scene: Scene, *words: str) -> list[str]:
    """Send mails to `far`, which nobody serves now; their ids."""
    for word in words:
        await scene.session.default_branch.asend(scene.far, "message", word)
    await scene.session.aflush()
    rows = await scene.session.exchange.acall(ReadWaiting(scene.id, scene.far.id, WaitsAt.MAILBOX))
    return [row.mail.id for row in rows]  # type: ignore[union-attr]


async def test_one_mail_is_withdrawn_from_its_page(scene: Scene, client: httpx.AsyncClient, stage: Stage) -> None:
    """The page of a mail that waits has the button, and that of the dead letter it becomes has not."""
    one, two = await waiting(scene, "a", HOSTILE)
    here = f"/sessions/{scene.id}/trace?mail={two}"
    act = f"/sessions/{scene.id}/mail/{two}/withdraw"
    page = await client.get(here, headers=HTML)
    assert f'action="{act}"' in page.text
    done = await client.post(act, data={"back": here, "reason": HOSTILE})
    assert (done.status_code, done.headers["location"]) == (303, f"{here}&did=withdrawn&count=1&left=0&more=0")
    after = await client.get(done.headers["location"], headers=HTML)
    assert "1 withdrawn: dead letters now." in after.text
    assert act not in after.text
    assert "<script>window.pwned" not in after.text
    letter = scene.session.dead_letters[-1]
    assert (letter.reason, letter.mail and letter.mail.id) == ("withdrawn", two)
    assert letter.detail.startswith("Withdrawn by 127.0.0.1: <script>")
    (entry,) = await stage.exchange.acall(ReadAudit())
    assert (entry.who, entry.what) == ("127.0.0.1", "withdraw mail")
    again = await client.post(act, headers=JSON)
    assert again.json() == {"did": "withdrawn", "count": 0, "left": 1, "more": False}
    assert [row.mail.id for row in stage.exchange.call(ReadWaiting(scene.id, scene.far.id, WaitsAt.MAILBOX))] == [one]  # type: ignore[union-attr]


async def test_all_of_a_branch_from_its_row(scene: Scene, client: httpx.AsyncClient) -> None:
    """The rows with mail that waits have the button."""
    act = f"/sessions/{scene.id}/branches/{scene.far.id}/withdraw"
    assert act not in (await client.get("/mailboxes", headers=HTML)).text
    await waiting(scene, "a", "b", "c")
    assert (await client.get("/mailboxes", headers=HTML)).text.count(f'action="{act}"') == 1
    done = await client.post(act, headers=JSON)
    assert done.json() == {"did": "withdrawn", "count": 3, "left": 0, "more": False}
    assert act not in (await client.get("/mailboxes", headers=HTML)).text
    rows = (await client.get("/dead.json?reason=withdrawn")).json()["rows"]
    assert len(rows) == 3


@pytest.mark.parametrize("path", ["mail/{mail}/withdraw", "branches/{far}/withdraw"])
async def test_only_who_may(scene: Scene, app: Starlette, stage: Stage, path: str) -> None:
    """Not without the token, not from a page of somebody else's, not where it is read only."""
    (one,) = await waiting(scene, "a")
    act = f"/sessions/{scene.id}/{path.format(mail=one, far=scene.far.id)}"
    async with visitor(app) as stranger:
        assert (await stranger.post(act)).status_code in (303, 401)
    async with visitor(app) as tricked:
        await tricked.post("/login", data={"token": TOKEN, "name": "ada"})
        assert (await tricked.post(act, data={"proof": "of somebody else"})).status_code == 403
    closed = dashboard(stage.exchange, token=TOKEN, read_only=True)
    async with visitor(closed, Authorization=f"Bearer {TOKEN}") as reader:
        assert (await reader.post(act)).status_code == 403
        assert "withdraw" not in (await reader.get("/mailboxes", headers=HTML)).text.lower()
        assert act not in (await reader.get(f"/sessions/{scene.id}/trace?mail={one}", headers=HTML)).text
    assert "withdrawn" not in {letter.reason for letter in scene.session.dead_letters}


async def test_what_is_not_there(scene: Scene, client: httpx.AsyncClient) -> None:
    """A session or branch that is none is told as that; a mail that is none stays what it is."""
    assert (await client.post(f"/sessions/nobody/mail/{'0' * 36}/withdraw")).status_code == 404
    assert (await client.post(f"/sessions/{scene.id}/branches/nobody/withdraw")).status_code == 404
    answer = await client.post(f"/sessions/{scene.id}/mail/{HOSTILE.replace('/', '')}/withdraw", headers=JSON)
    assert answer.json() == {"did": "withdrawn", "count": 0, "left": 1, "more": False}
