"""How an Instruction reads for a model: pure functions from its content to text and image parts."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["image_part", "instruction_text"]

_FORMAT = "Answer with one JSON object in a ```json block."


def instruction_text(content: Mapping[str, Any]) -> str:
    """Return the sections that are there under headings, or the bare instruction when it is all there is."""
    bare = content.get("instruction")
    if type(bare) is str and (len(content) == 1 or (len(content) == 2 and content.get("context") == [])):
        return bare
    sections = list(_sections(content))
    if len(sections) == 1 and "instruction" in content:
        return sections[0][1]
    return "\n\n".join(f"## {title}\n{body}" for title, body in sections)


def image_part(image: str, detail: str) -> dict[str, Any]:
    """Return one image as a part of a chat message; text without a scheme is taken as a base64 JPEG."""
    url = image if image.startswith(("http://", "https://", "data:")) else f"data:image/jpeg;base64,{image}"
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def _sections(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "guidance" in content:
        yield "Guidance", _shown(content["guidance"])
    if "instruction" in content:
        yield "Instruction", _shown(content["instruction"])
    if content.get("context"):
        yield "Context", "\n".join(f"- {_shown(item)}" for item in content["context"])
    if content.get("tool_schemas"):
        yield "Tools", "\n".join(f"- {_shown(schema)}" for schema in content["tool_schemas"])
    if "respond_schema_info" in content:
        yield "Answer", f"{_FORMAT} It fits this schema:\n{_block(content['respond_schema_info'])}"
    elif content.get("request_fields"):
        yield "Answer", f"{_FORMAT} It has these fields:\n{_block(content['request_fields'])}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _block(value: Any) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"
