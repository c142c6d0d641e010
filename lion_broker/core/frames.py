"""Tables of messages and of elements; the only place that imports pandas, and only when a table is made."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MESSAGE_COLUMNS",
    "DataFrame",
    "MessageLike",
    "copied",
    "extended",
    "messages_to_frame",
    "pile_to_frame",
    "table_to_frame",
]

# For annotations elsewhere, which then need no pandas.
DataFrame: TypeAlias = "pd.DataFrame"

MESSAGE_COLUMNS = ("role", "content", "sender", "recipient", "created_at", "id", "branch")


class MessageLike(Protocol):
    """What a row needs of a message."""

    @property
    def id(self) -> str:
        """The id of the message."""

    @property
    def created_at(self) -> float:
        """Seconds since the epoch."""

    @property
    def role(self) -> Any:
        """Who speaks."""

    @property
    def sender(self) -> Any:
        """Who sent it."""

    @property
    def recipient(self) -> Any:
        """Whom it is for."""

    @property
    def text(self) -> str:
        """The message as it is shown to a model."""


M = TypeVar("M", bound=MessageLike)


def messages_to_frame(messages: Iterable[M], branch_of: Callable[[M], str | None] | None = None) -> DataFrame:
    """Return a frame with a row a message, in order.

    Columns: `role content sender recipient created_at id branch`. `content` is the rendered text,
    `created_at` is in UTC, `branch` is what `branch_of(message)` says, empty without it. Every column has
    its type even when there are no messages.
    """
    import pandas as pd

    rows = list(messages)
    columns: dict[str, Any] = {
        "role": _texts(str(message.role) for message in rows),
        "content": _texts(message.text for message in rows),
        "sender": _texts(str(message.sender) for message in rows),
        "recipient": _texts(str(message.recipient) for message in rows),
        "created_at": _times(message.created_at for message in rows),
        "id": _texts(str(message.id) for message in rows),
        "branch": _texts((branch_of(message) if branch_of else None) for message in rows),
    }
    return pd.DataFrame(columns, columns=list(MESSAGE_COLUMNS))


def table_to_frame(rows: Sequence[Sequence[Any]], columns: dict[str, type]) -> DataFrame:
    """Return a frame of rows; a column is of `str`, `int`, `float`, or `datetime` for seconds since the epoch.

    A time that is None is NaT; every column has its type even when there are no rows.
    """
    import pandas as pd

    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    found: dict[str, Any] = {}
    for (name, kind), values in zip(columns.items(), cells, strict=True):
        if kind is str:
            found[name] = _texts(values)
        elif kind is datetime:
            found[name] = _times(values)
        else:
            found[name] = pd.Series(list(values), dtype="int64" if kind is int else "float64")
    return pd.DataFrame(found, columns=list(columns))


def extended(frame: DataFrame, kept: int, part: DataFrame) -> DataFrame:
    """Return the first `kept` rows of a frame, and below them those of another one with the same columns."""
    import pandas as pd

    return pd.concat([frame.iloc[:kept], part], ignore_index=True)


def copied(frame: DataFrame) -> DataFrame:
    """Return a frame that may be changed without changing this one; pandas 3 copies only what is changed."""
    import pandas as pd

    return frame.copy(deep=pd.__version__ < "3")


def pile_to_frame(items: Iterable[Any], columns: Sequence[str] | None = None) -> DataFrame:
    """Return a frame with a row an element and a column a field of its dict; `created_at` in UTC.

    `columns` chooses and orders the columns; a field that no item has is an empty column.
    """
    import pandas as pd

    rows = [item.to_dict() for item in items]
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    if not rows and not columns:
        names = ["id", "created_at", "metadata"]
    frame = pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names})
    if "created_at" in frame:
        frame["created_at"] = _times(row["created_at"] for row in rows)
    return frame


def _texts(values: Iterable[str | None]) -> "pd.Series[str]":
    import pandas as pd

    # The type "str" of pandas 3, and the older one that is called "string" in pandas 2.
    return pd.Series(list(values), dtype="str" if pd.__version__ >= "3" else "string")


def _times(seconds: Iterable[float | None]) -> "pd.Series[pd.Timestamp]":
    import pandas as pd

    cells = [None if second is None else round(second * 1_000_000) for second in seconds]
    # Where none is missing, numbers of 64 bits, of which a float could not hold the last ones.
    microseconds = pd.Series(cells, dtype="Int64" if None in cells else "int64")
    return pd.to_datetime(microseconds, unit="us", utc=True)
