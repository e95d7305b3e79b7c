"""What the archive knows about the containers that a page of Placements wants: a few queries per page."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from hierarchy.models import Acquisition, Group, Project, Session, Subject
from importer.core.methods import Order
from importer.core.states import Level, UidScope
from importer.core.tree import AliasKey, Node, Target, Tree
from importer.models import Alias, Placement


def new_tree(project: Project, *, scope: str) -> Tree:
    return Tree(root=Node(level=Level.PROJECT, label="", id=project.pk), by_uid=scope != UidScope.NONE)


def target_of(placement: Placement) -> Target:
    return Target(
        level=Level(placement.level),
        subject_label=placement.subject_label,
        session_label=placement.session_label,
        session_uid=placement.session_uid,
        acquisition_label=placement.acquisition_label,
        acquisition_uid=placement.acquisition_uid,
    )


def load(tree: Tree, project: Project, targets: Sequence[Target], *, scope: str, orders: Sequence[Order] = ()) -> None:
    """Adds every container that one of the targets could match: by alias, by a decision's pin, by label and, within
    the scope, by UID."""
    fixed = _aliases(project, targets)
    pins = {*((level, pk) for order in orders for level, pk in order.pins), *((a.level, a.container_id) for a in fixed)}
    _pinned(tree, project, pins)
    for alias in fixed:
        node = tree.known(Level(alias.level), alias.container_id)
        if node is not None:
            tree.aliases[AliasKey(Level(alias.level), alias.uid, alias.label)] = node
    _subjects(tree, project, {t.subject_label for t in targets})
    sessions = _sessions(tree, project, targets, scope=scope)
    _acquisitions(tree, project, targets, sessions, scope=scope)


def _aliases(project: Project, targets: Sequence[Target]) -> list[Alias]:
    uids = {uid for target in targets for uid in (target.session_uid, target.acquisition_uid)} - {""}
    return list(Alias.objects.filter(project=project, uid__in=uids)) if uids else []


def _pinned(tree: Tree, project: Project, pins: set[tuple[str, int]]) -> None:
    """With their parents; what was deleted, or lies in another project, is not there."""
    of = {level: [pk for at, pk in pins if at == level] for level, _ in pins}
    for subject in Subject.objects.filter(project=project, pk__in=of.get(Level.SUBJECT, [])):
        tree.add(_subject(tree, subject))
    sessions = Session.objects.filter(subject__project=project, pk__in=of.get(Level.SESSION, []))
    for session in sessions.select_related("subject__project__group"):
        tree.add(_session(tree, session))
    rows = Acquisition.objects.filter(session__subject__project=project, pk__in=of.get(Level.ACQUISITION, []))
    for row in rows.select_related("session__subject__project__group"):
        tree.add(_acquisition(tree, row))


def lock_scope(project: Project, *, scope: str) -> None:
    """Inside a transaction: landings that could see each other's containers come one after the other."""
    if scope == UidScope.SITE:
        list(Group.objects.select_for_update().order_by("pk").values_list("pk"))
    elif scope == UidScope.GROUP:
        list(Group.objects.select_for_update().filter(pk=project.group_id).values_list("pk"))
    list(Project.objects.select_for_update().filter(pk=project.pk).values_list("pk"))


def _subjects(tree: Tree, project: Project, labels: Iterable[str]) -> None:
    for subject in Subject.objects.filter(project=project, label__in=set(labels)).order_by("copy"):
        tree.add(_subject(tree, subject))


def _sessions(tree: Tree, project: Project, targets: Sequence[Target], *, scope: str) -> list[int]:
    subjects = Q(subject__project=project, subject__label__in={t.subject_label for t in targets})
    by_label = Session.objects.filter(subjects, label__in={t.session_label for t in targets if t.session_label})
    by_uid = _by_uid(Session.objects.all(), {t.session_uid for t in targets}, "subject__project", project, scope)
    found = []
    for session in _both(by_label, by_uid, "subject__project__group"):
        tree.add(_session(tree, session))
        found.append(session.pk)
    return found


def _acquisitions(tree: Tree, project: Project, targets: Sequence[Target], sessions: list[int], *, scope: str) -> None:
    labels = {t.acquisition_label for t in targets if t.acquisition_label}
    by_label = Acquisition.objects.filter(session__in=sessions, label__in=labels)
    uids = {t.acquisition_uid for t in targets}
    by_uid = _by_uid(Acquisition.objects.all(), uids, "session__subject__project", project, scope)
    for row in _both(by_label, by_uid, "session__subject__project__group"):
        tree.add(_acquisition(tree, row))


def _subject(tree: Tree, subject: Subject) -> Node:
    top = tree.root if subject.project_id == tree.root.id else _elsewhere(subject.project)
    return Node(level=Level.SUBJECT, label=subject.label, parent=top, copy=subject.copy, id=subject.pk)


def _session(tree: Tree, session: Session) -> Node:
    parent = tree.add(_subject(tree, session.subject))
    return Node(
        level=Level.SESSION, label=session.label, parent=parent, uid=session.uid, copy=session.copy, id=session.pk
    )


def _acquisition(tree: Tree, row: Acquisition) -> Node:
    parent = tree.add(_session(tree, row.session))
    return Node(level=Level.ACQUISITION, label=row.label, parent=parent, uid=row.uid, copy=row.copy, id=row.pk)


def _elsewhere(project: Project) -> Node:
    return Node(level=Level.PROJECT, label=str(project), id=project.pk)


def _by_uid(rows: "QuerySet[Any]", uids: set[str], way: str, project: Project, scope: str) -> "QuerySet[Any]":
    wanted = uids - {""}
    if scope == UidScope.NONE or not wanted:
        return rows.none()
    within = {
        UidScope.SITE: Q(),
        UidScope.GROUP: Q(**{f"{way}__group": project.group_id}),
        UidScope.PROJECT: Q(**{way: project}),
    }[UidScope(scope)]
    return rows.filter(within, uid__in=wanted)


def _both(by_label: "QuerySet[Any]", by_uid: "QuerySet[Any]", related: str) -> list[Any]:
    """Two indexed queries: one with OR would read the table."""
    found = {row.pk: row for row in by_uid.select_related(related)}
    found |= {row.pk: row for row in by_label.select_related(related)}
    return [found[pk] for pk in sorted(found)]
