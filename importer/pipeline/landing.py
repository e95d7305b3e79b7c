"""Landing is judged by the database: one short transaction, fenced by the lease, under the scope's lock.

The plan was a forecast. Here the set-wise match is repeated, what is missing is made, and what lost against another
job goes back: equal content is skipped, anything else becomes a conflict and its bytes go to quarantine next.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hierarchy.models import File, FileVersion, Manifest
from hierarchy.models.files import current_version
from importer.core import manifest
from importer.core.filetypes import file_type
from importer.core.labels import split_extension
from importer.core.methods import NO_ORDER, Order
from importer.core.names import folder_of
from importer.core.states import DICOM_KINDS, PACKED_KINDS, ConflictType, Level, Outcome, Upsert
from importer.core.suffixes import free_name, suffixed_name
from importer.core.tree import AliasKey, Clash, Gone, Node, Tree, alias_key
from importer.models import ImportJob, Placement, bulk
from importer.pipeline.containers import load, new_tree, target_of
from importer.pipeline.decide import EXISTS, path_of
from importer.pipeline.in_place import where_it_lies
from importer.pipeline.makes import make, what_lacks
from importer.pipeline.packing import Packed
from importer.pipeline.place import SENTENCES
from importer.pipeline.warnings import warn

NO_ORDERS: Mapping[int, Order] = {}
COLUMNS = [
    "subject_label", "session_label", "acquisition_label", "file_name",
    "outcome", "reason", "conflict_level", "conflict_type", "candidates", "upserts",
    "subject_id", "session_id", "acquisition_id", "file_id", "version", "version_id", "transfer", "transfer_reason",
]  # fmt: skip


# Of a file's columns, those that rules may fill in.
_SAID = ("type", "modality", "classification", "info", "tags")
GONE = "The container that was chosen is not there any more: look again and decide anew"
GONE_FILE = "The file that was to be updated is not there any more: retry, or keep the incoming one"
MOVED_ON = "The file has changed since this was decided: look again and decide anew"


@dataclass(slots=True)
class Landed:
    """`unwanted` are published bytes that no row speaks of; `losers` conflict (still, or since the plan);
    `refused` are decisions that cannot be carried out; `learned` is what the carried out ones teach."""

    unwanted: list[Packed] = field(default_factory=list)
    losers: list[Placement] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    learned: list[tuple[AliasKey, Node, int]] = field(default_factory=list)
    nodes: dict[int, Node] = field(default_factory=dict)

    def refuse(self, one: Packed, reason: str) -> None:
        self.unwanted.append(one)
        self.refused[one.placement.pk] = reason


def land(job: ImportJob, packed: Sequence[Packed], *, now: datetime, orders: Mapping[int, Order] = NO_ORDERS) -> Landed:
    """Inside the transaction that holds the scope's lock and ends the chunk. `orders`: Placement → what was decided."""
    landed = Landed()
    arrived = _resolved(job, packed, landed, orders)
    going = [(one.placement, node) for one, node in arrived]
    make(going)
    warn(job, going, now=now)
    _settle_upserts(arrived, landed)
    arrived = _without_standing(arrived, landed, orders)
    _write_files(job, arrived, now=now)
    bulk.update(Placement, COLUMNS, [_row(one.placement) for one in packed if one.placement.pk not in landed.refused])
    return landed


def _resolved(
    job: ImportJob, packed: Sequence[Packed], landed: Landed, orders: Mapping[int, Order]
) -> list[tuple[Packed, Node]]:
    tree = new_tree(job.project, scope=job.uid_scope)
    targets = [target_of(one.placement).assigned(orders.get(one.placement.pk, NO_ORDER)) for one in packed]
    load(tree, job.project, targets, scope=job.uid_scope, orders=list(orders.values()))
    arrived = []
    for one, target in zip(packed, targets, strict=True):
        order = orders.get(one.placement.pk, NO_ORDER)
        try:
            found = tree.resolve(target, order)
        except Gone:
            landed.refuse(one, GONE)
            continue
        if isinstance(found, Clash):
            lose(one, landed, found.level, found.type, [node.as_candidate() for node in found.candidates])
            continue
        _learn(tree, one.placement, found, order, landed)
        arrived.append((one, found))
    return arrived


def _learn(tree: Tree, placement: Placement, node: Node, order: Order, landed: Landed) -> None:
    """A decision about a container is remembered under what came in, at once for the others of this slice."""
    levels = {order.apart, order.renamed, *(level for level, _ in order.pins), *(level for level, _ in order.labels)}
    for at in node.upwards():
        if at.level in levels:
            key = alias_key(target_of(placement), at.level, getattr(placement, f"{at.level}_label"))
            if key.uid and key not in tree.aliases:
                tree.aliases[key] = at
                landed.learned.append((key, at, placement.pk))


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


def _settle_upserts(arrived: Sequence[tuple[Packed, Node]], landed: Landed) -> None:
    """The first Placement that uses a new or changed container says so, the others found it there. Labels become
    those of where it really went: a decision may have sent it elsewhere."""
    told: set[Node] = set()
    for one, node in arrived:
        landed.nodes[one.placement.pk] = node
        upserts: dict[str, str] = {}
        for at in node.upwards():
            upserts[at.level] = Upsert.SKIP if at in told else at.upsert
            setattr(one.placement, f"{at.level}_id", at.id)
            setattr(one.placement, f"{at.level}_label", at.label)
            told.add(at)
        one.placement.upserts = upserts


def _without_standing(
    arrived: Sequence[tuple[Packed, Node]], landed: Landed, orders: Mapping[int, Order]
) -> list[tuple[Packed, Node]]:
    """A file that landed there since the plan stays as it is, unless a decision is about just this version."""
    standing = _standing(arrived)
    free = []
    for one, node in arrived:
        order = orders.get(one.placement.pk, NO_ORDER)
        there = standing.get((node.level, node.id, one.placement.file_name))
        if there is not None and not there.same_as(one) and order.renamed == Level.FILE:
            one.placement.file_name = _free_name(one.placement.file_name, node, standing)
            there = None
        if there is None and (order.replace or order.merge) and one.base is not None:
            landed.refuse(one, GONE_FILE)
        elif there is None:
            standing[node.level, node.id, one.placement.file_name] = Standing(None, 1, one.digest, one.stamp, one.id)
            free.append((one, node))
        elif _takes_over(one, there, landed, order):
            free.append((one, node))
    return free


def _free_name(name: str, node: Node, standing: Mapping[Any, Any]) -> str:
    stem = split_extension(name)[0]
    taken = set(
        File.objects.filter(**{f"{node.level}_id": node.id}, name__startswith=stem).values_list("name", flat=True)
    )
    return free_name(
        name, lambda tried: tried in taken or (node.level, node.id, tried) in standing, suffix=suffixed_name
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """The file that has the name: its newest version's number, digest, stamp and id."""

    file: int | None
    number: int
    digest: str
    stamp: str
    version: uuid.UUID

    def same_as(self, one: Packed) -> bool:
        """By what was read of both, else by what was listed of both."""
        return (self.digest != "" and self.digest == one.digest) or (self.stamp != "" and self.stamp == one.stamp)


def _takes_over(one: Packed, there: Standing, landed: Landed, order: Order) -> bool:
    """Whether the incoming one becomes a new version; else it is told why not."""
    placement = one.placement
    placement.file_id, placement.version, placement.version_id = there.file, there.number, there.version
    if there.same_as(one):
        placement.outcome, placement.reason = Outcome.SKIPPED, EXISTS
        landed.unwanted.append(one)
        return False
    if not (order.replace or order.merge):
        candidate = {"level": Level.FILE, "id": placement.file_id, "uid": "", "path": path_of(placement)}
        lose(one, landed, Level.FILE, ConflictType.FILE_NAME, [candidate])
        return False
    if one.base != (there.file, there.number):
        landed.refuse(one, MOVED_ON)
        return False
    return True


def _standing(arrived: Sequence[tuple[Packed, Node]]) -> dict[Any, Standing]:
    found: dict[Any, Standing] = {}
    for level in {node.level for _, node in arrived}:
        here = [(one, node) for one, node in arrived if node.level == level]
        files = File.objects.filter(
            **{f"{level}__in": {node.id for _, node in here}}, name__in={one.placement.file_name for one, _ in here}
        )
        newest = FileVersion.objects.filter(current_version(), file__in=files)
        rows = newest.values_list("file_id", f"file__{level}", "file__name", "number", "digest", "stamp", "id")
        found |= {(level, at, name): Standing(pk, *said) for pk, at, name, *said in rows}
    return found


def _write_files(job: ImportJob, arrived: Sequence[tuple[Packed, Node]], *, now: datetime) -> None:
    new = [(one, _file(one.placement, node)) for one, node in arrived if one.base is None]
    File.objects.bulk_create(file for _, file in new)
    grown = File.objects.in_bulk([one.base[0] for one, _ in arrived if one.base is not None])
    rows = [*new, *((one, _next(grown[one.base[0]], one)) for one, _ in arrived if one.base is not None)]
    File.objects.bulk_update(grown.values(), ["version", *_SAID])
    FileVersion.objects.bulk_create(_version(job, one, file, now=now) for one, file in rows)
    Manifest.objects.bulk_create(
        Manifest(version_id=one.id, lines=manifest.to_lines(one.members))
        for one, _ in rows
        if one.placement.kind in PACKED_KINDS
    )
    for one, file in rows:
        placement = one.placement
        placement.outcome, placement.reason = Outcome.IMPORTED, ""
        placement.file_id, placement.version, placement.version_id = file.pk, file.version, one.id
        upsert = Upsert.CREATE if one.base is None else Upsert.UPDATE
        placement.upserts = {**placement.upserts, "file": upsert}


def _next(file: File, one: Packed) -> File:
    """Under the scope's lock, and the base was compared: nobody else adds a version now."""
    file.version += 1
    for name, value in what_lacks(file, one.placement.said.get("file", {})).items():
        setattr(file, name, value)
    return file


def _file(placement: Placement, node: Node) -> File:
    """What a rule says about it holds; else it is what its header, or its name's ending, says."""
    dicom = placement.kind in DICOM_KINDS
    known = {
        "type": "dicom" if dicom else file_type(placement.file_name),
        "modality": placement.said.get("modality", ""),
    }
    return File(
        **{f"{node.level}_id": node.id}, name=placement.file_name, **{**known, **placement.said.get("file", {})}
    )


def _version(job: ImportJob, one: Packed, file: File, *, now: datetime) -> FileVersion:
    sources = {folder_of(member.source) for member in one.members}
    whole = one.placement.kind not in PACKED_KINDS
    return FileVersion(
        id=one.id,
        file=file,
        number=file.version,
        size=one.size,
        digest=one.digest,
        digest_of=one.digest_of,
        members=len(one.members),
        import_id=job.pk,
        source_path=one.members[0].source if whole else min(sources),
        created_at=now,
        **(where_it_lies(one) if one.storage is not None else {"path": one.path}),
    )


def _row(placement: Placement) -> tuple[Any, ...]:
    return (placement.pk, *(getattr(placement, column) for column in COLUMNS))
