"""What pydantic finds wrong in a file's content, in words for the people who edit the file.

In: a model, a value with its path in a ``yamlfile.Document``. Out: the model, or faults with their places:
what is wrong, what was expected, and the nearest valid name.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import Fault
from schemas.yamlfile import Document

Model = TypeVar("Model", bound=BaseModel)
Listed = TypeVar("Listed", bound=tuple[Any, ...])
Path = tuple[str | int, ...]


def listed(value: object) -> object:
    """One word as a list of one."""
    return [value] if isinstance(value, str) else value


def some(listed: Listed) -> Listed:
    """The list itself. Raises ValueError where it is empty."""
    if not listed:
        raise ValueError("nothing is listed here; leave the field out, or name at least one")
    return listed


Names = Annotated[tuple[str, ...], BeforeValidator(listed)]
"""A field of a file that is one name, or a list of names."""

_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "letters, digits, '.', '-', '_' only, and a letter or digit first",
}
_EXPECTED = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "too_short": "at least {min_length} values",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    **dict.fromkeys(("model_type", "dict_type", "mapping_type", "model_attributes_type"), "a mapping"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
}


def validate(
    model: type[Model], value: object, path: Path, document: Document, faults: list[Fault], subject: str = ""
) -> Model | None:
    """``value`` as a ``model``; or None, after its faults were added to ``faults``.

    ``path`` is where the value stands in the document, ``subject`` what each message begins with.
    """
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        grouped: dict[Path, list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):
            grouped.setdefault(_where(detail, path, document), []).append(detail)
        for where, details in grouped.items():
            at_key = details[0]["type"] == "extra_forbidden" or details[0]["loc"][-1:] == ("[key]",)
            message = _message(model, where[len(path) :], details)
            faults.append(document.fault(where, f"{subject}{message}", at_key=at_key))
    return None


def nearest(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'pump'?`` for a name that is nearly one of ``names``, else nothing."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _where(detail: ErrorDetails, path: Path, document: Document) -> Path:
    """The path of an error without the steps that only pydantic knows (which member of a union)."""
    where = (*path, *detail["loc"])
    if detail["type"] == "missing":
        return (*document.known(where[:-1]), where[-1])
    return document.known(where)


def _message(model: type[BaseModel], path: Path, details: Sequence[ErrorDetails]) -> str:
    detail = details[0]
    name = _dotted(path)
    if detail["type"] == "extra_forbidden":
        return _unknown_field(str(path[-1]), _fields(model, path[:-1]))
    if detail["type"] == "missing":
        return f"the field {name!r} is missing" if isinstance(path[-1], str) else _too_few(path)
    if detail["type"] in ("enum", "literal_error"):
        return _no_such_word(detail, name)
    if detail["type"] == "value_error":
        return f"{name}: {detail['ctx']['error']}" if name else str(detail["ctx"]["error"])
    expected = " or ".join(dict.fromkeys(map(_expected, details)))
    label = f"{name}: " if name else ""
    return f"{label}expected {expected}, got {_shown(detail['input'])}{_quotes(details)}"


def _dotted(path: Path) -> str:
    """``limits.low``; a key that would break the line is shown as its repr."""
    return ".".join(step if step.isprintable() else repr(step) for step in map(str, path))


def _unknown_field(name: str, fields: Sequence[str]) -> str:
    return f"unknown field {name!r}{_hint(name, fields)}"


def _hint(name: str, names: Sequence[str]) -> str:
    return nearest(name, names) or f"; expected one of {', '.join(names)}"


def _too_few(path: Path) -> str:
    return f"{_dotted(path[:-1])}: the value number {int(path[-1]) + 1} is missing"


def _no_such_word(detail: ErrorDetails, name: str) -> str:
    words = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    if not isinstance(detail["input"], str):
        return f"{name}: expected one of {', '.join(words)}, got {_shown(detail['input'])}"
    return f"unknown {name} {_shown(detail['input'])}{_hint(detail['input'], words)}"


def _expected(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
    if detail["type"] == "too_long":
        return f"at most {context['max_length']} values"
    template = _EXPECTED.get(detail["type"])
    return template.format(**context) if template else detail["msg"]


def _quotes(details: Sequence[ErrorDetails]) -> str:
    """The usual reason for text that is none: YAML took 7 or true for a number or a truth value."""
    text_only = [detail["type"] for detail in details] == ["string_type"]
    return "; write it in quotes" if text_only and isinstance(details[0]["input"], int | float) else ""


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """The names of the fields that the model, or the one inside it at ``path``, accepts."""
    for step in path:
        if isinstance(step, str):
            model = _inner(model, step)
    return [info.alias or name for name, info in model.model_fields.items()]


def _inner(model: type[BaseModel], step: str) -> type[BaseModel]:
    for name, info in model.model_fields.items():
        if (info.alias or name) == step:
            return _first_model(info.annotation) or model
    return model


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_first_model, get_args(annotation))), None)
