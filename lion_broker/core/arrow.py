"""Arrow tables and Parquet files, behind the extra `arrow`; the only place that imports pyarrow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lion_broker.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from lion_broker.core.frames import DataFrame

__all__ = ["Table", "frame_to_parquet", "read_rows", "rows_to_table", "write_table"]

# For annotations elsewhere, which then need no pyarrow.
Table: TypeAlias = "pa.Table"

_JSON: Final = {b"lion_broker": b"json"}
"""Marks a column whose cells are JSON, because its values are of several types or have parts."""


def rows_to_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Table:
    """Return a table with a row a mapping and a column a name; what is no plain value is JSON text.

    Raises ConfigError without the extra `arrow`.
    """
    pa = _pyarrow()
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    fields, arrays = [], []
    for name in names:
        values = [row.get(name) for row in rows]
        kind = _kind_of(values)
        if kind is None:
            values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        types = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
        fields.append(pa.field(name, types[kind or str], metadata=None if kind else _JSON))
        arrays.append(pa.array(values, types[kind or str]))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def write_table(table: Table, path: Path) -> None:
    """Write a table to a Parquet file, whole or not at all."""
    _pyarrow()
    from pyarrow import parquet

    part = path.with_name(f"{path.name}.part")
    try:
        parquet.write_table(table, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file that `write_table` wrote of `rows_to_table`; empty cells are left out.

    Raises ConfigError for a file that is none, and without the extra `arrow`.
    """
    pa = _pyarrow()
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        columns = {field.name: table.column(field.name).to_pylist() for field in table.schema}
        for field in table.schema:
            if (field.metadata or {}).items() >= _JSON.items():
                columns[field.name] = [None if cell is None else json.loads(cell) for cell in columns[field.name]]
    except (pa.ArrowInvalid, ValueError) as error:
        raise ConfigError(f"{path} is no Parquet file of this package: {error}") from error
    return [
        {name: values[row] for name, values in columns.items() if values[row] is not None}
        for row in range(table.num_rows)
    ]


def frame_to_parquet(frame: DataFrame, path: Path) -> None:
    """Write a frame to a Parquet file; raises ConfigError without the extra `arrow`."""
    pa = _pyarrow()
    write_table(pa.Table.from_pandas(frame, preserve_index=False), path)


def _kind_of(values: Sequence[Any]) -> type | None:
    """The one plain type of all values, or None."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return float
    kind = kinds.pop() if len(kinds) == 1 else str if not kinds else None
    if kind is int and any(value is not None and not -(2**63) <= value < 2**63 for value in values):
        return None
    return kind if kind in (str, bool, int, float) else None


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ConfigError(
            "Arrow tables and Parquet files need pyarrow: pip install 'lion-broker[arrow]'. to_csv_file and to_df need"
            " no extra."
        ) from None
    return pyarrow
