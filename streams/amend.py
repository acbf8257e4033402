"""New numbers into the text of a causes file, in place: comments, order and layout stay.

In:  the text of the file, its rules as read, and the lessons of ``streams.learn``.
Out: the text with the numbers that should change, and where each comes from.
Raises CannotAmend where the file is written so that a number can't be changed by itself.
"""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from schemas.errors import CrosscurrentError
from schemas.times import HOUR, MINUTE, SECOND
from schemas.yamlfile import Document
from streams.causes import Causes, Rule
from streams.learn import Lag, Lessons, PriorLesson, RuleLesson

WIDTH = 110
_FITTED = re.compile(r"fitted on .*?; was [^()]*\((?P<before>.*)\)", re.DOTALL)
"""A source that we wrote: it names the source before it, which is kept; ours is replaced."""
_UNITS = ((HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))


class CannotAmend(CrosscurrentError):
    """The file can't be changed number by number."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def amend(text: str, causes: Causes, lessons: Lessons) -> str:
    """The text of a causes file with what should change; the same text where nothing should."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None, "the rules were read from this text"
    parts = _values(root)
    edits: list[_Edit] = []
    rules = {rule.name: rule for rule in causes.rules}
    blocks = {str(_values(node)["name"].value): node for node in parts["rules"].value}
    for lesson in lessons.rules:
        if lesson.moves:
            edits += _rule_edits(text, blocks[lesson.name], rules[lesson.name], lesson, lessons.days)
    for prior in lessons.priors:
        if prior.moves:
            edits += _prior_edits(text, parts["priors"].value[prior.place], prior, lessons)
    amended = text
    for edit in sorted(edits, reverse=True):
        amended = amended[: edit.start] + edit.text + amended[edit.end :]
    _prove(amended, causes, lessons)
    return amended


def duration(ms: int) -> str:
    """A whole number of the largest unit that fits."""
    return next(f"{ms // unit}{sign}" for unit, sign in _UNITS if (ms and ms % unit == 0) or sign == "s")


def window(lag: Lag) -> str:
    """A window as the file has it; two numbers where the usual lag is halfway."""
    least, usual, most = lag
    short = usual == (least + most) // 2
    return f"[{', '.join(map(duration, (least, most) if short else lag))}]"


def source(rule: Rule, lesson: RuleLesson, days: int) -> str:
    """Where the numbers of a rule come from now, with what they were."""
    of, was = [], []
    if lesson.strength is not None and lesson.strength_moves:
        of.append(f"{round(lesson.strength.trials)} trials")
        was.append(f"{rule.strength:g}")
    if lesson.lag is not None and lesson.lag_moves:
        of.append(f"{lesson.lag[0]} lags")
        was.append(window(rule.lag))
    if lesson.forecast is not None and lesson.forecast_moves:
        of.append(f"{round(lesson.forecast.trials)} forecasts")
        was.append(f"{rule.ahead:g} ahead")
    before = " ".join(rule.source.split())
    if found := _FITTED.fullmatch(before):
        before = found["before"]
    many = "day" if days == 1 else "days"
    return f"fitted on {' and '.join(of)} of {days} {many}; was {' '.join(was)} ({before})"


def _values(mapping: yaml.Node) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in mapping.value}


def _rule_edits(text: str, block: yaml.Node, rule: Rule, lesson: RuleLesson, days: int) -> Iterator[_Edit]:
    values = _values(block)
    if lesson.strength is not None and lesson.strength_moves:
        yield _replaced(values["strength"], f"{lesson.strength.new:g}")
    if lesson.lag is not None and lesson.lag_moves:
        yield _replaced(values["lag"], window(lesson.lag[2]))
    if lesson.forecast is not None and lesson.forecast_moves:
        yield _forecast_edit(block, values, lesson.forecast.new)
    key = next(key for key, _ in block.value if key.value == "source")
    start, indent = key.start_mark.index, key.start_mark.column
    before = text[text.rfind("\n", 0, start) + 1 : start]
    gap = ""
    if before.strip(" -{") and isinstance(block, yaml.MappingNode) and block.flow_style:
        start, indent = start - len(before) + len(before.rstrip()), block.start_mark.column + 1
        gap = "\n" + " " * indent
    said = json.dumps(source(rule, lesson, days), ensure_ascii=False)
    lines = textwrap.wrap(
        f"source: {said}",
        WIDTH - indent - 2,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield _Edit(start, values["source"].end_mark.index, gap + "\n".join(lines))


def _forecast_edit(block: yaml.Node, values: Mapping[str, yaml.Node], new: float) -> _Edit:
    """The strength for foretelling where it stands, else beside the strength."""
    if "forecast" in values:
        return _replaced(values["forecast"], f"{new:g}")
    if isinstance(block, yaml.MappingNode) and block.flow_style:
        end = values["strength"].end_mark.index
        return _Edit(end, end, f", forecast: {new:g}")
    mark = next(key for key, _ in block.value if key.value == "strength").start_mark
    return _Edit(mark.index, mark.index, f"forecast: {new:g}\n" + " " * mark.column)


def _prior_edits(text: str, block: yaml.Node, prior: PriorLesson, lessons: Lessons) -> Iterator[_Edit]:
    """The number, and a comment at the end of its line: priors have no source."""
    value = _values(block)["prior"]
    yield _replaced(value, f"{prior.new:g}")
    stop = text.find("\n", value.end_mark.index)
    line_end = stop if stop >= 0 else len(text)
    line = text[value.end_mark.index : line_end]
    comment = line.find("# fitted on ")
    start = value.end_mark.index + (len(line.rstrip()) if comment < 0 else comment)
    seen = f"{prior.causes} of {lessons.causes} causes of {lessons.days} days"
    said = f"# fitted on {seen}; was {prior.entry.prior:g}"
    yield _Edit(start, line_end, said if comment >= 0 else f"  {said}")


def _replaced(node: yaml.Node, text: str) -> _Edit:
    return _Edit(node.start_mark.index, node.end_mark.index, text)


def _prove(text: str, causes: Causes, lessons: Lessons) -> None:
    """Read it again: only what should change did."""
    document = Document("the proposed file", text)
    try:
        found = None if document.faults else Causes.model_validate(document.data)
    except ValidationError:
        found = None
    if found is None or found.model_dump() != taught(causes, lessons).model_dump():
        raise CannotAmend(
            "the rules can't be changed number by number; expected each rule and each prior written out, "
            "without anchors (&), and each prior on a line of its own; nothing was written"
        )


def taught(causes: Causes, lessons: Lessons) -> Causes:
    """The rules with the numbers that should change."""
    by_name: Mapping[str, RuleLesson] = {lesson.name: lesson for lesson in lessons.rules}
    rules = []
    for rule in causes.rules:
        lesson, update = by_name.get(rule.name), dict[str, object]()
        if lesson and lesson.strength and lesson.strength_moves:
            update["strength"] = lesson.strength.new
        if lesson and lesson.lag and lesson.lag_moves:
            update["lag"] = lesson.lag[2]
        if lesson and lesson.forecast and lesson.forecast_moves:
            update["forecast"] = lesson.forecast.new
        if lesson and update:
            update["source"] = source(rule, lesson, lessons.days)
        rules.append(rule.model_copy(update=update))
    priors = list(causes.priors)
    for prior in lessons.priors:
        if prior.moves:
            priors[prior.place] = prior.entry.model_copy(update={"prior": prior.new})
    return causes.model_copy(update={"rules": tuple(rules), "priors": tuple(priors)})
