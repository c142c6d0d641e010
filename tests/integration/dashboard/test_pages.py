"""What the pages say: the same as the exchange, as HTML, JSON and CSV, whatever branches have called themselves."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker.broker.exchange import RedisExchange
from lion_broker.dashboard import dashboard
from lion_broker.dashboard.views.words import text_of
from lion_broker.mail.verbs import Claim, ReadReady, Sweep
from lion_broker.models.shared import SharedBudget
from lion_broker.testing import ScriptedModel, await_until
from tests.conformance.servers import SECRET, find_bundled, running
from tests.conftest import RunningWorker
from tests.integration.dashboard.conftest import BASE, HOSTILE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}
NAMESPACE_PAGES = ["/", "/sessions", "/mailboxes", "/dead", "/workers", "/models", "/audit", "/find?q=desk"]
SESSION_PAGES = ["", "/lanes", "/trace", "/conversation", "/branches"]


async def test_every_page_opens_and_hostile_words_stay_text(scene: Scene, client: httpx.AsyncClient) -> None:
    """With a strict policy, and with what branches say escaped wherever it stands."""
    paths = [*NAMESPACE_PAGES, *(f"/sessions/{scene.id}{page}" for page in SESSION_PAGES)]
    letters = (await client.get("/dead.json")).json()["rows"]
    paths += [f"/dead/{scene.id}/{letter['id']}" for letter in letters]
    for path in paths:
        answer = await client.get(path, headers=HTML)
        assert answer.status_code == 200, (path, answer.text)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "<script>window" not in answer.text
        assert "<img src=x" not in answer.text


@pytest.mark.parametrize("path", [*NAMESPACE_PAGES[:7]])
async def test_an_empty_namespace_says_so(stage: Stage, client: httpx.AsyncClient, path: str) -> None:
    """Where nothing is there yet, a page says what would make it be there."""
    answer = await client.get(path, headers=HTML)
    assert answer.status_code == 200
    assert 'class="empty"' in answer.text


async def test_a_table_comes_as_json_and_csv(scene: Scene, client: httpx.AsyncClient) -> None:
    """By a suffix and by what is accepted, with the same rows."""
    rows = (await client.get("/sessions.json")).json()["rows"]
    asked = (await client.get("/sessions", headers={"Accept": "application/json"})).json()["rows"]
    in_csv = list(csv.DictReader(StringIO((await client.get("/sessions.csv")).text)))
    assert rows == asked
    assert [(row["id"], row["applied"], row["dead"]) for row in rows] == [(scene.id, 1, 2)]
    assert [(row["id"], row["applied"]) for row in in_csv] == [(scene.id, "1")]
    by_accept = await client.get("/sessions", headers={"Accept": "text/csv"})
    assert by_accept.headers["content-type"].startswith("text/csv")
    assert 'filename="sessions.csv"' in by_accept.headers["content-disposition"]


async def test_figures_say_which_time_they_are_of(scene: Scene, client: httpx.AsyncClient) -> None:
    """What is of the last minute or seconds, and what of all; what says neither is so now."""
    page = (await client.get("/", headers=HTML)).text
    told = re.findall(r'figure-title">([^<]+)</span>(?:\s*<span class="figure-when">([^<]+))?', page)
    times = {title: when for title, when in told if when}
    assert times == {
        "processed": "in all",
        "redelivered": "in all",
        "per second": "not known yet",
        **dict.fromkeys(("wait, p95", "work, p95", "failed"), "last minute"),
    }
    assert {"waiting", "retrying", "dead letters", "workers"} < {title for title, when in told if not when}


async def test_branches_say_what_waits(scene: Scene, client: httpx.AsyncClient) -> None:
    """The same figures as the exchange's own records."""
    ada = scene.session.get_branch("ada")
    await ada.asend(scene.far, "message", "later")
    rows = (await client.get(f"/sessions/{scene.id}/branches.json")).json()["rows"]
    by_name = {row["name"]: row for row in rows}
    assert (by_name["far"]["waiting"], by_name["far"]["state"], by_name["far"]["pool"]) == (1, "waiting", "p")
    assert by_name["ada"]["state"] == "waiting"  # the answer is in its inbox
    waiting = (await client.get("/mailboxes.json?state=waiting")).json()["rows"]
    assert {row["name"] for row in waiting} == {"far", "ada"}


async def test_a_conversation_is_read_from_the_logs(scene: Scene, client: httpx.AsyncClient) -> None:
    """Of one branch, and of all of them in order of time, each mail once."""
    here = f"/sessions/{scene.id}/conversation.json"
    far = (await client.get(f"{here}?branch={scene.far.id}")).json()["rows"]
    assert [row["text"] for row in far if row["role"] != "note"] == ["zero"]
    scene.session.get_branch("ada").receive_all()
    scene.session.flush()
    merged = (await client.get(here)).json()["rows"]
    assert [(row["sender"], row["text"]) for row in merged] == [("ada", "zero"), ("far", "zero!")]


async def test_a_long_conversation_is_paged_from_its_end(scene: Scene, client: httpx.AsyncClient) -> None:
    """The newest come first, and the pages before it hold all the others, once each."""
    ada = scene.session.get_branch("ada")
    for number in range(60):
        ada.msgs.add_message(instruction=f"thought {number}")
        scene.session.flush()
    for number in range(60, 250):
        ada.msgs.add_message(instruction=f"thought {number}")
    scene.session.flush()
    for number in range(250, 260):
        ada.msgs.add_message(instruction=f"thought {number}")
        scene.session.flush()
    here, texts = f"/sessions/{scene.id}/conversation.json", list[str]()
    query = f"?branch={ada.id}"
    while query:
        page = (await client.get(here + query)).json()
        texts = [row["text"] for row in page["rows"] if row["text"].startswith("thought")] + texts
        query = page["next"]
    assert texts == [f"thought {number}" for number in range(260)]


async def test_mail_is_followed_from_the_pages(scene: Scene, client: httpx.AsyncClient) -> None:
    """Who mails whom, each mail with its way, and one of them span by span; the same as `insight` tells."""
    flow = (await client.get(f"/sessions/{scene.id}.json")).json()["rows"]
    assert [(row["sender"], row["recipient"], row["mails"]) for row in flow] == [("ada", "far", 3), ("far", "ada", 1)]
    lanes = (await client.get(f"/sessions/{scene.id}/lanes.json")).json()["rows"]
    mails = (await client.get(f"/sessions/{scene.id}/trace.json")).json()["rows"]
    assert lanes == mails
    states = sorted((row["sender"], row["text"], row["state"]) for row in mails if row["text"] != HOSTILE)
    assert states == [("ada", "one", "dead"), ("ada", "zero", "applied"), ("far", "zero!", "waiting")]
    (zero,) = (row["mail"] for row in mails if row["text"] == "zero")
    spans = (await client.get(f"/sessions/{scene.id}/trace.json?mail={zero}")).json()["rows"]
    assert {"queued", "work", "delivered"} <= {row["kind"] for row in spans if row["mail"] == zero}
    (dead,) = (row["mail"] for row in mails if row["text"] == "one")
    page = await client.get(f"/sessions/{scene.id}/trace?mail={dead}", headers=HTML)
    assert "Repair this dead letter" in page.text
    assert "ValueError" in page.text
    for wanted in ("nothing", "%00", "0"):
        assert (await client.get(f"/sessions/{scene.id}/trace?mail={wanted}", headers=HTML)).status_code == 404


async def test_a_waiting_mail_says_why(scene: Scene, client: httpx.AsyncClient) -> None:
    """No worker serves its pool; then its branch is paused; what is done needs no reason."""
    await scene.session.get_branch("ada").asend(scene.far, "message", "later")
    mails = (await client.get(f"/sessions/{scene.id}/trace.json?branch=far")).json()["rows"]
    by_text = {row["text"]: row["mail"] for row in mails}
    here = f"/sessions/{scene.id}/trace?mail="
    page = await client.get(here + by_text["later"], headers=HTML)
    assert "Nobody serves the pool p of far." in page.text
    assert "lion-broker worker --app MODULE:NAME --pool p" in page.text
    await client.post(f"/sessions/{scene.id}/branches/{scene.far.id}/pause", data={"reason": HOSTILE})
    page = await client.get(here + by_text["later"], headers=HTML)
    assert "lion-broker branch resume" in page.text
    assert "<script>window" not in page.text
    assert "why-waits" not in (await client.get(here + by_text["zero"], headers=HTML)).text


async def test_a_mail_is_shown_whole(scene: Scene, client: httpx.AsyncClient) -> None:
    """Header and body as they are kept, of mail in a log and in a mailbox; hostile words stay text."""
    await scene.session.get_branch("ada").asend(scene.far, "message", HOSTILE)
    mails = (await client.get(f"/sessions/{scene.id}/trace.json")).json()["rows"]
    by_state = {row["state"]: row["mail"] for row in mails if row["sender"] == "ada"}
    for state, words in (("applied", "zero"), ("waiting", HOSTILE)):
        found = (await client.get(f"/sessions/{scene.id}/mail/{by_state[state]}.json")).json()
        assert found["header"]["id"] == by_state[state]
        assert text_of(found["body"]) == words
        page = await client.get(f"/sessions/{scene.id}/trace?mail={by_state[state]}", headers=HTML)
        assert "The whole mail" in page.text
        assert "<script>window" not in page.text
    for wanted in (by_state["dead"], "nothing", "%00", "x" * 500):
        assert (await client.get(f"/sessions/{scene.id}/mail/{wanted}.json")).status_code == 404


async def test_limits_and_spend_are_shown(
    scene: Scene, stage: Stage, running_worker: RunningWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left, who waits, the tokens and what they cost; as a page, JSON and CSV."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[models]\n"scripted/*" = { input = 1000.0, output = 1000.0 }\n')
    monkeypatch.setenv("LION_BROKER_MODEL_PRICES", str(prices))
    scene.registry.model("echo", ScriptedModel(["Hello."], repeat=True).imodel)
    far = await scene.session.anew_branch(name="echo", pool="p", imodel="echo")
    async with running_worker(scene.registry, stage.exchange, pool="p"):
        await far.communicate("Hello?")
    budget = SharedBudget(stage.exchange, "far.one:1", limit_requests=10, interval=3600, title=f"far/{HOSTILE}")
    assert await budget.reserve(8, 0) == 0
    assert await budget.reserve(5, 0, calls=3) > 0
    async with visitor(dashboard(stage.exchange, token=TOKEN), Authorization=f"Bearer {TOKEN}") as client:
        told = (await client.get("/models.json")).json()
        (limit,) = told["limits"]["rows"]
        assert (limit["limit_requests"], limit["requests_left"], limit["calls"]) == (10, 2, 3)
        (wait,) = told["waits"]["rows"]
        assert (wait["model"], wait["calls"]) == (f"far/{HOSTILE}", 3)
        (model,) = told["models"]["rows"]
        (session,) = told["by_session"]["rows"]
        assert (
            model["spend_usd"] == session["spend_usd"] == (model["prompt_tokens"] + model["completion_tokens"]) / 1000
        )
        assert told["without_price"] == []
        assert "far/" in (await client.get("/models.csv?table=limits")).text
        page = await client.get("/models", headers=HTML)
        assert "2 of 10" in page.text
        assert "Who waits" in page.text
        assert "<script>window" not in page.text
    monkeypatch.delenv("LION_BROKER_MODEL_PRICES")
    async with visitor(dashboard(stage.exchange, token=TOKEN), Authorization=f"Bearer {TOKEN}") as client:
        page = await client.get("/models", headers=HTML)
        assert "LION_BROKER_MODEL_PRICES" in page.text


async def test_who_mails_whom_is_paged(scene: Scene, client: httpx.AsyncClient) -> None:
    """A page of two hundred ways, and the one that goes on."""
    far = [await scene.session.anew_branch(name=f"branch {number}") for number in range(205)]
    ada = scene.session.get_branch("ada")
    with scene.session.batch():
        for branch in far:
            ada.send(branch, "message", "hello")
    first = (await client.get(f"/sessions/{scene.id}.json")).json()
    second = (await client.get(f"/sessions/{scene.id}.json{first['next']}")).json()
    assert (len(first["rows"]), second["next"]) == (200, None)
    assert len(first["rows"]) + len(second["rows"]) == 207


async def test_somebody_is_found(scene: Scene, client: httpx.AsyncClient) -> None:
    """By a part of a name, an id, or the end of an id."""
    for wanted in ("far", scene.far.id, scene.far.id[-8:], scene.id, "desk"):
        rows = (await client.get("/find.json", params={"q": wanted})).json()["rows"]
        assert {row["id"] for row in rows} & {scene.id, str(scene.far.id)}, wanted
    letter = (await client.get("/dead.json")).json()["rows"][0]["id"]
    (found,) = (await client.get("/find.json", params={"q": letter})).json()["rows"]
    assert (found["kind"], found["id"]) == ("dead letter", letter)
    mails = (await client.get(f"/sessions/{scene.id}/trace.json?state=applied")).json()["rows"]
    (zero,) = (row["mail"] for row in mails)
    (found,) = (await client.get("/find.json", params={"q": zero[-12:]})).json()["rows"]
    assert (found["kind"], found["name"], found["id"]) == ("mail", "zero", zero)


async def test_a_mail_that_is_found_says_where_it_stands(scene: Scene, client: httpx.AsyncClient) -> None:
    """Whoever looks for words sees at once what became of them, who has sent them, and to whom."""
    for words, state in (("zero", "applied"), ("one", "dead")):
        rows = (await client.get("/find.json", params={"q": words})).json()["rows"]
        told = {(row["name"], row["state"], row["sender"], row["recipient"]) for row in rows if row["kind"] == "mail"}
        assert (words, state, "ada", "far") in told


async def test_a_mail_that_nobody_takes_says_that_its_time_is_over(scene: Scene, client: httpx.AsyncClient) -> None:
    """With its page: until when somebody had to take it up."""
    await scene.session.get_branch("ada").asend(scene.far, "message", "soon", ttl=0.001)
    mails = (await client.get(f"/sessions/{scene.id}/trace.json?state=waiting")).json()["rows"]
    (soon,) = (row["mail"] for row in mails if row["text"] == "soon")
    page = await client.get(f"/sessions/{scene.id}/trace?mail={soon}", headers=HTML)
    assert "Its time to live is over" in page.text
    assert "to be taken up by" in page.text


async def test_a_letter_names_who_has_sent_it_and_when(scene: Scene, client: httpx.AsyncClient) -> None:
    """A session's own branch has no name, and is called what it is everywhere else."""
    await scene.session.default_branch.asend(scene.far, "message", "unheard")
    await client.post(f"/sessions/{scene.id}/branches/{scene.far.id}/withdraw")
    (letter,) = (await client.get("/dead.json?reason=withdrawn")).json()["rows"]
    assert letter["sender"] == "(default)"
    fields = (await client.get(f"/dead/{scene.id}/{letter['id']}.json")).json()["letter"]
    assert (fields["From"], fields["To"]) == ("(default)", "far")
    assert 0 < fields["Sent"] <= fields["Died"] + 60
    page = (await client.get(f"/dead/{scene.id}/{letter['id']}", headers=HTML)).text
    assert f'/sessions/{scene.id}/trace?mail={fields["Mail"]}"><bdi>' in page


async def test_a_mail_says_which_worker_was_lost_with_it(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """Beside the one that has done it; without a look into the picture."""
    near = await scene.session.anew_branch(name="near", pool="p", behaviour="record")
    await scene.session.get_branch("ada").asend(near, "message", "again")
    await scene.session.aflush()
    exchange = stage.exchange
    (ready,) = await exchange.acall(ReadReady("p", "home:1:dead", 10))
    await exchange.acall(Claim(scene.id, near.id, "t1", ready.id, "p", "home:1:dead", 1))

    async def given_to_others() -> bool:
        return (await exchange.acall(Sweep("p", 0))).renewed == 1

    await await_until(given_to_others)
    async with running_worker(scene.registry, exchange, pool="p"):
        await scene.session.await_idle()
    (mail,) = (await client.get(f"/sessions/{scene.id}/trace.json?q=again&state=applied")).json()["rows"]
    assert mail["attempts"] == 2
    page = (await client.get(f"/sessions/{scene.id}/trace?mail={mail['mail']}", headers=HTML)).text
    assert "<dt>lost before</dt><dd><code>home:1:dead</code></dd>" in page
    (other,) = (await client.get(f"/sessions/{scene.id}/trace.json?q=zero&state=applied")).json()["rows"]
    assert (
        "lost before" not in (await client.get(f"/sessions/{scene.id}/trace?mail={other['mail']}", headers=HTML)).text
    )


async def test_a_session_says_what_a_program_has_not_received(scene: Scene, client: httpx.AsyncClient) -> None:
    """No worker takes it, so it is not among what waits for one; when it has been received, nothing is said."""
    figure = '<span class="figure-title">not received</span>'
    page = (await client.get(f"/sessions/{scene.id}/trace", headers=HTML)).text
    assert f'<span class="figure-value">1</span>\n{figure}' in page
    await scene.session.get_branch("ada").areceive_all()
    await scene.session.aflush()
    for view in ("", "/lanes", "/trace", "/conversation", "/branches"):
        assert figure not in (await client.get(f"/sessions/{scene.id}{view}", headers=HTML)).text


async def test_an_address_that_no_page_has_is_said(client: httpx.AsyncClient) -> None:
    """In words, and not in those of a protocol."""
    page = await client.get("/nowhere", headers=HTML)
    assert "There is no page of this address." in page.text


async def test_mails_are_chosen_by_state_and_branch(scene: Scene, client: httpx.AsyncClient) -> None:
    """And what does not exist is no error."""
    here = f"/sessions/{scene.id}/trace.json"
    assert len((await client.get(f"{here}?state=dead&branch=far")).json()["rows"]) == 2
    assert (await client.get(f"{here}?state=dead&branch=nobody")).json()["rows"] == []
    assert (await client.get(f"{here}?state=odd")).json() == {"rows": [], "next": None}


async def test_the_overview_says_what_needs_somebody(scene: Scene, client: httpx.AsyncClient) -> None:
    """A pool without a worker, dead letters; with the command and the page."""
    await scene.session.get_branch("ada").asend(scene.far, "message", "later")
    needs = (await client.get("/overview.json")).json()["needs"]
    assert needs[:2] == [
        "1 branch waits in the pool p, and no worker serves it.",
        "2 dead letters wait for somebody to look at.",
    ]
    page = await client.get("/", headers=HTML)
    assert "lion-broker worker --app MODULE:NAME --pool p" in page.text


async def test_what_is_not_there_is_said(scene: Scene, client: httpx.AsyncClient) -> None:
    """In one sentence, as HTML for people and as JSON for programs; odd queries are no error."""
    for path in ("/sessions/nobody", "/sessions/..%2f..", f"/dead/{scene.id}/1-1", f"/dead/{scene.id}/x", "/nowhere"):
        assert (await client.get(path)).status_code == 404
        page = await client.get(path, headers=HTML)
        assert page.status_code == 404
        assert "text/html" in page.headers["content-type"]
    answer = await client.get("/sessions/nobody.json")
    assert answer.json() == {"error": "ItemNotFoundError", "message": "There is no session nobody here (any more)."}
    for query in ("start=-1", "start=9999999999999", "q=%ff%00", "start=١", "after=x/y", "before=x", "branch=%00"):
        for path in ("/sessions", "/mailboxes", "/dead", "/audit"):
            assert (await client.get(f"{path}?{query}", headers=HTML)).status_code == 200, (path, query)


async def test_it_is_mounted_under_a_prefix(app: Starlette, scene: Scene) -> None:
    """Each link and form of a page stays below it."""
    from starlette.routing import Mount

    outer = Starlette(routes=[Mount("/ops/lion", app=app)])
    async with visitor(outer, Authorization=f"Bearer {TOKEN}") as client:
        for path in ("/ops/lion/", "/ops/lion/sessions", f"/ops/lion/sessions/{scene.id}/branches"):
            page = await client.get(path, headers=HTML)
            assert page.status_code == 200
            for attribute in ("href", "action", "src", "formaction"):
                for piece in page.text.split(f' {attribute}="')[1:]:
                    assert piece.startswith(("/ops/lion/", "#")), piece[:60]
        sheet = await client.get("/ops/lion/static/dashboard.css")
        assert sheet.status_code == 200


async def test_no_page_names_another_host(scene: Scene, client: httpx.AsyncClient) -> None:
    """Everything that a page needs comes from the dashboard itself."""
    page = await client.get("/", headers=HTML)
    assert "http://" not in page.text.replace(BASE, "")
    assert "https://" not in page.text
    assert HOSTILE not in page.text


async def test_a_page_says_that_no_server_answers() -> None:
    """And loads itself again until one does; programs get the status."""
    with running(find_bundled()) as server:
        gone = server.url
    with RedisExchange(gone, SECRET, patience=0.1) as exchange:
        app = dashboard(exchange, token=TOKEN)
        async with visitor(app, Authorization=f"Bearer {TOKEN}") as client:
            for path in NAMESPACE_PAGES:
                page = await client.get(path, headers=HTML)
                assert page.status_code == 503
                assert 'http-equiv="refresh"' in page.text
                assert "No server answers" in page.text
            assert (await client.get("/sessions.json")).json()["error"] == "BrokerUnavailable"
