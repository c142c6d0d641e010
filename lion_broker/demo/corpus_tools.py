"""The corpus of a worker process, and the tools with which the desk's readers use it."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from lion_broker.config import Settings
from lion_broker.demo.corpus import from_directory, python_topics
from lion_broker.demo.search import Search

__all__ = ["CORPUS", "corpus_search", "open_passage", "search", "search_of"]

CORPUS: Final = "LION_BROKER_DEMO_CORPUS"
"""The variable that names the directory of a worker's corpus; empty: the Python language reference."""


def search_of(directory: str) -> Search:
    """Return the search over a directory, or over the Python language reference when the name is empty.

    Raises ConfigError for a directory that does not exist or holds no text.
    """
    return Search(from_directory(directory) if directory else python_topics())


@cache
def corpus_search() -> Search:
    """Return the search over this process's corpus, which is read with the first call and kept."""
    return search_of(Settings.load().environ.get(CORPUS, ""))


def search(query: str, limit: int = 8) -> list[dict[str, Any]]:
    """Search the corpus.

    Args:
        query: What to look for, in a few words.
        limit: How many passages to name at most.

    Returns:
        Ids, titles and scores of passages, best first.
    """
    hits = corpus_search().search(query, limit)
    return [{"id": hit.passage.id, "title": hit.passage.title, "score": hit.score} for hit in hits]


def open_passage(passage_id: str) -> dict[str, Any]:
    """Open a passage of the corpus.

    Args:
        passage_id: Its id, as `search` names it.

    Returns:
        The passage with its text.
    """
    return corpus_search().open_passage(passage_id).to_dict()
