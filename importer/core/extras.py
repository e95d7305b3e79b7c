"""What a rule says beyond labels, by level: free information, tags, and what else a container or a file has.

Values come from paths and headers, so they are hostile until they have passed through `by_level`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from importer.core.labels import clean_text
from importer.core.states import Level

# Field of a rule → column, with its length in characters.
_COLUMNS: Mapping[str, Mapping[str, int]] = {
    Level.SUBJECT: {"species": 64, "strain": 64},
    Level.FILE: {"type": 32, "modality": 16},
}
_SUBJECT_TYPES = frozenset({"human", "animal", "phantom"})
_LEVELS = frozenset(Level)
TEXT_LENGTH = 4096
TAG_LENGTH = 255
# Of one container's tags, and of the values of one list.
MOST = 1000
DEPTH = 8


def by_level(extra: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`{"session.info.site": "A", "session.tags": ["x"]}` → `{"session": {"info": {"site": "A"}, "tags": ["x"]}}`.

    Levels are those of Level; what has no column there and is neither `info`, `tags` nor `classification` is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in extra.items():
        level, _, rest = name.partition(".")
        if level in _LEVELS:
            _put(found.setdefault(level, {}), level, rest, value)
    return {level: values for level, values in found.items() if values}


def _put(values: dict[str, Any], level: str, name: str, value: Any) -> None:
    head, _, key = name.partition(".")
    if head == "tags":
        values["tags"] = joined_tags(values.get("tags", ()), tags(value))
    elif head == "info" and key:
        values["info"] = filled(values.get("info", {}), nested(key, storable(value)))
    elif head == "classification" and key and level == Level.FILE:
        values["classification"] = {**values.get("classification", {}), key: tags(value)}
    elif name == "type" and level == Level.SUBJECT:
        values.update({"type": value} if value in _SUBJECT_TYPES else {})
    elif name in _COLUMNS.get(level, {}):
        cleaned = clean_text(str(value), _COLUMNS[level][name])
        values.update({name: cleaned} if cleaned else {})


def nested(key: str, value: Any) -> dict[str, Any]:
    """`a.b` → `{"a": {"b": value}}`."""
    for part in reversed(key.split(".", DEPTH - 1)):
        value = {clean_text(part, TAG_LENGTH): value}
    found: dict[str, Any] = value
    return found


def tags(value: Any) -> list[str]:
    """A list, or text with commas; each once."""
    parts: Iterable[Any] = value if isinstance(value, list | tuple) else str(value).split(",")
    return joined_tags((), (clean_text(str(part), TAG_LENGTH) for part in parts))


def joined_tags(standing: Iterable[str], incoming: Iterable[str]) -> list[str]:
    """A set; sorted, so that it does not matter who comes first."""
    return sorted({tag for tag in (*standing, *incoming) if tag})[:MOST]


def filled(standing: Mapping[str, Any], incoming: Mapping[str, Any]) -> dict[str, Any]:
    """What stands, and what is missing there, at whatever depth. Nothing that stands is overwritten."""
    found = dict(standing)
    for key, value in incoming.items():
        if key not in found:
            found[key] = value
        elif isinstance(found[key], dict) and isinstance(value, dict):
            found[key] = filled(found[key], value)
    return found


def joined(first: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Two times what is said about one container: of each fact what the first says; tags of both."""
    found = {**later, **first}
    if "info" in first and "info" in later:
        found["info"] = filled(first["info"], later["info"])
    if "tags" in first and "tags" in later:
        found["tags"] = joined_tags(first["tags"], later["tags"])
    return found


def storable(value: Any, depth: int = DEPTH) -> Any:
    """As JSON that every database takes: no NUL, no lone surrogate, no number that is none; nested 8 deep."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth:
        return {clean_text(str(key), TAG_LENGTH): storable(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [storable(one, depth - 1) for one in value[:MOST]]
    return clean_text(str(value), TEXT_LENGTH)
