"""Mail becomes dead letters from the pages: what waits is withdrawn, what a worker is at is stopped."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Recall:
    """A way to take mail back: how its path ends, what it has done then, and whether a worker is at the first mail."""

    path: str
    did: str
    taken: bool


WITHDRAW = Recall("withdraw", "withdrawn", taken=False)
STOP = Recall("stop", "stopped", taken=True)
BOTH = pytest.mark.parametrize("recall", [WITHDRAW, STOP], ids=lambda one: one.path)


async def sent(scene: Scene, recall: Recall, *words: str) -> list[str]:
    """Send mails to `far`, of which a worker takes the first if it is to be stopped; the ids of all that are there."""
    for word in words:
        await scene.session.default_branch.asend(scene.far, "message", word)
    await scene.session.aflush()
    exchange = scene.session.exchange
    if recall.taken:
        (ready,) = await exchange.acall(ReadReady("p", "worker", 10))
        await exchange.acall(Claim(scene.id, scene.far.id, "t1", ready.id, "p", "worker", 600_000, batch=1))
    return await there(scene)


async def there(scene: Scene) -> list[str]:
    """The ids of what is in the mailbox of `far`."""
    rows = await scene.session.exchange.acall(ReadWaiting(scene.id, scene.far.id, WaitsAt.MAILBOX))
    return [row.mail.id for row in rows]  # type: ignore[union-attr]


@BOTH
async def test_one_mail_from_its_page(scene: Scene, client: httpx.AsyncClient, stage: Stage, recall: Recall) -> None:
    """The page has the button, and that of the dead letter it becomes has not; the other mail stays."""
    one, two = await sent(scene, recall, HOSTILE, "b")
    here, act = f"/sessions/{scene.id}/trace?mail={one}", f"/sessions/{scene.id}/mail/{one}/{recall.path}"
    assert f'action="{act}"' in (await client.get(here, headers=HTML)).text
    done = await client.post(act, data={"back": here, "reason": HOSTILE})
    assert (done.status_code, done.headers["location"]) == (303, f"{here}&did={recall.did}&count=1&left=0&more=0")
    after = await client.get(done.headers["location"], headers=HTML)
    assert f"1 {recall.did}: dead letters now." in after.text
    assert act not in after.text
    assert "<script>window.pwned" not in after.text
    letter = scene.session.dead_letters[-1]
    assert (letter.reason, letter.mail and letter.mail.id) == (recall.did, one)
    assert letter.detail.startswith(f"{recall.did.capitalize()} by 127.0.0.1: <script>")
    (entry,) = await stage.exchange.acall(ReadAudit())
    assert (entry.who, entry.what) == ("127.0.0.1", f"{recall.path} mail")
    again = await client.post(act, headers=JSON)
    assert again.json() == {"did": recall.did, "count": 0, "left": 1, "more": False}
    assert await there(scene) == [two]


async def test_each_mail_has_the_button_that_fits(scene: Scene, client: httpx.AsyncClient) -> None:
    """What is worked on is stopped and what waits is withdrawn; the letter of a stopped one says so."""
    one, two = await sent(scene, STOP, "a", "b")
    for mail, fits, other in ((one, "stop", "withdraw"), (two, "withdraw", "stop")):
        page = (await client.get(f"/sessions/{scene.id}/trace?mail={mail}", headers=HTML)).text
        assert f"/mail/{mail}/{fits}" in page
        assert f"/mail/{mail}/{other}" not in page
    await client.post(f"/sessions/{scene.id}/mail/{one}/stop")
    letter = scene.session.dead_letters[-1]
    assert "Somebody stopped it at work." in (await client.get(f"/dead/{scene.id}/{letter.id}", headers=HTML)).text


async def test_all_that_waits_for_a_branch_from_its_row(scene: Scene, client: httpx.AsyncClient) -> None:
    """The rows with mail that waits have the button."""
    act = f"/sessions/{scene.id}/branches/{scene.far.id}/withdraw"
    assert act not in (await client.get("/mailboxes", headers=HTML)).text
    await sent(scene, WITHDRAW, "a", "b", "c")
    assert (await client.get("/mailboxes", headers=HTML)).text.count(f'action="{act}"') == 1
    done = await client.post(act, headers=JSON)
    assert done.json() == {"did": "withdrawn", "count": 3, "left": 0, "more": False}
    assert act not in (await client.get("/mailboxes", headers=HTML)).text
    rows = (await client.get("/dead.json?reason=withdrawn")).json()["rows"]
    assert len(rows) == 3


async def test_what_a_branch_is_at_from_its_row(scene: Scene, client: httpx.AsyncClient) -> None:
    """The rows of branches at work have the button; a second time nothing is at work there."""
    act = f"/sessions/{scene.id}/branches/{scene.far.id}/stop"
    assert act not in (await client.get("/mailboxes", headers=HTML)).text
    one, two = await sent(scene, STOP, "a", "b")
    assert (await client.get("/mailboxes", headers=HTML)).text.count(f'formaction="{act}"') == 1
    done = await client.post(act, headers=JSON)
    assert done.json() == {"did": "stopped", "count": 1, "left": 0, "more": False}
    assert scene.session.dead_letters[-1].mail.id == one  # type: ignore[union-attr]
    assert await there(scene) == [two]
    again = await client.post(act, data={"back": "/mailboxes"})
    assert "Nothing was at work there." in (await client.get(again.headers["location"], headers=HTML)).text


@BOTH
@pytest.mark.parametrize("of", ["mail", "branches"])
async def test_only_who_may(scene: Scene, app: Starlette, stage: Stage, recall: Recall, of: str) -> None:
    """Not without the token, not by looking, not from a page of somebody else's, not where it is read only."""
    (one,) = await sent(scene, recall, "a")
    act = f"/sessions/{scene.id}/{of}/{one if of == 'mail' else scene.far.id}/{recall.path}"
    async with visitor(app) as stranger:
        assert (await stranger.post(act)).status_code in (303, 401)
    async with visitor(app) as tricked:
        await tricked.post("/login", data={"token": TOKEN, "name": "ada"})
        assert (await tricked.post(act, data={"proof": "of somebody else"})).status_code == 403
        assert (await tricked.get(act)).status_code == 405
    closed = dashboard(stage.exchange, token=TOKEN, read_only=True)
    async with visitor(closed, Authorization=f"Bearer {TOKEN}") as reader:
        assert (await reader.post(act)).status_code == 403
        for path in ("/mailboxes", f"/sessions/{scene.id}/trace?mail={one}"):
            assert f"/{recall.path}" not in (await reader.get(path, headers=HTML)).text
    assert recall.did not in {letter.reason for letter in scene.session.dead_letters}
    assert await there(scene) == [one]


@BOTH
async def test_what_is_not_there(scene: Scene, client: httpx.AsyncClient, recall: Recall) -> None:
    """A session or branch that is none is told as that; a mail that is none stays what it is."""
    assert (await client.post(f"/sessions/nobody/mail/{'0' * 36}/{recall.path}")).status_code == 404
    assert (await client.post(f"/sessions/{scene.id}/branches/nobody/{recall.path}")).status_code == 404
    answer = await client.post(f"/sessions/{scene.id}/mail/{HOSTILE.replace('/', '')}/{recall.path}", headers=JSON)
    assert answer.json() == {"did": recall.did, "count": 0, "left": 1, "more": False}
