"""Two sides of a conflict: what stands there, and what wants to come in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, QuerySet, Sum

from hierarchy.decode.why import NoPicture
from hierarchy.models import Acquisition, File, FileVersion, Manifest, Session, Subject
from hierarchy.pictures import HeaderRow, Slices, slice_header, slices
from hierarchy.selectors import Actor, visible_projects
from importer.core.manifest import from_lines
from importer.core.states import Level
from importer.held_pictures import held_header, held_slices
from importer.models import Conflict
from importer.review_offers import MODELS, lacking_instances

WITHIN: dict[str, str] = {
    Level.SUBJECT: "acquisition__session__subject",
    Level.SESSION: "acquisition__session",
    Level.ACQUISITION: "acquisition",
}
Container = Subject | Session | Acquisition
# Slices up to which two series are linked instance by instance.
ALIGNED = 3000


@dataclass(frozen=True, slots=True)
class Difference:
    """One element on both sides; None where a side does not have it."""

    row: HeaderRow
    left: str | None
    right: str | None

    @property
    def differs(self) -> bool:
        return self.left != self.right


@dataclass(frozen=True, slots=True)
class Instances:
    """How the members of two archives relate, by instance and content."""

    same: int
    changed: int
    only_left: int
    only_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A container or file that the conflict names: a card. `what` is None where it is gone, or out of sight."""

    id: int | None
    level: str
    path: str
    uid: str
    what: Container | File | None = None
    version: FileVersion | None = None
    files: int = 0
    bytes: int = 0


def matches(actor: Actor, conflict: Conflict) -> list[Match]:
    """Every candidate as it stands now; a suggestion is none."""
    named = [candidate for candidate in conflict.candidates if "path" in candidate]
    return [_match(actor, conflict, candidate) for candidate in named[:20]]


def _match(actor: Actor, conflict: Conflict, said: dict[str, Any]) -> Match:
    level, known = said["level"], {"id": said.get("id"), "path": said["path"], "uid": said.get("uid", "")}
    if level == Level.FILE:
        file = _file(actor, conflict, said.get("id"))
        version = file.versions.filter(number=file.version).first() if file else None
        return Match(level=level, **known, what=file, version=version)
    seen = {f"{_project_of(level)}__in": visible_projects(actor).order_by().values("pk")}
    rows: QuerySet[Any] = MODELS[level]._default_manager.all()
    what = rows.filter(pk=known["id"], **seen).first()
    inside = FileVersion.objects.filter(number=F("file__version"), **{f"file__{WITHIN[level]}": known["id"]})
    sums = inside.aggregate(files=Count("pk"), bytes=Sum("size", default=0)) if what else {}
    version = representative(conflict, level, known["id"]) if what else None
    return Match(level=level, **known, what=what, version=version, **sums)


def _project_of(level: str) -> str:
    return {Level.SUBJECT: "project", Level.SESSION: "subject__project"}.get(Level(level), "session__subject__project")


def _file(actor: Actor, conflict: Conflict, pk: int | None) -> File | None:
    """By its number, else (it came with the same delivery) by its place."""
    from hierarchy.page_queries import files

    if pk is not None:
        return files(actor).filter(pk=pk).first()
    placement = conflict.placement
    standing = files(actor).filter(
        name=placement.file_name,
        acquisition__label=placement.acquisition_label,
        acquisition__session__label=placement.session_label,
        acquisition__session__subject__label=placement.subject_label,
        acquisition__session__subject__project=conflict.project_id,
    )
    return standing.first()


def representative(conflict: Conflict, level: str, container: int | None) -> FileVersion | None:
    """The file of an existing container to put beside the incoming one: of the same series, else of its label."""
    placement = conflict.placement
    inside = FileVersion.objects.filter(number=F("file__version"), **{f"file__{WITHIN[level]}": container})
    dicom = inside.filter(file__type="dicom").order_by("file__acquisition__label", "file__name")
    series = dicom.filter(file__acquisition__uid=placement.acquisition_uid) if placement.acquisition_uid else None
    same = series.first() if series is not None else None
    return same or dicom.filter(file__acquisition__label=placement.acquisition_label).first() or dicom.first()


@dataclass(frozen=True, slots=True)
class Side:
    """Pictures of one side. `why` says in words why there are none."""

    total: int = 0
    why: str = ""
    rows: Sequence[HeaderRow] = ()
    slices: Slices | None = None


def existing_side(version: FileVersion | None) -> Side:
    if version is None:
        return Side(why="nothing to show")
    return _side(lambda: slices(version), lambda at: slice_header(version, index=at), None)


def incoming_side(conflict: Conflict, *, beside: Side) -> Side:
    """The header is that of the instance whose header the other side shows, if it is there; else of the middle one."""
    return _side(lambda: held_slices(conflict), lambda at: held_header(conflict, index=at), beside.slices)


def _side(
    ordered: Callable[[], Slices], header: Callable[[int | None], list[HeaderRow]], beside: Slices | None
) -> Side:
    found, why = None, ""
    try:
        found = ordered()
    except NoPicture as without:
        why = str(without.why)
    try:
        # Of one instance whatever slice is looked at: neighbours differ in their positions, which says nothing.
        rows = header(_same(found, beside) if found and beside else None)
    except NoPicture as without:
        rows, why = [], why or str(without.why)
    return Side(len(found) if found else 0, why, rows, found)


def _same(found: Slices, beside: Slices) -> int | None:
    """Where the instance in the middle of the other side is on this one."""
    return places(found).get(beside.at(beside.middle))


def places(found: Slices) -> dict[tuple[str, int], int]:
    """(Member, frame) → slice. Nothing for long series: they scroll by number."""
    return {found.at(index): index for index in range(len(found))} if len(found) <= ALIGNED else {}


def start(left: Side, right: Side) -> int:
    """Where to begin to look: at the instance in the middle of the shorter side, if the longer one has it."""
    leading, following = (right, left) if right.total >= left.total else (left, right)
    middle = leading.total // 2
    if leading.slices is None or following.slices is None:
        return middle
    found = places(leading.slices).get(following.slices.at(following.slices.middle))
    return middle if found is None else found


def aligned(leading: Side, following: Side) -> list[int]:
    """For each slice of the side with more of them, the other's slice of the same instance, else of that number."""
    if leading.slices is None or following.slices is None:
        return []
    known = places(following.slices)
    if leading.total > ALIGNED or not known:
        return [min(index, following.total - 1) for index in range(min(leading.total, ALIGNED))]
    return [known.get(leading.slices.at(index), min(index, following.total - 1)) for index in range(leading.total)]


def differences(left: Sequence[HeaderRow], right: Sequence[HeaderRow]) -> list[Difference]:
    """Elements of both, in the order of their tags, those that differ first; nested ones by their way down."""
    a, b = dict(_keyed(left)), dict(_keyed(right))
    found = [Difference(a.get(key) or b[key], _value(a.get(key)), _value(b.get(key))) for key in sorted({**a, **b})]
    return [one for one in found if one.differs] + [one for one in found if not one.differs]


def _value(row: HeaderRow | None) -> str | None:
    return None if row is None else row.value


def _keyed(rows: Sequence[HeaderRow]) -> Iterator[tuple[tuple[str, ...], HeaderRow]]:
    """Each under its way down; the n-th of one tag within its sequence is the n-th of the other side."""
    way: list[str] = []
    times: dict[tuple[str, ...], int] = {}
    for row in rows:
        del way[row.depth :]
        plain = (*way, row.tag)
        times[plain] = times.get(plain, 0) + 1
        step = f"{row.tag} {times[plain]:06}"
        yield (*way, step), row
        way.append(step)


def instances(conflict: Conflict, version: FileVersion | None) -> Instances | None:
    """None where one side is no archive, or where nobody has read what both have: a reference may wait for that."""
    lines = Manifest.objects.filter(version=version).values_list("lines", flat=True).first() if version else None
    if lines is None or not conflict.manifest:
        return None
    left = {member.name: member.sha256 for member in from_lines(lines)}
    right = {member.name: member.sha256 for member in from_lines(conflict.manifest)}
    both = left.keys() & right.keys()
    if not all(left[name] and right[name] for name in both):
        return None
    same = sum(left[name] == right[name] for name in both)
    return Instances(same, len(both) - same, len(left) - len(both), len(right) - len(both))


def lacking(conflict: Conflict, version: FileVersion | None) -> int | None:
    lines = Manifest.objects.filter(version=version).values_list("lines", flat=True).first() if version else None
    return lacking_instances(conflict, lines)
