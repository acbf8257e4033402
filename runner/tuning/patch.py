"""Settings into the text of a city model, in place: comments, order and layout stay.

In:  the text, the model read from it, the settings proposed by sensor.
Out: the text with the numbers that should change.
Raises CannotPatch where the file is written so that a number can't be changed by itself.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from runner.tuning.practice import Setting
from schemas.city import City, Sensor
from schemas.errors import CrosscurrentError
from schemas.yamlfile import Document

LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CannotPatch(CrosscurrentError):
    """The city model can't be changed number by number."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def patched(text: str, city: City, settings: Mapping[str, Setting]) -> str:
    """The text of a city model with other settings; the same text where nothing differs."""
    root = yaml.compose(text, Loader=LOADER)
    blocks = {}
    for block in _values(root).get("sensors", yaml.SequenceNode("", [])).value:
        fields = _values(block)
        if "asset" in fields and "quantity" in fields:
            blocks[f"{fields['asset'].value}/{fields['quantity'].value}"] = block
    edits: list[_Edit] = []
    for name, setting in settings.items():
        if name not in blocks:
            raise _cannot(name)
        edits += _edits(text, blocks[name], city.sensor_by_id[name], setting)
    changed = text
    # From the end on; of several that are put in at one place, the last first.
    edits.sort(key=lambda one: one.start)
    for edit in reversed(edits):
        changed = changed[: edit.start] + edit.text + changed[edit.end :]
    _prove(changed, city, settings)
    return changed


def diff(file: str, before: str, after: str) -> str:
    """The unified diff; empty where nothing should change."""
    was, is_ = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(was, is_, file, file))


def with_settings(city: City, settings: Mapping[str, Setting]) -> City:
    """The model with other settings."""
    sensors = tuple(settings[one.id].into(one) if one.id in settings else one for one in city.sensors)
    return city.model_copy(update={"sensors": sensors})


def _values(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _edits(text: str, block: yaml.Node, sensor: Sensor, setting: Setting) -> Iterator[_Edit]:
    fields, now = _values(block), Setting.of(sensor)
    limits = _values(fields.get("limits"))
    for name in Setting._fields:
        new = getattr(setting, name)
        if new == getattr(now, name):
            continue
        there = limits if name in ("low", "high") else fields
        if new is None or (name not in there and name in ("low", "high")):
            raise _cannot(sensor.id)  # neither is ever proposed
        if name in there:
            node = there[name]
            yield _Edit(node.start_mark.index, node.end_mark.index, f"{new:g}")
        else:
            yield _added(text, block, name, new)


def _added(text: str, block: yaml.Node, name: str, value: float) -> _Edit:
    """A field that was not there, behind the last one."""
    key, last = block.value[-1]
    end = _end(last)
    if isinstance(block, yaml.MappingNode) and block.flow_style:
        return _Edit(end, end, f", {name}: {value:g}")
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop  # a comment behind the value stays with it
    return _Edit(stop, stop, f"\n{' ' * key.start_mark.column}{name}: {value:g}")


def _end(node: yaml.Node) -> int:
    """Where a value ends; of a block mapping where its last value does, as YAML counts the gap behind it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _prove(text: str, city: City, settings: Mapping[str, Setting]) -> None:
    """Read it again: only what should change did."""
    document = Document("the proposed file", text)
    try:
        found = None if document.faults else City.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError:
        found = None
    if found is None or found.model_dump() != with_settings(city, settings).model_dump():
        raise _cannot("its sensors")


def _cannot(what: str) -> CannotPatch:
    return CannotPatch(
        f"the city model can't be changed number by number at {what}; expected each sensor and its limits "
        "written out, without anchors (&); nothing was written"
    )
