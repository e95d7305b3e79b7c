"""Finding a container by UID and by label: plain Python over whatever was loaded.

PLAN fills a Tree with what the archive has and what this job is about to make; landing fills a fresh one under the
scope's lock. Both ask the same question here, so a plan and its execution cannot disagree about the rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from importer.core.methods import NO_ORDER, Order
from importer.core.states import ConflictType, Level, Upsert
from importer.core.suffixes import free_name, suffixed_label

LEVELS = (Level.SUBJECT, Level.SESSION, Level.ACQUISITION)


@dataclass(frozen=True, slots=True)
class Target:
    """Where something wants to go. `level` is the deepest container (PROJECT: none of the three)."""

    level: Level
    subject_label: str = ""
    session_label: str = ""
    session_uid: str = ""
    acquisition_label: str = ""
    acquisition_uid: str = ""

    def assigned(self, order: Order) -> "Target":
        """With the labels that a decision gave."""
        labels: dict[str, Any] = {f"{level}_label": label for level, label in order.labels}
        return replace(self, **labels)

    def levels(self) -> Iterator[tuple[Level, str, str]]:
        """(level, label, uid), from the top."""
        wanted = (self.subject_label, ""), (self.session_label, self.session_uid)
        for level, (label, uid) in zip(LEVELS, (*wanted, (self.acquisition_label, self.acquisition_uid)), strict=True):
            if self.level == Level.PROJECT:
                return
            yield level, label, uid
            if level == self.level:
                return


@dataclass(eq=False, slots=True)
class Node:
    """A container: of the archive (with an id), or about to be made (without)."""

    level: Level
    label: str
    parent: "Node | None" = None
    uid: str = ""
    copy: int = 0
    id: int | None = None
    upsert: Upsert = Upsert.SKIP

    @property
    def path(self) -> str:
        above = self.parent.path if self.parent else ""
        return f"{above}/{self.label}" if above else self.label

    def upwards(self) -> "Iterator[Node]":
        """This container and those above it, without the project."""
        at: Node | None = self
        while at is not None and at.level != Level.PROJECT:
            yield at
            at = at.parent

    def as_candidate(self) -> dict[str, Any]:
        return {"level": self.level, "id": self.id, "uid": self.uid, "path": self.path}


@dataclass(frozen=True, slots=True)
class Clash:
    """Why nothing can go there by itself; `candidates` are the containers that it might mean."""

    level: Level
    type: ConflictType
    candidates: tuple[Node, ...] = ()


class Gone(Exception):
    """A decision named a container that is not there any more."""


@dataclass(frozen=True, slots=True)
class AliasKey:
    """What an alias is asked by: the study's or series' UID and the incoming label."""

    level: Level
    uid: str
    label: str


@dataclass(slots=True)
class Tree:
    """`root` is the project. `aliases` are what decisions taught: they are asked before UIDs and labels. Without
    `by_uid`, containers are found by their labels alone."""

    root: Node
    by_uid: bool = True
    aliases: dict[AliasKey, Node] = field(default_factory=dict)
    _by_id: dict[tuple[Level, int], Node] = field(default_factory=dict)
    _by_label: dict[tuple[Level, Node, str], list[Node]] = field(default_factory=dict)
    _by_uid: dict[tuple[Level, str], list[Node]] = field(default_factory=dict)

    def add(self, node: Node) -> Node:
        """Adding what is known already gives the known one."""
        known = self._by_id.get((node.level, node.id)) if node.id is not None else None
        if known is not None:
            return known
        if node.id is not None:
            self._by_id[node.level, node.id] = node
        if node.parent is not None:
            self._by_label.setdefault((node.level, node.parent, node.label), []).append(node)
        if node.uid:
            self._by_uid.setdefault((node.level, node.uid), []).append(node)
        return node

    def known(self, level: Level, id: int) -> Node | None:  # noqa: A002
        return self._by_id.get((level, id))

    def resolve(self, target: Target, order: Order = NO_ORDER) -> Node | Clash:
        """The container to go to, made on paper where it is missing; the first level that clashes ends it.

        What is made or adopted on the way stays only if the whole way is free: a clash below makes nothing above.
        Raises Gone for a pinned container that is not there.
        """
        steps = list(target.levels())
        node, start = self._fixed(steps, target, order)
        # Below a container that somebody chose, a UID elsewhere is no clash any more: the choice was about it.
        chosen = start > 0
        way: list[tuple[Node, str]] = []
        for level, label, uid in steps[start:]:
            if level in {order.apart, order.renamed}:
                found: Node | Clash | None = self._further(level, node, label, uid, order)
                chosen = True
            else:
                found = self._found(level, node, label, uid, chosen=chosen)
            if isinstance(found, Clash):
                return found
            node = found or Node(level=level, label=label, parent=node, uid=uid, upsert=Upsert.CREATE)
            way.append((node, uid))
        for step, uid in way:
            self._settle(step, uid)
        return node

    def _fixed(self, steps: list[tuple[Level, str, str]], target: Target, order: Order) -> tuple[Node, int]:
        """The deepest container that a decision or an alias fixes, and the number of levels that it settles."""
        for number in range(len(steps), 0, -1):
            level, label, _ = steps[number - 1]
            known = self.aliases.get(alias_key(target, level, label))
            if known is not None:
                return known, number
            pinned = order.pin(level)
            if pinned is not None:
                return self._pinned(level, pinned), number
        return self.root, 0

    def _pinned(self, level: Level, pk: int) -> Node:
        node = self.known(level, pk)
        if node is None:
            raise Gone
        return node

    def _further(self, level: Level, parent: Node, label: str, uid: str, order: Order) -> Node:
        """One more container: with the same label as a further copy, or with the label suffixed."""
        if order.renamed == level:
            label = free_name(
                label, lambda name: bool(self._by_label.get((level, parent, name))), suffix=suffixed_label
            )
        twins = self._by_label.get((level, parent, label), [])
        copy = max((twin.copy for twin in twins), default=-1) + 1
        return Node(level=level, label=label, parent=parent, uid=uid, copy=copy, upsert=Upsert.CREATE)

    def _settle(self, node: Node, uid: str) -> None:
        """Registers a new container, or lets one without UID adopt the incoming one."""
        if node.parent is not None and node not in self._by_label.get((node.level, node.parent, node.label), []):
            self.add(node)
        elif uid and not node.uid:
            node.uid = uid
            node.upsert = Upsert.UPDATE if node.id is not None else node.upsert
            self._by_uid.setdefault((node.level, uid), []).append(node)

    def _found(self, level: Level, parent: Node, label: str, uid: str, *, chosen: bool) -> Node | Clash | None:
        if not label:
            return Clash(level, ConflictType.LABEL_MISSING)
        hits = self._by_uid.get((level, uid), []) if uid and self.by_uid else []
        if chosen:
            hits = [hit for hit in hits if hit.parent is parent]
        if len(hits) > 1:
            return Clash(level, ConflictType.MULTIPLE_UID, tuple(hits))
        if hits:
            return _by_uid(hits[0], parent=parent, label=label)
        return self._labelled(level, parent, label, uid)

    def _labelled(self, level: Level, parent: Node, label: str, uid: str) -> Node | Clash | None:
        hits = self._by_label.get((level, parent, label), [])
        if len(hits) > 1:
            return Clash(level, ConflictType.MULTIPLE_LABEL, tuple(hits))
        if hits and uid and hits[0].uid and hits[0].uid != uid:
            return Clash(level, ConflictType.LABEL_UID, tuple(hits))
        return hits[0] if hits else None


def _by_uid(hit: Node, *, parent: Node, label: str) -> Node | Clash:
    if hit.parent is not parent:
        return Clash(hit.level, ConflictType.UID_PARENT, (hit,))
    if hit.label != label:
        return Clash(hit.level, ConflictType.UID_LABEL, (hit,))
    return hit


def alias_key(target: Target, level: Level, label: str) -> AliasKey:
    """A subject has no UID of its own: it is known by the study that came under its label."""
    uid = target.acquisition_uid if level == Level.ACQUISITION else target.session_uid
    return AliasKey(level, uid, label)
