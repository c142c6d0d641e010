"""Compares what senders have written into their journals with what the store says took effect.

Every mail that was acked has exactly one effect or one dead letter, every unknown one at most one; what a branch passes
on arrives once, and nothing arrives that was not sent; versions are dense, and each was made by one owner; of one
sender nothing arrives before what it sent earlier. An unknown mail may come late: its sender had given up on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .evidence import Evidence, Tail
from .journal import Account, Fate
from .world import Place, World

__all__ = ["Findings", "check"]

ACCEPTED_REASONS = frozenset({"failed", "poison"})


@dataclass
class Findings:
    """What was wrong, each with where; and what was counted."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    unsent: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> dict[str, list[str]]:
        """Everything that is wrong, by kind; empty when all is well."""
        kinds = ("lost", "doubled", "reordered", "unsent", "gaps", "shared", "odd")
        return {kind: getattr(self, kind) for kind in kinds if getattr(self, kind)}

    def add(self, other: Findings) -> None:
        """Take in those of another session."""
        for kind, found in other.faults.items():
            getattr(self, kind).extend(found)
        self.counts.update(other.counts)


Addressed = dict[str, Fate]
"""The texts that were addressed to a branch, with what is known of each."""


def check(world: World, accounts: Mapping[str, Account], evidence: Evidence, tail: Tail) -> Findings:
    """Judge a session."""
    findings = Findings()
    fates = {
        f"{name}:{number}": account.fates.get(number, Fate.UNKNOWN)
        for name, account in accounts.items()
        for number in account.recipients
    }
    addressed: dict[str, Addressed] = {place.id: {} for place in world.places.values()}
    for name, account in accounts.items():
        for number, recipient in account.recipients.items():
            text = f"{name}:{number}"
            addressed[recipient][text] = fates[text]
    findings.counts.update(f"mails {fate}" for fate in fates.values())
    for place in world.places.values():
        _judge(world, place, addressed, evidence, findings)
        _check_order(place, fates, evidence, findings)
        findings.counts[f"poison for {place.behaviour or 'a plain history'}"] += evidence.poisoned[place.id]
    _check_logs(evidence, tail, findings)
    _check_sums(evidence, findings)
    return findings


def _judge(world: World, place: Place, addressed: dict[str, Addressed], evidence: Evidence, findings: Findings) -> None:
    """Count the effects of what was addressed to a branch, and hand on what it must have passed on."""
    targets = [world.places[name] for name in place.to]
    effects = _effects(place, targets, addressed[place.id], evidence)
    for text, fate in addressed[place.id].items():
        times, dead = effects[text], evidence.died(place.id, text)
        where = f"{place.name} {text} ({fate}): {times} effects, {dead} dead letters"
        if times + dead > 1:
            findings.doubled.append(where)
        elif times + dead == 0 and fate == Fate.ACKED:
            findings.lost.append(where)
        elif times and place.dies(text):
            findings.odd.append(where)
        findings.counts["unknown mails that arrived"] += fate == Fate.UNKNOWN and times + dead > 0
        if times:
            for target in targets:
                addressed[target.id][f"{place.name}/{text}"] = Fate.ACKED
    for text in (*effects, *evidence.dead.get(place.id, ())):
        if text not in addressed[place.id]:
            findings.unsent.append(f"{place.name} {text}")


def _effects(place: Place, targets: list[Place], addressed: Iterable[str], evidence: Evidence) -> Counter[str]:
    """How often each text took effect; of a branch that keeps no texts, as far as it has passed them on."""
    trail = evidence.trails[place.id]
    if place.behaviour != "silent":
        return Counter(text for text, _ in trail.texts)
    mark = f"{place.name}/"
    passed = Counter(
        text.removeprefix(mark)
        for target in targets
        for text in (*(text for text, _ in evidence.trails[target.id].texts), *evidence.dead.get(target.id, ()))
        if text.startswith(mark)
    )
    return Counter({text: -(-times // len(targets)) for text, times in passed.items()})


def _check_order(place: Place, fates: Addressed, evidence: Evidence, findings: Findings) -> None:
    """Numbers of one sender rise, whatever way its mail has taken."""
    last: dict[str, int] = {}
    for text, _ in evidence.trails[place.id].texts:
        way, _, number = text.rpartition(":")
        if int(number) > last.get(way, -1):
            last[way] = int(number)
        elif fates.get(text.rpartition("/")[2]) == Fate.UNKNOWN:
            findings.counts["unknown mails that came late"] += 1
        else:
            findings.reordered.append(f"{place.name}: {text} after {way}:{last[way]}")


def _check_logs(evidence: Evidence, tail: Tail, findings: Findings) -> None:
    mails: Counter[str] = Counter()
    for branch, trail in evidence.trails.items():
        if trail.versions and trail.versions != list(range(1, trail.versions[-1] + 1)):
            findings.gaps.append(f"{branch}: {trail.versions}")
        mails.update(mail for _, mail in trail.texts)
        mails.update(trail.took)
        findings.counts["versions"] += len(trail.versions)
        known = set(trail.versions)
        made = {version for (owned, version) in tail.owners if owned == branch}
        findings.gaps += [f"{branch}: version {version} was made and is not there" for version in made - known]
    passed = {mail for trail in evidence.trails.values() for text, mail in trail.texts if "/" in text}
    sent = {mail for trail in evidence.trails.values() for mail in trail.sent}
    findings.unsent += [f"mail {mail} is in no log of a sender" for mail in passed - sent]
    findings.doubled += [f"mail {mail}: {times} effects" for mail, times in mails.items() if times > 1]
    findings.shared += tail.shared()
    findings.counts["versions with one owner seen"] += len(tail.owners)


def _check_sums(evidence: Evidence, findings: Findings) -> None:
    counters, dead = evidence.counters, evidence.reasons.total()
    findings.counts["effects"] += evidence.effects
    findings.counts["redelivered"] += counters.get("redelivered", 0)
    for reason, count in evidence.reasons.items():
        findings.counts[f"dead letters, {reason}"] += count
        if reason not in ACCEPTED_REASONS:
            findings.odd.append(f"{count} dead letters, {reason}")
    if counters.get("dead") != dead:
        findings.odd.append(f"the session counts {counters.get('dead')} dead letters, there are {dead}")
    if counters.get("applied") != evidence.effects:
        findings.odd.append(f"the session counts {counters.get('applied')} effects, there are {evidence.effects}")
    if counters.get("inflight") != 0:
        findings.odd.append(f"the session counts {counters.get('inflight')} mails in flight")
