"""What somebody writes on the page of rules before it is saved, tried on a sample. Nothing in here changes anything."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict

from hierarchy.errors import Refused
from hierarchy.models import Group, Project, Role
from hierarchy.selectors import Actor, memberships, sees_all
from importer import rule_choice, samples
from importer.core.rules.model import RuleSet as Rules
from importer.core.rules.problems import Problem
from importer.core.rules.trials import Fate, Trial, Wish, try_rules
from importer.models import RuleSample
from importer.review_queries import managed_projects
from importer.rule_choice import BadRules, RuleSetRow
from importer.rule_words import FATE

# Seconds that one look at a sample may take.
PATIENCE = 1.5
MOST_SCOPES = 500
SITE = "site"
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`base` is the version that it began with; `scope` is `site`, `group-3` or `project-7`."""

    text: str = ""
    name: str = ""
    description: str = ""
    scope: str = ""
    base: int = 0
    sample: RuleSample | None = None
    wish: Wish = field(default_factory=Wish)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A draft on its sample: what is wrong with the text, or what it gives."""

    problems: Sequence[Problem] = ()
    rules: Rules | None = None
    trial: Trial | None = None

    @property
    def fates(self) -> list[dict[str, Any]]:
        """Counted files by what becomes of them, for a bar and its legend."""
        counts = self.trial.fates if self.trial else {}
        return [{"words": FATE[fate], "count": counts[fate]} for fate in Fate if counts.get(fate)]


def plain(text: str) -> str:
    """Browsers send line ends of their own; databases refuse NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def posted(request: HttpRequest) -> Draft:
    said = request.POST
    return Draft(
        text=plain(said.get("text", "")),
        name=plain(said.get("name", "")).strip(),
        description=plain(said.get("description", "")).strip()[:2000],
        scope=said.get("scope", ""),
        base=_number(said.get("base", "")),
        sample=sample_of(request, said.get("sample", "")),
        wish=Wish(start=_number(said.get("start", "")), only_missed=said.get("only") == "missed"),
    )


def sample_of(request: HttpRequest, number: str) -> RuleSample | None:
    """One of the reader's own; without one the examples are used."""
    wanted = _number(number)
    return samples.mine(request.user).filter(pk=wanted).first() if wanted else None


def _number(text: str) -> int:
    return min(int(text[:19]), _LARGEST) if text.isascii() and text.isdigit() else 0


def tried(draft: Draft) -> Tried:
    try:
        rules = rule_choice.parsed(draft.text)
    except BadRules as bad:
        return Tried(problems=bad.problems)
    until = time.monotonic() + PATIENCE
    trial = try_rules(
        rules,
        samples.facts_of(draft.sample),
        draft.wish,
        zone=ZoneInfo(settings.TIME_ZONE),
        is_late=lambda: time.monotonic() > until,
    )
    return Tried(rules=rules, trial=trial)


def scopes(actor: Actor) -> list[tuple[str, str]]:
    """Where the actor may keep rule sets, the widest first: (value, words)."""
    found = [(SITE, "The whole site")] if rule_choice.may_keep(actor) else []
    groups = _groups(actor).order_by("name")[:MOST_SCOPES]
    projects = managed_projects(actor).select_related("group").order_by("group__name", "label")[:MOST_SCOPES]
    found += [(f"group-{one.pk}", f"Group {one.name}") for one in groups]
    return found + [(f"project-{one.pk}", f"Project {one}") for one in projects]


def _groups(actor: Actor) -> Any:
    if sees_all(actor) or rule_choice.may_keep(actor):
        return Group.objects.all()
    mine = memberships(actor).filter(role=Role.ADMIN, group__isnull=False)
    return Group.objects.filter(pk__in=mine.values("group"))


def place_of(scope: str, actor: Actor) -> dict[str, Any]:
    """Group and project of a scope, for the services. Raises Refused for one that there is not."""
    kind, _, number = scope.partition("-")
    if scope == SITE:
        return {"group": None, "project": None}
    if kind == "group" and (group := _groups(actor).filter(pk=_number(number)).first()):
        return {"group": group, "project": None}
    if kind == "project" and (project := _project(_number(number), actor)):
        return {"group": None, "project": project}
    raise Refused("Choose where the rule set is to be kept.")


def _project(number: int, actor: Actor) -> Project | None:
    return managed_projects(actor).select_related("group").filter(pk=number).first()


def of_row(row: RuleSetRow, *, sample: RuleSample | None) -> Draft:
    """A rule set as it stands, to go on from."""
    return Draft(
        text=rule_choice.text_of(row),
        name=row.name,
        description=row.description,
        base=row.version,
        sample=sample,
    )


def uploaded(files: "MultiValueDict[str, Any]", key: str) -> list[Any]:
    """Files of a form's field; a field that was left empty has none."""
    return [one for one in files.getlist(key) if one.name]
