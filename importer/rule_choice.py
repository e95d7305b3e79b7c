"""Which rule sets there are for an actor, and which one an import runs. Nothing in here changes anything."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches, unified_diff
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from hierarchy.errors import Refused
from hierarchy.models import Group, Project, Role
from hierarchy.selectors import Actor, memberships, sees_all, visible_projects
from hierarchy.services import may
from importer.core.rules.builtin import BUILT_IN, BuiltIn
from importer.core.rules.model import RuleSet as Rules
from importer.core.rules.parsing import parse
from importer.core.rules.problems import Problem, RuleError
from importer.models import RuleSet, RuleSetVersion

STANDARD = "standard"
# A number that a database holds.
NUMBER = re.compile(r"[0-9]{1,18}")


class RuleScope(StrEnum):
    """Where a rule set is known, the widest first."""

    BUILT_IN = "built-in"
    SITE = "site"
    GROUP = "group"
    PROJECT = "project"


class BadRules(Refused):
    """The text is no rule set: every problem, with its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("These rules cannot be used: " + "; ".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetRow:
    """One rule set for people. A built-in has neither `id` nor versions; `where` is a group's name or a project's
    address, empty for the site. `changed_at` and `changed_by` are of the newest version."""

    id: int | None
    name: str
    title: str
    description: str
    scope: RuleScope
    where: str = ""
    group_id: int | None = None
    project_id: int | None = None
    version: int = 0
    is_default: bool = False
    archived: bool = False
    created_at: datetime | None = None
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def key(self) -> str:
        """What an address calls it: its number, or a built-in's name."""
        return self.name if self.id is None else str(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What an import runs; `version` is None for a built-in."""

    name: str
    text: str
    version: RuleSetVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetChoice:
    """Which rule sets a list shows. With a project: those that apply to it. `archived` None: both."""

    scope: RuleScope | None = None
    project: Project | None = None
    archived: bool | None = False
    words: str = ""


def parsed(text: str) -> Rules:
    """Raises BadRules with all that is wrong; also for what is larger than any rule set should be."""
    try:
        return parse(text)
    except RuleError as error:
        raise BadRules(error.problems) from error


def visible(actor: Actor) -> "QuerySet[RuleSet]":
    """Rule sets, archived ones too, that apply to a project or a group in which the actor has a role.

    The site's are seen by whoever has a role anywhere.
    """
    rows = RuleSet.objects.select_related("group", "project__group")
    mine = memberships(actor)
    if sees_all(actor):
        return rows
    everywhere = Exists(mine.filter(project=None, group=None))
    projects = visible_projects(actor).order_by()
    groups = Q(group__in=projects.values("group")) | Q(group__in=mine.filter(group__isnull=False).values("group"))
    return rows.filter(
        Q(project__in=projects.values("pk")) | groups | Q(everywhere) | Q(Exists(mine), group=None, project=None)
    )


def listed(actor: Actor, choice: RuleSetChoice | None = None) -> "QuerySet[RuleSet]":
    """By name. Built-ins are not rows: see `built_ins`."""
    choice = choice or RuleSetChoice()
    rows = with_newest(visible(actor)).order_by("name", "id")
    if choice.project is not None:
        rows = rows.filter(_applies(choice.project))
    if choice.scope is not None:
        rows = rows.filter(_SCOPED[choice.scope])
    if choice.archived is not None:
        rows = rows.filter(archived_at__isnull=not choice.archived)
    if choice.words:
        rows = rows.filter(Q(name__icontains=choice.words) | Q(description__icontains=choice.words))
    return rows


_SCOPED = {
    RuleScope.BUILT_IN: Q(pk__in=[]),
    RuleScope.SITE: Q(group=None, project=None),
    RuleScope.GROUP: Q(group__isnull=False),
    RuleScope.PROJECT: Q(project__isnull=False),
}


def _applies(project: Project) -> Q:
    return Q(project=project) | Q(group=project.group_id) | Q(group=None, project=None)


def with_newest(rows: "QuerySet[RuleSet]") -> "QuerySet[RuleSet]":
    """Each with who saved its newest version and when (`row_of`): one query for all."""
    newest = RuleSetVersion.objects.filter(rule_set=OuterRef("pk"), number=OuterRef("version"))
    return rows.annotate(changed_by=Subquery(newest.values("who")), changed_at=Subquery(newest.values("created_at")))


def built_ins(choice: RuleSetChoice | None = None) -> list[RuleSetRow]:
    """They come first in every list that has not chosen otherwise; nobody archives them."""
    choice = choice or RuleSetChoice()
    if choice.scope not in {None, RuleScope.BUILT_IN} or choice.archived:
        return []
    words = choice.words.casefold()
    rows = [_built_in_row(one) for one in BUILT_IN.values()]
    return [row for row in rows if words in f"{row.name} {row.title} {row.description}".casefold()]


def _built_in_row(one: BuiltIn) -> RuleSetRow:
    return RuleSetRow(id=None, name=one.name, title=one.title, description=one.description, scope=RuleScope.BUILT_IN)


def row_of(found: RuleSet) -> RuleSetRow:
    """Of a row of `listed`, or of any other: then it does not say who changed it."""
    scope = RuleScope.PROJECT if found.project_id else RuleScope.GROUP if found.group_id else RuleScope.SITE
    return RuleSetRow(
        id=found.pk,
        name=found.name,
        title=found.name,
        description=found.description,
        scope=scope,
        where=str(found.project or (found.group.name if found.group else "")),
        group_id=found.group_id,
        project_id=found.project_id,
        version=found.version,
        is_default=found.is_default,
        archived=found.archived_at is not None,
        created_at=found.created_at,
        changed_at=getattr(found, "changed_at", None),
        changed_by=getattr(found, "changed_by", "") or "",
    )


def all_rows(actor: Actor, choice: RuleSetChoice | None = None, *, most: int | None = None) -> list[RuleSetRow]:
    """Built-ins first, then by name."""
    return (built_ins(choice) + [row_of(one) for one in listed(actor, choice)[:most]])[:most]


def find(actor: Actor, key: str) -> RuleSetRow:
    """By number or by a built-in's name. Raises Refused for what is not there, or not to be seen."""
    if key in BUILT_IN:
        return _built_in_row(BUILT_IN[key])
    row = with_newest(visible(actor)).filter(pk=int(key)).first() if NUMBER.fullmatch(key) else None
    if row is None:
        raise Refused(f"There is no rule set {key}: look at the list of rule sets.")
    return row_of(row)


def find_group(name: str, *, actor: Actor) -> Group:
    """Among those in which the actor has a role, or a role in a project of it. Raises Refused."""
    mine, groups = memberships(actor), Group.objects.all()
    if not sees_all(actor):
        own = Q(pk__in=mine.filter(group__isnull=False).values("group"))
        everywhere = Q(Exists(mine.filter(project=None, group=None)))
        groups = groups.filter(own | everywhere | Q(pk__in=visible_projects(actor).order_by().values("group")))
    known = groups.filter(name=name).first()
    if known is None:
        raise Refused(f"There is no group {name}.")
    return known


def find_named(actor: Actor, name: str, *, group: Group | None = None, project: Project | None = None) -> RuleSetRow:
    """As `find`, and by name: that of the given group or project, or else the only one of that name. Raises Refused."""
    known = visible(actor).filter(name=name)
    if group is not None or project is not None:
        known = known.filter(group=group, project=project)
    several = list(with_newest(known)[:2])
    if not several:
        return find(actor, name)
    if len(several) > 1:
        raise Refused(f"There are several rule sets {name}: say which by --project, by --group or by its number.")
    return row_of(several[0])


def text_of(row: RuleSetRow, *, number: int | None = None) -> str:
    """Of its newest version, or of one by its number. Raises Refused for a version that there is not."""
    if row.id is None:
        return BUILT_IN[row.name].text
    return version_of(row, number or row.version).text


def version_of(row: RuleSetRow, number: int) -> RuleSetVersion:
    version = RuleSetVersion.objects.filter(rule_set=row.id, number=number).first() if row.id else None
    if version is None:
        raise Refused(f"{row.name} has no version {number}.")
    return version


def versions(row: RuleSetRow) -> "QuerySet[RuleSetVersion]":
    """Newest first; none of a built-in."""
    return RuleSetVersion.objects.filter(rule_set=row.id).order_by("-number")


def difference(row: RuleSetRow, older: int, newer: int) -> list[str]:
    """Lines of a unified diff without line ends; none where the texts are equal. Raises Refused."""
    one, other = version_of(row, older), version_of(row, newer)
    said = unified_diff(
        one.text.splitlines(), other.text.splitlines(), f"version {older}", f"version {newer}", lineterm=""
    )
    return list(said)


def may_change(actor: Actor, row: RuleSetRow) -> bool:
    """Whether the actor may edit, archive and make it the default: what the verbs ask, too."""
    if row.id is None:
        return False
    return may_keep(actor, group=_group(row.group_id), project=_project(row.project_id))


def may_keep(actor: Actor, *, group: Group | None = None, project: Project | None = None) -> bool:
    """Whether the actor may keep rule sets there; with neither group nor project: the site's."""
    return may(actor, Role.DATA_MANAGER if project else Role.ADMIN, group=group, project=project)


def _group(pk: int | None) -> Group | None:
    return Group.objects.get(pk=pk) if pk else None


def _project(pk: int | None) -> Project | None:
    return Project.objects.select_related("group").get(pk=pk) if pk else None


def resolve(project: Project, name: str | None = None, *, actor: Actor = None) -> Chosen:
    """The rule set of that name, looked for in the project, then its group, the site and what is built in; without a
    name the default of the first of them that has one, else `standard`.

    Raises Refused for a name that there is not, with the nearest, and for one that is archived.
    """
    if name is None or name == "":
        return _default(project)
    if name in BUILT_IN:
        return _built_in(name)
    known = list(RuleSet.objects.filter(_applies(project), name=name))
    if not known:
        raise Refused(f"There is no rule set {name} for {project}.{_nearest(project, name, actor)}")
    closest = min(known, key=_distance)
    if closest.archived_at is not None:
        raise Refused(f"The rule set {name} is archived: restore it, or choose another.")
    return _newest(closest)


def _default(project: Project) -> Chosen:
    chosen = list(RuleSet.objects.filter(_applies(project), is_default=True, archived_at=None))
    return _newest(min(chosen, key=_distance)) if chosen else _built_in(STANDARD)


def _distance(one: RuleSet) -> int:
    return 0 if one.project_id else 1 if one.group_id else 2


def _newest(one: RuleSet) -> Chosen:
    version = RuleSetVersion.objects.select_related("rule_set").filter(rule_set=one).order_by("-number")[0]
    return Chosen(name=one.name, text=version.text, version=version)


def _built_in(name: str) -> Chosen:
    return Chosen(name=name, text=BUILT_IN[name].text)


def _nearest(project: Project, name: str, actor: Actor) -> str:
    applying = RuleSet.objects.filter(_applies(project), archived_at=None, pk__in=visible(actor).values("pk"))
    names = {one.casefold(): one for one in (*BUILT_IN, *applying.values_list("name", flat=True))}
    close = get_close_matches(name.casefold(), names, n=1)
    return f" Did you mean {names[close[0]]}?" if close else f" Built in are {', '.join(BUILT_IN)}."
