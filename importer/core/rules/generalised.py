"""From labels at known places in one path to a mapping that reads the same from all paths like it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from importer.core.labels import split_extension
from importer.core.rules.likeness import Role
from importer.core.rules.slots import Group

ENOUGH = 0.95
_FIELDS = {Role.SUBJECT: "sub", Role.SESSION: "ses", Role.ACQUISITION: "acq"}
_SPECIAL = re.compile(r"([\\\[\]*{}^+?()|$!])")
_SPECIAL_IN_REGEX = re.compile(r"([\\\[\]*{}^+?()|$!.])")
_EDGE = re.compile(r"[-_ .]+")
_SPACE = "\\ "
_RUNS = re.compile(r"[A-Za-z]+|[0-9]+|[-_ .]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Placed:
    """A label stands in this column, from `start` to `end`."""

    role: Role
    column: int
    start: int
    end: int

    def overlaps(self, other: "Placed") -> bool:
        return self.column == other.column and self.start < other.end and other.start < self.end


class Style(StrEnum):
    """How captures are told from what is around them: by literals alone; by the number of words in them; by runs of
    letters and digits; by their length."""

    PLAIN = "plain"
    WORDS = "words"
    RUNS = "runs"
    WIDTH = "width"


class Reach(StrEnum):
    """Which other depths a mapping reaches: none, deeper files, a deeper beginning, both."""

    EXACT = "exact"
    BELOW = "below"
    ABOVE = "above"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class _Text:
    """A stretch between captures, in the simple dialect and as a regular expression."""

    simple: str
    regex: str


def mapping(group: Group, row: Sequence[str], placed: Sequence[Placed], style: Style, reach: Reach) -> str:
    """A mapping line. The labels must not overlap."""
    raw = style is not Style.PLAIN
    name = group.depth - 1
    if {one.column for one in placed} == {name} and reach is Reach.BOTH:
        return _line("name", _part(group, row, placed, name, style), raw=raw)
    first, last = min(one.column for one in placed), max(one.column for one in placed)
    start = first if reach in {Reach.ABOVE, Reach.BOTH} else 0
    below = reach in {Reach.BELOW, Reach.BOTH} and last < name
    parts = [_part(group, row, placed, at, style) for at in range(start, last + 1 if below else group.depth)]
    head = ("(?:.*/)?" if raw else "**/") if start else ""
    tail = ("/.*" if raw else "/**/*") if below else ""
    return _line("path", head + "/".join(parts) + tail, raw=raw)


def _line(field: str, text: str, *, raw: bool) -> str:
    """Spaces at the ends are escaped: a mapping's sides are trimmed."""
    inner = text.strip(" ")
    before, behind = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    return f"{field}={_SPACE * before}{inner}{_SPACE * behind}{'!r' if raw else ''}"


def _part(group: Group, row: Sequence[str], placed: Sequence[Placed], at: int, style: Style) -> str:
    here = sorted((one for one in placed if one.column == at), key=lambda one: one.start)
    raw = style is not Style.PLAIN
    if not here:
        return _without_label(group, row, at, raw=raw)
    values, text, out = group.column(at), row[at], []
    edges = [0, *(one.end for one in here)]
    for number, one in enumerate(here):
        between = _between(text[edges[number] : one.start], values, first=number == 0, style=style)
        out += [between.regex if raw else between.simple, _capture(one, text, style)]
    rest = _rest(text[edges[-1] :], values, name=at == group.depth - 1, style=style)
    return "".join([*out, rest.regex if raw else rest.simple])


def _without_label(group: Group, row: Sequence[str], at: int, *, raw: bool) -> str:
    """A folder that all of them have is written as it is; a name never is."""
    everybody = len(group.rows) > 1 and at < group.depth - 1 and set(group.column(at)) == {row[at]}
    if everybody:
        return exact(row[at]) if raw else literal(row[at])
    return "[^/]*" if raw else "*"


def literal(text: str) -> str:
    """In the simple dialect."""
    return _SPECIAL.sub(r"\\\1", text)


def exact(text: str) -> str:
    """In a regular expression."""
    return _SPECIAL_IN_REGEX.sub(r"\\\1", text)


def _same(text: str) -> _Text:
    return _Text(literal(text), exact(text))


def _between(text: str, values: list[str], *, first: bool, style: Style) -> _Text:
    """What stands before a label: as it is where nearly all have it, else anything up to the separator."""
    common = sum(value.startswith(text) if first else text in value for value in values)
    if not text or common >= ENOUGH * len(values) or not text.strip("-_ ."):
        return _same(text)
    if style is Style.RUNS:
        return _Text("*", _runs(text))
    edges = _EDGE.findall(text)
    head = edges[0] if not first and edges and text.startswith(edges[0]) else ""
    tail = edges[-1] if edges and text.endswith(edges[-1]) else ""
    return _Text(f"{literal(head)}*{literal(tail)}", f"{exact(head)}[^/]*{exact(tail)}")


def _rest(text: str, values: list[str], *, name: bool, style: Style) -> _Text:
    """What stands behind the last label; of a name, often its extension."""
    if name and not text:
        return _Text("[.*]", r"(?:\.[^/]*)?") if any("." in value for value in values) else _same("")
    if all(value.endswith(text) for value in values):
        return _same(text)
    stem, extension = split_extension(f"x{text}")
    if name and extension and stem == "x":
        same = all(value.endswith(extension) for value in values)
        return _same(extension) if same else _Text(".*", r"\.[^/]*")
    head = found.group() if (found := _EDGE.match(text)) else ""
    if style is Style.RUNS and text and not head:
        return _Text("*", f"{_runs(text)}[^/]*")
    return _Text(f"{literal(head)}*", f"{exact(head)}[^/]*")


def _capture(one: Placed, text: str, style: Style) -> str:
    field = _FIELDS[one.role]
    if style is Style.PLAIN:
        return f"{{{field}}}"
    value = text[one.start : one.end]
    if style is Style.WIDTH:
        return f"{{{field}:.{{{len(value)}}}}}"
    if style is Style.RUNS:
        return f"{{{field}:{_runs(value)}}}"
    return f"{{{field}:{_words(value)}}}"


def _runs(value: str) -> str:
    """Letters as letters, digits as digits, anything else as it is."""
    return "".join(map(_run, _RUNS.findall(value)))


def _run(text: str) -> str:
    if not text.isascii() or not text.isalnum():
        return exact(text)
    return "[A-Za-z]+" if text.isalpha() else "[0-9]+"


def _words(value: str) -> str:
    """As many words as there are between separators."""
    out, at = [], 0
    for found in _EDGE.finditer(value):
        out += ["[^-_ ./]+" if found.start() > at else "", exact(found.group())]
        at = found.end()
    return "".join([*out, "[^-_ ./]+" if at < len(value) else ""])


def lines(group: Group, row: Sequence[str], placed: Sequence[Placed], style: Style, reach: Reach) -> tuple[str, ...]:
    """One line, or several where one piece of a path gives several labels."""
    sheets: list[list[Placed]] = []
    for one in placed:
        sheet = next((some for some in sheets if not any(one.overlaps(other) for other in some)), None)
        if sheet is None:
            sheets.append([one])
        else:
            sheet.append(one)
    return tuple(mapping(group, row, sheet, style, reach) for sheet in sheets)


def every_way() -> Iterator[tuple[Style, Reach]]:
    """The simplest first."""
    for style in Style:
        for reach in Reach:
            yield style, reach
