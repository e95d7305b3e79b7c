"""What each action would do about a conflict, as a path: the words on the buttons of the review page.

A forecast from what stands now; the engine checks again when it acts. Few queries for a whole page of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from hierarchy.models import Acquisition, File, Session, Subject
from importer.core.labels import clean_label
from importer.core.manifest import from_lines
from importer.core.methods import FITS, NEEDS_TARGET, WORDS, Action, suggested
from importer.core.names import parts_of
from importer.core.states import ConflictType, Level, PlacementKind
from importer.core.suffixes import free_name, suffixed_label, suffixed_name
from importer.models import Conflict, Placement
from importer.review_words import ACTION, KEY

MODELS = {Level.SUBJECT: Subject, Level.SESSION: Session, Level.ACQUISITION: Acquisition}
PARENT = {Level.SUBJECT: "project_id", Level.SESSION: "subject_id", Level.ACQUISITION: "session_id"}
LEVELS = (Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
PARENTS = ("project_id", "subject_id", "session_id", "acquisition_id")
# Suffixes that are looked up; a tenth copy is named without looking.
TRIED = 9
# Candidates that get a button of their own in a list.
TARGETS = 3
SKIPPED = "nothing lands; the held bytes go after 30 days"
CHECKED = "checked again; lands if nothing is in the way any more"
ENDS: Mapping[str, str] = {Action.REJECT: SKIPPED, Action.RETRY: CHECKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One button. `path` says what it would do; `why` is set where it is suggested."""

    action: Action
    path: str
    target: int | None = None
    why: str = ""
    chooses: bool = False

    @property
    def label(self) -> str:
        return ACTION[self.action]

    @property
    def key(self) -> str:
        return KEY[self.action]

    @property
    def word(self) -> str:
        return WORDS[self.action].value


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands where the conflicts of a page want to go."""

    files: Mapping[int, File] = field(default_factory=dict)
    names: frozenset[tuple[str, int, str]] = frozenset()
    parents: Mapping[tuple[str, int], int] = field(default_factory=dict)
    labels: frozenset[tuple[str, int, str]] = frozenset()


def around(conflicts: Sequence[Conflict]) -> Surroundings:
    """Eight queries at most, whatever the number of conflicts."""
    ids: dict[str, set[int]] = {}
    for conflict in conflicts:
        for candidate in conflict.candidates:
            if candidate.get("id") is not None:
                ids.setdefault(candidate["level"], set()).add(candidate["id"])
    files = File.objects.in_bulk(ids.get(Level.FILE, set()))
    parents, labels = _containers(conflicts, ids)
    return Surroundings(files, _names(conflicts, list(files.values())), parents, labels)


def _names(conflicts: Sequence[Conflict], files: Sequence[File]) -> frozenset[tuple[str, int, str]]:
    asked = {
        suffixed_name(c.placement.file_name, n) for c in conflicts if c.level == Level.FILE for n in range(1, TRIED + 1)
    }
    above = Q()
    for parent in PARENTS:
        above |= Q(**{f"{parent}__in": {getattr(file, parent) for file in files} - {None}})
    if not files or not asked:
        return frozenset()
    rows = File.objects.filter(above, name__in=asked).values_list("name", *PARENTS)
    return frozenset(
        (parent, pk, name) for name, *found in rows for parent, pk in zip(PARENTS, found, strict=True) if pk is not None
    )


def _containers(
    conflicts: Sequence[Conflict], ids: Mapping[str, set[int]]
) -> tuple[dict[tuple[str, int], int], frozenset[tuple[str, int, str]]]:
    parents: dict[tuple[str, int], int] = {}
    labels: set[tuple[str, int, str]] = set()
    for level in LEVELS:
        if not ids.get(level):
            continue
        rows: Any = MODELS[level]._default_manager
        above = dict(rows.filter(pk__in=ids[level]).values_list("pk", PARENT[level]))
        parents |= {(level, pk): parent for pk, parent in above.items()}
        asked = {
            suffixed_label(label_at(c.placement, level), n)
            for c in conflicts
            if c.level == level
            for n in range(1, TRIED + 1)
        }
        taken = rows.filter(**{f"{PARENT[level]}__in": set(above.values())}, label__in=asked)
        labels |= {(level, parent, label) for parent, label in taken.values_list(PARENT[level], "label")}
    return parents, frozenset(labels)


def label_at(placement: Placement, level: Level) -> str:
    found: str = getattr(placement, f"{level}_label")
    return found


def offers(conflict: Conflict, standing: Surroundings, *, lacking: int | None = None) -> list[Offer]:
    """In the order of the contract's table; what does not fit is left out."""
    hint = suggested(conflict.type, kind=conflict.placement.kind, lacking=lacking)
    found: list[Offer] = []
    for action in FITS[conflict.type]:
        if action == Action.MERGE and conflict.placement.kind != PlacementKind.SERIES:
            continue
        why = hint[1] if hint and hint[0] == action else ""
        if action == Action.REPLACE and conflict.type in NEEDS_TARGET:
            found += _choices(conflict, why)
        else:
            found.append(
                Offer(
                    action=action,
                    path=_path(action, conflict, standing, lacking),
                    why=why,
                    chooses=action == Action.ASSIGN,
                )
            )
    return found


def _choices(conflict: Conflict, why: str) -> list[Offer]:
    """One button per container that it might mean."""
    known = [candidate for candidate in conflict.candidates if candidate.get("id") is not None]
    return [
        Offer(action=Action.REPLACE, path=_inside(conflict, candidate["path"]), target=candidate["id"], why=why)
        for candidate in known[:TARGETS]
    ]


def _path(action: Action, conflict: Conflict, standing: Surroundings, lacking: int | None) -> str:
    if action in ENDS:
        return ENDS[action]
    if action == Action.ASSIGN:
        return f"{'/'.join(assigned(conflict, '…'))}/…"
    if action == Action.RENAME:
        return _renamed(conflict, standing)
    if action == Action.ALLOW:
        return f"{_incoming(conflict)}, a further {conflict.level} with the same UID"
    if conflict.level == Level.FILE:
        return _version(action, conflict, standing, lacking)
    return _inside(conflict, next((c["path"] for c in conflict.candidates), conflict.container))


def _version(action: Action, conflict: Conflict, standing: Surroundings, lacking: int | None) -> str:
    candidate: dict[str, Any] = next(iter(conflict.candidates), {})
    file = standing.files.get(candidate.get("id") or 0)
    number = f"version {file.version + 1}" if file else "a new version"
    said = f"{candidate.get('path') or conflict.upload_path} as {number}"
    if action == Action.MERGE:
        return (
            f"{said}, with {lacking} more image{'s' if lacking > 1 else ''}"
            if lacking
            else f"{said}, all that is new added"
        )
    if conflict.type == ConflictType.INSTANCE_UID:
        return f"{said}, with this instance in place of the other"
    return said


def _inside(conflict: Conflict, container: str) -> str:
    return "/".join(part for part in (container, *below(conflict)) if part)


def _incoming(conflict: Conflict) -> str:
    labels = [label_at(conflict.placement, level) for level in _down_to(conflict)]
    return "/".join(part for part in (*labels, *below(conflict)) if part)


def _down_to(conflict: Conflict) -> tuple[Level, ...]:
    depth = {Level.SUBJECT: 1, Level.SESSION: 2}.get(Level(conflict.level), 3)
    return LEVELS[:depth]


def below(conflict: Conflict) -> list[str]:
    """One row may hold many files below the container that clashes; of a single one it is the way to it."""
    return ["…"] if conflict.level in {Level.SUBJECT, Level.SESSION} else [conflict.placement.file_name]


def _renamed(conflict: Conflict, standing: Surroundings) -> str:
    placement = conflict.placement
    candidate: dict[str, Any] = next(iter(conflict.candidates), {})
    if conflict.level == Level.FILE:
        file = standing.files.get(candidate.get("id") or 0)
        above = {(parent, getattr(file, parent)) for parent in PARENTS} if file else set()
        name = free_name(
            placement.file_name, lambda n: any((*at, n) in standing.names for at in above), suffix=suffixed_name
        )
        return "/".join(part for part in (conflict.upload_path.rpartition("/")[0], name) if part)
    level = Level(conflict.level)
    parent = standing.parents.get((level, candidate.get("id") or 0), 0)
    label = free_name(
        label_at(placement, level), lambda n: (level, parent, n) in standing.labels, suffix=suffixed_label
    )
    above_labels = [label_at(placement, at) for at in _down_to(conflict)[:-1]]
    return "/".join(part for part in (*above_labels, label, *below(conflict)) if part)


def assigned(conflict: Conflict, word: str) -> list[str]:
    """Labels from the top, with a word for those that nobody gave."""
    return [label_at(conflict.placement, level) or word for level in _wanted(conflict)]


def title(conflict: Conflict) -> str:
    """What a row is called: the container that clashes; where nobody gave its label, the delivery."""
    if conflict.type == ConflictType.LABEL_MISSING:
        return f"No {conflict.level} label: {conflict.job.label}"
    return conflict.container or conflict.upload_path or f"Conflict {conflict.pk}"


def missing_levels(conflict: Conflict) -> list[Level]:
    """Levels that need a label before anything can land; of a series that disagrees, all may be given."""
    wanted = _wanted(conflict)
    missing = [level for level in wanted if not label_at(conflict.placement, level)]
    return missing or list(wanted)


def _wanted(conflict: Conflict) -> tuple[Level, ...]:
    """Down to the level that it goes to."""
    return LEVELS[: {Level.SUBJECT: 1, Level.SESSION: 2}.get(Level(conflict.placement.level or Level.ACQUISITION), 3)]


def label_suggestions(conflict: Conflict) -> list[str]:
    """What the engine suggests, else the delivery's name and the folders of the first source file."""
    known = [str(c["suggestion"]) for c in conflict.candidates if c.get("suggestion")]
    if known:
        return known
    first = conflict.placement.items.order_by("seq").values_list("path", flat=True).first() or ""
    names = [*parts_of(first)[:-1], conflict.job.label]
    return list(dict.fromkeys(clean for clean in map(clean_label, names) if clean))


def lacking_instances(conflict: Conflict, stored: bytes | memoryview | None) -> int | None:
    """Instances that wait and that the stored archive does not have; None where there is nothing to compare."""
    if stored is None or conflict.placement.kind != PlacementKind.SERIES:
        return None
    have = {member.name for member in from_lines(stored)}
    return sum(1 for member in from_lines(conflict.manifest) if member.name not in have)
