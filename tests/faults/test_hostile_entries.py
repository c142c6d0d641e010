"""Bytes that somebody wrote into the streams: dead letters with a reason, and everybody else's mail goes on."""

from collections.abc import Collection, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lion_broker import Session
from lion_broker.broker.library import library
from lion_broker.mail.records import LAST
from lion_broker.mail.verbs import ReadBranches
from lion_broker.testing import wait_until
from tests.faults.hostile import Forge, HostileEntry
from tests.faults.place import Site, own_site
from tests.ledger import Ledger

pytestmark = [pytest.mark.redis, pytest.mark.processes]


class Scene:
    """A session with a worker, a branch that is attacked, and a raw client."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = site.server.client()
        self.worker = site.worker(lease=1.0)
        self.worker.ready()
        self.begin()

    def begin(self) -> None:
        """Have a new session."""
        self.session = Session(exchange=self.site.connect(), delivery="auto", timeout=100)
        self.site.ends_with(self.session.close)
        self.home = self.session.default_branch
        self.sent = 0

    def forge(self, recipient: str) -> Forge:
        """A forge for mail to a branch."""
        return Forge(self.site.secret.encode(), self.site.namespace, self.session.id, self.home.id, recipient)

    def key(self, *names: str) -> str:
        """A key of the session."""
        return ":".join([f"{self.site.root}s:{self.session.id}", *names])

    def write(self, key: str, entry: HostileEntry) -> None:
        """Write an entry as whoever has reached the server would."""
        self.client.execute_command("XADD", key, entry.id, *entry.fields)

    def reasons(self) -> dict[str, list[str]]:
        """Why mail of each branch became dead letters."""
        found: dict[str, list[str]] = {}
        for letter in self.session.dead_letters:
            found.setdefault(letter.branch, []).append(letter.reason)
        return found

    def answered(self, branch: str) -> None:
        """Send a good mail to a branch, and wait for the answer."""
        self.sent += 1
        text = f"good {self.sent}"
        self.home.send(branch, "message", text)
        wait_until(lambda: f"re {text}" in self.heard(), 60)

    def heard(self) -> list[str]:
        """All answers so far."""
        self.home.receive_all()
        return [message.text for message in self.home.messages]

    def unharmed(self) -> None:
        """Insist that the worker lives and has told neither a trace nor what it was sent."""
        assert self.worker.alive
        assert "Traceback" not in self.worker.errors
        for word in ("forged", self.site.secret):
            assert word not in self.worker.errors


@pytest.fixture(scope="module")
def place() -> Iterator[Scene]:
    """A server and a worker for all of them."""
    with own_site(appendfsync="everysec") as site:
        yield Scene(site)


@pytest.fixture
def scene(place: Scene) -> Scene:
    """A session of its own."""
    place.begin()
    return place


@pytest.mark.parametrize("behaviour", ["echo", ""])
@pytest.mark.parametrize("kind", ["unsigned", "signed"])
def test_entries_in_a_mailbox(scene: Scene, kind: str, behaviour: str) -> None:
    """Each is a dead letter of its branch with the right reason, and the mail behind it is done."""
    expected = {}
    names = {}
    for number in range(len(getattr(scene.forge("x"), kind)())):
        branch = scene.session.new_branch(name=f"b{number}", pool="p", behaviour=behaviour)
        entry = getattr(scene.forge(branch.id), kind)()[number]
        scene.write(scene.key("b", branch.id, "mailbox"), entry)
        scene.home.send(branch, "message", "good")
        expected[branch.id], names[branch.id] = entry.reasons, entry.name
    # The counter of mail in flight knows nothing of such entries until they are gone; waiting waits all the same.
    scene.session.wait_idle(30)
    assert waiting(scene, expected) == []
    found = scene.reasons()
    wrong = {names[one]: found.get(one) for one, reasons in expected.items() if not _fits(found.get(one), reasons)}
    assert wrong == {}
    ledger = Ledger.of(scene.session.exchange, scene.session.id)
    assert {names[one]: ledger.texts[one] for one in expected if ledger.texts[one] != ["good"]} == {}
    scene.unharmed()


def waiting(scene: Scene, branches: Collection[str]) -> list[str]:
    """The names of branches that have not done their mail."""
    records = scene.session.exchange.call(ReadBranches(scene.session.id, ids=tuple(branches)))
    return [record.seed.name for record in records if record.waiting]


def _fits(found: list[str] | None, reasons: frozenset[str]) -> bool:
    return found is not None and len(found) == 1 and found[0] in reasons


@pytest.mark.parametrize("kind", ["unsigned", "signed"])
def test_entries_in_an_inbox(scene: Scene, kind: str) -> None:
    """What waits for a local branch is looked at in the same way, and the good mail among it is received."""
    expected = {}
    for number in range(len(getattr(scene.forge("x"), kind)())):
        branch = scene.session.new_branch(name=f"b{number}")
        entry = getattr(scene.forge(branch.id), kind)()[number]
        scene.write(scene.key("b", branch.id, "inbox"), entry)
        scene.home.send(branch, "message", "good")
        branch.receive_all()
        assert [message.text for message in branch.messages] == ["good"], entry.name
        expected[branch.id] = (entry.name, entry.reasons)
    scene.session.flush()
    found = scene.reasons()
    assert {
        name: found.get(one) for one, (name, reasons) in expected.items() if not _fits(found.get(one), reasons)
    } == {}


def test_a_mail_that_is_copied(scene: Scene) -> None:
    """Into the same mailbox, another branch's, another session's: it takes effect once, where it was sent to."""
    other_session = Session(exchange=scene.site.connect(), delivery="auto")
    scene.site.ends_with(other_session.close)
    remote, other = (scene.session.new_branch(name=name, pool="p", behaviour="echo") for name in ("one", "other"))
    far = other_session.new_branch(name="far", pool="p", behaviour="echo")
    local = scene.session.new_branch(name="local")
    scene.home.send(local, "message", "hello")
    (inbox,) = scene.client.xrange(scene.key("b", local.id, "inbox"))
    mail = HostileEntry("copy", scene.forge(remote.id).good("once"), frozenset())
    mailbox = scene.key("b", remote.id, "mailbox")
    scene.write(mailbox, mail)
    scene.answered(remote.id)
    for key in (mailbox, mailbox, scene.key("b", other.id, "mailbox")):
        scene.write(key, mail)
    scene.write(f"{scene.site.root}s:{other_session.id}:b:{far.id}:mailbox", mail)
    scene.answered(remote.id)
    scene.answered(other.id)
    other_session.default_branch.send(far, "message", "good")
    other_session.wait_idle()
    local.receive_all()
    copied = [part for pair in inbox[1].items() for part in pair]
    scene.write(scene.key("b", local.id, "inbox"), HostileEntry("copy", copied, frozenset()))
    local.receive_all()
    scene.session.flush()
    assert scene.reasons() == {remote.id: ["duplicate"] * 2, other.id: ["misdirected"], local.id: ["duplicate"]}
    wait_until(lambda: [letter.reason for letter in other_session.dead_letters] == ["bad_signature"])
    assert scene.heard().count("re once") == 1
    assert [message.text for message in local.messages] == ["hello"]
    assert Ledger.of(scene.session.exchange, scene.session.id).doubles() == []
    scene.unharmed()


def test_entries_in_the_other_streams(scene: Scene) -> None:
    """In the ready stream, the tail, the dead letters, the answers and a log: read over, and the work goes on."""
    remote = scene.session.new_branch(name="remote", pool="p", behaviour="echo")
    scene.answered(remote.id)
    ready, log = f"{scene.site.root}ready:p", scene.key("b", remote.id, "log")
    odd = [
        [b"x", b"y"],
        [b"", b""],
        [bytes(range(256))] * 2,
        [b"s", b"no-session", b"b", b"no-branch"],
        [b"s", scene.session.id.encode(), b"b", remote.id.encode()],
        [b"s", scene.session.id.encode(), b"b", b"\xff" * 100],
        [b"s", b"}:s:{", b"b", b"a:b:c"],
    ]
    tail = scene.session.events(timeout=0)
    for fields in odd:
        for key in (ready, scene.key("events"), scene.key("dead"), f"{scene.site.root}reply:{scene.home.id}"):
            scene.write(key, HostileEntry("odd", fields, frozenset()))
        scene.answered(remote.id)
    version = remote.record.version
    records = (b"7 0 1 \nmessage{", b"4 0 0 \nmail", b"4 9 9 \nmail", b"0 0 0", b"\xff", b"", b"0 0 0 " * 150 + b"\n")
    others = ([b"x", b"y", b"z", b"t"], [b"mail", b"5"], [b"r", b"5 0 2 \ntimes{}", b"t", b"\xff"])
    for number, fields in enumerate((*([b"r", one] for one in records), *others), 1):
        scene.write(log, HostileEntry("odd", fields, frozenset(), id=f"{version}-{100 + number}"))
    scene.worker.kill()
    scene.worker = scene.site.worker(lease=1.0)
    scene.answered(remote.id)
    assert [letter.reason for letter in scene.session.dead_letters].count("unknown") == len(odd)
    assert len(list(tail)) >= len(odd)
    assert "good 1" in [message.text for message in remote.messages]
    wait_until(lambda: scene.client.xlen(ready) == 0, 60)
    scene.unharmed()


@pytest.mark.parametrize("kind", ["unsigned", "signed"])
def test_mail_that_ready_entries_hand_out(scene: Scene, kind: str) -> None:
    """What is no branch's mark has no effect, whatever it hands out: who works on it is fenced, and nothing is left."""
    remote = scene.session.new_branch(name="remote", pool="p", behaviour="echo")
    scene.answered(remote.id)
    ready, key = f"{scene.site.root}ready:p", scene.key("b", remote.id)
    forge = scene.forge(remote.id)
    forged = [entry.fields for entry in getattr(forge, kind)()] + [forge.good("replayed")]
    cursor, version = (scene.client.hget(key, name) for name in ("cursor", "version"))
    names = (b"s", scene.session.id.encode(), b"b", remote.id.encode())
    where = (b"c", cursor, b"v", version, b"f", b"echo")
    for fields in forged:
        scene.write(ready, HostileEntry("forged", [*names, b"e", b"1-1", *fields, *where], frozenset()))
    odd = {b"e": b"x", b"c": b"\xff", b"v": b"9" * 5000, b"f": b"\xff", b"s": b"\xff", b"m": b""}
    for name, value in odd.items():
        fields = [*names, b"e", b"1-1", *forge.good("odd"), *where]
        fields[fields.index(name) + 1] = value
        scene.write(ready, HostileEntry("odd", fields, frozenset()))
    scene.answered(remote.id)
    wait_until(lambda: scene.client.xlen(ready) == 0, 20)
    heard = scene.heard()
    assert not [text for text in heard if "replayed" in text or "forged" in text or "odd" in text]
    assert scene.reasons() == {}
    assert Ledger.of(scene.session.exchange, scene.session.id).doubles() == []
    scene.unharmed()


@pytest.mark.parametrize("kind", ["unsigned", "signed"])
def test_mail_that_was_signed_wrongly_is_handed_out(scene: Scene, kind: str) -> None:
    """A mark hands out what a program has posted that is no mail: a dead letter as after a claim."""
    remote = scene.session.new_branch(name="remote", pool="p", behaviour="echo")
    scene.answered(remote.id)
    entries = [entry for entry in getattr(scene.forge(remote.id), kind)() if entry.fields[::2] == [b"m"]]
    post = f"{library().prefix}post"
    for number, entry in enumerate(entries, 1):
        words = ("forger", number, f"digest-{number}", 1, scene.home.id, remote.id, 0, entry.fields[1], "", 0)
        assert scene.client.execute_command("FCALL", post, 1, scene.key(), *words) == [b"OK"]
        scene.answered(remote.id)
        (*_, reason) = scene.reasons()[remote.id]
        assert reason in entry.reasons, entry.name
    scene.unharmed()


@pytest.mark.parametrize("ahead", ["4102444800000-0", "99999999999999-5", "9007199254740993-1"])
def test_entries_of_the_future(scene: Scene, ahead: str) -> None:
    """An id that is ahead of the server's clock: what comes later is still in order behind it."""
    remote = scene.session.new_branch(name="remote", pool="p", behaviour="echo")
    mail = scene.forge(remote.id).good("from the future")
    scene.write(scene.key("b", remote.id, "mailbox"), HostileEntry("ahead", mail, frozenset(), id=ahead))
    for _ in range(3):
        scene.answered(remote.id)
    heard = [text for text in scene.heard() if text.startswith("re ")]
    assert heard == ["re from the future", "re good 1", "re good 2", "re good 3"]
    assert scene.reasons() == {}


def test_an_entry_at_the_end_of_a_stream(scene: Scene) -> None:
    """Nothing can be appended behind it; when it is buried the station begins anew, and mail meanwhile is kept."""
    remote = scene.session.new_branch(name="remote", pool="p", behaviour="echo")
    local = scene.session.new_branch(name="local")
    scene.answered(remote.id)
    last = HostileEntry("last", [b"x", b"y"], frozenset(), id=LAST)
    for _ in range(2):
        scene.write(scene.key("b", remote.id, "mailbox"), last)
        scene.write(scene.key("b", local.id, "inbox"), last)
        scene.home.send(remote, "message", "in vain")
        scene.home.send(local, "message", "in vain")
        wait_until(lambda: not waiting(scene, [remote.id]))
        local.receive_all()
        scene.session.flush()
        for _ in range(2):
            scene.answered(remote.id)
        scene.home.send(local, "message", "hello")
        local.receive_all()
        scene.session.flush()
    kept = ["broken_mailbox", "malformed"] * 2
    assert scene.reasons() == {remote.id: kept, local.id: kept}
    assert [message.text for message in local.messages] == ["hello"] * 2
    assert scene.session.counters()["redelivered"] == 0
    scene.unharmed()


@given(entries=st.lists(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=3000)), min_size=1), max_size=8))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_entries_of_any_kind(scene: Scene, entries: list[list[tuple[bytes, bytes]]]) -> None:
    """Whatever is in them: one dead letter each, and the mail behind them is done."""
    branch = scene.session.new_branch(pool="p", behaviour="echo")
    for pairs in entries:
        fields = [part for pair in pairs for part in pair]
        scene.write(scene.key("b", branch.id, "mailbox"), HostileEntry("any", fields, frozenset()))
    scene.answered(branch.id)
    reasons = scene.reasons().get(branch.id, [])
    assert len(reasons) == len(entries)
    assert set(reasons) <= {"malformed", "bad_signature", "too_large"}
    scene.unharmed()
