"""What lies around a server: the road to it, files with secrets, the directory of an embedded one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lion_broker.broker.checkup.environment import (
    DirectoryFacts,
    clock_finding,
    directory_findings,
    file_findings,
    url_findings,
)


@pytest.mark.parametrize(
    ("url", "severity", "said"),
    [
        ("unix:///tmp/s", "ok", "socket of this machine"),
        ("redis://localhost", "ok", "stays on this machine"),
        ("redis://127.0.0.5:6379/0", "ok", "stays on this machine"),
        ("redis://[::1]:6379", "ok", "stays on this machine"),
        ("redis://", "ok", "stays on this machine"),
        ("redis://server.internal:6379/0", "warning", "plain text"),
        ("redis://10.0.0.1", "warning", "plain text"),
        ("redis://u:localhost/@10.0.0.1", "warning", "plain text"),
        ("redis://u:p@localhost.example.org", "warning", "plain text"),
        ("rediss://server.internal", "ok", "encrypted"),
        ("rediss://u:p@server.internal?ssl_cert_reqs=required", "ok", "certificate verified"),
        ("rediss://u:p?@server.internal?ssl_cert_reqs=none", "warning", "not verified"),
    ],
)
def test_the_road(url: str, severity: str, said: str) -> None:
    """Plain text is for one machine; TLS is worth what its certificate is."""
    (finding,) = url_findings(url)
    assert finding.severity == severity
    assert said in finding.text
    assert bool(finding.fix) is finding.severity.is_bad


def test_a_url_that_is_none() -> None:
    """Whoever uses it will say so."""
    assert url_findings("redis://[::1/0") == ()


@pytest.mark.parametrize(
    ("mode", "severity"), [(0o600, "ok"), (0o400, "ok"), (0o640, "ok"), (0o644, "info"), (0o666, "warning")]
)
def test_a_file_with_a_secret(tmp_path: Path, mode: int, severity: str) -> None:
    """That others can change it is bad anywhere; that they can read it is how containers mount it."""
    path = tmp_path / "secret"
    path.touch()
    path.chmod(mode)
    (finding,) = file_findings([path, tmp_path / "absent"])
    assert finding.severity == severity
    assert str(path) in finding.text


CLOSED = DirectoryFacts(Path("/data"), 0o40700, 0o100600, 1 << 20, 10 << 30)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, {"directory": "ok", "room": "ok"}),
        ({"secret_mode": None}, {"directory": "ok", "room": "ok"}),
        ({"mode": 0o40755}, {"directory": "warning", "room": "ok"}),
        ({"free": 500 << 20}, {"directory": "ok", "room": "warning"}),
        ({"free": 1 << 20}, {"directory": "ok", "room": "error"}),
        ({"free": 3 << 30, "size": 5 << 30}, {"directory": "ok", "room": "error"}),
    ],
)
def test_the_directory_of_an_embedded_server(changed: dict[str, Any], found: dict[str, str]) -> None:
    """Closed to others, with room for its log and another one of the same size."""
    findings = list(directory_findings(replace(CLOSED, **changed)))
    assert {one.check: one.severity for one in findings} == found
    assert all(bool(one.fix) is one.severity.is_bad for one in findings)


def test_a_signing_key_that_others_can_read() -> None:
    """It is an error of its own."""
    _, secret, _ = directory_findings(replace(CLOSED, secret_mode=0o100644))
    assert (secret.severity, secret.fix) == ("error", "chmod 600 '/data/secret'")


@pytest.mark.parametrize(
    ("server", "severity", "said"),
    [(100.9, "ok", "less than a second"), (3700.0, "info", "3,600 s ahead of"), (40.0, "info", "60 s behind")],
)
def test_clocks(server: float, severity: str, said: str) -> None:
    """That they differ is worth knowing, and harms nothing."""
    finding = clock_finding(server, 100.0)
    assert finding.severity == severity
    assert said in finding.text
