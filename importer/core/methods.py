"""What may be decided about which conflict: one table, read by pages, commands, the API and the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from importer.core.states import ConflictType as T
from importer.core.states import Level, PlacementKind


class Action(StrEnum):
    REPLACE = "replace_existing"
    MERGE = "merge_incoming"
    RENAME = "rename_incoming"
    ALLOW = "allow_uid_duplicate"
    ASSIGN = "assign_label"
    REJECT = "reject_incoming"
    RETRY = "retry"


class Word(StrEnum):
    """The four words that every page shows; each picks one action by type."""

    UPDATE = "update"
    KEEP_ALL = "keep-all"
    SKIP = "skip"
    RETRY = "retry"


FITS: Mapping[str, tuple[Action, ...]] = {
    T.FILE_NAME: (Action.REPLACE, Action.MERGE, Action.RENAME, Action.REJECT, Action.RETRY),
    T.INSTANCE_UID: (Action.REPLACE, Action.RENAME, Action.REJECT, Action.RETRY),
    T.SERIES_LABELS: (Action.ASSIGN, Action.REJECT, Action.RETRY),
    T.MULTIPLE_UID: (Action.REPLACE, Action.ALLOW, Action.REJECT, Action.RETRY),
    T.UID_PARENT: (Action.REPLACE, Action.ALLOW, Action.REJECT, Action.RETRY),
    T.UID_LABEL: (Action.REPLACE, Action.ALLOW, Action.REJECT, Action.RETRY),
    T.MULTIPLE_LABEL: (Action.REPLACE, Action.RENAME, Action.REJECT, Action.RETRY),
    T.LABEL_UID: (Action.REPLACE, Action.RENAME, Action.REJECT, Action.RETRY),
    T.LABEL_MISSING: (Action.ASSIGN, Action.REJECT, Action.RETRY),
}
# Where the type names several containers, "update" needs to be told which.
NEEDS_TARGET = frozenset({T.MULTIPLE_UID, T.MULTIPLE_LABEL})
WORDS: Mapping[Action, Word] = {
    Action.REPLACE: Word.UPDATE,
    Action.MERGE: Word.UPDATE,
    Action.RENAME: Word.KEEP_ALL,
    Action.ALLOW: Word.KEEP_ALL,
    Action.ASSIGN: Word.KEEP_ALL,
    Action.REJECT: Word.SKIP,
    Action.RETRY: Word.RETRY,
}


class Unfit(ValueError):
    """The action does not fit the conflict; the text says why and what does."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one decision asks of landing.

    `pins` are containers to use as they are, `labels` are assigned ones, `apart` is the level at which a further
    container is made with the incoming UID, `renamed` the level (or FILE) at which the incoming one gets a suffix.
    `replace` makes a new version of the file that stands there, `merge` one that gains what it lacks.
    """

    pins: tuple[tuple[Level, int], ...] = ()
    labels: tuple[tuple[Level, str], ...] = ()
    apart: Level | None = None
    renamed: Level | None = None
    replace: bool = False
    merge: bool = False

    def pin(self, level: Level) -> int | None:
        return next((pk for at, pk in self.pins if at == level), None)


NO_ORDER = Order()


def named(name: str, conflict_type: str) -> Action:
    """The action that a name or one of the four words means for a type. Raises Unfit."""
    fitting = FITS[conflict_type]
    chosen = next((action for action in fitting if name in {action.value, WORDS[action].value}), None)
    if chosen is None:
        known = ", ".join(action.value for action in fitting)
        raise Unfit(f"{name} does not fit {conflict_type}: what does is {known}.")
    return chosen


def check(action: Action, *, conflict_type: str, kind: str, target: int | None, labels: Mapping[str, str]) -> None:
    """Raises Unfit where the pair cannot work, or something that it needs is not said."""
    if action not in FITS[conflict_type]:
        named(action.value, conflict_type)
    if action == Action.MERGE and kind != PlacementKind.SERIES:
        raise Unfit("merge_incoming is for DICOM archives: this file is none, so replace it or keep both.")
    if action == Action.REPLACE and conflict_type in NEEDS_TARGET and target is None:
        raise Unfit("More than one container fits: say which one with a target.")
    if action == Action.ASSIGN and not any(labels.values()):
        raise Unfit("assign_label needs a label: say which.")


def order(action: Action, *, conflict_type: str, level: Level, target: int | None, labels: Mapping[str, str]) -> Order:
    """What landing is asked to do; `target` is the id of the container that the conflict names, or that was chosen."""
    if action == Action.MERGE:
        return Order(merge=True)
    if action == Action.REPLACE:
        return _replace(conflict_type, level, target)
    if action == Action.RENAME:
        return Order(renamed=level)
    if action == Action.ALLOW:
        return Order(apart=level)
    if action == Action.ASSIGN:
        return Order(labels=tuple((Level(at), label) for at, label in labels.items() if label))
    return NO_ORDER


def _replace(conflict_type: str, level: Level, target: int | None) -> Order:
    if conflict_type == T.INSTANCE_UID:
        # The archive keeps its other instances; the one of this UID is replaced.
        return Order(replace=True, merge=True)
    if level == Level.FILE:
        return Order(replace=True)
    return Order(pins=((level, target),)) if target is not None else NO_ORDER


def _instances(number: int) -> str:
    return "1 instance is" if number == 1 else f"{number} instances are"


def suggested(conflict_type: str, *, kind: str, lacking: int | None = None) -> tuple[Action, str] | None:
    """An action and why; never applied by itself. `lacking`: instances that the stored archive does not have."""
    if conflict_type == T.FILE_NAME and kind == PlacementKind.SERIES and lacking:
        return Action.MERGE, f"{_instances(lacking)} new to the stored archive, which loses nothing"
    reasons = {
        T.UID_PARENT: (Action.REPLACE, "the study is stored already, under another label: usually a typing mistake"),
        T.UID_LABEL: (Action.REPLACE, "the stored container was probably renamed by a curator"),
        T.LABEL_UID: (Action.RENAME, "another visit with the same description"),
        T.LABEL_MISSING: (Action.ASSIGN, "somebody de-identified it: one label serves the whole delivery"),
    }
    return reasons.get(T(conflict_type))
