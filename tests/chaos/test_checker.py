"""The checker finds what it is there for: each kind of harm, seeded into evidence that was sound."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import Evidence, Tail, Trail
from tests.chaos.journal import Account, Fate
from tests.chaos.world import Place, World

NAMES = ("relay", "hopeless", "silent", "ears")


def world() -> World:
    """A branch that passes on, one that fails, one that keeps no texts, and one that listens to all of them."""
    found = World("s", "auto")
    for name in NAMES:
        found.places[name] = Place(name, name, "a", "" if name == "ears" else name, () if name == "ears" else ("ears",))
    return found


def account() -> Account:
    """Ten mails to each; the last of the relay's is unknown and did not arrive."""
    made = Account()
    for place, name in enumerate(NAMES):
        for number in range(10 * place, 10 * place + 10):
            made.recipients[number], made.fates[number] = name, Fate.ACKED
    made.fates[9] = Fate.UNKNOWN
    return made


class Scene:
    """Sound evidence of what became of those mails, to be harmed."""

    def __init__(self) -> None:
        ears = Trail()
        self.evidence = Evidence(trails={name: Trail() for name in NAMES[:3]} | {"ears": ears})
        trails = self.evidence.trails
        trails["relay"].texts = [(f"ada:{number}", f"m{number}") for number in range(9)]
        trails["hopeless"].texts = [(f"ada:{number}", f"m{number}") for number in range(10, 20) if number != 17]
        trails["silent"].took.update(f"m{number}" for number in range(20, 30))
        ears.texts = [(f"relay/{text}", f"p{mail}") for text, mail in trails["relay"].texts]
        ears.texts += [(f"hopeless/{text}", f"p{mail}") for text, mail in trails["hopeless"].texts]
        ears.texts += [(f"silent/ada:{number}", f"pm{number}") for number in range(20, 30)]
        for name in NAMES[:3]:
            trails[name].sent = {mail for text, mail in ears.texts if text.startswith(name)}
            trails[name].versions = list(range(1, 11))
        ears.texts += [(f"ada:{number}", f"m{number}") for number in range(30, 40)]
        ears.versions = list(range(1, 30))
        self.evidence.dead = {"hopeless": _once("ada:17")}
        self.evidence.reasons.update(["failed"])
        self.tail = Tail("s", {("ears", 3): ["w1"], ("relay", 3): ["w2"]})
        self.account = account()

    @property
    def ears(self) -> list[tuple[str, str]]:
        """What the listener has got."""
        return self.evidence.trails["ears"].texts

    def kinds(self) -> set[str]:
        """What the checker finds."""
        if not self.evidence.counters:
            self.evidence.counters = {
                "dead": self.evidence.reasons.total(),
                "applied": self.evidence.effects,
                "inflight": 0,
            }
        return set(check(world(), {"ada": self.account}, self.evidence, self.tail).faults)


def _once(text: str) -> Counter[str]:
    return Counter([text])


def lose(scene: Scene) -> None:
    """An acked mail has no effect."""
    scene.ears.remove(("ada:33", "m33"))


def lose_what_was_passed_on(scene: Scene) -> None:
    """A branch took a mail and what it sent because of it is not there."""
    scene.ears.remove(("relay/ada:3", "pm3"))


def lose_in_silence(scene: Scene) -> None:
    """The same of a branch that keeps no texts."""
    scene.ears.remove(("silent/ada:23", "pm23"))


def double(scene: Scene) -> None:
    """A mail has two effects."""
    scene.ears.insert(len(scene.ears) - 1, ("ada:39", "m39"))


def double_what_was_passed_on(scene: Scene) -> None:
    """A turn that was done twice has sent twice, under two ids."""
    scene.ears.insert(9, ("relay/ada:8", "other"))
    scene.evidence.trails["relay"].sent.add("other")


def effect_and_dead_letter(scene: Scene) -> None:
    """A mail took effect and is a dead letter as well."""
    scene.evidence.dead["ears"] = _once("ada:35")
    scene.evidence.reasons.update(["failed"])


def reorder(scene: Scene) -> None:
    """Two mails of one sender have changed places."""
    scene.ears[-2], scene.ears[-1] = scene.ears[-1], scene.ears[-2]


def invent(scene: Scene) -> None:
    """A mail took effect that nobody has sent."""
    scene.ears.append(("ada:77", "m77"))


def pass_on_an_unheard_of_mail(scene: Scene) -> None:
    """Something was passed on whose cause had no effect."""
    scene.ears.insert(9, ("relay/ada:9", "pm9"))
    scene.evidence.trails["relay"].sent.add("pm9")


def forge(scene: Scene) -> None:
    """What was passed on is in no log of whoever sent it."""
    scene.evidence.trails["relay"].sent.remove("pm3")


def lose_a_version(scene: Scene) -> None:
    """A log has a hole."""
    scene.evidence.trails["ears"].versions.remove(7)


def lose_the_newest_version(scene: Scene) -> None:
    """A turn was seen whose records are gone."""
    scene.tail.owners["ears", 99] = ["w1"]


def share_a_version(scene: Scene) -> None:
    """Two owners made the same version."""
    scene.tail.owners["ears", 3].append("w2")


def survive(scene: Scene) -> None:
    """A mail that can only fail took effect."""
    scene.evidence.trails["hopeless"].texts.insert(7, ("ada:17", "m17"))
    scene.ears.insert(16, ("hopeless/ada:17", "pm17"))
    scene.evidence.trails["hopeless"].sent.add("pm17")
    scene.evidence.dead.clear()
    scene.evidence.reasons.clear()


def die_of_something_else(scene: Scene) -> None:
    """A dead letter has a reason that no fault of the storm explains."""
    scene.evidence.reasons = Counter(["bad_signature"])


def miscount(scene: Scene) -> None:
    """A counter does not agree with the logs."""
    scene.evidence.counters = {"dead": 1, "applied": scene.evidence.effects - 1, "inflight": 0}


def stay_in_flight(scene: Scene) -> None:
    """The session still counts mail in flight."""
    scene.evidence.counters = {"dead": 1, "applied": scene.evidence.effects, "inflight": 2}


HARMS: dict[Callable[[Scene], None], set[str]] = {
    lose: {"lost"},
    lose_what_was_passed_on: {"lost"},
    lose_in_silence: {"lost"},
    double: {"doubled", "reordered"},
    double_what_was_passed_on: {"doubled", "reordered"},
    effect_and_dead_letter: {"doubled"},
    reorder: {"reordered"},
    invent: {"unsent"},
    pass_on_an_unheard_of_mail: {"unsent"},
    forge: {"unsent"},
    lose_a_version: {"gaps"},
    lose_the_newest_version: {"gaps"},
    share_a_version: {"shared"},
    survive: {"odd"},
    die_of_something_else: {"odd"},
    miscount: {"odd"},
    stay_in_flight: {"odd"},
}


def test_sound_evidence() -> None:
    """Nothing is wrong with it, and what is counted is what is there."""
    scene = Scene()
    assert scene.kinds() == set()
    counts = check(world(), {"ada": scene.account}, scene.evidence, scene.tail).counts
    assert (counts["mails acked"], counts["mails unknown"], counts["dead letters, failed"]) == (39, 1, 1)
    assert counts["effects"] == 9 + 9 + 10 + 9 + 9 + 10 + 10


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_seeded_harm_is_found(harm: Callable[[Scene], None]) -> None:
    """By its own name."""
    scene = Scene()
    harm(scene)
    assert scene.kinds() == HARMS[harm]


def test_an_unknown_mail_may_come_late_or_not_at_all() -> None:
    """Its sender had given up on it; nothing else may."""
    scene = Scene()
    scene.account.fates[31] = Fate.UNKNOWN
    late = copy.copy(scene.ears)
    late.append(late.pop(late.index(("ada:31", "m31"))))
    scene.evidence.trails["ears"].texts = late
    assert scene.kinds() == set()
    late.pop()
    scene.evidence.counters = {}
    assert scene.kinds() == set()
