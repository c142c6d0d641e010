"""Who comes in, and what is refused: strangers, foreign pages, names that were pointed at this machine."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker import ConfigError
from lion_broker.dashboard import dashboard
from tests.integration.dashboard.conftest import BASE, TOKEN, Scene, visitor
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

HTML = {"Accept": "text/html"}


async def signed_in(app: Starlette, name: str = "", **options: str) -> httpx.AsyncClient:
    """A browser that has come in with the token."""
    client = visitor(app, **options)
    answer = await client.post("/login", data={"token": TOKEN, "name": name, "next": "/sessions"})
    assert answer.status_code == 200, answer.text
    assert 'url=/sessions"' in answer.text
    return client


def proof_in(page: httpx.Response) -> str:
    """The proof that the forms of a page carry."""
    found = re.search(r'name="proof" value="([0-9a-f]{64})"', page.text)
    assert found, page.text
    return found[1]


async def test_nobody_sees_anything_without_the_token(app: Starlette, scene: Scene) -> None:
    """A browser is asked for it, a program gets a status that says so; what a page needs to ask is there."""
    async with visitor(app) as stranger:
        for path in ("/", "/sessions", f"/sessions/{scene.id}", "/dead.json", "/live", f"/sessions/{scene.id}/live"):
            assert (await stranger.get(path)).status_code == 401
            asked = await stranger.get(path, headers=HTML)
            assert (asked.status_code, asked.headers["location"].partition("?")[0]) == (303, "/login")
        for token in ("", "a token of the test", TOKEN + "x", "\u00e9" * 20):
            assert (await stranger.post("/login", data={"token": token})).status_code == 403
            bearer = {b"Authorization": b"Bearer " + token.encode()}
            assert (await stranger.get("/sessions.json", headers=bearer)).status_code == 401
        assert (await stranger.get("/login")).status_code == 200
        assert (await stranger.get("/static/dashboard.css")).status_code == 200
        assert (await stranger.get("/static/../app.py")).status_code in (401, 404)


async def test_the_token_is_exchanged_for_a_strict_cookie(app: Starlette) -> None:
    """No script reads it, no other site's page has it sent, and the token is not in it."""
    client = await signed_in(app)
    (cookie,) = client.cookies.jar
    assert TOKEN not in str(cookie.value)
    answer = await visitor(app).post("/login", data={"token": TOKEN})
    assert all(word in answer.headers["set-cookie"] for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert "Secure" not in answer.headers["set-cookie"]
    secure = await visitor(app, base="https://127.0.0.1").post("/login", data={"token": TOKEN})
    assert "Secure" in secure.headers["set-cookie"]
    assert (await client.get("/sessions", headers=HTML)).status_code == 200
    await client.post("/leave")
    assert (await client.get("/sessions", headers=HTML)).status_code == 303


@pytest.mark.parametrize("spoilt", ["", "x", "1.2.3.4", "..", "1....", "\u00e9"])
async def test_a_cookie_that_somebody_made_up_is_none(app: Starlette, spoilt: str) -> None:
    """Nor is one that was changed, or one of another token."""
    client = await signed_in(app, "ada")
    (cookie,) = client.cookies.jar
    value = str(cookie.value)
    other = dashboard(app.state.console.exchange, token="another token of the tests")
    for made_up in (spoilt, value[:-1] + ("0" if value[-1] != "0" else "1"), f"9{value}", value + spoilt + "0"):
        header = {b"Cookie": f"lion_broker_dashboard={made_up}".encode()}
        assert (await visitor(app).get("/sessions.json", headers=header)).status_code == 401
    header = {b"Cookie": f"lion_broker_dashboard={value}".encode()}
    assert (await visitor(app).get("/sessions.json", headers=header)).status_code == 200
    assert (await visitor(other).get("/sessions.json", headers=header)).status_code == 401


async def test_a_change_needs_proof(app: Starlette, scene: Scene) -> None:
    """That it comes from a page which this visitor has seen; a link or another visitor's page is not enough."""
    client, other = await signed_in(app, "ada"), await signed_in(app, "eve")
    here = f"/sessions/{scene.id}/branches"
    foreign = proof_in(await other.get(here, headers=HTML))
    for proof in ("", "0" * 64, foreign, "\u00e9"):
        answer = await client.post(f"{here}/{scene.far.id}/pause", data={"proof": proof})
        assert answer.status_code == 403
    assert (await client.get(f"{here}/{scene.far.id}/pause")).status_code == 405
    assert not scene.far.record.paused
    proof = proof_in(await client.get(here, headers=HTML))
    assert (await client.post(f"{here}/{scene.far.id}/pause", data={"proof": proof})).status_code == 303
    assert scene.far.record.paused


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_sites_page_changes_nothing(app: Starlette, scene: Scene, headers: dict[str, str]) -> None:
    """Whatever it sends along."""
    client = await signed_in(app)
    here = f"/sessions/{scene.id}/branches"
    data = {"proof": proof_in(await client.get(here, headers=HTML))}
    answer = await client.post(f"{here}/{scene.far.id}/pause", data=data, headers=headers)
    assert answer.status_code == 403
    assert not scene.far.record.paused


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[::1", "a b", "x" * 300])
async def test_a_foreign_host_is_refused(app: Starlette, host: str) -> None:
    """A name that somebody has pointed at this machine shows nothing, with the token either."""
    async with visitor(app, Authorization=f"Bearer {TOKEN}") as client:
        assert (await client.get("/sessions.json", headers={"Host": host})).status_code == 421
        named = await client.get("/sessions.json", headers={"Host": "localhost:1"})
        assert named.status_code == 200


async def test_without_a_token_it_is_for_this_machine(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It says so when it is made, and answers nobody else, nor what a proxy passes on."""
    app = dashboard(stage.exchange)
    assert "no token" in caplog.text
    assert (await visitor(app).get("/sessions", headers=HTML)).status_code == 200
    assert (await visitor(app).get("/sessions", headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 403
    assert (await visitor(app, "192.0.2.1").get("/sessions", headers=HTML)).status_code == 403
    assert (await visitor(app, base="http://192.0.2.7").get("/sessions")).status_code == 421
    client = visitor(app)
    page = await client.get("/sessions", headers=HTML)
    assert page.headers["set-cookie"].startswith("lion_broker_dashboard=")


async def test_a_token_that_can_be_guessed_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; the environment is read like everywhere."""
    with pytest.raises(ConfigError, match=r"at least 16 are needed.*keygen"):
        dashboard(stage.exchange, token="secret")
    monkeypatch.setenv("LION_BROKER_DASHBOARD_TOKEN", TOKEN)
    app = dashboard(stage.exchange)
    assert (await visitor(app).get("/sessions.json")).status_code == 401
    assert (await visitor(app, Authorization=f"Bearer {TOKEN}").get("/sessions.json")).status_code == 200


async def test_a_stranger_is_sent_nowhere_else(app: Starlette) -> None:
    """Where somebody goes after signing in is a page of the dashboard, whatever the address says."""
    for aim in ("https://evil.example", "//evil.example", "/\\evil.example", 'x"><script>', "javascript:alert(1)"):
        answer = await visitor(app).post("/login", data={"token": TOKEN, "next": aim})
        assert 'url=/"' in answer.text
        assert BASE not in answer.text


async def test_who_is_not_signed_in_any_more_comes_back_to_the_page(app: Starlette) -> None:
    """What was to be done there is not done, and said so: by hand it is done again. A program gets the status."""
    act = ("/workers/drain", {"owner": "w"})
    page = {**HTML, "Referer": f"{BASE}/workers?state=running"}
    async with visitor(app) as stranger:
        answer = await stranger.post(act[0], data=act[1], headers=page)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/login?next=/workers%3Fstate%3Drunning&undone=1",
        )
        told = (await stranger.get(answer.headers["location"], headers=HTML)).text
        assert "nothing was changed. Sign in, and do it again." in told
        assert 'name="next" value="/workers?state=running"' in told
        assert "nothing was changed" not in (await stranger.get("/login", headers=HTML)).text
        nowhere = await stranger.post(act[0], data=act[1], headers=HTML)
        assert nowhere.headers["location"] == "/login?next=/&undone=1"
        assert (await stranger.post(act[0], data=act[1])).status_code == 401
