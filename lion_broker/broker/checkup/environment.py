"""What lies around a server: the road to it, the files with secrets, the directory of an embedded one."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from lion_broker.broker.connection import without_secrets

from .finding import Finding, Severity

__all__ = ["DirectoryFacts", "clock_finding", "directory_findings", "file_findings", "url_findings"]

_SCARCE: Final = 1 << 30
_LACKING: Final = 64 << 20
_ALIKE: Final = 1.0
"""Seconds by which clocks may differ without being worth a hint."""


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """The data directory of an embedded server: modes as `stat` has them, sizes in bytes; a file may be missing."""

    path: Path
    mode: int
    secret_mode: int | None
    size: int
    free: int


def url_findings(url: str) -> tuple[Finding, ...]:
    """Return what there is to say about the road to a server, from its URL alone; nothing about one that is none."""
    try:
        # Without user and password, which may hold any sign.
        parts = urlsplit(without_secrets(url))
        host = parts.hostname or "localhost"
    except ValueError:
        return ()
    options = parse_qs(url.rpartition("@")[2].partition("?")[2])
    if parts.scheme == "rediss":
        if options.get("ssl_cert_reqs", ["required"])[-1] != "required":
            text = "The road to the server is encrypted, but its certificate is not verified (ssl_cert_reqs)."
            return (Finding("road", Severity.WARNING, text, "leave ssl_cert_reqs out of the URL"),)
        return (Finding("road", Severity.OK, "The road to the server is encrypted and its certificate verified."),)
    if parts.scheme == "unix":
        return (Finding("road", Severity.OK, "The road to the server is a socket of this machine."),)
    if _is_here(host):
        return (Finding("road", Severity.OK, "The road to the server stays on this machine."),)
    text = "The road to the server is plain text, which others on the network can read, password included."
    return (Finding("road", Severity.WARNING, text, "a rediss:// URL, with TLS on the server"),)


def file_findings(paths: Sequence[Path]) -> Iterator[Finding]:
    """Yield what there is to say about files that hold secrets; one that is away now is passed over."""
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            text = f"{path}, which holds a secret, can be changed by other users."
            yield Finding("secret file", Severity.WARNING, text, f"chmod 600 '{path}'")
        elif mode & stat.S_IROTH:
            # As containers mount them; whether others are there at all is not seen from here.
            text = f"{path}, which holds a secret, can be read by every user of this machine."
            yield Finding("secret file", Severity.INFO, text, f"chmod 600 '{path}'")
        else:
            yield Finding("secret file", Severity.OK, f"{path}, which holds a secret, is closed to everybody else.")


def directory_findings(facts: DirectoryFacts) -> Iterator[Finding]:
    """Yield what there is to say about an embedded server's directory."""
    secret = facts.path / "secret"
    if facts.mode & 0o077:
        text = f"{facts.path} can be entered by other users."
        yield Finding("directory", Severity.WARNING, text, f"chmod 700 '{facts.path}'")
    else:
        yield Finding("directory", Severity.OK, f"{facts.path} is closed to others.")
    if facts.secret_mode is not None and facts.secret_mode & 0o077:
        text = f"{secret}, which signs all mail, can be read or changed by other users."
        yield Finding("directory", Severity.ERROR, text, f"chmod 600 '{secret}'")
    yield _room(facts)


def clock_finding(server: float, here: float) -> Finding:
    """Return by how much two clocks differ; for information, as nothing depends on it."""
    difference = server - here
    if abs(difference) < _ALIKE:
        return Finding("clock", Severity.OK, "The server's clock and this machine's differ by less than a second.")
    side = "ahead of" if difference > 0 else "behind"
    text = f"The server's clock is {abs(difference):,.0f} s {side} this machine's; leases go by the server's alone."
    return Finding("clock", Severity.INFO, text)


def _room(facts: DirectoryFacts) -> Finding:
    # A log that is rewritten needs its own size once more.
    free, size = facts.free - facts.size, facts.size / 2**20
    severity = Severity.OK if free >= _SCARCE else Severity.WARNING if free >= _LACKING else Severity.ERROR
    text = f"{facts.free / 2**20:,.0f} MiB are free for data of {size:,.1f} MiB."
    return Finding("room", severity, text, "" if severity is Severity.OK else f"free space on the disk of {facts.path}")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
