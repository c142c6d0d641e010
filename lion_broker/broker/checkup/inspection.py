"""What one exchange knows about its server: taken note of, said once, and refused where mail would be lost."""

from __future__ import annotations

from lion_broker.errors import ServerUnsafe
from lion_broker.telemetry import logger

from .facts import ServerFacts
from .finding import Finding
from .profile import SURVIVES, Profile, is_worse, profile_of
from .server import server_findings

__all__ = ["Inspection"]

log = logger("broker")


class Inspection:
    """Takes note of a server's facts, the first time and again while a program runs.

    The profile is `assumed` until then. `replicas` is how many of them calls wait for. With `unsafe` a server that may
    lose mail is warned of and not refused.
    """

    def __init__(self, url: str, assumed: Profile, replicas: int, unsafe: bool) -> None:
        self.url = url
        self.profile = assumed
        self._replicas = replicas
        self._unsafe = unsafe
        self._facts: ServerFacts | None = None
        self._said: tuple[str, ...] = ()

    def take(self, facts: ServerFacts) -> bool:
        """Take note of what a server says about itself, and log what is new; whether the profile is news.

        Raises ServerUnsafe, each time, for a server that may lose mail.
        """
        before, first, self._facts = self.profile, self._facts is None, facts
        findings = server_findings(facts, self._replicas)
        self.profile = profile_of(facts, self._replicas)
        if first:
            named = facts.version or "a server of an unknown version"
            log.info("exchange %s: %s, profile %s (%s)", self.url, named, self.profile, SURVIVES[self.profile])
        elif self.profile != before:
            level = log.warning if is_worse(self.profile, before) else log.info
            level("exchange %s: the profile is %s now, and was %s", self.url, self.profile, before)
        self._refuse([finding for finding in findings if finding.refused])
        self._warn([finding for finding in findings if finding.severity.is_bad])
        return first or self.profile != before

    def _refuse(self, findings: list[Finding]) -> None:
        if findings and not self._unsafe:
            raise ServerUnsafe(
                f"The server at {self.url} cannot be used. {' '.join(map(str, findings))}"
                " LION_BROKER_UNSAFE_SERVER=1 uses it all the same."
            )

    def _warn(self, findings: list[Finding]) -> None:
        """Say what is bad, once until it changes."""
        texts = tuple(finding.text for finding in findings if finding.check not in ("profile", "memory"))
        if texts and texts != self._said:
            log.warning("exchange %s: %s `lion-broker doctor` says what to do.", self.url, " ".join(texts))
        self._said = texts
