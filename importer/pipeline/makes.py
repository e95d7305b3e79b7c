"""Containers that landing makes or fills in: one insert and one update per level, parents before children."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import models

from hierarchy.models import Acquisition, Project, Session, Subject
from importer.core.extras import filled, joined, joined_tags
from importer.core.facts import as_fields
from importer.core.states import Level, Upsert
from importer.core.tree import LEVELS, Node
from importer.models import Placement

MODELS: dict[str, type[models.Model]] = {
    Level.PROJECT: Project,
    Level.SUBJECT: Subject,
    Level.SESSION: Session,
    Level.ACQUISITION: Acquisition,
}
PARENT = {Level.SUBJECT: "project_id", Level.SESSION: "subject_id", Level.ACQUISITION: "session_id"}


def _tags(standing: list[str], incoming: list[str]) -> list[str]:
    """As they stand where nothing is new, whoever wrote them in whatever order."""
    return standing if set(incoming) <= set(standing) else joined_tags(standing, incoming)


_DEEP: dict[str, Callable[[Any, Any], Any]] = {"info": filled, "classification": filled, "tags": _tags}
TIME = ("timestamp", "timestamp_offset", "timestamp_zone")


def make(arrived: Sequence[tuple[Placement, Node]]) -> None:
    """Every new node gets its row and id; standing ones get what they lack, never another value."""
    _fill(Level.PROJECT, {node: facts for node, facts in _said(Level.PROJECT, arrived).items() if facts})
    for level in LEVELS:
        said = _said(level, arrived)
        _create(level, {node: facts for node, facts in said.items() if node.id is None})
        _fill(level, {node: facts for node, facts in said.items() if node.upsert is not Upsert.CREATE})


def _said(level: Level, arrived: Sequence[tuple[Placement, Node]]) -> dict[Node, dict[str, Any]]:
    """Node → what the Placements say about it; of each fact, what the first of them says, and the tags of all."""
    found: dict[Node, dict[str, Any]] = {}
    for placement, node in arrived:
        at: Node | None = node
        while at is not None and at.level != level:
            at = at.parent
        if at is not None:
            found[at] = joined(found.get(at, {}), as_fields(placement.said, level))
    return found


def _create(level: Level, said: dict[Node, dict[str, Any]]) -> None:
    rows = [
        MODELS[level](**{PARENT[level]: _above(node), "label": node.label, "copy": node.copy}, **_own(node, facts))
        for node, facts in said.items()
    ]
    MODELS[level]._default_manager.bulk_create(rows)
    for node, row in zip(said, rows, strict=True):
        node.id = row.pk


def _above(node: Node) -> int | None:
    return node.parent.id if node.parent else None


def _own(node: Node, facts: dict[str, Any]) -> dict[str, Any]:
    return facts if node.level in {Level.PROJECT, Level.SUBJECT} else {**facts, "uid": node.uid}


def _fill(level: Level, said: dict[Node, dict[str, Any]]) -> None:
    rows = MODELS[level]._default_manager.in_bulk([node.id for node in said])
    changed = []
    for node, facts in said.items():
        row = rows[node.id]
        lacking = what_lacks(row, _own(node, facts))
        if not lacking:
            continue
        for key, value in lacking.items():
            setattr(row, key, value)
        node.upsert = Upsert.UPDATE
        changed.append((row, lacking))
    if changed:
        fields = sorted({key for _, lacking in changed for key in lacking})
        MODELS[level]._default_manager.bulk_update([row for row, _ in changed], fields)


def what_lacks(row: models.Model, said: dict[str, Any]) -> dict[str, Any]:
    """The new values of the columns that change: empty ones are filled in, `info` by key, tags are a set."""
    found = {}
    for key, value in said.items():
        if key in _DEEP:
            both = _DEEP[key](getattr(row, key), value)
            found.update({key: both} if both != getattr(row, key) else {})
        elif _empty(row, key):
            found[key] = value
    return found


def _empty(row: models.Model, key: str) -> bool:
    """A moment is filled in whole or not at all."""
    if key in TIME:
        return getattr(row, "timestamp") is None  # noqa: B009  the field is there on the levels that have TIME
    return getattr(row, key) in {None, ""}
