"""Durability profiles: what mail survives that was accepted, decided from what a server says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from .facts import ServerFacts

__all__ = ["SURVIVES", "Profile", "is_worse", "profile_of"]


class Profile(StrEnum):
    """The name of what an accepted mail survives, the weakest first."""

    MEMORY = "memory"
    VOLATILE = "volatile"
    UNVERIFIED = "unverified"
    UNSYNCED = "unsynced"
    DEV = "dev"
    DURABLE = "durable"
    HA = "ha"


SURVIVES: Final[Mapping[Profile, str]] = {
    Profile.MEMORY: "nothing outlives this process",
    Profile.VOLATILE: "the server may lose mail when it restarts, or throw it away when memory is short",
    Profile.UNVERIFIED: "what survives is not known",
    Profile.UNSYNCED: "mail survives programs, workers and restarts; a power cut may lose many seconds",
    Profile.DEV: "mail survives programs, workers and restarts; a power cut may lose about the last second",
    Profile.DURABLE: "mail survives a power cut too, as far as the disk does what it says",
    Profile.HA: "mail survives the loss of the primary too, if one of the replicas that have it takes its place",
}


def profile_of(facts: ServerFacts, replicas: int = 0) -> Profile:
    """Return the profile that a server keeps for programs that wait for so many `replicas`.

    What is known to be bad counts before what is not known.
    """
    if facts.log is False or facts.eviction not in (None, "noeviction"):
        return Profile.VOLATILE
    if facts.log is None or facts.eviction is None or facts.sync is None:
        return Profile.UNVERIFIED
    if facts.sync == "always" and not facts.relaxed:
        return Profile.HA if 0 < replicas <= facts.replicas else Profile.DURABLE
    return Profile.DEV if facts.sync == "everysec" and not facts.relaxed else Profile.UNSYNCED


def is_worse(now: str, before: str) -> bool:
    """Whether a profile promises less than another one; what is not known is no promise."""
    names = [str(profile) for profile in Profile]
    return names.index(now) < names.index(before)
