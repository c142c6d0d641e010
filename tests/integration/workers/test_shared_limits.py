"""The limits of a model hold for all workers on a server together."""

from pathlib import Path

import anyio
import pytest

from lion_broker import ModelRateLimited, Session
from lion_broker.testing import FakeModelServer
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.anyio]

LIMIT = 3


async def test_two_workers_have_one_budget(stage: Stage, tmp_path: Path) -> None:
    """Of many questions to two processes only as many are asked as the limit lets through in time."""
    outcomes: list[str] = []
    with FakeModelServer() as server:
        server.says("Hello.")
        environ = {"MODEL_URL": server.url, "DESK": str(tmp_path), "LIMIT": str(LIMIT)}
        for _ in range(2):
            stage.worker("tests.apps.thinkers:registry", "p", "--concurrency", "4", lease=60.0, **environ).ready()
        async with Session(exchange=stage.exchange, pool="p") as session, anyio.create_task_group() as group:
            branches = [await session.anew_branch(imodel="far") for _ in range(8)]

            async def ask(place: int) -> None:
                try:
                    outcomes.append(await branches[place].communicate("Hello?"))
                except ModelRateLimited as error:
                    outcomes.append(type(error).__name__)

            for place in range(8):
                group.start_soon(ask, place)
        assert sorted(outcomes) == ["Hello."] * LIMIT + ["ModelRateLimited"] * 5
        assert len(server.requests) == LIMIT
