"""What the rules make of one source file: the row that its Placement begins as."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Self
from zoneinfo import ZoneInfo

from hierarchy.models import Project
from importer.core.facts import facts
from importer.core.labels import clean_file_name
from importer.core.localizer import KEYWORDS, Geometry, geometry_of
from importer.core.names import base_name
from importer.core.records import Bad, Entry, Mapped
from importer.core.rules.model import Content, RuleSet, SourceFile, Taken, Way
from importer.core.rules.placing import place
from importer.core.states import Level, MissingMeta, Outcome, PlacementKind
from importer.models import ImportJob, Placement
from importer.pipeline.content import NoContent, SourceContent
from importer.pipeline.groups import GROUPED
from importer.pipeline.rules import rules_of
from importer.pipeline.sources import Source

OTHER_PROJECT = Bad(Outcome.SKIPPED, "Other project: the rule gives another group or project than this import's")
Labels = tuple[str, str, str, str, str]
NOWHERE: Labels = ("", "", "", "", "")
_NOTHING = Mapped()


@dataclass(frozen=True, slots=True)
class Found:
    """One source file, read. Without `bad` it belongs to the Placement of `key`, whose columns are here as far as one
    file can tell them. `mapped` is what it contributes where others may say something, too.

    `labels`: subject label, session label and UID, acquisition label and UID.
    """

    seq: int
    entry: Entry
    bad: Bad | None = None
    kind: PlacementKind = PlacementKind.FILE
    key: str = ""
    mapped: Mapped | None = None
    sop_uid: str = ""
    member: str = ""
    rule: int = 1
    level: str = ""
    labels: Labels = NOWHERE
    file_name: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    # Only of a series whose localizer is to be split off.
    geometry: Geometry | None = None
    # Of what an earlier import took: the Placement, settled.
    known: Placement | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job asks of every file."""

    rules: RuleSet
    zone: ZoneInfo
    project: Project
    missing_meta: str

    keywords: frozenset[str]

    @classmethod
    def of(cls, job: ImportJob) -> Self:
        rules = rules_of(job)
        splits = any(rule.is_dicom and rule.split_localizer for rule in rules.rules)
        keywords = rules.keywords | KEYWORDS if splits else rules.keywords
        return cls(rules, ZoneInfo(job.zone), job.project, job.missing_meta, keywords)


def found_of(source: Source, seq: int, entry: Entry, asked: Asked) -> Found:
    """Raises SourceAway. The file is opened only where its name does not tell enough."""
    with SourceContent(source, entry, keywords=asked.keywords) as content:
        try:
            return found_by(content, seq, entry, asked, is_archive=content.is_archive)
        except NoContent as error:
            return Found(seq, entry, error.bad)


def found_by(content: Content, seq: int, entry: Entry, asked: Asked, *, is_archive: bool = False) -> Found:
    """Raises what the content raises."""
    taken = place(asked.rules, _source(entry), content, zone=asked.zone)
    if isinstance(taken, Bad):
        return Found(seq, entry, taken)
    if _elsewhere(taken.mapped.extra, asked.project):
        return Found(seq, entry, OTHER_PROJECT)
    begun = Found(seq, entry, rule=taken.rule.number, level=taken.rule.level, file_name=_name(taken, entry))
    if taken.way is Way.HEADER:
        return _by_header(begun, taken, is_archive=is_archive)
    return _by_path(begun, taken, asked) if taken.way is Way.PATH else _beside(begun, taken)


def _source(entry: Entry) -> SourceFile:
    return SourceFile(path=entry.path, size=entry.size, mtime_ns=entry.mtime_ns, ctime_ns=entry.ctime_ns or None)


def _name(taken: Taken, entry: Entry) -> str:
    return clean_file_name(taken.file_name or base_name(entry.path))


def _elsewhere(extra: dict[str, Any], project: Project) -> bool:
    """A rule may say where it thinks that it is; an import fills one project."""
    known = {
        "group._id": (project.group.name,),
        "group.label": (project.group.label, project.group.name),
        "project.label": (project.label,),
    }
    return any(name in extra and extra[name] not in here for name, here in known.items())


def _by_header(begun: Found, taken: Taken, *, is_archive: bool) -> Found:
    """Its labels are settled with those of its series; until then they are what it says itself."""
    mapped, header = taken.mapped, taken.header
    sop_uid = header.get("SOPInstanceUID") if header else ""
    own = (mapped.subject_label, "", mapped.session_uid, "", mapped.acquisition_uid)
    begun = replace(begun, mapped=mapped, labels=own)
    if is_archive:
        return replace(begun, kind=PlacementKind.ARCHIVE, key=_key("path", begun.entry.path))
    if not taken.group:
        return replace(begun, kind=PlacementKind.INSTANCE, key=_key("path", begun.entry.path), sop_uid=sop_uid)
    group = _key("group", str(taken.rule.number), *taken.group)
    return replace(
        begun,
        kind=PlacementKind.SERIES,
        key=_key("series", mapped.subject_label, group),
        sop_uid=sop_uid,
        member=taken.member,
        file_name="",
        said={GROUPED: group},
        geometry=geometry_of(header) if header and taken.rule.split_localizer else None,
    )


def _by_path(begun: Found, taken: Taken, asked: Asked) -> Found:
    """All is known at once: a path says the same however many files there are."""
    missing = taken.missing
    if missing is not None:
        failed = asked.missing_meta == MissingMeta.FAIL
        outcome = Outcome.FAILED if failed else Outcome.SKIPPED
        return Found(begun.seq, begun.entry, Bad(outcome, f"Missing label: {missing}"))
    labels = _labels(taken)
    if not taken.group:
        key, said = _key("path", begun.entry.path), facts(taken.mapped)
        return replace(begun, kind=PlacementKind.PLACED, key=key, labels=labels, said=said)
    key = _key("files", str(taken.rule.number), *labels, *taken.group)
    member = clean_file_name(taken.member) if taken.member else begun.file_name
    grouped = replace(begun, kind=PlacementKind.GROUP, key=key, labels=labels, member=member)
    return replace(grouped, mapped=taken.mapped, file_name="")


def _labels(taken: Taken) -> Labels:
    """Down to the rule's level: what is below says nothing there."""
    mapped = taken.mapped
    depth = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 3}.get(taken.rule.level, 5)
    session = (mapped.session_label, mapped.session_uid)
    said = (mapped.subject_label, *session, mapped.acquisition_label, mapped.acquisition_uid)
    subject, label, uid, acquisition, series = (*said[:depth], *NOWHERE[depth:])
    return subject, label, uid, acquisition, series


def _beside(begun: Found, taken: Taken) -> Found:
    said = {} if taken.mapped == _NOTHING else {name: value for name, value in facts(taken.mapped).items() if value}
    return replace(begun, kind=PlacementKind.FILE, key=_key("path", begun.entry.path), level="", said=said)


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
