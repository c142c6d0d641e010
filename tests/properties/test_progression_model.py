"""A Progression behaves like a plain list of ids."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lion_broker.core.ids import IDType
from lion_broker.core.progression import Progression

POOL = [IDType.create() for _ in range(6)]

some_ids = st.lists(st.sampled_from(POOL), max_size=4)
positions = st.integers(-8, 8)
slices = st.builds(slice, st.none() | positions, st.none() | positions)


class ProgressionMachine(RuleBasedStateMachine):
    """Does the same to a progression and to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.model: list[IDType] = []
        self.progression = Progression()

    @rule(ids=some_ids)
    def append(self, ids: list[IDType]) -> None:
        self.progression.append(ids)
        self.model += ids

    @rule(ids=some_ids)
    def include(self, ids: list[IDType]) -> None:
        assert self.progression.include(ids)
        self.model += [id_ for id_ in dict.fromkeys(ids) if id_ not in self.model]

    @rule(ids=some_ids)
    def exclude(self, ids: list[IDType]) -> None:
        assert self.progression.exclude(ids)
        self.model = [id_ for id_ in self.model if id_ not in ids]

    @rule(index=positions, ids=some_ids)
    def insert(self, index: int, ids: list[IDType]) -> None:
        self.progression.insert(index, ids)
        self.model[index:index] = ids

    @rule(key=slices, ids=some_ids)
    def replace(self, key: slice, ids: list[IDType]) -> None:
        self.progression[key] = ids
        self.model[key] = ids

    @rule(key=slices)
    def delete(self, key: slice) -> None:
        del self.progression[key]
        del self.model[key]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def pop(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(-len(self.model), len(self.model) - 1))
        assert self.progression.pop(index) == self.model.pop(index)

    @precondition(lambda self: self.model)
    @rule()
    def popleft(self) -> None:
        assert self.progression.popleft() == self.model.pop(0)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(self.model))
        self.progression.remove(id_)
        self.model = [other for other in self.model if other != id_]

    @rule(ids=some_ids)
    def join(self, ids: list[IDType]) -> None:
        self.progression = ids + (self.progression + ids) - ids[:1]
        self.model = [id_ for id_ in ids + self.model + ids if id_ not in ids[:1]]

    @rule(key=slices)
    def look(self, key: slice) -> None:
        assert list(self.progression[key]) == self.model[key]

    @invariant()
    def same(self) -> None:
        """Order, length, counts and membership agree with the list."""
        assert self.progression.order == list(self.progression) == self.model
        assert len(self.progression) == len(self.model)
        for id_ in POOL:
            assert (id_ in self.progression) == (id_ in self.model)
            assert self.progression.count(id_) == self.model.count(id_)


TestProgression = ProgressionMachine.TestCase
