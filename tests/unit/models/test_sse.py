"""Server-sent events, however their bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.models.sse import EventParser

STREAM = (
    "\ufeff: a comment\r\n\r\nevent: ping\ndata: {}\n\ndata:  zwei Löwen 🦁\r\ndata\rdata:drei\r\n\r\n"
    "id: 7\nretry: 10\n\ndatax: no\ndata: [DONE]\r\r\ndata: cut off"
).encode()
EVENTS = ["{}", " zwei Löwen 🦁\n\ndrei", "[DONE]"]


def parsed(pieces: list[bytes]) -> list[str]:
    """The events of a stream that comes in pieces."""
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_stream_may_be_cut_anywhere(cut: int) -> None:
    """In the middle of a character, of a line end, of anything."""
    assert parsed([STREAM[:cut], STREAM[cut:]]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_a_stream_may_come_in_any_pieces(cuts: list[int]) -> None:
    """Byte by byte too."""
    places = [0, *sorted(cuts), len(STREAM)]
    assert parsed([STREAM[start:end] for start, end in pairwise(places)]) == EVENTS
    assert parsed([STREAM[place : place + 1] for place in range(len(STREAM))]) == EVENTS


@given(st.lists(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"])), max_size=5))
def test_what_was_sent_arrives(texts: list[str]) -> None:
    """Whatever text the data lines carry."""
    stream = b"".join(f"data: {text}\n\n".encode() for text in texts)
    assert parsed([stream]) == texts


@given(st.binary(max_size=200))
def test_nonsense_is_no_error(stream: bytes) -> None:
    """Bytes that are no text and no events are passed over."""
    assert all(isinstance(event, str) for event in parsed([stream, b"\n\n"]))
