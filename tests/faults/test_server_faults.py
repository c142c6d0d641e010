"""The server is killed, fills its disk or its memory, loses its functions or everything: clear errors, nothing lost."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lion_broker import BrokerError, BrokerUnavailable, ItemNotFoundError, MailboxFull
from lion_broker.broker.library import library
from lion_broker.testing import wait_until
from tests.faults.load import Load, check, flowing
from tests.faults.place import Site, own_site

pytestmark = [pytest.mark.redis, pytest.mark.processes]

PATIENCE = {"LION_BROKER_PATIENCE": "1"}
BALLAST = 2 * 1024 * 1024
"""Bytes that are freed when a full disk is to have room again."""


def workers(site: Site, count: int = 2) -> list[Any]:
    """Workers of the pool, ready."""
    started = [site.worker(lease=1.0, **PATIENCE) for _ in range(count)]
    for one in started:
        one.ready()
    return started


def test_a_killed_server(site: Site) -> None:
    """What was accepted is there when it is back; nobody connects more often than has something to ask."""
    load = Load.begin(site, site.connect(patience=30))
    workers(site)
    with flowing(load):
        for _ in range(3):
            wait_until(load.more(20), 60)
            site.server.kill()
            wait_until(lambda: any("waiting for the server" in program.errors for program in site.programs), 60)
            site.server.start()
            wait_until(load.more(20), 60)
    ledger = check(load)
    assert load.refused == []
    # A worker has a line that waits, one for what it asks, and one for its leases; so has the session, and this test.
    connections = int(site.server.info("stats")["total_connections_received"])
    assert connections <= 40
    assert site.server.calls("xreadgroup") <= 2 * len(ledger.effects) + 200
    assert all(program.alive for program in site.programs)


def test_the_functions_are_deleted(site: Site) -> None:
    """Whoever misses them loads them again, under load, without an error for anybody."""
    load = Load.begin(site)
    workers(site)
    with flowing(load), site.server.client() as client:
        for _ in range(10):
            client.function_flush()
            wait_until(load.more(5), 60)
    check(load)
    assert load.refused == []
    assert site.server.calls("function|load") > 10
    assert not any("left" in program.errors for program in site.programs)


def test_the_functions_are_replaced(site: Site) -> None:
    """A library of the same name without our functions is replaced; one that answers nonsense is a clear error."""
    load = Load.begin(site)
    workers(site, 1)
    with site.server.client() as client:
        head = f"#!lua name={library().name}\n"
        client.function_load(f"{head}redis.register_function('other', function() end)", replace=True)
        load.send("home:0")
        check(load)
        nonsense = f"redis.register_function('{library().prefix}post', function() return {{'nonsense'}} end)"
        client.function_load(head + nonsense, replace=True)
        with pytest.raises(BrokerError, match="function library were changed by something else"):
            load.session.branches["b1"].send(load.session.branches["b2"], "message", "home:9")
        client.function_flush()
    load.send("home:1")
    check(load)


def test_everything_is_deleted(site: Site) -> None:
    """The old session says that it is gone, the worker lives, and a new session needs no restart."""
    exchange = site.connect()
    load = Load.begin(site, exchange)
    (worker,) = workers(site, 1)
    with flowing(load), site.server.client() as client:
        wait_until(load.more(20), 60)
        client.flushall()
        wait_until(lambda: load.refused, 60)
    assert {type(error) for error in load.refused} == {ItemNotFoundError}
    assert "it was deleted, or the server was emptied" in str(load.refused[0])
    again = Load.begin(site, exchange)
    for number in range(10):
        again.send(f"home:{number}")
    assert len(check(again).effects) == 20
    assert worker.alive
    assert "Traceback" not in worker.errors


def test_the_memory_is_full(site: Site) -> None:
    """Mail from outside and new branches are refused, turns go on, and with room again everything does."""
    load = Load.begin(site)
    session = load.session
    for number in range(30):
        load.send(f"home:{number}")
    site.server.configure("maxmemory", "1")
    with pytest.raises(MailboxFull, match="out of memory"):
        session.branches["b1"].send(session.branches["b2"], "message", "home:99")
    with pytest.raises(MailboxFull, match="out of memory"):
        session.new_branch(name="late", pool="p")
    (worker,) = workers(site, 1)
    assert len(check(load).effects) == 60
    site.server.configure("maxmemory", "0")
    session.branches["b1"].send(session.branches["b2"], "message", "home:100")
    session.wait_idle()
    assert worker.alive


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four mebibytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_the_disk_is_full(small_disk: Path, tmp_path: Path, fsync: str) -> None:
    """The server ends or refuses to write; whoever sends is told, and with room again what was accepted is there."""
    data, ballast = small_disk / "data", small_disk / "ballast"
    data.mkdir()
    # What makes room again is there before mail flows, which may fill the disk by itself.
    ballast.write_bytes(b"x" * BALLAST)
    with own_site(data, appendfsync=fsync) as site:
        load = Load.begin(site, site.connect(patience=1))
        workers(site)
        with flowing(load):
            wait_until(load.more(20), 60)
            fill(ballast)
            wait_until(lambda: load.refused, 60)
        assert {type(error) for error in load.refused} == {BrokerUnavailable}
        assert site.server.alive == (fsync == "everysec")
        if site.server.alive:
            assert "cannot write to its disk" in str(load.refused[0])
        ballast.unlink()
        if not site.server.alive:
            site.server.start()
        wait_until(lambda: writes(load), 60)
        check(load)
        assert all(program.alive for program in site.programs)


def fill(path: Path) -> None:
    """Leave no room on a disk, by a file on it that grows."""
    free = shutil.disk_usage(path.parent).free
    with path.open("ab") as file:
        while free > 0:
            try:
                file.write(b"x" * min(free, 4096))
                file.flush()
            except OSError:
                return
            free = shutil.disk_usage(path.parent).free


def writes(load: Load) -> bool:
    """Whether what waits can be stored again."""
    try:
        load.session.flush()
    except BrokerUnavailable:
        return False
    return True
