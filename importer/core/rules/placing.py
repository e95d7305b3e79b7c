"""Which rule takes a file, and what comes of it.

Mappings come first, then the header (`type: dicom`), then the rule's defaults, then folder names (only where a rule
neither reads the path itself nor is a DICOM rule), and overrides over all. Total: whatever the rules, the file and its
header say, the answer is a place or a reason.
"""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from importer.core import names
from importer.core.labels import split_extension
from importer.core.mapping import map_header
from importer.core.records import Bad, Header, Mapped
from importer.core.rules import values
from importer.core.rules.fields import SOURCE_FIELDS, representation
from importer.core.rules.filters import Filter
from importer.core.rules.model import Content, Explained, Rule, RuleSet, SourceFile, Taken, Way, Why
from importer.core.rules.templates import Value
from importer.core.states import Level

NO_RULE: Final = Bad("skipped", "No rule matched")
NOT_DICOM: Final = Bad("skipped", "Not DICOM: a rule asks for DICOM, and no other rule takes it")
ASKS_FOR_DICOM: Final = "it is no DICOM"
_LEVELS = (Level.ACQUISITION, Level.SESSION, Level.SUBJECT)


def place(rules: RuleSet, file: SourceFile, content: Content, *, zone: ZoneInfo) -> Taken | Bad:
    """The first rule that matches takes the file. An OSError of `content` passes."""
    facts, asked_for_dicom = _Facts(file, content), False
    if not _passes(rules.include, rules.exclude, facts, zone):
        return NO_RULE
    for rule in rules.rules:
        if not _passes_listing(rule, facts, zone):
            continue
        if rule.is_dicom and not content.is_dicom():
            asked_for_dicom = True
            continue
        if rule.is_dicom and isinstance(facts.header(), Bad):
            return _bad(facts)
        if _passes_header(rule, facts, zone):
            return _taken(rule, facts, zone)
    return NOT_DICOM if asked_for_dicom else NO_RULE


def explain(rules: RuleSet, file: SourceFile, content: Content, *, zone: ZoneInfo) -> Explained:
    """As `place`, with what was said by every rule, also by those behind the one that takes it."""
    facts, result = _Facts(file, content), place(rules, file, content, zone=zone)
    outside = _why_not(rules.include, rules.exclude, facts, zone)
    if outside:
        return Explained(result, (Why(0, "", False, f"outside the rule set: {outside}"),))
    took = result.rule.number if isinstance(result, Taken) else _stopped(rules, result, facts, zone)
    said = tuple(_why(rule, facts, zone, took=took) for rule in rules.rules)
    return Explained(result, said, values.shown(result.mapped) if isinstance(result, Taken) else {})


def _stopped(rules: RuleSet, result: Bad, facts: "_Facts", zone: tzinfo) -> int:
    """The rule at which a broken header ended the search; 0 where all were asked."""
    if result in {NO_RULE, NOT_DICOM}:
        return 0
    asked = (one.number for one in rules.rules if one.is_dicom and _passes_listing(one, facts, zone))
    return next(asked, 0)


def _why(rule: Rule, facts: "_Facts", zone: tzinfo, *, took: int) -> Why:
    if rule.number == took:
        broken = _broken(rule, facts)
        return Why(rule.number, rule.name, not broken, broken or "takes the file")
    listed = tuple(one for one in rule.include if not one.of_header)
    listed = listed if len(listed) == len(rule.include) else ()
    reason = _why_not(listed, tuple(one for one in rule.exclude if not one.of_header), facts, zone)
    if not reason and rule.is_dicom and not facts.content.is_dicom():
        reason = ASKS_FOR_DICOM
    elif not reason:
        reason = _broken(rule, facts) or _why_not(rule.include, rule.exclude, facts, zone)
    return Why(rule.number, rule.name, False, reason or f"rule {took} comes first")


def _broken(rule: Rule, facts: "_Facts") -> str:
    """Why the header that the rule asks for cannot be read; empty where it can."""
    header = facts.header() if rule.is_dicom else None
    return header.reason if isinstance(header, Bad) else ""


def _why_not(include: tuple[Filter, ...], exclude: tuple[Filter, ...], facts: "_Facts", zone: tzinfo) -> str:
    excluded = next((one for one in exclude if one.holds(facts, zone=zone)), None)
    if excluded is not None:
        return f"excluded by {excluded.text}"
    if include and not any(one.holds(facts, zone=zone) for one in include):
        return f"not included by {' or '.join(one.text for one in include)}"
    return ""


def _passes(include: tuple[Filter, ...], exclude: tuple[Filter, ...], facts: "_Facts", zone: tzinfo) -> bool:
    """Include is any, exclude is any and wins."""
    if include and not _any_holds(include, facts, zone):
        return False
    return not _any_holds(exclude, facts, zone)


def _any_holds(filters: tuple[Filter, ...], facts: "_Facts", zone: tzinfo) -> bool:
    """A plain loop: asked of every file for every rule."""
    for one in filters:  # noqa: SIM110  see above
        if one.holds(facts, zone=zone):
            return True
    return False


def _passes_listing(rule: Rule, facts: "_Facts", zone: tzinfo) -> bool:
    """What can be said without opening the file: false only where the header could not change it."""
    if rule.include and not rule.includes_by_header and not _any_holds(rule.include, facts, zone):
        return False
    for one in rule.exclude:  # noqa: SIM110  see _any_holds
        if not one.of_header and one.holds(facts, zone=zone):
            return False
    return True


def _passes_header(rule: Rule, facts: "_Facts", zone: tzinfo) -> bool:
    if not rule.filters_by_header:
        return True
    return _passes(rule.include, rule.exclude, facts, zone)


def _bad(facts: "_Facts") -> Bad:
    found = facts.header()
    assert isinstance(found, Bad)  # noqa: S101  narrows: the caller has looked
    return found


def _taken(rule: Rule, facts: "_Facts", zone: ZoneInfo) -> Taken | Bad:
    if rule.beside_dicom:
        mapped = values.mapped_of(_fixed(rule, {}), Mapped(), zone=zone)
        name = str(mapped.extra.get(values.FILE_NAME, ""))
        return Taken(rule=rule, way=Way.BESIDE, mapped=mapped, file_name=name)
    header = facts.header() if rule.is_dicom else None
    base = map_header(header, zone=zone) if isinstance(header, Header) else Mapped()
    mapped = values.mapped_of(_fields(rule, facts, base, zone), base, zone=zone)
    name = str(mapped.extra.get(values.FILE_NAME, ""))
    if isinstance(header, Header):
        member = _member(rule, facts)
        group = _group(rule, facts) if rule.zips else ()
        return Taken(
            rule=rule, way=Way.HEADER, mapped=mapped, header=header, group=group, member=member, file_name=name
        )
    group = _path_group(rule, facts) if rule.zips else ()
    return Taken(rule=rule, way=Way.PATH, mapped=mapped, group=group, file_name=name)


def _fields(rule: Rule, facts: "_Facts", base: Mapped, zone: ZoneInfo) -> dict[str, Any]:
    """Destination field → value as text, or as what a time format read; a field that is absent is the header's."""
    found: dict[str, Any] = {}
    if rule.is_dicom and not (rule.mappings or rule.defaults or rule.overrides):
        return found
    read = partial(_value, facts, found, zone)
    for line in rule.mappings:
        for capture, text in line.read(read):
            value = values.loaded(capture, text, zone=zone)
            if value is not None and found.get(capture.name) in (None, ""):
                found[capture.name] = value
    for name, value in rule.defaults:
        if name not in found and not values.said(base, name):
            found[name] = value
    if not rule.is_dicom and not rule.reads_path:
        for name, value in _folders(rule.level, facts):
            found.setdefault(name, value)
    if rule.type and not rule.is_dicom:
        found.setdefault("file.type", rule.type)
    return _fixed(rule, found)


def _fixed(rule: Rule, found: dict[str, Any]) -> dict[str, Any]:
    if rule.beside_dicom:
        typed = {"file.type": rule.type} if rule.type else {}
        found = {**typed, **dict(rule.defaults), **found}
    return {**found, **dict(rule.overrides)}


def _folders(level: Level, facts: "_Facts") -> list[tuple[str, str]]:
    """The folders above the file, upwards from the rule's level; those further up are ignored."""
    if level not in _LEVELS:
        return []
    above = [part for part in facts.text("dir").split("/") if part]
    return list(zip((f"{name}.label" for name in _LEVELS[_LEVELS.index(level) :]), reversed(above), strict=False))


def _value(facts: "_Facts", found: dict[str, Any], zone: tzinfo, field: str) -> Value:
    if field.startswith("!"):
        return values.value_of(found.get(field[1:]))
    return facts.value(field, zone)


def _group(rule: Rule, facts: "_Facts") -> tuple[str, ...]:
    """A series is one archive whatever folders it lies in, unless the rule says `group_by: dir`."""
    return tuple(facts.text(field) for field in (*rule.dicom_group_by, *rule.group_by))


def _path_group(rule: Rule, facts: "_Facts") -> tuple[str, ...]:
    return (facts.text("dir"), *(facts.text(field) for field in rule.group_by if field != "dir"))


def _member(rule: Rule, facts: "_Facts") -> str:
    if rule.instance_name is None:
        return ""
    return values.member_name(rule.instance_name.write(lambda field: facts.value(field, UTC)))


class _Facts:
    """What is known of one file, each thing worked out when it is first asked for."""

    __slots__ = ("_texts", "content", "file")

    def __init__(self, file: SourceFile, content: Content) -> None:
        self.file, self.content = file, content
        self._texts: dict[str, tuple[str, ...]] = {}

    def header(self) -> Header | Bad:
        return self.content.header()

    def texts(self, field: str) -> tuple[str, ...]:
        found = self._texts.get(field)
        if found is None:
            found = self._texts[field] = _READ[field](self.file.path) if field in _READ else self._tag(field)
        return found

    def text(self, field: str) -> str:
        if field in SOURCE_FIELDS and field not in _READ:
            number = self.number(field)
            return "" if number is None else f"{number:g}"
        return "\\".join(self.texts(field)[:1] if field == "ext" else self.texts(field))

    def _tag(self, keyword: str) -> tuple[str, ...]:
        header = self.content.header() if self.content.is_dicom() else None
        text = header.get(keyword) if isinstance(header, Header) else ""
        return tuple(part for part in text.split("\\") if part)

    def number(self, field: str) -> float | None:
        if field == "size":
            return self.file.size
        if field == "depth":
            return _depth(self.file.path)
        if field in {"mtime", "ctime"}:
            nanoseconds = self.file.mtime_ns if field == "mtime" else self.file.ctime_ns
            return None if nanoseconds is None else nanoseconds / 1e9
        try:
            return float(self.texts(field)[0])
        except (IndexError, ValueError):
            return None

    def when(self, field: str, zone: tzinfo) -> datetime | None:
        seconds = self.number(field)
        try:
            return None if seconds is None else datetime.fromtimestamp(seconds, zone)
        except (ValueError, OverflowError, OSError):
            return None

    def value(self, field: str, zone: tzinfo) -> Value:
        """For templates: a number where it is one, so that `{SeriesNumber:03d}` works; a time for mtime and ctime."""
        if field in {"mtime", "ctime"}:
            return self.when(field, zone)
        if field in {"size", "depth"}:
            return int(self.number(field) or 0)
        text = self.text(field)
        if field not in SOURCE_FIELDS and representation(field) in {"DA", "DT", "TM"}:
            return values.dated(text, representation(field))
        return text


def _extensions(path: str) -> tuple[str, ...]:
    """`nii.gz` and `gz`: either may be asked for."""
    base = names.base_name(path)
    whole = split_extension(base)[1].removeprefix(".")
    last = base.rpartition(".")[2] if whole else ""
    return tuple(dict.fromkeys(one for one in (whole, last) if one)) or ("",)


def _depth(path: str) -> int:
    """1 for a file at the root; a member's place inside its archive counts like folders."""
    return path.replace("::", "/").count("/") + 1


_READ: dict[str, Callable[[str], tuple[str, ...]]] = {
    "path": lambda path: (path,),
    "name": lambda path: (names.base_name(path),),
    "dir": lambda path: (names.folder_of(path),),
    "ext": _extensions,
}
