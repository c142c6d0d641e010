"""An answer that is streamed is told to whoever watches, too."""

import pytest

from lion_broker import Session
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.anyio]


async def test_watchers_hear_a_streamed_answer(stage: Stage) -> None:
    """Whole and in order, with the branch and the command that it answers, in a few bounded pieces."""
    async with Session(exchange=stage.exchange, delivery="auto") as session:
        remote = await session.anew_branch(name="remote", pool="p", imodel="quote")
        stage.worker(pool="p").ready()
        question = "What is a lion? " + "A lion is a cat that lives in a group. " * 300
        heard = "".join([piece async for piece in remote.stream(question)])
        said = [one for one in session.events(timeout=0) if one.kind == "said"]
        assert heard
        assert "".join(one.fields["text"] for one in said) == heard
        at = 0
        for one in said:
            assert (one.fields["branch"], int(one.fields["at"])) == (remote.id, at)
            assert 0 < len(one.fields["text"]) <= 4000
            at += len(one.fields["text"])
        assert len({one.fields["mail"] for one in said}) == 1
        told = [one async for one in session.happenings(timeout=0)]
        assert "".join(one.text for one in told if one.kind == "said") == heard
