"""What docs/server.md shows of the doctor and says of the profiles is so."""

import re
from pathlib import Path

import pytest

from lion_broker.__main__ import main
from lion_broker.broker.checkup.profile import Profile
from lion_broker.cli.exits import Code
from tests.conformance.servers import find_bundled, running
from tests.contract.documents import blocks

PAGE = Path(__file__).parents[2] / "docs" / "server.md"
OF_ONE_MACHINE = re.compile(
    r"redis://\S+|unix://\S+|(Redis|Valkey) [\d.]+|[\d.]+ MiB are|has [0-9a-f]{8}|on this machine"
)


def rows(text: str) -> list[str]:
    """The lines of a report, without what differs from machine to machine."""
    return [OF_ONE_MACHINE.sub("…", line) for line in text.splitlines() if not line.startswith("ok       road")]


@pytest.mark.redis
def test_the_doctor_says_what_the_page_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server with the mistake that is shown, line for line."""
    shown = next(block.text for block in blocks(PAGE, "console") if "lion-broker doctor" in block.text)
    _, report = shown.partition("$ echo")[0].split("\n", 1)
    with running(find_bundled(), maxmemory_policy="allkeys-lru") as server:
        monkeypatch.setenv("LION_BROKER_URL", server.url)
        monkeypatch.setenv("LION_BROKER_SECRET", "a secret of the tests")
        assert main(["doctor"]) == Code.UNSOUND
    assert rows(capsys.readouterr().out) == rows(report)


def test_every_profile_is_described() -> None:
    """The table has each of them once."""
    _, _, section = PAGE.read_text().partition("## What survives")
    named = re.findall(r"^\| `(\w+)` \|", section.partition("## The doctor")[0], re.MULTILINE)
    assert sorted(named) == sorted(Profile)
