"""offline/extractive: answers by quoting, without any language model.

Given a question and passages in the conversation, it returns the most relevant sentences of the passages,
word for word and in their order. The same conversation gives the same answer everywhere.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from anyio import to_thread

from lion_broker.errors import ModelError
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.reply import ModelChunk, ModelReply
from lion_broker.models.wording import sentences, terms

__all__ = ["LABEL", "OfflineEndPoint"]

LABEL = "offline/extractive: no language model was used"

_NOTHING = "The given passages do not answer this."
_MOST_SENTENCES = 4
_SECTION = re.compile(r"^## (\w+)\n(.*?)(?=\n\n## |\Z)", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"^[-*] ", re.MULTILINE)
# So many characters take about a millisecond.
_LONGEST_IN_PASSING = 5_000
_PIECE = re.compile(r"\S+\s*|\s+")
# A sentence much weaker than the best one adds noise.
_RELATIVE = 0.5


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    place: int
    opens: bool
    terms: frozenset[str]


class OfflineEndPoint:
    """Answers by quoting from the conversation; needs no network, no key and no weights."""

    def __init__(self, model: str) -> None:
        """Take the only model there is; raises ModelError for another name."""
        if model != "extractive":
            raise ModelError(f"offline has no model {model!r}; it has: extractive")

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        """Return the best sentences for the last user message, then the label on a line of its own.

        The question is that message, or its Instruction section; the passages are its Context section, else
        the rest of the conversation. Parameters are accepted and change nothing.
        Raises ModelError when there is no user message.
        """
        question, passages = _read(messages)
        if len(question) + sum(map(len, passages)) > _LONGEST_IN_PASSING:
            # Work of that size would hold up everybody else in this process.
            quoted = await to_thread.run_sync(select, question, passages, abandon_on_cancel=True)
        else:
            quoted = select(question, passages)
        text = "\n".join(quoted) if quoted else _NOTHING
        return ModelReply(f"{text}\n\n({LABEL})", "offline/extractive", label=LABEL, raw={"quoted": quoted})

    async def stream(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> AsyncIterator[ModelChunk]:
        """Yield the same answer word by word, and at the end the whole reply."""
        reply = await self.invoke(messages, parameters)
        for piece in _PIECE.findall(reply.text):
            yield ModelChunk(piece)
        yield ModelChunk(reply=reply)


def select(question: str, passages: Sequence[str], limit: int = _MOST_SENTENCES) -> list[str]:
    """Return the sentences that say most about a question, verbatim and in the order of the passages.

    A sentence is scored by the terms it shares with the question, rare ones more, damped by its length; the
    first sentence of a passage gets a little more.
    """
    candidates = [
        _Candidate(sentence.text, place, sentence.start == 0, frozenset(terms(sentence.text)))
        for place, passage in enumerate(passages)
        for sentence in sentences(passage)
    ]
    asked = set(terms(question))
    spread = Counter(term for candidate in candidates for term in candidate.terms)
    weight = {term: log(1 + len(candidates) / spread[term]) for term in asked if spread[term]}

    def score(candidate: _Candidate) -> float:
        shared = sum(weight[term] for term in sorted(candidate.terms.intersection(weight)))
        return shared * (1.1 if candidate.opens else 1.0) / (1 + log(1 + len(candidate.terms) / 12))

    ranked = sorted(enumerate(candidates), key=lambda pair: (-score(pair[1]), pair[0]))
    best = score(ranked[0][1]) if ranked else 0.0
    chosen = [(index, one) for index, one in ranked if score(one) > 0 and score(one) >= _RELATIVE * best][:limit]
    return list(dict.fromkeys(one.text for _, one in sorted(chosen, key=lambda pair: pair[0])))


def _read(messages: Sequence[ChatMessage]) -> tuple[str, list[str]]:
    """Return the question and the passages of a conversation."""
    asked = [index for index, message in enumerate(messages) if message.get("role") == "user"]
    if not asked:
        raise ModelError("there is no user message to answer")
    last = _text(messages[asked[-1]])
    sections = {title.lower(): body for title, body in _SECTION.findall(last)}
    question = sections.get("instruction") or sections.get("question")
    context = sections.get("context") or sections.get("passages")
    if question and context:
        return question, [item.strip() for item in _ITEM.split(context) if item.strip()]
    earlier = [_text(message) for message in messages[: asked[-1]] if message.get("role") != "system"]
    first, *rest = [paragraph for paragraph in re.split(r"\n\s*\n", question or last) if paragraph.strip()] or [""]
    return first, rest or earlier


def _text(message: ChatMessage) -> str:
    """Return the text of a message; images and other parts are passed over."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n\n".join(part.get("text", "") for part in content if isinstance(part, Mapping))
