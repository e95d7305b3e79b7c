"""Landing is judged by the database: one short transaction, fenced by the lease, under the scope's lock.

The plan was a forecast. Here the set-wise match is repeated, what is missing is made, and what lost against another
job goes back: equal content is skipped, anything else becomes a conflict and its bytes go to quarantine next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hierarchy.models import File, FileVersion, Manifest
from importer.core import manifest
from importer.core.filetypes import file_type
from importer.core.states import ConflictType, Level, Outcome, PlacementKind, Upsert
from importer.core.tree import Clash, Node
from importer.models import ImportJob, Placement, bulk
from importer.pipeline.containers import load, new_tree, target_of
from importer.pipeline.decide import EXISTS, path_of
from importer.pipeline.makes import make
from importer.pipeline.packing import Packed
from importer.pipeline.place import SENTENCES

COLUMNS = [
    "outcome", "reason", "conflict_level", "conflict_type", "candidates", "upserts",
    "subject_id", "session_id", "acquisition_id", "file_id", "version", "version_id",
]  # fmt: skip


@dataclass(slots=True)
class Landed:
    """`unwanted` are published bytes that no row speaks of; `losers` go to quarantine by a chunk of their own."""

    unwanted: list[Packed] = field(default_factory=list)
    losers: list[Placement] = field(default_factory=list)


def land(job: ImportJob, packed: Sequence[Packed], *, now: datetime) -> Landed:
    """Inside the transaction that holds the scope's lock and ends the chunk."""
    landed = Landed()
    arrived = _resolved(job, packed, landed)
    make([(one.placement, node) for one, node in arrived])
    _settle_upserts(arrived)
    arrived = _without_standing(arrived, landed)
    _write_files(job, arrived, now=now)
    bulk.update(Placement, COLUMNS, [_row(one.placement) for one in packed])
    return landed


def _resolved(job: ImportJob, packed: Sequence[Packed], landed: Landed) -> list[tuple[Packed, Node]]:
    tree = new_tree(job.project, scope=job.uid_scope)
    targets = [target_of(one.placement) for one in packed]
    load(tree, job.project, targets, scope=job.uid_scope)
    arrived = []
    for one, target in zip(packed, targets, strict=True):
        found = tree.resolve(target)
        if isinstance(found, Clash):
            lose(one, landed, found.level, found.type, [node.as_candidate() for node in found.candidates])
        else:
            arrived.append((one, found))
    return arrived


def lose(
    one: Packed,
    landed: Landed,
    level: Level,
    type: ConflictType,  # noqa: A002
    candidates: list[dict[str, Any]],
) -> None:
    placement = one.placement
    placement.outcome, placement.reason = Outcome.CONFLICT, SENTENCES[type].format(level=level)
    placement.conflict_level, placement.conflict_type, placement.candidates = level, type, candidates
    landed.unwanted.append(one)
    landed.losers.append(placement)


def _settle_upserts(arrived: Sequence[tuple[Packed, Node]]) -> None:
    """The first Placement that uses a new or changed container says so, the others found it there."""
    told: set[Node] = set()
    for one, node in arrived:
        upserts: dict[str, str] = {}
        at: Node | None = node
        while at is not None and at.level != Level.PROJECT:
            upserts[at.level] = Upsert.SKIP if at in told else at.upsert
            setattr(one.placement, f"{at.level}_id", at.id)
            told.add(at)
            at = at.parent
        one.placement.upserts = upserts


def _without_standing(arrived: Sequence[tuple[Packed, Node]], landed: Landed) -> list[tuple[Packed, Node]]:
    """A file that landed there since the plan stays as it is."""
    standing = _standing(arrived)
    free = []
    for one, node in arrived:
        key = (node.level, node.id, one.placement.file_name)
        there = standing.get(key)
        if there is None:
            standing[key] = (None, 1, one.digest, one.id)
            free.append((one, node))
            continue
        placement = one.placement
        placement.file_id, placement.version, digest, placement.version_id = there
        if digest == one.digest:
            placement.outcome, placement.reason = Outcome.SKIPPED, EXISTS
            landed.unwanted.append(one)
        else:
            candidate = {"level": Level.FILE, "id": placement.file_id, "uid": "", "path": path_of(placement)}
            lose(one, landed, Level.FILE, ConflictType.FILE_NAME, [candidate])
    return free


def _standing(arrived: Sequence[tuple[Packed, Node]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for level in {node.level for _, node in arrived}:
        here = [(one, node) for one, node in arrived if node.level == level]
        files = File.objects.filter(
            **{f"{level}__in": {node.id for _, node in here}}, name__in={one.placement.file_name for one, _ in here}
        )
        rows = list(files.values_list("id", level, "name", "version"))
        versions = {
            (file, number): (digest, pk)
            for file, number, digest, pk in FileVersion.objects.filter(file__in=[row[0] for row in rows]).values_list(
                "file_id", "number", "digest", "id"
            )
        }
        found |= {(level, at, name): (pk, number, *versions[pk, number]) for pk, at, name, number in rows}
    return found


def _write_files(job: ImportJob, arrived: Sequence[tuple[Packed, Node]], *, now: datetime) -> None:
    files = [_file(one.placement, node) for one, node in arrived]
    File.objects.bulk_create(files)
    FileVersion.objects.bulk_create(
        _version(job, one, file, now=now) for (one, _), file in zip(arrived, files, strict=True)
    )
    Manifest.objects.bulk_create(
        Manifest(version_id=one.id, lines=manifest.to_lines(one.members))
        for one, _ in arrived
        if one.placement.kind == PlacementKind.SERIES
    )
    for (one, _), file in zip(arrived, files, strict=True):
        placement = one.placement
        placement.outcome, placement.reason = Outcome.IMPORTED, ""
        placement.file_id, placement.version, placement.version_id = file.pk, 1, one.id
        placement.upserts = {**placement.upserts, "file": Upsert.CREATE}


def _file(placement: Placement, node: Node) -> File:
    dicom = placement.kind != PlacementKind.FILE
    return File(
        **{f"{node.level}_id": node.id},
        name=placement.file_name,
        type="dicom" if dicom else file_type(placement.file_name),
        modality=placement.said.get("modality", ""),
    )


def _version(job: ImportJob, one: Packed, file: File, *, now: datetime) -> FileVersion:
    sources = {member.source.rpartition("/")[0] for member in one.members}
    whole = one.placement.kind != PlacementKind.SERIES
    return FileVersion(
        id=one.id,
        file=file,
        number=1,
        size=one.staged.size if one.staged else 0,
        digest=one.digest,
        digest_of=one.digest_of,
        members=len(one.members),
        path=one.path,
        import_id=job.pk,
        source_path=one.members[0].source if whole else min(sources),
        created_at=now,
    )


def _row(placement: Placement) -> tuple[Any, ...]:
    return (placement.pk, *(getattr(placement, column) for column in COLUMNS))
