"""What the dashboard answers is what its OpenAPI document says."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest
from starlette.applications import Starlette

from lion_broker.dashboard.gateway import gateway
from lion_broker.dashboard.openapi import openapi_document
from lion_broker.models.shared import SharedBudget
from lion_broker.testing import ScriptedModel, await_until
from tests.conftest import RunningWorker
from tests.integration.dashboard.conftest import TOKEN, Scene, visitor
from tests.integration.dashboard.test_actions import is_enrolled
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

DOCUMENT = openapi_document()
PROBES = ("/livez", "/readyz")


def check(answer: httpx.Response, schema: dict[str, Any]) -> None:
    """Raise unless an answer is as a schema of the document says."""
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(answer.json())


def answer_schema(path: str, method: str = "get", status: str = "200") -> dict[str, Any]:
    """What the document says of the JSON of an operation."""
    told = DOCUMENT["paths"][path][method]["responses"][status]
    told = DOCUMENT["components"]["responses"][status] if "$ref" in told else told
    schema: dict[str, Any] = told["content"]["application/json"]["schema"]
    return schema


async def known(scene: Scene, client: httpx.AsyncClient) -> dict[str, str]:
    """What the parameters of paths stand for."""
    letter = (await client.get("/dead.json")).json()["rows"][0]["id"]
    mails = (await client.get(f"/sessions/{scene.id}/trace.json?state=applied")).json()["rows"]
    return {"session": scene.id, "letter": letter, "mail": mails[-1]["mail"], "pool": "p", "branch": str(scene.far.id)}


async def test_every_answer_is_as_it_says(
    scene: Scene, client: httpx.AsyncClient, stage: Stage, running_worker: RunningWorker
) -> None:
    """Of every path that has JSON, with something in every table but one: no tool was called."""
    scene.registry.model("echo", ScriptedModel(["Hello."], repeat=True).imodel)
    far = await scene.session.anew_branch(name="echo", pool="p", imodel="echo")
    budget = SharedBudget(stage.exchange, "far.one:1", limit_requests=10, interval=3600, title="far")
    assert await budget.reserve(8, 0) == 0
    assert await budget.reserve(5, 0, calls=3) > 0
    names = await known(scene, client)
    await client.post(f"/sessions/{scene.id}/branches/{scene.far.id}/pause", data={})
    async with running_worker(scene.registry, stage.exchange, pool="p") as worker:
        await far.communicate("Hello?")
        await await_until(lambda: is_enrolled(stage, worker.state.owner))
        empty = [table for path in DOCUMENT["paths"] for table in await empty_tables(client, path, names)]
    assert empty == ["tools", "tools"]


async def empty_tables(client: httpx.AsyncClient, path: str, names: dict[str, str]) -> list[str]:
    """Check what a path answers to who asks for JSON; returns the tables that have no rows."""
    content = DOCUMENT["paths"][path].get("get", {}).get("responses", {}).get("200", {}).get("content", {})
    if "application/json" not in content or path in PROBES:
        return []
    query = {"q": "desk"} if path.startswith("/find") else {}
    answer = await client.get(path.format(**names), params=query, headers={"Accept": "application/json"})
    assert answer.status_code == 200, (path, answer.text)
    check(answer, answer_schema(path))
    told = answer.json()
    tables = {"": told} if "rows" in told else {name: one for name, one in told.items() if isinstance(one, dict)}
    return [name or path for name, one in tables.items() if one.get("rows") == []]


async def test_spans_are_as_it_says(scene: Scene, client: httpx.AsyncClient) -> None:
    """They are what the page of mails answers when one of them is named."""
    names = await known(scene, client)
    spans = await client.get(f"/sessions/{scene.id}/trace.json", params={"mail": names["mail"]})
    check(spans, answer_schema("/sessions/{session}/trace.json"))
    assert {row["kind"] for row in spans.json()["rows"]} >= {"queued", "work"}


async def test_acts_and_refusals_are_as_it_says(scene: Scene, client: httpx.AsyncClient) -> None:
    """With the form that it describes, and without what it needs."""
    names = await known(scene, client)
    json = {"Accept": "application/json"}
    given = {"item": "two", "pool": "p", "wanted": "3", "key": f"{scene.id}/{names['letter']}"}
    for path, status, fields in (
        ("/sessions/{session}/branches/{branch}/pause", 200, ()),
        ("/sessions/{session}/branches/{branch}/resume", 200, ()),
        ("/sessions/{session}/pause", 200, ()),
        ("/sessions/{session}/resume", 200, ()),
        ("/pools/pause", 200, ("pool",)),
        ("/pools/resume", 200, ("pool",)),
        ("/pools/scale", 200, ("pool", "wanted")),
        ("/dead/{session}/{letter}/edit", 200, ("item",)),
        ("/dead/drop", 200, ("key",)),
        ("/dead/retry", 400, ()),
        ("/pools/drain", 404, ("pool",)),
        ("/workers/drain", 404, ()),
    ):
        operation = DOCUMENT["paths"][path]["post"]
        form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        assert set(fields) <= form["properties"].keys()
        answer = await client.post(path.format(**names), data={name: given[name] for name in fields}, headers=json)
        assert answer.status_code == status, (path, answer.text)
        check(answer, answer_schema(path, "post", str(status)))
        if status == 200:
            assert (
                answer.json()["did"] == operation["responses"]["200"]["content"]["application/json"]["example"]["did"]
            )


async def test_a_table_sorts_exactly_where_it_says(scene: Scene, client: httpx.AsyncClient) -> None:
    """A page whose parameters have no `sort` refuses one; the others take every column that JSON has."""
    names = await known(scene, client)
    for path, item in DOCUMENT["paths"].items():
        if not path.endswith(".json") or path == "/openapi.json":
            continue
        sorts = {"$ref": "#/components/parameters/sort"} in item["get"].get("parameters", [])
        rows = (await client.get(path.format(**names))).json().get("rows") or []
        bare = "name" if "models" in path else "at" if "audit" in path else "owner"
        column = next(iter(rows[0]), "at") if rows else bare
        answer = await client.get(path.format(**names), params={"sort": column})
        assert answer.status_code == (200 if sorts else 400), (path, answer.text)


async def test_it_is_served_behind_the_token(app: Starlette, client: httpx.AsyncClient) -> None:
    """Where the dashboard is mounted, and with the probes by the gateway only."""
    served = (await client.get("/openapi.json")).json()
    assert served["servers"] == [{"url": "/"}]
    assert "/livez" not in served["paths"]
    async with visitor(app) as stranger:
        assert (await stranger.get("/openapi.json")).status_code == 401
    async with visitor(gateway(app), Authorization=f"Bearer {TOKEN}") as program:
        assert (await program.get("/openapi.json")).json() == openapi_document()
        for probe in PROBES:
            answer = await program.get(probe)
            check(answer, answer_schema(probe, status=str(answer.status_code)))
