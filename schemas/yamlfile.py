"""YAML with the place of everything in it.

In: the text of a configuration file. Out: plain values (dict, list, str, int, float, bool, None), and
for every key and value its line and column, so that a fault found later can be shown where it stands.

Promises: never raises on a file's content, lists faults instead; time and memory grow with the size of
the file alone (an alias is shared, never copied; nesting and size are bounded). It walks PyYAML's events:
on a large city that takes a fifth of the time of composed nodes, and libyaml's own composer runs out of
stack on a file of 200,000 brackets.

Words follow YAML 1.2, which contains JSON: ``1e5`` is a number, and ``no``, ``on`` and ``12:30`` are text.
A file that is JSON is read as JSON, which is ten times as quick; where a place in it is asked for, it is read
again as YAML.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import BadConfig, Fault

BYTES_MAX = 64 * 1024 * 1024
DEPTH_MAX = 50

Place = tuple[int, int]
"""Line and column, from 0 as the parser counts them."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _Broken(Exception):
    """Reading can't go on from here."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(slots=True)
class _Open:
    """A mapping or list while it is read; afterwards the places of what it holds."""

    container: Any
    place: Place
    anchor: str | None
    values_at: dict[Any, Place] = field(default_factory=dict)
    keys_at: dict[str, Place] = field(default_factory=dict)
    key: str | None = None


class Document:
    """A file as read.

    ``data`` is its content, None where it is empty or broken; ``faults`` what the reading found.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.data: Any = None
        self.faults: list[Fault] = []
        self._root: Place = (0, 0)
        self._containers: dict[int, _Open] = {}
        """By id() of the container: ``_located`` keeps them alive, so that the ids stay theirs."""
        self._located: Any = None
        self._unread: str | None = None
        """The text, where it was read as JSON and no place in it was asked for yet."""
        try:
            self.data = _of_json(text)
            self._unread = text
        except (ValueError, RecursionError):
            self._locate(text)
            self.data = self._located

    def _locate(self, text: str) -> None:
        """Read the text with the places of all that is in it; faults of the text are noted."""
        try:
            self._located = self._read(text)
        except _Broken as error:
            self._add(error.place, str(error))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = ", ".join(filter(None, (error.context, error.problem)))
            self._add((mark.line, mark.column) if mark else (0, 0), f"not readable as YAML: {words}")
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            place = (before.count("\n"), len(before) - before.rfind("\n") - 1)
            self._add(place, f"not readable as YAML: the character {error.character!r} is not allowed")

    def fault(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> Fault:
        """A fault at the value (or key) that ``path`` leads to, or at the nearest place on the way."""
        line, column = self._place(path, at_key)
        return Fault(self.file, line + 1, column + 1, message)

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the value at ``path``, from 1."""
        return self._place(path, at_key=False)[0] + 1

    def known(self, path: Sequence[str | int]) -> tuple[str | int, ...]:
        """The steps of ``path`` that exist in this file, one below the other; the others are passed over."""
        value, known = self._with_places(), []
        for step in path:
            opened = self._containers.get(id(value))
            if opened is not None and step in opened.values_at:
                value = opened.container[step]
                known.append(step)
        return tuple(known)

    def _with_places(self) -> Any:
        if self._unread is not None:
            text, self._unread = self._unread, None
            self._locate(text)
        return self._located

    def _place(self, path: Sequence[str | int], at_key: bool) -> Place:
        value, place = self._with_places(), self._root
        for index, step in enumerate(path):
            opened = self._containers.get(id(value))
            if opened is None or step not in opened.values_at:
                break
            wants_key = at_key and index == len(path) - 1 and isinstance(step, str)
            place = opened.keys_at[str(step)] if wants_key else opened.values_at[step]
            value = opened.container[step]
        return place

    def _add(self, place: Place, message: str) -> None:
        self.faults.append(Fault(self.file, place[0] + 1, place[1] + 1, message))

    def _read(self, text: str) -> Any:
        loader = _LOADER(text)
        try:
            return self._walk(loader.get_event)
        finally:
            loader.dispose()

    def _walk(self, next_event: Any) -> Any:
        """Build the one document of the stream from its events."""
        anchors: dict[str, Any] = {}
        stack: list[_Open] = []
        root: list[Any] = []
        while not isinstance(event := next_event(), yaml.StreamEndEvent):
            place = (event.start_mark.line, event.start_mark.column)
            if isinstance(event, yaml.DocumentStartEvent) and root:
                raise _Broken(place, "a second document starts here; expected one in a file")
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(_opened(event, place, len(stack)))
                continue
            if isinstance(event, yaml.ScalarEvent) and stack and _wants_key(stack[-1]):
                self._take_key(stack[-1], event.value, place)
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                place = stack[-1].place
            elif not isinstance(event, yaml.NodeEvent):
                continue
            value = self._complete(event, place, stack, anchors)
            if stack:
                self._put(stack[-1], value, place)
            else:
                root.append(value)
                self._root = place
        return root[0] if root else None

    def _complete(self, event: Any, place: Place, stack: list[_Open], anchors: dict[str, Any]) -> Any:
        """The value that this event completes: a scalar, an alias, or the innermost container."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _Broken(place, f"*{event.anchor} is used before &{event.anchor} is complete")
            return anchors[event.anchor]
        if isinstance(event, yaml.ScalarEvent):
            value, anchor = _scalar(event, place), event.anchor
        else:
            done = stack.pop()
            self._containers[id(done.container)] = done
            value, anchor = done.container, done.anchor
        if anchor:
            anchors[anchor] = value
        return value

    def _take_key(self, opened: _Open, key: str, place: Place) -> None:
        opened.key = key
        if key in opened.keys_at:
            first = opened.keys_at[key][0] + 1
            self._add(
                place, f"the key {key!r} stands here a second time (first on line {first}); write it once"
            )
        else:
            opened.keys_at[key] = place

    def _put(self, opened: _Open, value: Any, place: Place) -> None:
        container = opened.container
        if isinstance(container, list):
            opened.values_at[len(container)] = place
            container.append(value)
            return
        if opened.key is None:
            raise _Broken(place, "expected a plain word as key, got a mapping, a list or an alias")
        if opened.key not in container:
            container[opened.key] = value
            opened.values_at[opened.key] = place
        opened.key = None


def read(path: Path) -> Document:
    """The document in a file. Raises BadConfig where there is no readable text at ``path``."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise BadConfig([Fault(str(path), 1, 1, f"larger than {BYTES_MAX // 2**20} MiB")])
        raw = path.read_bytes()
    except OSError as error:
        raise BadConfig([Fault(str(path), 1, 1, f"can't be read: {error.strerror}")]) from error
    try:
        return Document(str(path), raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise BadConfig([Fault(str(path), line, column, "not UTF-8 text; save the file as UTF-8")]) from error


def _of_json(text: str) -> Any:
    """The content of a JSON file. Raises ValueError where it is none, or nearly none (a key stands twice)."""
    if text[:1] != "{":
        raise ValueError
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(word: str) -> None:
    raise ValueError(word)


def _opened(event: Any, place: Place, depth: int) -> _Open:
    _refuse_tag(event, place)
    if depth == DEPTH_MAX:
        raise _Broken(place, f"nested deeper than {DEPTH_MAX} levels")
    return _Open({} if isinstance(event, yaml.MappingStartEvent) else [], place, event.anchor)


def _wants_key(opened: _Open) -> bool:
    return opened.key is None and isinstance(opened.container, dict)


def _refuse_tag(event: Any, place: Place) -> None:
    if event.tag not in (None, "!"):
        raise _Broken(place, f"the tag {event.tag!r} is not understood; write the plain value")


def _scalar(event: Any, place: Place) -> str | int | float | bool | None:
    """The value of a scalar by the core schema of YAML 1.2; what was quoted stays text."""
    _refuse_tag(event, place)
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if found := _NOT_FINITE.fullmatch(text):
        return float(found[1] + "inf") if found[2] else float("nan")
    return text
