"""A deployment that works is upgraded and downgraded as docs/operating.md says, between wheels of two versions."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.stage import short_folder

from .play import Play, environ_of
from .releases import build

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.mark.timeout(900)
@pytest.mark.skipif(find_spec("hatchling") is None, reason="the tool that builds wheels is not installed here")
def test_an_upgrade_and_the_way_back_lose_nothing() -> None:
    """Workers of both versions work side by side; no mail is lost, taken twice, out of order or handed out again."""
    with short_folder() as folder:
        environ = environ_of(folder)
        old, new = build(folder, environ), build(folder, environ, version="99.0.0")
        play = Play(folder, old, new)
        with play.stage():
            verdict = play.run()
    assert verdict.wrong == []
    assert verdict.redelivered == 0
    assert set(verdict.handled) == {old.version, new.version}
    assert verdict.handled.total() == 2 * verdict.sent
    # Each called the functions that it was written for.
    assert verdict.libraries == 2
