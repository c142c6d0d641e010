"""The live tail, mail by mail: a turn is told as what it did, which the branch's log says, and nothing twice.

An id is that of the occurrence, and which part of it: `<ms>-<n>` or `<ms>-<n>.<part>`. Logs do not change, so another
process that goes on after an id goes on with the next part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.branch.turn_times import LONGEST_DETAIL, End, read_times
from lion_broker.core.portable import one_line
from lion_broker.errors import ConfigError, LionError
from lion_broker.mail.checks import is_entry, is_id
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.records import START, DeadLetter, LogRecord, Occurrence, Record, place_of
from lion_broker.mail.verbs import ReadDead, ReadEvents, ReadLog
from lion_broker.mail.wire import decode_header
from lion_broker.telemetry.lines import without_credentials

from .preview import preview_of
from .views import Happening

__all__ = ["Happenings"]

_PAGE: Final = 100
_ROWS: Final = 200
_AT_THE_END: Final = 2**40
"""A place after all that a version can have."""


class Happenings:
    """Reads what happens in a session, mail by mail; `position` resumes it, in this process or another.

    Begins after `after`: an id of a happening or an occurrence, None for the oldest that is kept, `$` for what comes
    next. Raises ConfigError for what is no id.
    """

    def __init__(self, session: str, after: str | None = None) -> None:
        self.session = session
        self.position = after or START
        occurrence = self.position.partition(".")[0]
        if self.position != "$" and not (is_entry(occurrence) and _part_of(self.position) >= 0):
            raise ConfigError(
                f"A tail goes on after an id such as 1764000000000-0 or 1764000000000-0.3, not {after!r:.60}."
            )

    def next_steps(self, wait_ms: int = 0) -> Steps[list[Happening]]:
        """Read what is next, if anything happens within `wait_ms`; the `position` is behind it then.

        Not everything that happens is of a mail, so an empty list does not mean that nothing comes after it: for that,
        the position is as before.
        """
        if self.position == "$":
            (tip,) = yield from ask(ReadEvents(self.session, "$"))
            self.position = tip.id
        occurrence, part = self.position.partition(".")[0], _part_of(self.position)
        after = _before(occurrence) if part else occurrence
        page = yield from ask(ReadEvents(self.session, after, _PAGE, wait_ms))
        if part and page and page[0].kind == "gap" and page[0].fields.get("next") == occurrence:
            page = page[1:]  # what we have seen a part of is the oldest there is
        turns = yield from self._turns_steps(page)
        letters = yield from self._letters_steps(page)
        found: list[Happening] = []
        for one in page:
            told = list(_told(one, turns, letters))
            skipped = part if part and one.id == occurrence else 0
            found += [
                replace(happening, id=f"{one.id}.{number}" if len(told) > number else one.id)
                for number, happening in enumerate(told, 1)
                if number > skipped
            ]
            self.position = one.id
        return found

    def _turns_steps(self, page: Sequence[Occurrence]) -> Steps[dict[tuple[str, int], list[LogRecord]]]:
        """Read what the turns of a page have written, a piece of a log for each branch."""
        wanted: dict[str, list[int]] = {}
        for one in page:
            branch, version = one.fields.get("branch", ""), _version_of(one)
            if version and is_id(branch):
                wanted.setdefault(branch, []).append(version)
        found: dict[tuple[str, int], list[LogRecord]] = {}
        places = {branch: (min(versions) - 1, _AT_THE_END) for branch, versions in wanted.items()}
        while places:
            verbs = [ReadLog(self.session, branch, *place, _ROWS) for branch, place in places.items()]
            pages = yield from ask_all(verbs)
            for branch, rows in zip(list(places), pages, strict=True):
                for row in rows:
                    found.setdefault((branch, row.version), []).append(row)
                if len(rows) < _ROWS or rows[-1].version > max(wanted[branch]):
                    del places[branch]
                else:
                    places[branch] = (rows[-1].version, rows[-1].place)
        return found

    def _letters_steps(self, page: Sequence[Occurrence]) -> Steps[dict[str, DeadLetter]]:
        """Read the dead letters that a page tells of, as far as they are still there."""
        ids = [letter for one in page if one.kind == "dead" and is_entry(letter := one.fields.get("letter", ""))]
        answers = yield from ask_all([ReadDead(self.session, _before(letter), 1) for letter in ids])
        return {letter.id: letter for answer in answers for letter in answer}


def _told(
    one: Occurrence, turns: dict[tuple[str, int], list[LogRecord]], letters: dict[str, DeadLetter]
) -> Iterator[Happening]:
    """What an occurrence is, mail by mail; a turn that handled and sent nothing is none."""
    fields = one.fields
    bare = Happening("", place_of(one.id)[0] / 1000, one.kind, fields.get("branch", ""), owner=fields.get("owner", ""))
    if one.kind == "turn":
        for row in turns.get((bare.branch, _version_of(one)), []):
            try:
                yield from _of_record(row.record, bare)
            except (LionError, ValueError, TypeError, LookupError, AttributeError):
                continue  # something else wrote it
    elif one.kind == "dead":
        letter = letters.get(fields.get("letter", ""))
        header = letter.mail.header if letter is not None and letter.mail is not None else None
        told = replace(bare, text=fields.get("reason", ""), error=letter.error if letter else "")
        if letter is not None:
            told = replace(told, detail=one_line(without_credentials(letter.detail), LONGEST_DETAIL))
        yield (
            told
            if header is None
            else replace(
                told, mail=header.id, category=header.category, sender=header.sender, recipient=header.recipient
            )
        )
    elif one.kind == "gap":
        yield replace(bare, text=f"what happened until {fields.get('next', '')} is in the logs only")
    else:
        text = fields.get("text", fields.get("reason", fields.get("name", fields.get("letter", ""))))
        yield replace(bare, mail=fields.get("mail", ""), text=text)


def _version_of(one: Occurrence) -> int:
    """The version that a turn has written; 0 for what is no turn."""
    version = one.fields.get("version", "") if one.kind == "turn" else ""
    return int(version) if version.isdecimal() and len(version) < 16 else 0


def _of_record(record: Record, bare: Happening) -> Iterator[Happening]:
    if record.kind == Kind.TIMES:
        for attempt in read_times(record.body).attempts:
            if attempt.end is not End.APPLIED:
                kind = "aside" if attempt.end is End.ASIDE else "failed"
                told = replace(bare, kind=kind, mail=attempt.mail, recipient=bare.branch, error=attempt.error)
                yield replace(told, text=str(attempt.end), attempt=attempt.number, detail=attempt.detail)
    elif record.kind == Kind.MAIL:
        header = decode_header(record.head)
        told = replace(bare, kind="applied", mail=header.id, category=header.category, sender=header.sender)
        yield replace(told, recipient=header.recipient, text=preview_of(record.body))
    elif record.kind == Kind.TOOK:
        body = from_json(record.body)
        if body["mail"]:
            told = replace(bare, kind="applied", mail=str(body["mail"]), category=str(body["category"]))
            yield replace(told, sender=str(body.get("sender", "")), recipient=bare.branch)
    elif record.kind == Kind.SENT:
        for mail, recipient, category in from_json(record.body)["mails"]:
            told = replace(bare, kind="sent", mail=str(mail), category=str(category))
            yield replace(told, sender=bare.branch, recipient=str(recipient))


def _part_of(position: str) -> int:
    """How many parts of an occurrence were told already; 0 for all of it, -1 for what is no number."""
    _, dot, part = position.partition(".")
    if not dot:
        return 0
    return int(part) if part.isdecimal() and 0 < len(part) < 9 else -1


def _before(entry: str) -> str:
    """The id before another one."""
    ms, number = place_of(entry)
    return f"{ms}-{number - 1}" if number else f"{max(0, ms - 1)}-{2**64 - 1}" if ms else START
