"""How many branches are paused is right after any order of what pauses, resumes, makes and removes them."""

from collections import Counter
from itertools import count
from typing import ClassVar
from uuid import uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed
from lion_broker.mail.verbs import (
    Claim,
    CloseBranch,
    CreateBranch,
    DeleteSession,
    Pause,
    PausePool,
    ReadBranches,
    ReadPools,
    ReadReady,
    Release,
    Resume,
    ResumePool,
    Station,
)
from tests.conformance.road import Road

POOLS = st.sampled_from(["first", "second"])
REASONS = st.sampled_from(["", "a rest"])


class Rests(RuleBasedStateMachine):
    """Two sessions, two pools and no pool: branches come, rest, work and go."""

    exchange: ClassVar[Exchange]
    branches: Bundle[tuple[Road, str]] = Bundle("branches")

    def __init__(self) -> None:
        super().__init__()
        # One exchange is used for many lives, so the pools of this one are its own.
        self.life = uuid4().hex
        self.roads = [Road(self.exchange).open() for _ in range(2)]
        self.numbers = count()

    def pool(self, name: str) -> str:
        """The name of a pool of this life; none for no pool."""
        return name and f"{name}-{self.life}"

    @rule(target=branches, place=st.integers(0, 1), pool=POOLS | st.just(""))
    def create(self, place: int, pool: str) -> tuple[Road, str]:
        """A branch is made, and begins paused if its pool is."""
        road, name = self.roads[place], f"branch-{next(self.numbers)}"
        road.call(CreateBranch(road.session, BranchSeed(name, pool=self.pool(pool)), ()))
        return road, name

    @rule(one=branches)
    def pause(self, one: tuple[Road, str]) -> None:
        """Somebody pauses a branch, whether or not it is paused, or there."""
        one[0].call(Pause(one[0].session, one[1], "a rest"))

    @rule(one=branches)
    def resume(self, one: tuple[Road, str]) -> None:
        """Somebody resumes a branch."""
        one[0].call(Resume(one[0].session, one[1]))

    @rule(one=branches, delete=st.booleans())
    def close(self, one: tuple[Road, str], delete: bool) -> None:
        """A branch is removed, with what it was or without, also a second time."""
        one[0].call(CloseBranch(one[0].session, one[1], delete=delete))

    @rule(pool=POOLS, why=REASONS)
    def pause_or_resume_pool(self, pool: str, why: str) -> None:
        """What is made for a pool later begins paused, or does no more."""
        verb = PausePool(self.pool(pool), why) if why else ResumePool(self.pool(pool))
        self.roads[0].call(verb)

    @rule(one=branches, pool=POOLS, before=REASONS, within=REASONS)
    def work(self, one: tuple[Road, str], pool: str, before: str, within: str) -> None:
        """Mail comes to a branch; a worker takes a turn of the pool, which somebody, or the turn itself, pauses."""
        road, name = one
        if road in self.roads:
            road.post(road.mail("x", name))
        for ready in road.call(ReadReady(self.pool(pool), "worker", 1)):
            at = next(road for road in self.roads if road.session == ready.session)
            claimed = at.call(Claim(at.session, ready.branch, "token", ready.id, self.pool(pool), "worker"))
            if claimed.outcome is Outcome.OK:
                if before:
                    at.call(Pause(at.session, ready.branch, before))
                answer = at.commit(ready.branch, "token", claimed, pause=within)
                assert answer.outcome in (Outcome.OK, Outcome.DRAINED)
                at.call(Release((Station(at.session, ready.branch, "token"),)))

    @rule(place=st.integers(0, 1), limit=st.integers(1, 3), calls=st.integers(1, 3))
    def delete(self, place: int, limit: int, calls: int) -> None:
        """A session is removed, some branches a call, and another comes when all of it is gone."""
        road = self.roads[place]
        if not all(road.call(DeleteSession(road.session, limit)) for _ in range(calls)):
            self.roads[place] = Road(self.exchange).open()

    @invariant()
    def is_counted(self) -> None:
        """What is told of each pool is what its branches say of themselves."""
        mine = (self.pool("first"), self.pool("second"))
        told = {one.pool: one.paused for one in self.roads[0].call(ReadPools()) if one.pool in mine and one.paused}
        records = [one for road in self.roads for one in road.call(ReadBranches(road.session))]
        assert told == Counter(one.seed.pool for one in records if one.paused and one.seed.pool)


def test_what_is_paused_is_counted_right_whatever_happens(exchange: Exchange) -> None:
    """Making, pausing, working, closing and deleting in any order leave the number that the branches come to."""
    where = exchange

    class RestsHere(Rests):
        exchange = where

    chosen = settings(
        max_examples=40,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(RestsHere, settings=chosen)
