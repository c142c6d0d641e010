"""The desk's branches: what a planner, a reader, a critic and a writer do with a mail.

A branch may be hosted by another worker each time, and a worker may be killed at any moment. So a role keeps nothing
but its own messages: what it did is written there by the commit that also sends its mail, or did not happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import anyio

from lion_broker.branch.branch import Branch
from lion_broker.core.numbers import counted
from lion_broker.demo.corpus_tools import corpus_search
from lion_broker.demo.findings import Finding, Quote, SubQuestion
from lion_broker.demo.model import is_offline, label_of, own_words, tokens_of
from lion_broker.demo.notes import Kind, answer, kind_of, order, said, values_of
from lion_broker.demo.passages import Passage
from lion_broker.demo.planning import sub_questions
from lion_broker.demo.question import read_question
from lion_broker.demo.quotes import pick, selection, verify
from lion_broker.demo.report import Report, candidates, compose
from lion_broker.demo.review import Review, Verdict
from lion_broker.demo.search import Hit
from lion_broker.errors import ModelError, ToolError
from lion_broker.mail.mail import Mail
from lion_broker.messages import AssistantResponse

__all__ = [
    "CRITIC",
    "MODEL",
    "PLANNER",
    "SYSTEM",
    "WRITER",
    "critic",
    "planner",
    "reader",
    "reader_name",
    "writer",
]

PLANNER: Final = "planner"
CRITIC: Final = "critic"
WRITER: Final = "writer"
MODEL: Final = "desk model"

SYSTEM: Final = {
    "planner": "You split a question into sub-questions, hand them to the readers, and share your tools with them.",
    "reader": "You search the corpus for your sub-question, and offer the critic verbatim quotes that answer it.",
    "critic": "You check every quote against the corpus. What is not there, or said already, goes back to its reader.",
    "writer": "You compose the report from the quotes that the critic lets pass, each with its source.",
}
"""What each role is told that it does, by the name of its behaviour."""

_HITS: Final = 14
_MOST_TOKENS: Final = 400
_GUIDANCE: Final = (
    "Answer in at most three sentences of plain prose, from the numbered quotes only, and put the number of the quote"
    " that you rely on behind each, like [1]. Where they do not answer the question, say so."
)


def reader_name(number: int) -> str:
    """Return the name of a reader, counted from 1."""
    return f"reader-{number}"


async def planner(branch: Branch, mail: Mail) -> None:
    """Split a question, share tools with the readers and a model with the writer, and hand the work out."""
    question = str(mail.package.item.instruction)
    readers = [reader_name(number) for number in range(1, branch.metadata["readers"] + 1)]
    for name in readers:
        branch.send(name, "tool", list(branch.tools.values()))
    branch.send(WRITER, "imodel", MODEL)
    planned = sub_questions(question, corpus_search())
    unknown = read_question(question, corpus_search()).unknown
    plan = {"question": question, "asker": str(mail.sender), "parts": len(planned), "unknown": list(unknown)}
    branch.send(WRITER, "message", order(f"Write the report: {question}", Kind.PLAN, **plan))
    for part in planned:
        name = readers[(part.number - 1) % len(readers)]
        branch.send(name, "message", order(part.text, Kind.SUB_QUESTION, part=part.to_dict()))
    parts, tools = counted(len(planned), "sub-question"), counted(len(branch.tools), "tool")
    branch.logs.log(f"hands out {parts}, {tools} and a model")


async def reader(branch: Branch, mail: Mail) -> None:
    """Read for a sub-question and offer the best quotes; after a rejection offer the next best."""
    if kind_of(mail) == Kind.SUB_QUESTION:
        picks = await _read(branch, SubQuestion.from_dict(values_of(mail.package.item)["part"]))
    else:
        number = values_of(mail.package.item)["number"]
        picks = next(one for one in _findings(branch, Kind.PICKS) if one.sub_question.number == number)
    part = picks.sub_question
    rejected = [
        Quote.from_dict(quote)
        for _, values in said(branch, Kind.REJECTED)
        if values["number"] == part.number
        for quote in values["quotes"]
    ]
    offer = Finding(part, tuple(selection(picks, rejected)))
    text = f"{counted(len(offer.quotes), 'quote')} for: {part.text}"
    branch.send(CRITIC, "message", answer(text, Kind.FINDING, finding=offer.to_dict()))
    branch.logs.log(f"offers {'other quotes: ' if rejected else ''}{text}")


async def critic(branch: Branch, mail: Mail) -> None:
    """Check every offered quote against the corpus: send rejects back to the reader, the rest on to the writer."""
    review = Review(lambda quote: verify(quote, corpus_search().corpus))
    verdicts: list[Verdict] = []
    for sender, values in said(branch, Kind.FINDING):
        # What was judged before is judged again, the same; only what this mail adds is said.
        verdicts = review.take(sender, Finding.from_dict(values["finding"]))
    for verdict in verdicts:
        if verdict.rejected:
            _send_back(branch, verdict)
        else:
            part = verdict.finding.sub_question
            text = f"{counted(len(verdict.finding.quotes), 'quote')} checked for: {part.text}"
            branch.send(WRITER, "message", answer(text, Kind.ACCEPTED, finding=verdict.finding.to_dict()))
            branch.logs.log(text)
    if not verdicts:
        branch.logs.log("keeps an offer until the sub-questions before it are done")


async def writer(branch: Branch, mail: Mail) -> None:
    """Compose the report when the plan and all its findings are there."""
    plans = [values for _, values in said(branch, Kind.PLAN)]
    findings = sorted(_findings(branch, Kind.ACCEPTED), key=lambda finding: finding.sub_question.number)
    if not plans or len(findings) < plans[0]["parts"]:
        branch.logs.log(f"has the quotes for {counted(len(findings), 'sub-question')}")
        return
    plan = plans[0]
    report = await _composed(branch, plan["question"], plan["unknown"], findings)
    values = {
        "markdown": report.markdown,
        "quotes": [quote.to_dict() for quote in report.quotes],
        "tokens": asdict(tokens_of(plan["question"], _answers(branch))),
    }
    branch.send(plan["asker"], "message", answer(f"The report: {plan['question']}", Kind.REPORT, **values))
    branch.logs.log(f"has written the report, with {counted(len(report.quotes), 'quote')}")


async def _read(branch: Branch, part: SubQuestion) -> Finding:
    """Search, open what was found and pick quotes; what was picked is kept in the conversation, for later offers."""
    hits = await _call(branch, "search", query=part.query, limit=_HITS)
    passages = [Passage(**await _call(branch, "open_passage", passage_id=hit["id"])) for hit in hits]
    found = [Hit(passage, hit["score"]) for passage, hit in zip(passages, hits, strict=True)]
    picks = Finding(part, tuple(pick(part, found)))
    text = f"{counted(len(picks.quotes), 'quote')} in {counted(len(found), 'passage')} for: {part.text}"
    branch.messages.include(answer(text, Kind.PICKS, finding=picks.to_dict()))
    return picks


async def _call(branch: Branch, tool: str, **arguments: Any) -> Any:
    """Call one of the tools that the planner has shared, at the desk's pace."""
    await anyio.sleep(branch.metadata.get("pace", 0.0))
    calling = await branch.acts.invoke({"function": tool, "arguments": arguments})
    if calling.error is not None:
        raise ToolError(calling.error)
    return calling.response


def _send_back(branch: Branch, verdict: Verdict) -> None:
    """Ask a reader for other quotes, with the reasons."""
    part = verdict.finding.sub_question
    reasons = "; ".join(f"“{_beginning(one.quote)}”: {one.reason}" for one in verdict.rejected)
    quotes = [one.quote.to_dict() for one in verdict.rejected]
    text = f"Other quotes, please, for: {part.text} ({reasons})"
    branch.send(verdict.reader, "message", order(text, Kind.REJECTED, number=part.number, quotes=quotes))
    branch.logs.log(f"sends {counted(len(quotes), 'quote')} back: {reasons}")


async def _composed(branch: Branch, question: str, unknown: list[str], findings: list[Finding]) -> Report:
    """Compose the report, led by the model that the planner has sent: it chooses sentences, or writes some."""
    make = partial(compose, question, findings, label_of(branch.chat_model), corpus_search().corpus.name, unknown)
    if is_offline(branch.chat_model):
        return make(await _chosen(branch, question, findings))
    draft = make()
    return make(words=await _written(branch, question, draft.quotes))


async def _chosen(branch: Branch, question: str, findings: list[Finding]) -> list[str]:
    """Have the model choose what answers the question; return its choice, one paragraph an item."""
    openings = candidates(findings)
    if not openings:
        return []
    answered = await branch.communicate(question, context=openings)
    label = label_of(branch.chat_model)
    return [line for line in answered.splitlines() if label not in line]


async def _written(branch: Branch, question: str, quotes: Sequence[Quote]) -> str:
    """Have the model answer in its own words, from the quotes only; without an answer the report stands on the quotes.

    What it writes is shown as its words, and nothing of it counts as a quote.
    """
    if not quotes:
        return ""
    numbered = [f"[{number}] {quote.text}" for number, quote in enumerate(quotes, 1)]
    try:
        answered = await branch.communicate(question, guidance=_GUIDANCE, context=numbered, max_tokens=_MOST_TOKENS)
    except ModelError as error:
        branch.logs.log(f"the model gave no answer: {error}")
        return f"it gave no answer ({type(error).__name__}). The quotes below stand without it."
    return own_words(answered, len(quotes))


def _answers(branch: Branch) -> list[AssistantResponse]:
    """The answers of a language model that stand in a conversation."""
    if is_offline(branch.chat_model):
        return []
    return [one for one in branch.messages if isinstance(one, AssistantResponse) and one.sender == branch.id]


def _findings(branch: Branch, kind: Kind) -> list[Finding]:
    return [Finding.from_dict(values["finding"]) for _, values in said(branch, kind)]


def _beginning(quote: Quote) -> str:
    words = quote.text.split()
    return " ".join(words[:6]) + (" …" if len(words) > 6 else "")
