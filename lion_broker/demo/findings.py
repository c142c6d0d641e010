"""What the research desk's branches send each other: sub-questions, quotes and findings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Aspect", "Finding", "Quote", "SubQuestion"]

Aspect = Literal["answer", "definition", "difference", "rules", "example", "related"]


@dataclass(frozen=True, slots=True)
class SubQuestion:
    """One aspect of a question, with all that a reader needs to look for it.

    `foci` holds one group of terms for each thing asked about; without any there is no answer to look for. `weights`
    are the weights of all terms, rarer ones weigh more. `section` is the title of the section that a related aspect is
    about, `near` are the titles where the subject is at home. `alike` gives for a term what may be said instead.
    """

    number: int
    text: str
    aspect: Aspect
    query: str
    foci: tuple[tuple[str, ...], ...]
    weights: Mapping[str, float]
    section: str = ""
    near: tuple[str, ...] = ()
    alike: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the sub-question as plain values that can travel in a mail."""
        lists = {"foci": [list(focus) for focus in self.foci], "near": list(self.near)}
        alike = {term: list(others) for term, others in self.alike.items()}
        return {**asdict(self), **lists, "weights": dict(self.weights), "alike": alike}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SubQuestion":
        """Return the sub-question that `to_dict` described."""
        foci = tuple(tuple(focus) for focus in values["foci"])
        alike = {term: tuple(others) for term, others in values["alike"].items()}
        return cls(**{**values, "foci": foci, "near": tuple(values["near"]), "alike": alike})


@dataclass(frozen=True, slots=True)
class Quote:
    """A verbatim piece of a passage: `text == passage.text[start:end]`, offsets in characters."""

    passage_id: str
    title: str
    source: str
    text: str
    start: int
    end: int
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the quote as plain values that can travel in a mail."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Quote":
        """Return the quote that `to_dict` described."""
        return cls(**values)

    @property
    def topic(self) -> str:
        """The topic or file that the passage belongs to."""
        return self.passage_id.rpartition("#")[0]

    def overlaps(self, other: "Quote") -> bool:
        """Tell whether two quotes share words of one passage or say the same."""
        if self.passage_id == other.passage_id:
            return self.start < other.end and other.start < self.end
        return self.text in other.text or other.text in self.text


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reader found for one sub-question, best quote first; without quotes the corpus has no answer to it."""

    sub_question: SubQuestion
    quotes: tuple[Quote, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain values that can travel in a mail."""
        return {"sub_question": self.sub_question.to_dict(), "quotes": [quote.to_dict() for quote in self.quotes]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Finding":
        """Return the finding that `to_dict` described."""
        quotes = tuple(Quote.from_dict(quote) for quote in values["quotes"])
        return cls(SubQuestion.from_dict(values["sub_question"]), quotes)
