"""The gateway's HTTP interface as an OpenAPI 3.1 document: what the pages answer to programs, acts, streams, probes.

See https://spec.openapis.org/oas/v3.1.1.html. Rows are described by the columns of the very tables that pages show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from .access import COOKIE
from .operations import ACTS, NUMBER, PAGES, PARAMETERS, TEXT, ActPath, PagePath
from .tables import Column, Table

__all__ = ["openapi_document"]

Values = Mapping[str, Any]

_INFO: Final = (
    "Every page is there as HTML at its path, as JSON with the suffix `.json` and as CSV with `.csv`; `Accept` chooses"
    " as well. `next` is the query that goes on with a table, `note` says what is left out of it. Times are ISO 8601 in"
    " UTC, lengths of time are seconds. Acts are forms: with a token in the header they need no `proof`, which only the"
    " gateway's own pages know. `Accept: application/json` answers them with what was done."
)
_KINDS: Final[Mapping[str, Values]] = {
    "text": {"type": ["string", "null"]},
    "code": {"type": ["string", "null"]},
    "state": {"type": ["string", "null"]},
    "moment": {"type": ["string", "null"], "format": "date-time"},
    "number": {"type": ["number", "null"]},
    "money": {"type": ["number", "null"], "description": "US dollars."},
    "seconds": {"type": ["number", "null"], "description": "Seconds."},
    "ago": {"type": ["number", "null"], "description": "Seconds ago."},
    "meter": {"type": ["number", "null"]},
    "spark": {"type": ["array", "null"], "items": NUMBER},
}
_JSON: Final = "application/json"
_CSV: Final = "text/csv"
_FORMS: Final[Mapping[str, Any]] = {
    "text/html": {"schema": TEXT},
    _JSON: {"schema": {}},
    _CSV: {"schema": {**TEXT, "description": "The first row has the names of the columns."}},
}
_MANY: Final = {"type": "object", "additionalProperties": NUMBER}
_OF_EVERY_FORM: Final = {
    "proof": {**TEXT, "description": "What the gateway's own pages know; not needed with a token in the header."},
    "back": {**TEXT, "description": "The path that a browser is led to."},
}
_PROGRAM: Final[list[dict[str, list[str]]]] = [{"token": []}, {"cookie": []}]
_COUNT: Final = {"type": "integer", "minimum": 0}
_IN_PATH: Final[Mapping[str, str]] = {
    "session": "The session's id.",
    "branch": "The branch's id.",
    "letter": "The letter's id within its session.",
    "mail": "The mail's id; `.json` may follow.",
    "pool": "The pool's name.",
}
_ERRORS: Final[Mapping[int, str]] = {
    400: "What was asked makes no sense; the message says what does.",
    401: "The token is missing, or is another.",
    403: "Not allowed: read only, no proof, another site's page, or without a token from elsewhere than this machine.",
    404: "It is not there (any more).",
    409: "It was refused as things are.",
    413: "The form is too large.",
    415: "It is no form.",
    421: "The gateway is not known by that host name.",
    503: "No server answers, or as many watch already as are served.",
}
_ALWAYS: Final = (401, 403, 421, 503)


def openapi_document(root: str = "", *, probes: bool = True) -> dict[str, Any]:
    """Return the document, of a dashboard that is mounted at `root`; `/livez` and `/readyz` are the gateway's only."""
    paths: dict[str, Any] = {}
    for page in PAGES:
        paths |= _page_paths(page)
    paths |= {act.path: {"post": _act(act)} for act in ACTS} | _streams() | _figures() | _entrance()
    if probes:
        paths |= _probes()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lion-broker gateway",
            "version": version("lion-broker"),
            "description": _INFO,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root or "/"}],
        "security": _PROGRAM,
        "paths": {path: {**item, **_path_parameters(path)} for path, item in paths.items()},
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "LION_BROKER_DASHBOARD_TOKEN."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What /login sets."},
            },
            "parameters": {name: {"name": name, "in": "query", **told} for name, told in PARAMETERS.items()},
            "responses": {str(status): _error(status) for status in _ERRORS},
            "schemas": {**_schemas(), **_table_schemas()},
        },
    }


def _page_paths(page: PagePath) -> dict[str, Any]:
    """A page at its path, and with each suffix."""
    stem = page.path if page.path != "/" else "/overview"
    shapes = (("", page.path, tuple(_FORMS)), ("Json", f"{stem}.json", (_JSON,)), ("Csv", f"{stem}.csv", (_CSV,)))
    forms = {**_FORMS, _JSON: {"schema": _schema(_page_name(page))}}
    paths = {}
    for suffix, path, kinds in shapes:
        asks = (*page.asks, *(("table",) if _CSV in kinds and len(page.tables) > 1 else ()))
        content = {kind: forms[kind] for kind in kinds}
        told = [{"$ref": f"#/components/parameters/{name}"} for name in asks]
        errors = (400, 404) if "{" in path or asks else ()
        paths[path] = _get(f"{page.name}{suffix}", "pages", page.summary, content, *errors, parameters=told)
    return paths


def _act(act: ActPath) -> dict[str, Any]:
    """What a form has, and what comes of it."""
    fields: dict[str, Any] = {name: {**TEXT, "description": text} for name, text in act.fields.items()}
    fields |= _OF_EVERY_FORM
    if "key" in act.fields:
        fields["key"] = {"type": "array", "items": TEXT, "description": act.fields["key"]}
    example = {"did": act.word, "count": 1, "left": 0, "more": False}
    done = {_JSON: {"schema": _schema("Done"), "example": example}}
    return {
        "operationId": act.name,
        "tags": ["acts"],
        "summary": act.summary,
        "requestBody": _form(fields, act.needed),
        "responses": {
            "200": {"description": "It was done; told to a program.", "content": done},
            "303": {"description": "It was done; a browser is led to the page that tells of it."},
            **_errors(400, 404, 409, 413, 415),
        },
    }


def _streams() -> dict[str, Any]:
    """Server-sent events, which OpenAPI 3.1 has no word for: `x-events` has the schema of the data of each kind."""
    said = "Goes on after the event with this id."
    after = {"name": "after", "in": "query", "schema": TEXT, "description": said}
    resumed = {"name": "Last-Event-ID", "in": "header", "schema": TEXT, "description": said}
    session = _events(happened="Happened", gap="Nothing", alive="Nothing", lost="Nothing", busy="Nothing")
    figures = _events(beat="Beat", alive="Nothing", lost="Nothing", busy="Nothing")
    told = "What happens in a session, as server-sent events; ends after a minute, to be resumed"
    return {
        "/sessions/{session}/live": _get(
            "sessionEvents", "streams", told, session, 400, 404, parameters=[after, resumed]
        ),
        "/live": _get("figures", "streams", "The figures of the namespace, each time they are read", figures),
    }


def _figures() -> dict[str, Any]:
    mail = {"type": "object", "required": ["header", "body"], "properties": {"header": {"type": "object"}, "body": {}}}
    scale = {_JSON: {"schema": _schema("Scale")}}
    document = {_JSON: {"schema": {"type": "object"}}}
    told = "What a pool has to do, how many workers it has and is to have; for an autoscaler"
    return {
        "/sessions/{session}/mail/{mail}": _get(
            "mail", "pages", "One mail as it is kept: header and body", {_JSON: {"schema": mail}}, 404
        ),
        "/scale/{pool}": _get("scale", "figures", told, scale, 400),
        "/metrics": _get(
            "metrics",
            "figures",
            "Metrics in Prometheus' format, or in OpenMetrics by the Accept header",
            {"text/plain": {"schema": TEXT}, "application/openmetrics-text": {"schema": TEXT}},
        ),
        "/openapi.json": _get("openapi", "figures", "This document", document),
    }


def _entrance() -> dict[str, Any]:
    fields = {"token": TEXT, "name": {**TEXT, "maxLength": 40}, "next": TEXT}
    page = {"description": "The page.", "content": {"text/html": _FORMS["text/html"]}}
    ask = {"operationId": "askToken", "tags": ["entrance"], "summary": "The page that asks for the token"}
    come_in = {"operationId": "comeIn", "tags": ["entrance"], "summary": "Take the token; sets the cookie"}
    leave = {"operationId": "leave", "tags": ["entrance"], "summary": "Have a browser forget the cookie"}
    refused = {"403": {"description": "That is not the token."}, **_errors(413, 415, always=(421,))}
    return {
        "/login": {
            "get": {**ask, "security": [], "responses": {"200": page}},
            "post": {
                **come_in,
                "security": [],
                "requestBody": _form(fields, ("token",)),
                "responses": {"200": page, **refused},
            },
        },
        "/leave": {"post": {**leave, "responses": {"303": {"description": "To /login."}, **_errors()}}},
    }


def _probes() -> dict[str, Any]:
    content = {_JSON: {"schema": _schema("Probe")}}
    answers = {"200": {"description": "It is well.", "content": content}}
    not_ready = {"503": {"description": "It is not ready; `reasons` say why.", "content": content}}
    live = {"operationId": "live", "tags": ["probes"], "summary": "It answers", "security": []}
    ready = {**live, "operationId": "ready", "summary": "The exchange has answered it at its last look"}
    return {
        "/livez": {"get": {**live, "responses": answers}},
        "/readyz": {"get": {**ready, "responses": {**answers, **not_ready}}},
    }


def _get(
    name: str, tag: str, summary: str, content: Values, *errors: int, parameters: Sequence[Values] = ()
) -> dict[str, Any]:
    answers = {"200": {"description": "The answer.", "content": content}, **_errors(*errors)}
    told = {"operationId": name, "tags": [tag], "summary": summary, "responses": answers}
    return {"get": {**told, "parameters": list(parameters)} if parameters else told}


def _form(fields: Values, needed: Sequence[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(fields), **({"required": list(needed)} if needed else {})}
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _events(**kinds: str) -> dict[str, Any]:
    return {"text/event-stream": {"schema": TEXT, "x-events": {kind: _schema(name) for kind, name in kinds.items()}}}


def _errors(*statuses: int, always: Sequence[int] = _ALWAYS) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted({*always, *statuses})}


def _error(status: int) -> dict[str, Any]:
    """What is refused at the door is told as text, anything else in the form that was asked for."""
    text = {"text/plain": {"schema": TEXT}}
    content = text if status in (401, 421) else {_JSON: {"schema": _schema("Error")}, **text}
    return {"description": _ERRORS[status], "content": content}


def _path_parameters(path: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    told = [
        {"name": name, "in": "path", "required": True, "schema": TEXT, "description": _IN_PATH[name]} for name in names
    ]
    return {"parameters": told} if told else {}


def _page_name(page: PagePath) -> str:
    return f"{page.name[0].upper()}{page.name[1:]}Page"


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    """Everything but the tables."""
    pool: dict[str, Values] = {
        "pool": TEXT,
        "backlog": _COUNT,
        "ready": _COUNT,
        "claimed": _COUNT,
        "oldest_seconds": NUMBER,
    }
    pool |= {"workers": _COUNT, "capacity": _COUNT, "wanted": {"type": ["integer", "null"], "minimum": 0}}
    beat: dict[str, Values] = {
        "at": NUMBER,
        "totals": _MANY,
        "rates": _MANY,
        "sampled": {"type": "object"},
        "waiting_branches": _COUNT,
    }
    beat |= {"oldest_seconds": NUMBER, "workers": _COUNT, "more_sessions": {"type": "boolean"}}
    beat |= {"pools": {"type": "object", "additionalProperties": {"type": "array", "items": NUMBER}}}
    happened = {"kind": {**TEXT, "description": "Such as `sent`, `applied`, `failed`, `dead`, `said`."}}
    return {
        "Error": _object(error=TEXT, message=TEXT),
        "Done": _object(did=TEXT, count=_COUNT, left=_COUNT, more={"type": "boolean"}),
        "Scale": _object(**pool),
        "Probe": {**_object(status=TEXT, reasons={"type": "array", "items": TEXT}), "required": ["status"]},
        "Beat": _object(**beat),
        "Happened": {"type": "object", "required": ["kind"], "properties": happened, "additionalProperties": TEXT},
        "Nothing": {"type": "object", "maxProperties": 0},
    }


def _object(**fields: Values) -> dict[str, Any]:
    return {"type": "object", "required": list(fields), "properties": fields, "additionalProperties": False}


def _table_schemas() -> dict[str, Any]:
    """For each page its answer, and for each table its rows and a page of them."""
    found: dict[str, Any] = {}
    for page in PAGES:
        other = page.alternative
        for table in (*page.tables, *((other[1],) if other else ())):
            found[_rows_name(table)] = _table_page(table)
            found[f"{_rows_name(table)[:-1]}"] = _row(table)
        found[_page_name(page)] = _answer(page)
    return found


def _answer(page: PagePath) -> dict[str, Any]:
    """A page with one table is that table, any other an object of its tables by name and its values."""
    if page.alternative is not None:
        return {"oneOf": [_schema(_rows_name(one)) for one in (*page.tables, page.alternative[1])]}
    if len(page.tables) == 1 and not page.values:
        return _schema(_rows_name(page.tables[0]))
    return _object(**page.values, **{table.name: _schema(_rows_name(table)) for table in page.tables})


def _rows_name(table: Table) -> str:
    return f"{''.join(word.capitalize() for word in table.name.split('_'))}Rows"


def _table_page(table: Table) -> dict[str, Any]:
    rows = {"type": "array", "items": _schema(_rows_name(table)[:-1])}
    goes_on = {"type": ["string", "null"], "description": "The query of the page that goes on."}
    told = {**TEXT, "description": "What is left out."}
    return {**_object(rows=rows, next=goes_on, note=told), "required": ["rows", "next"]}


def _row(table: Table) -> dict[str, Any]:
    return _object(**{column.name: _value(column) for column in table.columns})


def _value(column: Column) -> dict[str, Any]:
    """What a cell may hold, with what a page says of its column."""
    kind = _KINDS[column.kind]
    said = " ".join(
        filter(None, (column.title if column.title != column.name else "", column.hint, kind.get("description")))
    )
    return {**kind, "description": said} if said else dict(kind)
