"""Filters: `<field><operator><value>` on what is known of a file."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from importer.core.rules import patterns, regexes
from importer.core.rules.fields import SOURCE_FIELDS, representation, source
from importer.core.rules.problems import Wrong

SEPARATOR = "::"
_FORM = (
    "A filter is a field, an operator and a value, such as path=~*.dcm. "
    "The operators are =, =~, !=, !~, <, >, <= and >=."
)
_EXPRESSION = re.compile(r"\s*(?P<field>[^=!<>~]*?)\s*(?P<op>=~|!~|==|!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{0,6})?)\s*([KMGTPE]?)(?:i?B)?", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4})(?:[-_/.]?(\d\d)(?:[-_/.]?(\d\d)(?:[-_/T ]?(\d\d)(?:[-_:.]?(\d\d)(?:[-_:.]?(\d\d))?)?)?)?)?"
)
_NUMERIC = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV"})
_DATED = frozenset({"DA", "TM", "DT"})
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_NEGATIVE = frozenset({"!=", "!~"})


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    SIZE = "size"
    TIME = "time"
    DIGITS = "digits"


_KINDS = {"depth": Kind.NUMBER, "size": Kind.SIZE, "ctime": Kind.TIME, "mtime": Kind.TIME}


class Facts(Protocol):
    """What is known of one file. `texts` has one value or more of a text field, none where it is not known."""

    def texts(self, field: str) -> tuple[str, ...]: ...

    def number(self, field: str) -> float | None: ...

    def when(self, field: str, zone: tzinfo) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, as it was written. `field` is a source field or a DICOM keyword."""

    text: str
    field: str
    op: str
    kind: Kind
    test: Callable[[Any], bool]
    # Of `path=~archive::member`: the condition on the archive's path alone.
    archive: Callable[[str], bool] | None = None

    @property
    def of_header(self) -> bool:
        return self.field not in SOURCE_FIELDS

    def holds(self, facts: Facts, *, zone: tzinfo) -> bool:
        """What is not known of a file holds for no operator."""
        if self.kind is Kind.TEXT or self.kind is Kind.DIGITS:
            found = facts.texts(self.field)
            if len(found) == 1:
                return self.test(found[0])
            every = all if self.op in _NEGATIVE else any
            return bool(found) and every(self.test(text) for text in found)
        if self.kind is Kind.TIME:
            at = facts.when(self.field, zone)
            return at is not None and self.test(at.strftime("%Y%m%d%H%M%S"))
        number = facts.number(self.field)
        return number is not None and self.test(number)


def filter_of(text: str, *, dicom: bool) -> Filter:
    """Raises Wrong with the character at which it is wrong. DICOM keywords are fields where `dicom` is set."""
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        raise Wrong(_FORM)
    try:
        field = source(found["field"], dicom=dicom)
    except Wrong as error:
        raise error.behind(found.start("field")) from None
    op = "=" if found["op"] == "==" else found["op"]
    kind = _kind(field)
    if "~" in op and kind is not Kind.TEXT and kind is not Kind.DIGITS:
        raise Wrong(f"{field} is a {kind}: compare it with =, !=, <, >, <= or >=, not with {op}.", found.start("op"))
    return _built(text, field, op, kind, found["value"].strip(), at=found.start("value"))


def _kind(field: str) -> Kind:
    if field in SOURCE_FIELDS:
        return _KINDS.get(field, Kind.TEXT)
    vr = representation(field)
    return Kind.NUMBER if vr in _NUMERIC else Kind.DIGITS if vr in _DATED else Kind.TEXT


def _built(text: str, field: str, op: str, kind: Kind, value: str, *, at: int) -> Filter:
    try:
        if field == "path" and SEPARATOR in value:
            return _of_member(text, op, value)
        return Filter(text, field, op, kind, _test(op, kind, value))
    except Wrong as error:
        raise error.behind(at) from None


def _test(op: str, kind: Kind, value: str) -> Callable[[Any], bool]:
    if "~" in op:
        return _searches(op, value)
    if kind is Kind.NUMBER:
        return _compares(op, _number(value))
    if kind is Kind.SIZE:
        return _compares(op, _size(value))
    if kind is Kind.TIME:
        return _begins(op, _digits_of_time(value))
    if kind is Kind.DIGITS:
        return _begins(op, _digits(value))
    return partial(_equal_text, _ORDER[op], value.casefold())


def _equal_text(compare: Callable[[Any, Any], bool], wanted: str, found: str) -> bool:
    return compare(found.casefold(), wanted)


def _compares(op: str, wanted: float) -> Callable[[Any], bool]:
    return lambda found: _ORDER[op](found, wanted)


def _begins(op: str, wanted: str) -> Callable[[Any], bool]:
    """Times are compared in as many digits as are given: a day is neither before nor after that day."""
    return lambda found: _ORDER[op]("".join(filter(str.isdigit, found))[: len(wanted)], wanted)


def _searches(op: str, value: str, *, end: str = "") -> Callable[[Any], bool]:
    expression, options = patterns.search_expression(value)
    search = regexes.compiled(f"(?:{expression}){end}" if end else expression, ignore_case=True).search
    del options  # Always any case: `!i` changes nothing here.
    if op == "!~":
        return lambda found: not search(found)
    return search


def _of_member(text: str, op: str, value: str) -> Filter:
    if op not in {"=", "=~"}:
        raise Wrong(f"Members of archives are found with = or =~, not with {op}.")
    archive, _, member = value.partition(SEPARATOR)
    if not member:
        raise Wrong(f"There is nothing behind {SEPARATOR}: name the members, such as *.dcm.", len(archive))
    options = value[value.rindex("!") :] if op == "=~" and patterns.split_options(value)[1] else ""
    in_archive = _of_archive(op, archive, options) if archive else _ZIP
    in_member = _test(op, Kind.TEXT, member)
    return Filter(text, "path", op, Kind.TEXT, partial(_both, in_archive, in_member), in_archive)


def _of_archive(op: str, value: str, options: str) -> Callable[[str], bool]:
    """Members follow right behind: `a.zip::` asks for nothing of `a.zip.dcm`."""
    if op == "=~":
        return _searches(op, f"{value}{options}", end="$")
    return _test(op, Kind.TEXT, value)


_ZIP = _searches("=~", r"\.zip$!r")


def _both(in_archive: Callable[[str], bool], in_member: Callable[[str], bool], path: str) -> bool:
    archive, separator, member = path.partition(SEPARATOR)
    return bool(separator) and in_archive(archive) and in_member(member)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Wrong(f"{value or 'Nothing'} is no number.") from None


def _size(value: str) -> float:
    found = _SIZE.fullmatch(value)
    if found is None:
        raise Wrong(f"{value or 'Nothing'} is no size: write 500KB, 1.5GiB or a number of bytes.")
    return int(float(found.group(1)) * 1024 ** " KMGTPE".index(found.group(2).upper() or " "))


def _digits_of_time(value: str) -> str:
    found = _TIME.fullmatch(value)
    if found is None:
        raise Wrong(f"{value or 'Nothing'} is no time: write 2020, 2020-09, 2020-09-13 or 2020-09-13 12:26:41.")
    return "".join(part or "" for part in found.groups())


def _digits(value: str) -> str:
    digits = "".join(filter(str.isdigit, value))
    if not digits or set(value) - set("0123456789-_:/. T"):
        raise Wrong(f"{value or 'Nothing'} is no date or time: write it as 2020-09-13, 20200913 or 12:26.")
    return digits
