"""PLAN, second part: the container of each Placement, set-wise and in the order of first source paths."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from hierarchy.models import File, Project
from importer.core.extras import joined
from importer.core.states import INSTANCE_KINDS, ConflictType, Level
from importer.core.tree import LEVELS, Clash, Node
from importer.models import ImportJob, Item, Placement, bulk
from importer.pipeline.containers import load, new_tree, target_of
from importer.pipeline.leases import Lease
from importer.pipeline.pages import PAGE, in_order, in_pages

COLUMNS = [
    "conflict_level", "conflict_type", "reason", "candidates", "said",
    "subject_id", "session_id", "acquisition_id", "file_id", "version", "asks",
]  # fmt: skip
PLACE = ("level", "subject_label", "session_label", "acquisition_label", "file_name")
SENTENCES = {
    ConflictType.FILE_NAME: "File already exists with other content",
    ConflictType.INSTANCE_UID: "Instance UID has different content: another file of this series has the same one",
    ConflictType.MULTIPLE_UID: "Multiple UID matches: more than one {level} has this UID",
    ConflictType.UID_PARENT: "UID match belongs to a different parent: a {level} elsewhere has this UID",
    ConflictType.UID_LABEL: "UID match has a different label: the {level} of this UID is called otherwise",
    ConflictType.MULTIPLE_LABEL: "Multiple label matches: more than one {level} has this label",
    ConflictType.LABEL_MISSING: "Missing label: {level}",
    ConflictType.LABEL_UID: "Label match already has a different UID: the {level} of this label is another one",
}


def free_placements(job: ImportJob) -> "Any":
    """Neither settled otherwise nor held: the ones that look for a place."""
    return Placement.objects.filter(job=job, outcome__isnull=True, conflict_type="")


def place_all(job: ImportJob, lease: Lease) -> None:
    """Writes the same values however often it runs. Raises LostLease or Stopped."""
    tree = new_tree(job.project, scope=job.uid_scope)
    said: dict[Node, dict[str, Any]] = {}
    for page in in_order(free_placements(job)):
        lease.check()
        targets = [target_of(placement) for placement in page]
        load(tree, job.project, targets, scope=job.uid_scope)
        for placement, target in zip(page, targets, strict=True):
            _placed(placement, tree.resolve(target), said)
            _agree(placement, tree.root, said)
        _look_for_files(job.project, page)
        with transaction.atomic():
            bulk.update(Placement, COLUMNS, [_row(placement) for placement in page])
    _ask_where_names_meet(job, lease)
    _ask_where_instances_meet(job)


def _placed(placement: Placement, found: Node | Clash, said: dict[Node, dict[str, Any]]) -> None:
    placement.candidates, placement.asks, placement.reason = [], "", ""
    placement.subject_id = placement.session_id = placement.acquisition_id = None
    placement.file_id = placement.version = None
    if isinstance(found, Clash):
        placement.conflict_level, placement.conflict_type = found.level, found.type
        placement.reason = SENTENCES[found.type].format(level=found.level)
        placement.candidates = [node.as_candidate() for node in found.candidates]
        return
    node: Node | None = found
    while node is not None and node.level in LEVELS:
        setattr(placement, f"{node.level}_id", node.id)
        _agree(placement, node, said)
        node = node.parent


def _agree(placement: Placement, node: Node, said: dict[Node, dict[str, Any]]) -> None:
    """Of each fact about a container the first Placement's holds, so it does not matter which of them lands first."""
    if own := placement.said.get(node.level):
        placement.said[node.level] = said[node] = joined(said.get(node, {}), own)


def container_id(placement: Placement, project: Project) -> int | None:
    """Of the container that the file goes to; None while it is not made."""
    if placement.level == Level.PROJECT:
        return project.pk
    found: int | None = getattr(placement, f"{placement.level}_id")
    return found


def _look_for_files(project: Project, page: Sequence[Placement]) -> None:
    """A file of that name that stands there already is asked about."""
    looking = [one for one in page if not one.conflict_type]
    for level in Level:
        wanted = {
            (container_id(one, project), one.file_name): one
            for one in reversed(looking)
            if one.level == level and container_id(one, project) is not None
        }
        if wanted:
            _mark_taken(level, wanted, [one for one in looking if one.level == level], project)


def _mark_taken(level: Level, wanted: dict[Any, Placement], page: Sequence[Placement], project: Project) -> None:
    files = File.objects.filter(
        **{f"{level}__in": {container for container, _ in wanted}}, name__in={name for _, name in wanted}
    )
    standing = {
        (at, name): (pk, version) for pk, at, name, version in files.values_list("id", level, "name", "version")
    }
    for one in page:
        found = standing.get((container_id(one, project), one.file_name))
        if found is not None:
            one.file_id, one.version = found
            one.asks = "whole"


def _ask_where_names_meet(job: ImportJob, lease: Lease) -> None:
    """Two Placements of one job want one place."""
    meeting = free_placements(job).values_list(*PLACE).annotate(claims=Count("id")).filter(claims__gt=1).order_by()
    places = {_short(place[: len(PLACE)]) for place in meeting.iterator(chunk_size=2000)}
    for page in in_pages(free_placements(job).only(*PLACE)) if places else ():
        lease.check()
        met = [one.pk for one in page if _short([getattr(one, name) for name in PLACE]) in places]
        Placement.objects.filter(pk__in=met).update(asks="whole")


def _short(place: Sequence[str]) -> bytes:
    """A place in 16 bytes: there may be as many as files."""
    return hashlib.blake2b(json.dumps(list(place)).encode(), digest_size=16).digest()


def _ask_where_instances_meet(job: ImportJob) -> None:
    """One SOPInstanceUID comes twice in one series."""
    items = Item.objects.filter(job=job, outcome__isnull=True, placement__kind__in=sorted(INSTANCE_KINDS))
    meeting = items.values("placement", "sop_uid").annotate(times=Count("id")).filter(times__gt=1)
    found = sorted(set(meeting.order_by().values_list("placement", flat=True)))
    for start in range(0, len(found), PAGE):
        page = Q(pk__in=found[start : start + PAGE], asks="")
        Placement.objects.filter(page, job=job).update(asks="twins")


def _row(placement: Placement) -> tuple[Any, ...]:
    return (placement.pk, *(getattr(placement, column) for column in COLUMNS))
