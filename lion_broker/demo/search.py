"""BM25 search over the passages of a corpus."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any

from lion_broker.core.numbers import counted
from lion_broker.demo.corpus import Corpus, Passage
from lion_broker.models.wording import STOP_WORDS, terms

if TYPE_CHECKING:
    from bm25s import BM25

__all__ = ["Hit", "Search"]

_QUERY_WORD = re.compile(r"(?<!\.)(?:\.*+\w++)+|[=!<>]=|:=|->|\*\*|//|<<|>>|[-+*/%@&|^~<>]")
# A word in a title says more about a passage than the same word in its text.
_TITLE_WEIGHT = 2
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found; a higher score is a better match, and scores of two queries cannot be compared."""

    passage: Passage
    score: float


class Search:
    """Finds and opens the passages of one corpus.

    The index is built with the first query (a quarter of a second for the Python reference) and kept for the life of
    the object; queries from several threads are safe.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def __repr__(self) -> str:
        return f"Search({self.corpus.name!r}, {counted(len(self.corpus), 'passage')})"

    def search(self, query: str, limit: int = 8) -> list[Hit]:
        """Return the best passages for a query, best first; equal scores come in the order of passage ids."""
        known = [term for term in self.terms(query) if term in self.document_frequency]
        if not known or limit < 1:
            return []
        scores: Any = self._index.get_scores(known)
        found = [Hit(passage, float(score)) for passage, score in zip(self.corpus, scores, strict=True) if score > 0]
        return sorted(found, key=lambda hit: (-round(hit.score, 4), hit.passage.id))[:limit]

    def open_passage(self, passage_id: str) -> Passage:
        """Return a passage by its id; raises ItemNotFoundError for an unknown one."""
        return self.corpus[passage_id]

    def terms(self, query: str) -> list[str]:
        """Return the distinct terms that a query is searched by, those unknown to the corpus among them.

        Words that the corpus writes as code are found as code too (`async with` for async with), and words that the
        corpus calls otherwise bring its own words along.
        """
        plain = query.lower().strip()
        words = _QUERY_WORD.findall(plain)
        runs = (
            " ".join(words[start : start + length]) for length in (3, 2, 1) for start in range(len(words) - length + 1)
        )
        code = [f"`{run}`" for run in runs if run not in STOP_WORDS or run == plain]
        synonyms = [term for word, meant in self.corpus.synonyms.items() if word in plain for term in terms(meant)]
        return list(
            dict.fromkeys([*terms(query), *(term for term in code if term in self.document_frequency), *synonyms])
        )

    def weight(self, term: str) -> float:
        """Return the weight of a term: 0 when every passage has it, the logarithm of their number when none has.

        In a handful of passages every word of their subject stands in all of them, so they are taken for a part of
        more.
        """
        return log((max(len(self.corpus), _FEWEST) + 1) / (self.document_frequency[term] + 1))

    def knows(self, term: str) -> bool:
        """Tell whether the corpus has a term, or one that means about the same."""
        return any(self.document_frequency[one] for one in (term, *self.corpus.alike.get(term, ())))

    def follows(self, first: str, second: str) -> bool:
        """Tell whether two terms stand side by side somewhere in the corpus, so that they make one phrase."""
        return (first, second) in self._pairs

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset(pair for document in self._documents for pair in pairwise(document))

    @cached_property
    def document_frequency(self) -> Counter[str]:
        """How many passages have each term."""
        return Counter(term for document in self._documents for term in set(document))

    @cached_property
    def _documents(self) -> list[list[str]]:
        return [terms(passage.title) * _TITLE_WEIGHT + terms(passage.text) for passage in self.corpus]

    @cached_property
    def _index(self) -> "BM25":
        from bm25s import BM25

        index = BM25()
        index.index(self._documents, show_progress=False)
        return index
