"""A corpus: passages that can be searched, opened by id and checked for a quote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from keyword import kwlist
from pathlib import Path

from lion_broker.demo.directory import Skipped, read_directory
from lion_broker.demo.passages import Passage
from lion_broker.demo.synonyms import alternatives
from lion_broker.demo.topics import MEANINGS, SYNONYMS, read_topics
from lion_broker.errors import ItemNotFoundError

__all__ = ["Corpus", "Passage", "from_directory", "python_topics"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Passages in reading order under one name; a corpus never changes.

    `synonyms` maps words that people ask with to the words of the corpus ("f-string" to "formatted string literal").
    `alike` gives for a term those that mean about the same.
    `code_words` are words of the subject's own language that mean something else in English (import, return).
    `skipped` names the files that were left out, with the reasons.
    """

    name: str
    passages: tuple[Passage, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)
    code_words: frozenset[str] = frozenset()
    skipped: tuple[Skipped, ...] = ()
    alike: Mapping[str, tuple[str, ...]] = field(default_factory=alternatives)

    def __len__(self) -> int:
        """Return how many passages there are."""
        return len(self.passages)

    def __iter__(self) -> Iterator[Passage]:
        """Iterate over the passages in reading order."""
        return iter(self.passages)

    def __contains__(self, passage_id: object) -> bool:
        """Tell whether there is a passage of this id."""
        return passage_id in self._by_id

    def __getitem__(self, passage_id: str) -> Passage:
        """Return a passage; raises ItemNotFoundError for an unknown id."""
        try:
            return self._by_id[passage_id]
        except KeyError:
            known = ", ".join(passage.id for passage in self.passages[:1])
            raise ItemNotFoundError(f"no passage {passage_id!r} in {self.name}; its first one is {known}") from None

    @cached_property
    def _by_id(self) -> dict[str, Passage]:
        return {passage.id: passage for passage in self.passages}


def python_topics() -> Corpus:
    """Return the Python language reference that ships inside CPython: some 80 topics, read in a tenth of a second."""
    passages, alike = tuple(read_topics()), alternatives(MEANINGS)
    return Corpus("the Python language reference", passages, SYNONYMS, frozenset(kwlist), alike=alike)


def from_directory(path: str | Path) -> Corpus:
    """Return a corpus of the text, Markdown and code files below a directory.

    Raises ConfigError when there is no such directory or no readable text in it; single files that cannot be read are
    in `skipped`.
    """
    directory = Path(path)
    passages, skipped = read_directory(directory)
    name = directory.resolve().name or str(directory)
    return Corpus(f"the folder “{name}”", tuple(passages), skipped=tuple(skipped))
