"""Give a text the wanted form: as it stands, repaired, with its keys put right, and only then with a model's help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from lion_broker.errors import ConfigError, OutputInvalid
from lion_broker.messages import Instruction

from .asking import Question, as_model
from .forms import Form, form_of, only_one
from .reading import Matching, read

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch
    from lion_broker.models.imodel import iModel

__all__ = ["Handling", "check_handling", "handled", "parse", "take_form"]

Handling = Literal["raise", "return_value", "return_none"]


async def parse(
    branch: Branch,
    *,
    text: str,
    handle_validation: Handling = "return_value",
    max_retries: int = 3,
    request_type: Any = None,
    response_format: Any = None,
    request_fields: Any = None,
    operative: Any = None,
    parse_model: Any = None,
    **matching: Any,
) -> Any:
    """Return what a text says in the wanted form; nothing is recorded.

    When it cannot be had: OutputInvalid with "raise", None with "return_none", with "return_value" the text itself.
    """
    if not isinstance(text, str):
        raise ConfigError(f"parse takes a text, not {type(text).__name__}.")
    kind = getattr(operative, "request_type", operative)
    wanted = only_one(request_type=request_type, response_format=response_format, operative=kind)
    form = form_of(wanted, request_fields)
    if form is None:
        raise ConfigError("parse needs the form of the result: request_type= a pydantic model, type or JSON schema.")
    check_handling(handle_validation)
    try:
        return await take_form(branch, text, form, retries=max_retries, parse_model=parse_model, **matching)
    except OutputInvalid as error:
        return handled(handle_validation, error)


def check_handling(handling: str) -> None:
    """Raise ConfigError for a way to handle invalid answers that there is not, before a model is asked for one."""
    if handling not in ("raise", "return_value", "return_none"):
        raise ConfigError(f"handle_validation is raise, return_value or return_none, not {handling!r}.")


def handled(handling: Handling, error: OutputInvalid) -> Any:
    """Do what is to be done with a text that cannot be given its form: raise the error, or return the text, or None."""
    if handling == "raise":
        raise error
    return error.text if handling == "return_value" else None


async def take_form(
    branch: Branch, text: str, form: Form, *, retries: int = 3, parse_model: Any = None, **matching: Any
) -> Any:
    """Return the value that a text has in a form; a model that parses is asked up to `retries` times.

    Raises OutputInvalid with the fault of the text itself.
    """
    rules = matching_of(**matching)
    try:
        return read(text, form, rules)
    except OutputInvalid as error:
        error.text = text
        model = as_model(parse_model) or branch.mdls.parse or branch.mdls.chat
        if model is None or model.provider == "offline" or retries <= 0:
            raise
        first = error
    fault, current = first, text
    for _ in range(retries):
        current = (await branch.ask(_reformatting(model, text, current, form, fault))).text
        try:
            return read(current, form, rules)
        except OutputInvalid as error:
            fault = error
    raise first


def matching_of(
    *,
    fuzzy_match: bool = True,
    similarity_algo: str = "jaro_winkler",
    similarity_threshold: float = 0.85,
    handle_unmatched: Any = "ignore",
    fill_value: Any = None,
    fill_mapping: Mapping[str, Any] | None = None,
    strict: bool = False,
    suppress_conversion_errors: bool = False,
) -> Matching:
    """Return LionAGI's keywords for the matching of keys as one value. Conversion errors are never raised here."""
    return Matching(
        fuzzy_match,
        similarity_threshold,
        similarity_algo,
        handle_unmatched,
        fill_value,
        dict(fill_mapping or {}),
        strict,
    )


def _reformatting(model: iModel, text: str, current: str, form: Form, fault: OutputInvalid) -> Question:
    said: list[Any] = [{"text": text}, {"fault": str(fault)}]
    if current != text:
        said.append({"attempt": current})
    asked = Instruction.create(
        "Bring the text into the form below. Change no facts and add none; answer with the JSON only.",
        context=said,
        response_format=form.schema,
    )
    return Question(asked, [asked.chat_msg], model, {"response_format": form.response_format()})
