"""The order in which a table stands, and the page of it that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request

from lion_broker.errors import ConfigError

from .asked import afresh, following, number_asked, size_asked
from .tables import Column, Order, Table, sorted_rows

__all__ = ["arranged", "is_order_asked", "sort_links"]

_ROWS: Final = 100
_UNSORTED: Final = frozenset({"spark"})
_LARGEST_FIRST: Final = frozenset({"ago", "meter", "moment", "money", "number", "seconds"})
_WORDS: Final = {"asc": False, "desc": True}


def is_order_asked(request: Request) -> bool:
    """Whether an order is asked for, so that all rows must be looked at before the first can be shown."""
    return bool(request.query_params.get("sort"))


def arranged(request: Request, tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """Put the table that `?sort=[TABLE.]COLUMN&order=asc|desc` names in order, and cut pages out of whole ones.

    Without a table it is the first. Raises ConfigError that names the columns for one that there is not.
    """
    wanted, order = request.query_params.get("sort", ""), None
    if wanted:
        table, order = _asked(tables, wanted, request.query_params.get("order", ""))
        tables = tuple(_in_order(one, order) if one is table else one for one in tables)
    return tuple(_cut(request, one) if one.whole else one for one in tables)


def _asked(tables: tuple[Table, ...], wanted: str, word: str) -> tuple[Table, Order]:
    sorting = [one for one in tables if one.sorts]
    by_name = {f"{one.name}.{column.name}": (one, column) for one in sorting for column in one.columns}
    if sorting:
        by_name |= {column.name: (sorting[0], column) for column in sorting[0].columns}
    found = by_name.get(wanted)
    if found is None or found[1].kind in _UNSORTED:
        names = [name for name, (_, column) in by_name.items() if column.kind not in _UNSORTED]
        told = f"is one of: {', '.join(names)}" if names else "sorts nothing on this page"
        raise ConfigError(f"?sort={wanted[:60]} is no column here; ?sort= {told}.")
    if word and word not in _WORDS:
        raise ConfigError(f"?order= is asc or desc, not {word[:20]!r}.")
    table, column = found
    return table, Order(column.name, _WORDS.get(word, column.kind in _LARGEST_FIRST))


def _in_order(table: Table, order: Order) -> Table:
    rows = sorted_rows(table.rows, order.column, descending=order.descending)
    return replace(table, rows=rows, order=order)


def _cut(request: Request, table: Table) -> Table:
    size = size_asked(request, table.size or _ROWS)
    total = len(table.rows)
    start = min(number_asked(request, "start", 0, 10**9), total)
    more = following(request, start=start + size) if start + size < total else ""
    return replace(table, rows=table.rows[start : start + size], next=more, size=size, total=total)


def sort_links(table: Table, query: Mapping[str, str], several: bool) -> dict[str, tuple[str, str]]:
    """For each column that a table can be sorted by: how it is sorted now, as `aria-sort` says it, and the query that
    a click leads to: first the way that is mostly wanted, then the other, then back to how the table stands by itself.

    `several` says that the page has more tables, so that the column is named with its own.
    """
    if not table.sorts:
        return {}
    return {one.name: _link(table, one, query, several) for one in table.columns if one.kind not in _UNSORTED}


def _link(table: Table, column: Column, query: Mapping[str, str], several: bool) -> tuple[str, str]:
    now = table.order or table.natural
    held = now if now is not None and now.column == column.name else None
    first = column.kind in _LARGEST_FIRST
    word = "" if held is None else "descending" if held.descending else "ascending"
    if held is not None and held.descending is not first:
        return word, afresh(query, sort="", order="")
    name = f"{table.name}.{column.name}" if several else column.name
    return word, afresh(query, sort=name, order="desc" if first is (held is None) else "asc")
