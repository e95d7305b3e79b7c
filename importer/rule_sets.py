"""What people may do with rule sets. Permission is asked here, so every door has the same guard."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from hierarchy.errors import Refused
from hierarchy.models import Group, Project, Role
from hierarchy.selectors import Actor
from hierarchy.services import require
from importer.core.rules.builtin import BUILT_IN
from importer.models import Event, RuleSet, RuleSetVersion
from importer.rule_choice import (
    BadRules,
    Chosen,
    RuleScope,
    RuleSetChoice,
    RuleSetRow,
    all_rows,
    built_ins,
    difference,
    find,
    find_group,
    find_named,
    listed,
    may_change,
    may_keep,
    parsed,
    resolve,
    row_of,
    text_of,
    version_of,
    versions,
    visible,
)

__all__ = [
    "BadRules", "Chosen", "Export", "NewRuleSet", "RuleScope", "RuleSetChoice", "RuleSetRow", "SavedMeanwhile",
    "all_rows", "archive", "built_ins", "copy", "create", "describe", "difference", "edit", "export", "find",
    "find_group", "find_named", "from_file", "listed", "make_default", "may_change", "may_keep", "own_id",
    "parsed", "resolve", "restore", "row_of", "text_of", "unmake_default", "version_of", "versions", "visible",
]  # fmt: skip

ENDINGS = (".rules.yaml", ".rules.yml", ".yaml", ".yml")
ENDING = ENDINGS[0]
# A file's name, an option's value and a word of an address at once.
NAME = re.compile(r"[^\W_][\w .()+-]{0,63}")


class SavedMeanwhile(Refused):
    """`version` is the newest one; whoever edited has not seen it."""

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__(f"Somebody saved version {version} meanwhile: look at it, then save your change again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRuleSet:
    """With neither group nor project it is the site's."""

    name: str
    text: str
    description: str = ""
    group: Group | None = None
    project: Project | None = None
    is_default: bool = False

    @property
    def scope(self) -> dict[str, Any]:
        return {"group": self.group, "project": self.project}


@dataclass(frozen=True, slots=True)
class Export:
    file_name: str
    text: str


def create(new: NewRuleSet, *, actor: Actor, who: str, now: datetime) -> RuleSet:
    """Version 1. Raises NotAllowed, BadRules, or Refused for a name that cannot be or is taken."""
    _guard(actor, new.group, new.project)
    name = _checked_name(new)
    parsed(new.text)
    with transaction.atomic():
        made = _made(new, name, now=now)
        RuleSetVersion.objects.create(rule_set=made, number=1, text=new.text, who=who, created_at=now)
        _note(made, "rule set created", who=who, now=now)
        if new.is_default:
            _make_default(made, who=who, now=now)
    return made


def _guard(actor: Actor, group: Group | None, project: Project | None) -> None:
    require(actor, Role.DATA_MANAGER if project else Role.ADMIN, group=group, project=project)


def _checked_name(new: NewRuleSet) -> str:
    name = new.name.strip()
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} cannot be a rule set's name: up to 64 letters, digits, spaces and . _ - + ( ), "
            "beginning with a letter or digit."
        )
    if name.isdecimal():
        raise Refused(f"{name} would be taken for a rule set's number: choose a name with a letter.")
    if name.casefold() in {one.casefold() for one in BUILT_IN}:
        raise Refused(f"{name} is the name of a built-in rule set: choose another.")
    if RuleSet.objects.filter(name=name, **new.scope).exists():
        raise Refused(_taken(name))
    return name


def _taken(name: str) -> str:
    return f"There is a rule set {name} there already, perhaps archived: edit or restore it, or choose another name."


def _made(new: NewRuleSet, name: str, *, now: datetime) -> RuleSet:
    try:
        with transaction.atomic():
            return RuleSet.objects.create(name=name, description=new.description, created_at=now, **new.scope)
    except IntegrityError as error:
        # Somebody made it between the look and the row.
        raise Refused(_taken(name)) from error


def edit(
    rule_set_id: int, text: str, *, base: int, actor: Actor, who: str, now: datetime, description: str | None = None
) -> RuleSetVersion:
    """A new version, on top of version `base`, which must be the newest.

    Raises NotAllowed, BadRules, SavedMeanwhile, or Refused where nothing changed or it is archived.
    """
    kept = _kept(rule_set_id, actor)
    parsed(text)
    with transaction.atomic():
        _check_base(kept, base, text)
        changes = {"version": base + 1} | ({} if description is None else {"description": description})
        if not RuleSet.objects.filter(pk=kept.pk, version=base, archived_at=None).update(**changes):
            raise _overtaken(kept)
        made = RuleSetVersion.objects.create(rule_set=kept, number=base + 1, text=text, who=who, created_at=now)
        _note(kept, "rule set changed", who=who, now=now, detail=f"version {base + 1}")
    kept.version = base + 1
    return made


def _check_base(kept: RuleSet, base: int, text: str) -> None:
    known = RuleSetVersion.objects.filter(rule_set=kept, number=base).first()
    if known is None:
        raise Refused(f"{kept.name} has no version {base} to change.")
    if kept.archived_at is None and kept.version == base and known.text == text:
        raise Refused(f"Nothing changed: this is the text of version {base}.")


def _overtaken(kept: RuleSet) -> Refused:
    kept.refresh_from_db()
    if kept.archived_at is not None:
        return Refused(f"{kept.name} is archived: restore it before you change it.")
    return SavedMeanwhile(kept.version)


def describe(rule_set_id: int, description: str, *, actor: Actor, who: str, now: datetime) -> RuleSet:
    """Not a new version: nothing that runs has changed. Raises NotAllowed."""
    kept = _kept(rule_set_id, actor)
    with transaction.atomic():
        if RuleSet.objects.filter(pk=kept.pk).exclude(description=description).update(description=description):
            _note(kept, "rule set described", who=who, now=now)
    kept.description = description
    return kept


def archive(rule_set_id: int, *, actor: Actor, who: str, now: datetime) -> RuleSet:
    """No import can choose it any more; those that ran keep it. Twice is once. Raises NotAllowed, Refused."""
    kept = _kept(rule_set_id, actor)
    if kept.is_default:
        raise Refused(f"{kept.name} is the default of {_where(kept)}: take that away first.")
    try:
        with transaction.atomic():
            if RuleSet.objects.filter(pk=kept.pk, archived_at=None).update(archived_at=now):
                _note(kept, "rule set archived", who=who, now=now)
    except IntegrityError as error:
        raise Refused(f"Somebody made {kept.name} the default of {_where(kept)} meanwhile.") from error
    kept.refresh_from_db()
    return kept


def restore(rule_set_id: int, *, actor: Actor, who: str, now: datetime) -> RuleSet:
    """Twice is once. Raises NotAllowed."""
    kept = _kept(rule_set_id, actor)
    with transaction.atomic():
        if RuleSet.objects.filter(pk=kept.pk, archived_at__isnull=False).update(archived_at=None):
            _note(kept, "rule set restored", who=who, now=now)
    kept.refresh_from_db()
    return kept


def make_default(rule_set_id: int, *, actor: Actor, who: str, now: datetime) -> RuleSet:
    """Of its scope, instead of the one before. Twice is once. Raises NotAllowed, Refused."""
    kept = _kept(rule_set_id, actor)
    if kept.is_default:
        return kept
    with transaction.atomic():
        _make_default(kept, who=who, now=now)
    kept.refresh_from_db()
    return kept


def unmake_default(rule_set_id: int, *, actor: Actor, who: str, now: datetime) -> RuleSet:
    """Then the next wider scope's default holds. Twice is once. Raises NotAllowed."""
    kept = _kept(rule_set_id, actor)
    with transaction.atomic():
        if RuleSet.objects.filter(pk=kept.pk, is_default=True).update(is_default=False):
            _note(kept, "rule set not default", who=who, now=now)
    kept.refresh_from_db()
    return kept


def _make_default(kept: RuleSet, *, who: str, now: datetime) -> None:
    scope = Q(group=kept.group_id, project=kept.project_id)
    try:
        with transaction.atomic():
            RuleSet.objects.filter(scope, is_default=True).exclude(pk=kept.pk).update(is_default=False)
            if not RuleSet.objects.filter(pk=kept.pk, archived_at=None).update(is_default=True):
                raise Refused(f"{kept.name} is archived: restore it before it becomes the default.")
    except IntegrityError as error:
        raise Refused(f"Somebody else chooses a default of {_where(kept)} at this moment: look again.") from error
    _note(kept, "rule set default", who=who, now=now)


def copy(
    row: RuleSetRow, name: str, *, group: Group | None = None, project: Project | None = None,
    actor: Actor, who: str, now: datetime,
) -> RuleSet:  # fmt: skip
    """A set of one's own to edit, with the newest text of another or of a built-in. Raises as `create`."""
    new = NewRuleSet(name=name, text=text_of(row), description=row.description, group=group, project=project)
    return create(new, actor=actor, who=who, now=now)


def from_file(data: bytes, file_name: str, *, name: str = "") -> tuple[str, str, str]:
    """Name, description and text of a file that was exported, or written by hand. The name is the given one, else
    what the text calls itself, else the file's. Raises BadRules, or Refused for what is no text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"The file is no UTF-8 text: byte {error.start + 1} is {data[error.start]:#04x}.") from error
    rules = parsed(text)
    return name or rules.name or stem(file_name), rules.description, text


def stem(file_name: str) -> str:
    """`weekly` for `weekly.rules.yaml`."""
    base = PurePath(file_name).name
    ending = next((one for one in ENDINGS if base.lower().endswith(one)), "")
    return base[: len(base) - len(ending)]


def export(row: RuleSetRow, *, number: int | None = None) -> Export:
    """The text as it was written, of the newest version or of another. Raises Refused."""
    return Export(f"{row.name}{ENDING}", text_of(row, number=number))


def own_id(row: RuleSetRow) -> int:
    """Raises Refused for a built-in: nobody changes it."""
    if row.id is None:
        raise Refused(f"{row.name} is built in: copy it, and change the copy.")
    return row.id


def _kept(rule_set_id: int, actor: Actor) -> RuleSet:
    """Of what the actor does not even see, it is not said that it is there."""
    kept = visible(actor).filter(pk=rule_set_id).first()
    if kept is None:
        raise Refused(f"There is no rule set {rule_set_id}: look at the list of rule sets.")
    _guard(actor, kept.group, kept.project)
    return kept


def _where(kept: RuleSet) -> str:
    return str(kept.project or (kept.group.name if kept.group else "the site"))


def _note(kept: RuleSet, what: str, *, who: str, now: datetime, detail: str = "") -> None:
    Event.objects.create(at=now, who=who, what=what, detail=detail, rule_set_id=kept.pk)
