"""P8 and P9: a history that grows: frames of it, piles of it, taking it up, splitting it, and a worker's memory."""

from __future__ import annotations

import time
from typing import Any

from lion_broker import Instruction, Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .growth import measured, server_bytes, started, told
from .rig import Curve, Figure, Rig, kilobyte_mails

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000, 1_000_000), (100, 1_000, 10_000)
HERE, HERE_QUICK = (1_000, 10_000, 100_000), (100, 1_000, 10_000)
POOL = "growth-history"
PIECE = 20_000


def growth_history(rig: Rig, quick: bool) -> list[Figure | Curve]:
    """One branch with up to 1,000,000 messages of about 500 characters, which mails have brought."""
    exchange = rig.exchange()
    session = Session(exchange=exchange, delivery="auto", timeout=900)
    branch = session.new_branch(name="long", pool=POOL)
    rows: dict[int, dict[str, float]] = {}
    begin, length = server_bytes(rig), 0
    for size in QUICK_SIZES if quick else SIZES:
        while length < size:
            piece = min(PIECE, size - length)
            run(exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, [branch.id], piece)))
            measured(rig, "consumer", POOL, piece)
            length += piece
        rows[size] = _at(rig, session, branch)
        rows[size]["stored"] = (server_bytes(rig) - begin) / size
        length += 1
    session.delete()
    exchange.close()
    return [*_curves(rows), _split_here(rig, HERE_QUICK if quick else HERE)]


def _split_here(rig: Rig, sizes: tuple[int, ...]) -> Curve:
    """A branch of this process with up to 100,000 messages, of which a split takes down what they say."""
    points = []
    with Session(exchange=rig.exchange(), delivery="auto", timeout=900) as session:
        branch = session.new_branch(name="here")
        for size in sizes:
            branch.messages.include(
                [Instruction.create(instruction="x" * 500) for _ in range(size - len(branch.messages))]
            )
            session.flush()
            seconds = []
            for _ in range(3):
                begin = time.perf_counter()
                split = session.split(branch)
                seconds.append(time.perf_counter() - begin)
                session.remove_branch(split, delete=True)
            points.append((float(size), min(seconds) * 1e3))
        session.delete()
    return Curve("P9", "split of a branch of this process", "messages", "ms", tuple(points), "under 20 at 10,000")


def _at(rig: Rig, session: Session, branch: Any) -> dict[str, float]:
    found = measured(rig, "growth_reader", "history", session.id)
    begin, net = time.perf_counter(), _traffic(rig)
    split = session.split(branch)
    found["split"], found["split_bytes"] = time.perf_counter() - begin, _traffic(rig) - net
    session.remove_branch(split, delete=True)
    branch.send(branch, "message", "one more")
    found["joined"] = measured(rig, "growth_worker", POOL, 1)["memory"]
    worker, begin = started(rig, "growth_worker", POOL, 1), time.perf_counter()
    branch.delete_tools("none")
    found["worked_seconds"] = time.perf_counter() - begin
    found["worked"] = told(worker)["memory"]
    return found


def _traffic(rig: Rig) -> int:
    """Bytes that the server has been sent and has sent."""
    stats: Any = rig.raw.info("stats")
    return int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"])


def _curves(rows: dict[int, dict[str, float]]) -> list[Figure | Curve]:
    def curve(number: str, work: str, y: str, goal: str, value: Any) -> Curve:
        return Curve(number, work, "messages", y, tuple((n, value(n, row)) for n, row in rows.items()), goal)

    return [
        curve("P8", "to_df, the first call", "µs a row", "flat", lambda n, row: row["first"] / n * 1e6),
        curve(
            "P8", "to_df / pandas.read_json(lines=True)", "ratio", "at most 3", lambda n, r: r["first"] / r["pandas"]
        ),
        curve("P8", "to_df, the second call", "ms", "flat", lambda n, row: row["again"] * 1e3),
        curve("P8", "concat_messages after that", "µs a message", "flat", lambda n, row: row["gathered"] / n * 1e6),
        curve("P8", "Session.open", "ms", "flat: history is not read", lambda n, row: row["open"] * 1e3),
        curve("P8", "memory of the reading process", "bytes a message", "flat", lambda n, r: r["frames_memory"] / n),
        curve("P8", "server memory", "bytes a message", "flat", lambda n, row: row["stored"]),
        curve("P8", "worker: a message joins", "MB of memory", "flat", lambda n, row: row["joined"] / 1e6),
        curve("P8", "worker: a command", "bytes a message", "flat", lambda n, row: row["worked"] / n),
        curve("P8", "worker: a command", "µs a message", "flat", lambda n, row: row["worked_seconds"] / n * 1e6),
        curve("P9", "split", "ms", "under 20", lambda n, row: row["split"] * 1e3),
        curve("P9", "split: sent and received", "bytes", "flat: no message travels", lambda n, row: row["split_bytes"]),
    ]
