"""However a program ends its event loops and its session: no connection is left open, told by Python's own warnings."""

import pytest

from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BEGIN = """
import asyncio, logging
from lion_broker import Session

# That a step of a loop took long says how busy the machine is; what was left open is an error, or a warning of Python.
logging.getLogger("asyncio").setLevel(logging.ERROR)

async def work(session):
    branch = await session.anew_branch()
    await session.default_branch.asend(branch, "message", "hello")
    await session.acollect_send_all(receive_all=True)
"""
WAYS = {
    "a loop inside": """
with Session() as session:
    asyncio.run(work(session))
    session.delete()
""",
    "two loops": """
with Session() as session:
    asyncio.run(work(session))
    asyncio.run(work(session))
    session.delete()
""",
    "closed in another loop": """
session = Session()
asyncio.run(work(session))
session.delete()
asyncio.run(session.aclose())
""",
    "closed in the loop, but not by it": """
async def main():
    with Session() as session:
        await work(session)
        await asyncio.to_thread(session.delete)
asyncio.run(main())
""",
    "a loop that waits": """
loop = asyncio.new_event_loop()
session = Session()
loop.run_until_complete(work(session))
session.delete()
session.close()
loop.close()
""",
    "in the middle of something": """
async def main():
    for _ in range(3):
        asyncio.create_task(work(session))
    await asyncio.sleep(0)
session = Session()
asyncio.run(main())
session.delete()
session.close()
""",
    "never closed": """
session = Session()
asyncio.run(work(session))
session.delete()
del session
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_no_connection_is_left_open(stage: Stage, way: str) -> None:
    """With every warning an error, standard error stays empty to the end."""
    program = stage.start("-X", "dev", "-W", "error", "-c", f"{BEGIN}{WAYS[way]}")
    assert program.wait() == 0, program.errors
    assert program.errors == ""
