"""What was decided is carried out: decisions re-enter PLAN, every check runs again, bytes come from quarantine.

A slice is one transaction. Killed before it, nothing has happened and the decisions are still pending; killed after
it, they are done. Their bytes lie under names that the decisions know, so what a killed worker named is found.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from hierarchy.models import FileVersion
from hierarchy.models.files import current_version
from importer.core import methods
from importer.core.manifest import from_lines
from importer.core.methods import Action, Order
from importer.core.states import ConflictStatus, ConflictType, DecisionStatus, Level, PlacementKind, ResolutionStatus
from importer.core.tree import Clash, Gone
from importer.models import Conflict, Decision, ImportJob, Resolution, move_to
from importer.pipeline.cases import Case
from importer.pipeline.containers import load, lock_scope, new_tree, target_of
from importer.pipeline.in_place import why_gone
from importer.pipeline.landing import GONE_FILE, land
from importer.pipeline.leases import Lease
from importer.pipeline.packing import Packed, archive_path
from importer.pipeline.spoken import in_archive
from importer.pipeline.union import Damaged, merge
from importer.pipeline.verdicts import tell
from importer.pipeline.worker import Worker
from storages.marks import check_ours
from storages.places import archive, quarantine

SLICE = 50
NO_BYTES = "The held bytes are not in quarantine any more: run `verify`, then reject this and deliver it again"
DECIDED = "Somebody else has decided this already"


def carry_out(resolution: Resolution, lease: Lease, *, worker: Worker) -> None:
    """To the end. Raises PlaceFull, PlaceAway, LostLease or Stopped: what is pending stays so."""
    while page := _pending(resolution):
        lease.check()
        of: dict[int, list[Decision]] = {}
        for decision in page:
            of.setdefault(decision.conflict.job_id, []).append(decision)
        for decisions in of.values():
            _slice(resolution, decisions, lease, worker=worker)
    with transaction.atomic():
        lease.fence()
        resolution.refresh_from_db()
        move_to(resolution, ResolutionStatus.DONE, who=resolution.who, now=worker.now(), finished_at=worker.now())


def _pending(resolution: Resolution) -> list[Decision]:
    pending = resolution.decisions.filter(status=DecisionStatus.PENDING).order_by("id")
    related = ("resolution", "conflict__placement", "conflict__storage", "conflict__job__project__group")
    return list(pending.select_related(*related)[:SLICE])


def _slice(resolution: Resolution, decisions: Sequence[Decision], lease: Lease, *, worker: Worker) -> None:
    job = decisions[0].conflict.job
    check_ours(now=worker.now())
    _drop_earlier(decisions)
    cases = [Case(decision, _order(resolution, decision)) for decision in decisions]
    _stage(job, [case for case in cases if case.decision.action != Action.REJECT])
    try:
        _publish(cases)
        with transaction.atomic():
            lock_scope(job.project, scope=job.uid_scope)
            lease.fence()
            unwanted = _decide(job, cases, now=worker.now())
    except BaseException:
        _discard([case.packed for case in cases if case.packed])
        raise
    _discard(unwanted)


def _order(resolution: Resolution, decision: Decision) -> Order:
    conflict = decision.conflict
    if decision.leader_id is not None:
        return methods.NO_ORDER
    if resolution.union and conflict.placement.kind == PlacementKind.SERIES and conflict.level == Level.FILE:
        return Order(replace=True, merge=True)
    named = next((c.get("id") for c in conflict.candidates if c.get("id") is not None), None)
    target = resolution.target if resolution.target is not None else named
    labels = _lacking(conflict, resolution.labels)
    return methods.order(
        Action(decision.action), conflict_type=conflict.type, level=Level(conflict.level), target=target, labels=labels
    )


def _lacking(conflict: Conflict, labels: Mapping[str, str]) -> dict[str, str]:
    """One decision serves a whole delivery: each of its series gets the labels that it has none of."""
    if conflict.type != ConflictType.LABEL_MISSING:
        return dict(labels)
    return {level: label for level, label in labels.items() if not getattr(conflict.placement, f"{level}_label")}


def _drop_earlier(decisions: Sequence[Decision]) -> None:
    """Bytes that a killed worker named for one of these, and that no row speaks of."""
    named = {decision.path for decision in decisions if decision.path}
    for path in named - in_archive(named) if named else ():
        archive().delete(path)


def _stage(job: ImportJob, cases: Sequence[Case]) -> None:
    """A forecast of the place, and the bytes under a temporary name. Landing judges."""
    tree = new_tree(job.project, scope=job.uid_scope)
    targets = {id(case): target_of(case.placement).assigned(case.order) for case in cases}
    load(tree, job.project, list(targets.values()), scope=job.uid_scope, orders=[case.order for case in cases])
    for case in cases:
        try:
            found = tree.resolve(targets[id(case)], case.order)
        except Gone:
            found = None
        base = None
        if found is not None and not isinstance(found, Clash) and (case.order.replace or case.order.merge):
            base = _base(found.level, found.id, case.placement.file_name)
        _stage_one(job, case, base)


def _base(level: Level, container: int | None, name: str) -> FileVersion | None:
    if container is None:
        return None
    standing = FileVersion.objects.filter(current_version(), **{f"file__{level}": container, "file__name": name})
    return standing.select_related("file", "manifest", "storage").first()


def _stage_one(job: ImportJob, case: Case, base: FileVersion | None) -> None:
    placement, conflict = case.placement, case.decision.conflict
    if base is None and (case.order.replace or case.order.merge):
        case.error = GONE_FILE
        return
    placement.version = base.number if base is not None else None
    path = archive_path(placement, job.project, case.decision.token)
    members = list(from_lines(conflict.manifest))
    packed = Packed(placement=placement, place=archive(), id=case.decision.token, path=path, members=members)
    packed.storage = conflict.storage_id
    packed.base = (base.file_id, base.number) if base is not None else None
    try:
        _bring(case, packed, base)
    except FileNotFoundError:
        case.error = NO_BYTES
    except Damaged as error:
        case.error = str(error)
    case.packed = None if case.error else packed


def _bring(case: Case, packed: Packed, base: FileVersion | None) -> None:
    """The bytes under a temporary name; of a reference a look whether they still lie there."""
    conflict = case.decision.conflict
    merges = base is not None and case.order.merge and case.placement.kind == PlacementKind.SERIES
    if conflict.storage is not None:
        case.error = why_gone(conflict.storage, packed.members)
        if case.error:
            return
    if base is not None and merges:
        merge(packed, conflict, base, incoming_wins=case.order.replace)
    elif conflict.storage is None:
        packed.staged = archive().stage_from(quarantine(), conflict.path, to=packed.path)


def _publish(cases: Sequence[Case]) -> None:
    """The names first go into the rows, then onto the bytes."""
    lying = [case for case in cases if case.packed is not None and case.packed.staged is not None]
    for case in lying:
        case.decision.path = case.packed.path if case.packed else ""
    Decision.objects.bulk_update([case.decision for case in lying], ["path"])
    archive().publish([case.packed.staged for case in lying if case.packed and case.packed.staged])


def _decide(job: ImportJob, cases: Sequence[Case], *, now: datetime) -> list[Packed]:
    """Inside the transaction. Gives back published bytes that nothing speaks of."""
    still = set(
        Decision.objects.select_for_update()
        .filter(pk__in=[case.decision.pk for case in cases], status=DecisionStatus.PENDING)
        .values_list("pk", flat=True)
    )
    open_now = set(
        Conflict.objects.select_for_update()
        .filter(pk__in=[case.decision.conflict_id for case in cases], status=ConflictStatus.OPEN)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    for case in cases:
        if case.decision.conflict_id not in open_now:
            case.error = case.error or DECIDED
    live = [case for case in cases if case.decision.pk in still]
    unwanted = [case.packed for case in cases if case.packed and (case.error or case not in live)]
    landing = [case for case in live if case.packed and not case.error]
    landed = land(
        job,
        [case.packed for case in landing if case.packed],
        now=now,
        orders={case.placement.pk: case.order for case in landing},
    )
    tell(job, live, landed, now=now)
    return unwanted + landed.unwanted


def _discard(packed: Sequence[Packed | None]) -> None:
    for one in packed:
        if one is not None and one.staged is not None:
            one.place.discard(one.staged)
            one.place.delete(one.path)
