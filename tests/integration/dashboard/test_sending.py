"""A mail is sent to a branch from the page of what it has said."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker.dashboard import dashboard
from lion_broker.mail.verbs import ReadAudit, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from lion_broker.mail.wire import WireMail
from tests.conftest import RunningWorker
from tests.integration.dashboard.conftest import HOSTILE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


def act(scene: Scene) -> str:
    """Where a mail for `far` is sent to."""
    return f"/sessions/{scene.id}/branches/{scene.far.id}/send"


def waiting(scene: Scene) -> list[WireMail]:
    """What waits for `far`."""
    rows = scene.session.exchange.call(ReadWaiting(scene.id, scene.far.id, WaitsAt.MAILBOX))
    return [row.mail for row in rows if isinstance(row.mail, WireMail)]


async def test_from_the_page_to_its_branch_and_back(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """The session is the sender, the audit has it first, and what the branch says to it stands on the page."""
    here = f"/sessions/{scene.id}/conversation?branch={scene.far.id}"
    assert f'action="{act(scene)}"' in (await client.get(here, headers=HTML)).text
    done = await client.post(act(scene), data={"back": here, "text": f"two\r\nlines {HOSTILE}"})
    assert (done.status_code, done.headers["location"]) == (303, f"{here}&did=sent&count=1&left=0&more=0")
    after = await client.get(done.headers["location"], headers=HTML)
    assert "1 mail sent." in after.text
    (mail,) = waiting(scene)
    assert (mail.header.sender, mail.header.category) == (scene.id, "message")
    (entry,) = await stage.exchange.acall(ReadAudit())
    assert (entry.who, entry.what, entry.target) == ("127.0.0.1", "send mail", f"branch {scene.far.id}")
    assert entry.detail.startswith(f"session {scene.id}, message {mail.id}: two\nlines <script>")
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await scene.session.await_idle()
    said = await client.get(here, headers=HTML)
    assert "two\nlines &lt;script&gt;" in said.text
    assert "<script>window.pwned" not in said.text


async def test_tools_and_models_go_by_name(scene: Scene, client: httpx.AsyncClient) -> None:
    """As of the command; and as a program sends."""
    for category in ("tool", "imodel"):
        done = await client.post(act(scene), data={"text": " search ", "category": category}, headers=JSON)
        assert done.json() == {"did": "sent", "count": 1, "left": 0, "more": False}
    sent = [(mail.header.category, mail.item()) for mail in waiting(scene)]
    assert (sent[0][0], sent[0][1]["item"]) == ("tool", [{"ref": "search"}])
    assert (sent[1][0], "search" in str(sent[1][1])) == ("imodel", True)


@pytest.mark.parametrize(
    ("text", "category", "says"),
    [("", "", "The text is empty"), (" \n", "message", "The text is empty"), ("x", "secret", "one of message, tool")],
)
async def test_what_cannot_be_sent(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, text: str, category: str, says: str
) -> None:
    """It is said why, and nothing is written down."""
    done = await client.post(act(scene), data={"text": text, "category": category}, headers=JSON)
    assert done.status_code == 400
    assert says in done.json()["message"]
    assert (waiting(scene), stage.exchange.call(ReadAudit())) == ([], ())


async def test_a_branch_that_is_not_there_or_was_removed(scene: Scene, client: httpx.AsyncClient) -> None:
    """Its page has no form any more; who sends all the same is told."""
    gone = await client.post(act(scene).replace(str(scene.far.id), "nobody"), data={"text": "x"}, headers=JSON)
    assert gone.status_code == 404
    await scene.session.aremove_branch(scene.far.id)
    page = await client.get(f"/sessions/{scene.id}/conversation?branch={scene.far.id}", headers=HTML)
    assert act(scene) not in page.text
    late = await client.post(act(scene), data={"text": "x"}, headers=JSON)
    assert (late.status_code, "was removed" in late.json()["message"]) == (409, True)


async def test_only_who_may(scene: Scene, app: Starlette, stage: Stage) -> None:
    """Not without the token, not without proof where a browser let somebody in, not where it is read only."""
    async with visitor(app, "10.1.1.1") as stranger:
        assert (await stranger.post(act(scene), data={"text": "x"})).status_code == 401
    local = dashboard(stage.exchange)
    async with visitor(local) as browser:
        await browser.get("/", headers=HTML)
        assert (await browser.post(act(scene), data={"text": "x"})).status_code == 403
    readers = dashboard(stage.exchange, token=TOKEN, read_only=True)
    async with visitor(readers, Authorization=f"Bearer {TOKEN}") as reader:
        assert (await reader.post(act(scene), data={"text": "x"})).status_code == 403
        page = await reader.get(f"/sessions/{scene.id}/conversation?branch={scene.far.id}", headers=HTML)
        assert act(scene) not in page.text
    assert waiting(scene) == []
