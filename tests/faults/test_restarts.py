"""Workers that are stopped and replaced while mail flows, by their own version and by another one."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.broker.library import PROTOCOL
from lion_broker.errors import ProtocolMismatch
from lion_broker.mail.verbs import ListSessions
from lion_broker.testing import wait_until
from tests.faults.load import Load, check, flowing
from tests.faults.place import Site
from tests.stage import ROOT, Program

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BEFORE = os.environ.get("LION_FAULTS_BEFORE", "b4d3d84")
"""A revision of an earlier version: the last one of protocol 1, or whatever else is to be tried."""

EXPORTS = "c96d323"
"""A revision of an earlier version whose sessions can be exported: the last one of protocol 4."""

OLD = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = ["lion-broker", *sys.argv[2:]]
runpy.run_module("lion_broker", run_name="__main__", alter_sys=True)
"""
"""A program that finds another version of the package first, and then is its `lion-broker`."""

LEAVES = """
import sys
sys.path.insert(0, sys.argv[1])
from lion_broker import Session
with Session(name="moved", delivery="auto") as session:
    far = session.new_branch(name="far", pool="p", behaviour="echo")
    session.default_branch.send(far, "message", "wait for the next version")
"""
"""A program that finds another version first, and leaves a session in which a mail waits."""

WORKER = ("worker", "--app", "tests.apps.desk:registry", "--pool", "p", "--json", "--until-eof", "--lease", "1")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an earlier version, and what its tests ask of workers."""
    return checked_out(tmp_path_factory.mktemp("earlier"), BEFORE)


def checked_out(folder: Path, revision: str) -> Path:
    """Put a revision into a folder, which is returned."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", revision, "lion_broker", "tests"], capture_output=True)
    if archive.returncode:
        pytest.skip(f"the history of this checkout has no revision {revision}")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def protocol_of(folder: Path) -> int:
    """The protocol that the version in a folder speaks."""
    for name in ("lion_broker/broker/library.py", "lion_broker/mail/wire.py"):
        if found := re.search(r"^PROTOCOL: Final = (\d+)$", (folder / name).read_text(), re.MULTILINE):
            return int(found[1])
    raise AssertionError("that version has no protocol")


def earlier_worker(site: Site, folder: Path) -> Program:
    """A worker of the earlier version."""
    return site.start("-c", OLD, str(folder), *WORKER, **site.environ())


def test_workers_that_are_replaced_under_load(site: Site) -> None:
    """Each is asked to end while it works: it exits with 0, and not one mail is handed out twice."""
    load = Load.begin(site)
    running = [site.worker(lease=30.0) for _ in range(2)]
    for worker in running:
        worker.ready()
    with flowing(load):
        for _ in range(3):
            wait_until(load.more(15), 60)
            running.append(site.worker(lease=30.0))
            leaving = running.pop(0)
            assert leaving.stop() == 0, leaving.errors
            assert leaving.told()["event"] == "stopped"
            running[-1].ready()
    check(load)
    assert load.refused == []
    assert load.session.counters()["redelivered"] == 0


def test_an_earlier_version_among_the_workers(site: Site, earlier: Path) -> None:
    """Of the same protocol they replace each other under load; of another one the earlier version is sent away."""
    load = Load.begin(site)
    if protocol_of(earlier) != PROTOCOL:
        stranger = earlier_worker(site, earlier)
        assert stranger.wait() != 0
        assert f"speaks protocol {PROTOCOL}, this program {protocol_of(earlier)}" in stranger.errors
        assert "Traceback" not in stranger.errors
        site.worker(lease=1.0).ready()
        load.send("home:0")
        assert len(check(load).effects) == 2
        return
    running = [earlier_worker(site, earlier), site.worker(lease=1.0)]
    with flowing(load):
        for worker in running:
            worker.ready()
        for old in (True, False) * 2:
            wait_until(load.more(15), 60)
            running.append(earlier_worker(site, earlier) if old else site.worker(lease=1.0))
            running[-1].ready()
            assert running.pop(0).stop() == 0
    check(load)
    assert load.session.counters()["redelivered"] == 0


def test_a_namespace_of_an_earlier_version(site: Site, earlier: Path) -> None:
    """One of another protocol is left alone, with an error that says what to do."""
    if protocol_of(earlier) == PROTOCOL:
        pytest.skip(f"the version {BEFORE} speaks the same protocol")
    earlier_worker(site, earlier).ready()
    with pytest.raises(ProtocolMismatch, match=f"speaks protocol {protocol_of(earlier)}.*another namespace"):
        Session(exchange=site.connect())
    newer = site.worker()
    assert newer.wait() != 0
    assert "another namespace" in newer.errors


def test_sessions_of_an_earlier_protocol_come_along(site: Site, tmp_path: Path) -> None:
    """Exported by that version and imported by this one, into another namespace: what waited is handled there."""
    folder, file = checked_out(tmp_path, EXPORTS), tmp_path / "moved.jsonl"
    left = site.start("-c", LEAVES, str(folder), **site.environ())
    assert left.wait() == 0, left.errors
    words = ("session", "export", "moved", "--pause", "--output", str(file))
    export = site.start("-c", OLD, str(folder), *words, **site.environ())
    assert export.wait() == 0, export.errors
    site.namespace += "-next"
    imported = site.start("-m", "lion_broker", "session", "import", str(file), "--same-ids", **site.environ())
    assert imported.wait() == 0, imported.errors
    site.worker(**site.environ()).ready()
    exchange = site.connect()
    (moved,) = exchange.call(ListSessions())
    with Session.open(moved, exchange=exchange) as session:
        wait_until(lambda: len(session.branches["far"].messages) > 0)
        assert session.branches["far"].messages[0].text == "wait for the next version"
