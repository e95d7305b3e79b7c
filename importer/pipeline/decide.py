"""PLAN, last part: with COMPARE's answers every Placement gets its outcome."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from hierarchy.models import FileVersion
from importer.core.states import ConflictType, Level, Outcome, Work
from importer.models import Chunk, ImportJob, Item, Placement, bulk
from importer.pipeline.compare import Answer, from_blob
from importer.pipeline.leases import Lease
from importer.pipeline.pages import in_pages
from importer.pipeline.place import PLACE, SENTENCES

COLUMNS = ["outcome", "reason", "conflict_level", "conflict_type", "candidates", "version_id"]
DUPLICATE = "Duplicate instance: another file of this series is the same"
EXISTS = "File already exists"


def decide_all(job: ImportJob, lease: Lease) -> None:
    """Writes the same values however often it runs. Raises LostLease or Stopped."""
    winners: dict[tuple[str, ...], str] = {}
    for page in _answers(job):
        lease.check()
        _apply(job, page, winners)
    for undecided in in_pages(Placement.objects.filter(job=job, outcome__isnull=True).only("pk")):
        with transaction.atomic():
            lease.fence()
            waiting = Placement.objects.filter(pk__in=[placement.pk for placement in undecided])
            waiting.exclude(conflict_type="").update(outcome=Outcome.CONFLICT)
            waiting.filter(conflict_type="").update(outcome=Outcome.PLANNED)


def _answers(job: ImportJob) -> Iterator[list[Answer]]:
    """In the order of first source paths, as they were asked."""
    asked = Chunk.objects.filter(job=job, work=Work.COMPARE).exclude(answers=b"").order_by("first_seq", "id")
    for blob in asked.values_list("answers", flat=True).iterator(chunk_size=10):
        yield list(from_blob(bytes(blob)))


def _apply(job: ImportJob, page: Sequence[Answer], winners: dict[tuple[str, ...], str]) -> None:
    placements = Placement.objects.in_bulk([answer.placement for answer in page])
    stored = _stored(list(placements.values()))
    decided = []
    for answer in page:
        placement = placements[answer.placement]
        if placement.asks == "whole" and (answer.digest or answer.stamp):
            _judge(placement, answer, stored, winners)
            decided.append(placement)
    with transaction.atomic():
        _mark_items(page)
        _move_twins(job, page, placements)
        bulk.update(Placement, COLUMNS, [(p.pk, *(getattr(p, column) for column in COLUMNS)) for p in decided])


def _stored(placements: Sequence[Placement]) -> dict[int, tuple[str, str, UUID]]:
    """File → digest, stamp and id of the version that the plan started from."""
    base = {placement.file_id: placement.version for placement in placements if placement.file_id}
    rows = FileVersion.objects.filter(file__in=base).values_list("file_id", "number", "digest", "stamp", "id")
    return {file: (digest, stamp, pk) for file, number, digest, stamp, pk in rows if base[file] == number}


def _judge(
    placement: Placement,
    answer: Answer,
    stored: dict[int, tuple[str, str, UUID]],
    winners: dict[tuple[str, ...], str],
) -> None:
    """Against what stands in the archive, else against the first of this job that wants the place."""
    stamp = ""
    if placement.file_id is not None:
        standing, stamp, placement.version_id = stored[placement.file_id]
    else:
        place = tuple(str(getattr(placement, name)) for name in PLACE)
        if place not in winners:
            winners[place] = answer.digest
            return
        standing = winners[place]
    if (standing and standing in {answer.digest, answer.members}) or (stamp and stamp == answer.stamp):
        placement.outcome, placement.reason = Outcome.SKIPPED, EXISTS
        return
    placement.conflict_level, placement.conflict_type = Level.FILE, ConflictType.FILE_NAME
    placement.reason = SENTENCES[ConflictType.FILE_NAME]
    placement.candidates = [{"level": Level.FILE, "id": placement.file_id, "uid": "", "path": path_of(placement)}]


def path_of(placement: Placement) -> str:
    """`subject/session/acquisition/file`, shorter for a file higher up; what is missing is left out."""
    labels = [placement.subject_label, placement.session_label, placement.acquisition_label]
    depth = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 2}.get(Level(placement.level or "acquisition"), 3)
    return "/".join(part for part in (*labels[:depth], placement.file_name) if part)


def _mark_items(page: Sequence[Answer]) -> None:
    rows: list[tuple[Any, ...]] = [(item, *said) for answer in page for item, *said in answer.bad]
    rows += [(item, str(Outcome.SKIPPED), DUPLICATE) for answer in page for item in answer.duplicates]
    bulk.update(Item, ["outcome", "reason"], rows)


def _move_twins(job: ImportJob, page: Sequence[Answer], placements: dict[int, Placement]) -> None:
    """An instance whose UID another file of the series has, with other content, waits by itself."""
    items = Item.objects.in_bulk([item for answer in page for item in answer.twins])
    if not items:
        return
    of = {item: placements[answer.placement] for answer in page for item in answer.twins}
    twins = {pk: _twin(of[pk], item) for pk, item in items.items()}
    Placement.objects.bulk_create(twins.values(), ignore_conflicts=True)
    keys = {twin.key for twin in twins.values()}
    ids = dict(Placement.objects.filter(job=job, key__in=keys).values_list("key", "id"))
    names = _names_of_kept(items)
    rows = [(pk, ids[twin.key], names.get((of[pk].pk, items[pk].sop_uid), "")) for pk, twin in twins.items()]
    bulk.update(Item, ["placement_id", "member"], rows)


def _names_of_kept(twins: dict[int, Item]) -> dict[tuple[int, str], str]:
    """Placement and UID → the name that a rule gave the first of that UID: a twin is the same instance, so that what
    replaces the one replaces the other."""
    if not any(item.member for item in twins.values()):
        return {}
    same = Item.objects.filter(
        placement__in={item.placement_id for item in twins.values()}, sop_uid__in={t.sop_uid for t in twins.values()}
    )
    rows = same.exclude(pk__in=twins).order_by("-seq").values_list("placement_id", "sop_uid", "member")
    return {(placement, uid): member for placement, uid, member in rows.iterator(chunk_size=2000) if placement}


def _twin(placement: Placement, item: Item) -> Placement:
    twin = Placement(
        job_id=placement.job_id, kind=placement.kind, first_seq=item.seq, count=1, bytes=item.size, said=placement.said
    )
    copied = ("session_uid", "acquisition_uid", "subject_id", "session_id", "acquisition_id", "rule", "localizer")
    for column in (*PLACE, *copied):
        setattr(twin, column, getattr(placement, column))
    twin.key = hashlib.sha256(f"{placement.key} {item.seq}".encode()).hexdigest()
    twin.conflict_level, twin.conflict_type = Level.FILE, ConflictType.INSTANCE_UID
    twin.reason = SENTENCES[ConflictType.INSTANCE_UID]
    twin.candidates = [{"level": Level.FILE, "id": None, "uid": item.sop_uid, "path": path_of(placement)}]
    return twin
